"""poolproof sweep and merge: generated scenarios in the simulator."""

import json
import os
import re
import shutil
import signal
import subprocess
import time

from program import ProgramTest


class Sweep(ProgramTest):
    def sweep(self, *words, out="sweep"):
        return self.program("sweep", "--out", self.folder / out, *words)

    def state(self, out="sweep"):
        return json.loads((self.folder / out / "sweep.json").read_text())

    @staticmethod
    def spoken(state):
        return [(state[codec]["runs"], state[codec]["core_events"]) for codec in ("terse", "json")]

    def test_a_sound_pool_holds(self):
        done = self.sweep("--count", "3000", "--seed", "a commit's hash", "--jobs", "2")
        text = done.stdout.decode()
        self.assertEqual(done.returncode, 0, text + done.stderr.decode())
        self.assertIn("no failure", text)
        self.assertRegex(text, r"3000 scenarios in [\d.]+ s: \d+/s; \d+ runs repeated")
        self.assertRegex(text, r"opaque payloads \(terse codec\): 3000 runs, \d+ Core events/s")
        self.assertRegex(text, r"JSON codec, some of them once more: \d+ runs, \d+ Core events/s")
        rate = re.search(r"\n  on real processes: (\d+) Core events/s with C\+\+ workers\n", text)
        self.assertIsNotNone(rate, text)
        self.assertGreater(int(rate.group(1)), 0)
        self.assertFalse((self.folder / "sweep" / ".host-rate").exists())
        state = self.state()
        self.assertEqual(state["done"], 3000)
        self.assertGreater(state["repeated"], 3)
        self.assertEqual(state["failures"], [])

    def test_without_the_worker_program_it_says_so_and_holds(self):
        missing = {**os.environ, "POOLPROOF_FAKE_WORKER": "/no/such/worker"}
        done = self.program("sweep", "--out", self.folder / "sweep", "--count", "10", env=missing)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertRegex(done.stdout.decode(), r"on real processes: not measured: .*/no/such/worker")

    def test_no_rate_is_measured_where_nobody_asks_for_one(self):
        self.assertEqual(self.sweep("--count", "10").returncode, 0)
        for words in (("sweep", "--out", self.folder / "other", "--count", "10",
                       "--stop-at-failure"), ("merge", self.folder / "sweep"),
                      ("sweep", "--out", self.folder / "no-host", "--count", "10", "--no-host")):
            done = self.program(*words)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            self.assertNotIn(b"on real processes", done.stdout)

    def test_the_same_seed_gives_the_same_traces_in_other_processes(self):
        for out, jobs in (("one", "1"), ("two", "2")):
            done = self.sweep("--count", "2000", "--seed", "7", "--jobs", jobs, out=out)
            self.assertEqual(done.returncode, 0, done.stdout)
        one, two = self.state("one"), self.state("two")
        for key in ("traces", "coverage", "done"):
            self.assertEqual(one[key], two[key], key)
        self.assertEqual(self.spoken(one), self.spoken(two))
        (terse_runs, _), (json_runs, _) = self.spoken(one)
        self.assertEqual(terse_runs, 2000)
        self.assertGreater(json_runs, 200)
        self.assertLess(json_runs, 1500)

    def test_shards_together_are_the_whole(self):
        self.assertEqual(self.sweep("--count", "1000", "--seed", "7", out="whole").returncode, 0)
        for shard in ("1", "2", "3"):
            done = self.sweep("--count", "1000", "--seed", "7", "--shard", shard + "/3", out=shard)
            self.assertEqual(done.returncode, 0, done.stdout)
        done = self.program("merge", *(self.folder / shard for shard in "123"))
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn(b"1000 of 1000 scenarios in 3 of 3 shard(s)", done.stdout)
        shards = [self.state(shard) for shard in "123"]
        whole = self.state("whole")
        self.assertEqual(sum(s["done"] for s in shards), whole["done"])
        for codec in ("terse", "json"):
            for key in ("runs", "core_events"):
                self.assertEqual(sum(s[codec][key] for s in shards), whole[codec][key])
        twice = self.program("merge", self.folder / "1", self.folder / "1")
        self.assertEqual(twice.returncode, 64)
        self.assertIn(b"shard 1 is there twice", twice.stderr)

    def test_what_was_never_reached_is_told_only_of_a_whole_sweep(self):
        whole = self.sweep("--count", "64", "--seed", "7").stdout.decode()
        self.assertRegex(whole, r"cells struck: \d+ of \d+")
        self.assertRegex(whole, r"never struck \(\d+\): ")
        done = self.sweep("--count", "100000000", "--time", "1", "--jobs", "1", out="short")
        self.assertEqual(done.returncode, 75, done.stdout + done.stderr)
        text = done.stdout.decode()
        self.assertIn("stopped before its end: what it did not reach says nothing\n", text)
        self.assertRegex(text, r"\n[1-9]\d* scenarios in ")
        for words in ("cells struck", "never struck", "rare situations", "never seen"):
            self.assertNotIn(words, text)

    def test_what_did_not_happen_has_no_rate_and_no_hash(self):
        self.assertEqual(self.sweep("--count", "10", "--no-shrink").returncode, 0)
        none = {"runs": 0, "core_events": 0, "busy_ms": 0}
        state = {**self.state(), "repeated": 0, "traces": "0x0", "json": none}
        (self.folder / "sweep" / "sweep.json").write_text(json.dumps(state))
        text = self.program("merge", "sweep").stdout.decode()
        self.assertRegex(text, r"\n10 of 10 scenarios in 1 of 1 shard\(s\)\n")
        self.assertIn("terse codec", text)
        self.assertNotIn("hash", text)
        self.assertNotIn("JSON codec", text)

    def merged_with_failure(self, **changes):
        """What is told of a sweep that found a failure: our pool has none, so it is written in."""
        shutil.rmtree(self.folder / "sweep", ignore_errors=True)
        self.assertEqual(self.sweep("--count", "10", "--no-shrink").returncode, 0)
        failure = {
            "signature": "isolation: client # got another's answer",
            "what": "client a got another's answer",
            "number": 7, "seed": "0xab", "times": 2, "file": "failures/isolation-ab.json",
            "size": 3, "shrink_attempts": 40, "reproduces_with": "file",
            "host_failed": 0, "host_runs": 0, **changes,
        }
        state = {**self.state(), "failures": [failure]}
        (self.folder / "sweep" / "sweep.json").write_text(json.dumps(state))
        done = self.program("merge", "sweep")
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        return done.stdout.decode()

    def test_each_world_has_a_command_of_its_own(self):
        self.assertIn(
            "\n  again: poolproof sweep --case 0xab\n"
            "  shrunk to 3 step(s) and fault(s) in 40 attempts: sweep/failures/isolation-ab.json\n"
            "  in the simulator: poolproof run sweep/failures/isolation-ab.json --world sim\n"
            "  on real processes: poolproof run sweep/failures/isolation-ab.json --world host\n",
            self.merged_with_failure())

    def test_what_real_processes_said_of_the_file_is_told(self):
        for failed in (0, 3):
            self.assertIn(
                f"\n  on real processes ({failed} of 3 runs failed): "
                "poolproof run sweep/failures/isolation-ab.json --world host\n",
                self.merged_with_failure(host_failed=failed, host_runs=3))

    def test_a_file_that_does_not_fail_is_not_said_to(self):
        text = self.merged_with_failure(reproduces_with="terse_case")
        self.assertIn(
            "  `poolproof run` does not show it, `poolproof sweep --case 0xab` does: "
            "it fails with terse messages only, and files are run with JSON\n", text)
        self.assertNotIn("--world", text)
        for reproduces_with, words in (("case_alone", "only as it was generated"),
                                ("nothing", "it hangs on what ran before it")):
            text = self.merged_with_failure(reproduces_with=reproduces_with)
            self.assertIn(words, text)
            self.assertNotIn("--world", text)

    def test_a_shard_has_a_number_from_one_or_from_zero(self):
        for out, words in (("one", ("--shard", "2/3")),
                           ("zero", ("--shard-index", "1", "--shards", "3"))):
            done = self.sweep("--count", "300", "--seed", "7", "--no-host", *words, out=out)
            self.assertEqual(done.returncode, 0, done.stderr)
        one, zero = self.state("one"), self.state("zero")
        self.assertEqual(one["parts"], zero["parts"])
        self.assertEqual(one["coverage"], zero["coverage"])

    def test_a_sweep_that_stopped_goes_on(self):
        self.assertEqual(self.sweep("--count", "500", "--seed", "7").returncode, 0)
        self.assertEqual(self.state()["done"], 500)
        self.assertEqual(self.sweep("--count", "800", "--seed", "7").returncode, 0)
        self.assertEqual(self.state()["done"], 800)
        other = self.sweep("--count", "800", "--seed", "8")
        self.assertEqual(other.returncode, 64)
        self.assertIn(b"is of another sweep", other.stderr)

    def test_one_case_again_is_the_same_case(self):
        first = self.program("sweep", "--case", "0x1234")
        again = self.program("sweep", "--case", "0x1234")
        self.assertEqual(first.returncode, 0, first.stdout)
        self.assertEqual(first.stdout, again.stdout)
        self.assertRegex(first.stdout.decode(), r"trace hash [0-9a-f]{16}\n\Z")
        other = self.program("sweep", "--case", "0x1235")
        self.assertNotEqual(first.stdout, other.stdout)

    def test_one_case_says_in_which_codec_it_is_told(self):
        text = self.program("sweep", "--case", "0x1234").stdout.decode()
        terse = text.index("\nwith opaque payloads (terse codec):\n")
        self.assertLess(terse, text.index("\nthe same scenario once more, with the JSON codec:\n"))

    def test_bad_words(self):
        for words, says in (
            ([], "neither --count nor --time"),
            (["--count", "10", "--shard", "3/2"], "K/N"),
            (["--count", "10", "--shard", "x"], "K/N"),
            (["--count", "10", "--shard-index", "0"], "--shards belong together"),
            (["--count", "10", "--shards", "2"], "--shards belong together"),
            (["--count", "10", "--shard-index", "2", "--shards", "2"],
             "--shard-index: 2; 0 to 1, as there are 2 shards"),
            (["--count", "10", "--shard", "1/2", "--shard-index", "0", "--shards", "2"],
             "one of both ways"),
            (["--count", "10", "--jobs", "257"], "--jobs"),
            (["--count", "0"], "--count"),
            (["--count", "ten"], "--count"),
        ):
            done = self.sweep(*words)
            self.assertEqual(done.returncode, 64, words)
            self.assertIn(says, done.stderr.decode())
            self.assertFalse((self.folder / "sweep").exists())
        done = self.program("sweep", "--case", "12", "--count", "3")
        self.assertEqual(done.returncode, 64)
        self.assertIn("--case beside --count or --time; one case", done.stderr.decode())
        done = self.program("merge", self.folder / "nowhere")
        self.assertEqual(done.returncode, 64)

    def test_a_killed_sweep_leaves_no_process_and_a_whole_file(self):
        out = self.folder / "sweep"
        sweep = subprocess.Popen(
            [os.environ["POOLPROOF"], "sweep", "--time", "300", "--jobs", "2", "--out", str(out)],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        # It has begun once it tells of its progress.
        self.assertTrue(sweep.stdout.readline())
        children = self.children_of(sweep.pid)
        self.assertEqual(len(children), 2)
        sweep.send_signal(signal.SIGKILL)
        sweep.wait()
        sweep.stdout.close()
        deadline = time.monotonic() + 30
        while any(self.runs(pid) for pid in children):
            self.assertLess(time.monotonic(), deadline, "processes are left")
        state = out / "sweep.json"
        if state.exists():
            json.loads(state.read_text())

    @staticmethod
    def children_of(pid):
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as listed:
            return [int(word) for word in listed.read().split()]

    @staticmethod
    def runs(pid):
        try:
            with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
                return not re.search(r"\) [ZX] ", stat.read())
        except FileNotFoundError:
            return False
