"""poolproof merge: the shards of a sweep added up, and what is missing named."""

import json
import os
import shutil
import subprocess
import xml.etree.ElementTree

from program import HANG, POOLPROOF, ProgramTest

FAILURE = {
    "signature": "isolation: client # got another's answer",
    "what": "client a got another's <answer> | *x*",
    "number": 7, "seed": "0xab", "times": 2, "file": "", "size": 0, "shrink_attempts": 0,
    "reproduces_with": "file", "host_failed": 0, "host_runs": 0,
}


class Merge(ProgramTest):
    def setUp(self):
        super().setUp()
        for shard in range(3):
            self.sweep(shard)

    def sweep(self, shard, *words, shards=3, count=300, out=None, seed=7):
        done = self.program("sweep", "--out", out or str(shard), "--count", str(count), "--seed",
                            str(seed), "--shard-index", str(shard), "--shards", str(shards),
                            "--no-host", "--no-shrink", *words)
        self.assertIn(done.returncode, (0, 75), done.stdout + done.stderr)

    def state(self, folder):
        return json.loads((self.folder / folder / "sweep.json").read_text())

    def change(self, folder, **values):
        path = self.folder / folder / "sweep.json"
        path.write_text(json.dumps({**self.state(folder), **values}))

    def merge(self, *words, code, says=()):
        done = self.program("merge", *words)
        text = (done.stdout + done.stderr).decode()
        self.assertEqual(done.returncode, code, text)
        for one in says:
            self.assertIn(one, text)
        return text

    def test_the_whole_is_what_an_unsharded_sweep_is(self):
        text = self.merge("0", "1", "2", "--out", "sum", code=0,
                          says=["300 of 300 scenarios in 3 of 3 shard(s)", "\nno failure\n"])
        self.sweep(0, shards=1, out="whole")
        whole, total = self.state("whole"), self.state("sum")
        for key in ("done", "traces", "repeated", "coverage", "count", "build", "proved_nothing",
                    "failures"):
            self.assertEqual(whole[key], total[key], key)
        for codec in ("terse", "json"):
            for key in ("runs", "core_events"):
                self.assertEqual(whole[codec][key], total[codec][key])
        # What nobody knows of a sum is not told.
        self.assertNotRegex(text, r"scenarios in [\d.]+ s")
        self.assertNotIn("new in the last", text)
        self.assertIn("cells struck: ", text)

    def test_who_reads_its_output_may_stop_before_its_end(self):
        reader, writer = os.pipe()
        os.close(reader)
        with subprocess.Popen([POOLPROOF, "merge", "0", "1", "2", "--out", "sum"], stdout=writer,
                              cwd=self.folder) as done:
            os.close(writer)
            self.assertEqual(done.wait(HANG), 0)
        self.assertEqual(self.state("sum")["done"], 300)
        self.assertTrue((self.folder / "sum" / "junit.xml").exists())

    def test_coverage_that_is_broken_is_in_every_report(self):
        everywhere = ["0x" + "f" * 16] * len(self.state("0")["coverage"])
        self.change("0", coverage=everywhere)
        text = self.merge("0", "1", "2", "--out", "sum", code=1)
        (line,) = [one for one in text.splitlines() if one.startswith("struck, though")]
        self.assertIn(line, (self.folder / "sum" / "summary.md").read_text())
        root = xml.etree.ElementTree.parse(self.folder / "sum" / "junit.xml").getroot()
        self.assertEqual(root.get("failures"), "1")
        self.assertEqual(root.find(".//failure").get("message"), line)

    def test_a_failure_whose_file_is_gone_is_one_without_a_file(self):
        lost = {**FAILURE, "file": "failures/lost.json", "size": 3}
        self.change("0", failures=[lost])
        text = self.merge("0", "1", "2", "--out", "sum", code=1)
        self.assertNotIn("lost.json", text)
        self.assertEqual(self.state("sum")["failures"][0]["file"], "")

    def test_what_is_missing_is_named(self):
        self.merge("0", "2", code=2, says=[
            "shard 2/3 is missing\n",
            "INCOMPLETE: 1 thing(s) missing; --partial judges what there is\n"])
        text = self.merge("2", code=2, says=["shards 1/3 to 2/3 are missing\n"])
        self.assertNotIn("no failure", text)
        # Half done: its time was over.
        shutil.rmtree(self.folder / "1")
        self.sweep(1, "--time", "1", count=100_000_000)
        self.sweep(0, "--time", "1", count=100_000_000)
        text = self.merge("0", "1", "2", code=2, says=[
            "shard 1/3 (0) is not done: ", "shard 2/3 (1) is not done: ", "its time was over\n",
            "shard 3/3 (2) is of --count 300, others of 100000000\n"])
        self.assertNotIn("never struck", text)

    def test_another_build_is_named(self):
        self.change("1", build="0.0.1-00")
        self.merge("0", "1", "2", code=2, says=["shard 2/3 (1) is of another build: 0.0.1-00, not"])
        self.merge("1", "0", "2", code=2, says=[
            "shard 1/3 (0) is of another build", "shard 3/3 (2) is of another build",
            "what they reached is not told"])

    def test_a_folder_in_which_nothing_was_saved_is_missing(self):
        (self.folder / "empty").mkdir()
        self.merge("0", "empty", "2", code=2, says=["empty has no sweep.json", "shard 2/3 is miss"])
        self.merge("empty", code=2, says=["there is nothing to add up"])
        self.merge("0", "nowhere", code=64, says=["nowhere/sweep.json"])

    def test_who_wants_a_part_gets_its_verdict(self):
        self.merge("0", "2", "--partial", code=0, says=[
            "shard 2/3 is missing\n",
            "\nno failure in what there is: 200 of 300 scenarios in 2 of 3 shard(s)\n"])
        self.change("2", failures=[FAILURE])
        self.merge("0", "2", "--partial", code=1, says=["\nFAILED in what there is: 200 of 300"])
        self.merge("0", "2", code=2, says=["1 thing(s) missing, and it has failed already"])

    def test_sums_can_be_added_up(self):
        self.merge("0", "2", "--out", "some", "--partial", code=0)
        self.merge("some", "1", "--out", "all", code=0, says=["300 of 300 scenarios in 3 of 3"])
        self.merge("0", "1", "2", "--out", "once", code=0)
        self.assertEqual(self.state("all"), self.state("once"))
        self.merge("all", "1", code=64, says=["shard 2 is there twice"])
        self.merge("all", code=0)
        goes_on = self.program("sweep", "--out", "all", "--count", "300", "--seed", "7")
        self.assertEqual(goes_on.returncode, 64)
        self.assertIn(b"is the sum of several shards", goes_on.stderr)

    def test_the_reports(self):
        self.change("2", failures=[FAILURE])
        self.merge("0", "1", "2", "--out", "sum", code=1,
                   says=["reports: sum/sweep.json, junit.xml, summary.md"])
        cases = self.cases("sum")
        self.assertEqual(sorted(cases.values()), ["failure", "passed"])
        self.assertEqual(cases[FAILURE["signature"] + " (sim)"], "failure")
        summary = (self.folder / "sum" / "summary.md").read_text()
        self.assertTrue(summary.startswith("# Poolproof sweep: FAILED\n"))
        self.assertIn("300 of 300 scenarios in 3 of 3 shard(s), seed 0x7", summary)
        self.assertIn("client a got another's &lt;answer> \\| \\*x\\*", summary)
        self.assertIn("`poolproof sweep --case 0xab`", summary)

        self.merge("0", "1", "--out", "part", code=2)
        self.assertEqual(sorted(self.cases("part").values()), ["error", "error"])
        self.assertIn("- shard 3/3 is missing\n",
                      (self.folder / "part" / "summary.md").read_text())

    def cases(self, folder):
        root = xml.etree.ElementTree.parse(self.folder / folder / "junit.xml").getroot()
        found = {}
        for case in root.iter("testcase"):
            bad = [child.tag for child in case if child.tag in ("failure", "error")]
            found[case.get("name")] = bad[0] if bad else "passed"
        return found

    def test_a_sum_never_replaces_a_shard(self):
        for out in ("0", "1"):
            before = self.state(out)
            self.merge("0", "2", "--partial", "--out", out, code=64, says=[f"--out {out}: "])
            self.assertEqual(self.state(out), before)

    def test_each_kind_is_shrunk_once_for_all_shards(self):
        # Our pool has no failure, so one is written in; it fails nowhere, and the file says so.
        self.change("1", failures=[{**FAILURE, "number": 4, "seed": "0xcd"}])
        self.change("2", failures=[FAILURE])
        self.merge("0", "1", "2", "--shrink", code=64, says=["--shrink without --out"])
        text = self.merge("0", "1", "2", "--shrink", "--no-host", "--out", "sum", code=1, says=[
            "failed 4 time(s)", "again: poolproof sweep --case 0xcd\n",
            "sum/failures/isolation-cd.json\n", "it hangs on what ran before it"])
        self.assertEqual(text.count("making small"), 1)
        self.assertTrue((self.folder / "sum" / "failures" / "isolation-cd.json").exists())
        again = self.merge("0", "1", "2", "--shrink", "--no-host", "--out", "sum", code=1)
        self.assertNotIn("making small", again)
        # The sum has its files with it.
        (self.folder / "sum").rename(self.folder / "moved")
        self.merge("moved", code=1, says=["moved/failures/isolation-cd.json"])
