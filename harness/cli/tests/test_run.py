"""poolproof run, show, compare: the exit codes, and what lies there afterwards."""

import json
import os
import subprocess
import xml.etree.ElementTree
from pathlib import Path

from program import (HANG, POOLPROOF, ProgramTest, children_of, echo_scenario, long_scenario,
                     steps_around)

GOLDEN = Path(os.environ["POOLPROOF_GOLDEN"])


class Run(ProgramTest):
    def verdicts(self):
        return {s["name"]: s["verdict"] for s in self.report()["scenarios"]}

    def test_0_when_all_held(self):
        self.write(echo_scenario("one"))
        self.write(echo_scenario("two"), below="scenarios/deeper")
        done = self.run_scenarios("scenarios")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertEqual(self.verdicts(), {"one": "pass", "two": "pass"})
        self.assertEqual(sorted(p.name for p in self.out.iterdir()),
                         ["junit.xml", "report.json", "summary.md", "traces"])
        self.assertEqual(sorted(p.name for p in (self.out / "traces").iterdir()),
                         ["one.jsonl", "two.jsonl"])
        xml.etree.ElementTree.parse(self.out / "junit.xml")
        shown = self.program("show", self.out / "traces" / "one.jsonl")
        self.assertEqual(shown.returncode, 0)
        self.assertIn(b"echo", shown.stdout)

    def test_what_it_has_written_is_passed_over_when_it_is_called_again(self):
        self.write(echo_scenario("one"), below=".")
        self.write(echo_scenario("report"), below="mine")
        for _ in range(2):
            done = self.program("run", ".", "--world", "host")
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            self.assertIn(b"[2/2]", done.stdout)
        # A sweep's folder as well; what is named is not passed over.
        self.program("sweep", "--count", "5", "--no-host")
        found = self.folder / "poolproof-sweep" / "failures"
        (found / "found.json").write_text(json.dumps(echo_scenario("found")))
        self.assertIn(b"2 scenario(s)", self.program("check", ".").stdout)
        self.assertIn(b"1 scenario(s)", self.program("check", "poolproof-sweep").stdout)
        self.assertIn(b"1 scenario(s)", self.program("check", found).stdout)

    def test_a_scenario_beside_a_report_is_none_of_it(self):
        self.write(echo_scenario("one"), below="mine")
        for _ in range(2):
            done = self.program("run", "mine", "--out", "mine")
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.program("sweep", "--count", "5", "--no-host", "--out", "mine")
        (self.folder / "mine" / "failures" / "x.json").write_text("{}")
        self.assertIn(b"1 scenario(s)", self.program("check", ".").stdout)

    def test_the_times_of_findings_are_those_of_the_time_line(self):
        wrong = {"a": ["granted", {"error": "call_timeout"}, "returned"]}
        for world in ("host", "sim"):
            bad = self.write(echo_scenario("bad", expect=wrong, worlds=["host", "sim"]))
            self.run_scenarios(bad, "--world", world)
            (scenario,) = self.report()["scenarios"]
            times = [line.split()[0] for line in scenario["timeline"].splitlines()]
            last = max(float(time) for time in times if time != "...")
            self.assertGreater(len(scenario["findings"]), 0)
            for finding in scenario["findings"]:
                self.assertLessEqual(finding["at_ms"], last + 1, scenario["timeline"])

    def test_1_when_an_expectation_is_wrong(self):
        wrong = {"a": ["granted", {"error": "call_timeout"}, "returned"]}
        bad = self.write(echo_scenario("bad", expect=wrong), below="with space")
        done = self.run_scenarios(self.write(echo_scenario("good")), bad)
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertEqual(self.verdicts(), {"good": "pass", "bad": "fail"})
        again = [line for line in done.stdout.decode().splitlines() if "again: " in line]
        self.assertEqual(len(again), 1)
        words = again[0].split("again: poolproof ")[1] + f" --out '{self.out}'"
        rerun = subprocess.run(f"'{POOLPROOF}' {words}", shell=True, stdout=subprocess.PIPE,
                               timeout=HANG, check=False)
        self.assertEqual(rerun.returncode, 1, rerun.stdout)
        self.assertEqual(self.verdicts(), {"bad": "fail"})

    def test_2_when_a_fault_never_strikes(self):
        never = [{"fault": "reply_late", "at": {"slot": 0, "request": 7}}]
        done = self.run_scenarios(self.write(echo_scenario("vain", faults=never)))
        self.assertEqual(done.returncode, 2, done.stdout)
        self.assertEqual(self.verdicts(), {"vain": "invalid"})
        self.assertIn(b"never struck", done.stdout)

    def test_2_when_a_fault_changes_nothing(self):
        call = {"call": {"command": "fail", "args": {"message": "boom"}}}
        done = self.run_scenarios(self.write(echo_scenario(
            "same",
            clients=[{"name": "a", "steps": steps_around(call)}],
            faults=[{"fault": "error_reply", "at": {"client": "a", "call": 1}, "message": "boom"}],
            expect={"a": ["granted", {"error": "worker_error"}, "returned"], "no_success": True},
        )))
        self.assertEqual(done.returncode, 2, done.stdout)
        self.assertEqual(self.verdicts(), {"same": "invalid"})

    def test_2_when_a_signal_reaches_nobody(self):
        steps = [{"signal_worker": {"slot": 0, "generation": 5, "signal": "KILL"}}]
        scenario = echo_scenario("nobody")
        scenario["clients"][0]["steps"] += steps
        path = self.write(scenario)
        done = self.run_scenarios(path)
        self.assertEqual(done.returncode, 2, done.stdout)
        self.assertIn(b"reached nobody", done.stdout)

    def test_3_when_a_comparison_fails(self):
        base, new = GOLDEN / "bench_base.json", GOLDEN / "bench_new.json"
        self.assertEqual(self.program("compare", base, new).returncode, 3)
        self.assertEqual(self.program("compare", base, base).returncode, 0)

    def test_70_when_a_report_cannot_be_written(self):
        (self.out / "report.json" / "in the way").mkdir(parents=True)
        done = self.run_scenarios(self.write(echo_scenario("x")))
        self.assertEqual(done.returncode, 70, done.stderr)
        self.assertEqual(done.stderr.count(b"\n"), 1)
        self.assertIn(b"report.json", done.stderr)

    def test_70_when_stdout_is_full(self):
        with open("/dev/full", "wb") as full:
            run = ["run", self.write(echo_scenario("x")), "--out", self.out]
            for words in (["list", "faults"], run):
                done = subprocess.run([POOLPROOF, *words], stdout=full, stderr=subprocess.PIPE,
                                      timeout=HANG, check=False)
                self.assertEqual(done.returncode, 70, done.stderr)
                self.assertIn(b"No space left", done.stderr)

    def test_who_reads_only_the_first_line_stops_nothing(self):
        paths = [self.write(echo_scenario(f"s{i}")) for i in "abcd"]
        with subprocess.Popen([POOLPROOF, "run", *paths, "--jobs", "1", "--out", self.out],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE) as run:
            self.assertTrue(run.stdout.readline().startswith(b"[1/4]"))
            run.stdout.close()
            self.assertEqual(run.wait(HANG), 0, run.stderr.read())
        self.assertEqual(len(self.report()["scenarios"]), 4)
        self.assertEqual(children_of(run.pid), {})

    def test_seed_jobs_and_repeat(self):
        path = self.write(echo_scenario("x"))
        done = self.run_scenarios(path, "--seed", "0xffffffffffffffff", "--repeat", "3",
                                  "--jobs", "256")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertEqual(len(self.report()["scenarios"]), 3)
        self.assertEqual(len(list((self.out / "traces").iterdir())), 3)

    def test_a_trace_of_an_earlier_run_does_not_pass_for_this_ones(self):
        path = self.write(echo_scenario("x"))
        stale = self.out / "traces" / "x.jsonl"
        stale.parent.mkdir(parents=True)
        stale.write_text("old")
        self.assertEqual(self.run_scenarios(path).returncode, 0)
        self.assertNotEqual(stale.read_text(), "old")

    def test_two_runs_do_not_share_an_output_folder(self):
        path = self.write(long_scenario("long"))
        with subprocess.Popen([POOLPROOF, "run", path, "--out", self.out],
                              stdout=subprocess.DEVNULL) as first:
            while not (self.out / ".work").exists() and first.poll() is None:
                pass
            second = self.run_scenarios(path)
            self.assertEqual(second.returncode, 70)
            self.assertIn(b"another run", second.stderr)
            self.assertTrue((self.out / ".work").exists())
            first.terminate()
