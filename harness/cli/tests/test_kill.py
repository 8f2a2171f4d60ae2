"""However a run ends, no process of it is left and no half of a report."""

import json
import os
import random
import signal
import subprocess
import time
import xml.etree.ElementTree

from program import (HANG, POOLPROOF, PYTHON, ProgramTest, children_of, echo_scenario,
                     long_scenario, wait_until)

ESCAPE = """
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0: time.sleep(1000)
    os._exit(0)
time.sleep(1000)
"""


def pids(run, part):
    return [pid for pid, command in children_of(run.pid).items() if part in command]


def a_worker_runs(run):
    wait_until(lambda: pids(run, "fake_worker"), "a worker")


class Kill(ProgramTest):
    def begin(self, scenario):
        self.path = self.write(scenario)
        return subprocess.Popen([POOLPROOF, "run", self.path, "--out", self.out],
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                start_new_session=True)

    def no_trace_is_left(self, run):
        wait_until(lambda: not children_of(run.pid), f"the end of {children_of(run.pid)}")
        if (self.out / "report.json").exists():
            json.loads((self.out / "report.json").read_text())
        if (self.out / "junit.xml").exists():
            xml.etree.ElementTree.parse(self.out / "junit.xml")
        if self.out.exists():
            visible = {p.name for p in self.out.iterdir() if not p.name.startswith(".")}
            self.assertLessEqual(visible, {"report.json", "junit.xml", "summary.md", "traces"})

    def next_run_works(self):
        done = self.run_scenarios(self.write(echo_scenario("next")))
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertFalse((self.out / ".work").exists())

    def strike(self, scenario, when, how):
        run = self.begin(scenario)
        when(run)
        how(run)
        run.wait(HANG)
        self.no_trace_is_left(run)
        self.next_run_works()

    def test_killed_while_a_call_is_under_way(self):
        self.strike(long_scenario("long"), a_worker_runs, lambda run: run.kill())

    def test_killed_it_does_not_leave_the_verdict_of_the_run_before(self):
        self.assertEqual(self.run_scenarios(self.write(echo_scenario("before"))).returncode, 0)
        run = self.begin(long_scenario("killed"))
        a_worker_runs(run)
        run.kill()
        run.wait(HANG)
        self.no_trace_is_left(run)
        for report in ("report.json", "junit.xml", "summary.md"):
            self.assertFalse((self.out / report).exists(), report)

    def test_killed_with_an_escaped_grandchild(self):
        scenario = long_scenario("escape")
        scenario["workers"] = [{"kind": "command", "argv": [PYTHON, "-c", ESCAPE]}]
        self.strike(scenario, lambda run: wait_until(lambda: len(pids(run, "setsid")) >= 2, "two"),
                    lambda run: run.kill())

    def test_killed_at_any_moment(self):
        chance = random.Random(7)
        early = [chance.uniform(0, 0.05) for _ in range(3)]
        late = [chance.uniform(0.05, 0.6) for _ in range(4)]
        for moment in [0, 0, *early, *late]:
            with self.subTest(moment=moment):
                self.strike(echo_scenario("short"), lambda run, moment=moment: time.sleep(moment),
                            lambda run: run.kill())

    def test_asked_to_end(self):
        for asked in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            with self.subTest(signal=asked):
                self.strike(long_scenario("long"), a_worker_runs,
                            lambda run: os.killpg(run.pid, asked))

    def test_without_its_guardian_it_goes_on(self):
        run = self.begin(long_scenario("long", ms=300))
        for pid in wait_until(lambda: pids(run, "guardian"), "the guardian"):
            os.kill(pid, signal.SIGKILL)
        self.assertEqual(run.wait(HANG), 0)
        self.no_trace_is_left(run)

    def test_a_scenario_process_that_is_killed_has_failed(self):
        run = self.begin(long_scenario("long"))
        a_worker_runs(run)
        for pid in pids(run, "carry-out"):
            os.kill(pid, signal.SIGKILL)
        self.assertEqual(run.wait(HANG), 1)
        self.no_trace_is_left(run)
        finding = self.report()["scenarios"][0]
        self.assertEqual(finding["verdict"], "fail")
        self.assertIn("signal 9", json.dumps(finding))
        self.next_run_works()
