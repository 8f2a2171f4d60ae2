"""poolproof replay: recorded traces and the pool of today."""

import json
import os
from pathlib import Path

from program import ProgramTest, echo_scenario

SUITE = Path(os.environ["POOLPROOF_GOLDEN"]).parents[1] / "scenarios"


class Replay(ProgramTest):
    def traces_of(self, *paths):
        done = self.run_scenarios(*paths)
        # Whether a scenario held is the other tests' question.
        self.assertIn(done.returncode, (0, 1, 2), done.stderr)
        return sorted((self.out / "traces").iterdir())

    def trace(self):
        (trace,) = self.traces_of(self.write(echo_scenario("x")))
        return trace

    def refused(self, trace, *says):
        done = self.program("replay", trace)
        text = done.stderr.decode()
        self.assertEqual(done.returncode, 64, text)
        self.assertEqual(done.stdout, b"")
        self.assertEqual(text.count("\n"), 1, text)
        for part in says:
            self.assertIn(part, text)

    def test_every_trace_of_the_suite_replays(self):
        traces = self.traces_of(SUITE)
        controls = [t for t in traces if t.name.endswith(".control.jsonl")]
        self.assertGreater(len(controls), 50)
        self.assertGreater(len(traces), len(controls) + 50)
        done = self.program("replay", *traces)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        lines = done.stdout.decode().splitlines()
        self.assertEqual(len(lines), len(traces))
        for line, trace in zip(lines, traces):
            self.assertRegex(line, r": replayed [1-9]\d* events, the same effects$")
            self.assertTrue(line.startswith(str(trace)), line)

    def test_a_start_that_is_answered_too_late(self):
        pool = {"size": 1, "startup_budget_ms": 1, "backoff_initial_ms": 5, "backoff_max_ms": 5,
                "breaker_failures": 0}
        checkout = {"checkout": {"timeout_ms": 300}}
        clients = [{"name": "a", "steps": [checkout, {"call": {"command": "echo"}}]}]
        path = self.write(echo_scenario("late", pool=pool, clients=clients, expect={}))
        traces = self.traces_of(path, path, path)
        self.assertEqual(len(traces), 3)
        done = self.program("replay", *traces)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_one_trace_one_line(self):
        done = self.program("replay", self.trace())
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertRegex(done.stdout.decode(), r"\Areplayed \d+ events, the same effects\n\Z")

    def test_control_runs_of_scenarios_in_which_nobody_calls(self):
        faults = [{"fault": "exit_at_start", "at": {"slot": 0, "generation": 0}}]
        steps = [{"checkout": {}}, {"checkin": {}}]
        for one in ("any_success", "no_success"):
            path = self.write(echo_scenario(one.replace("_", "-"), faults=faults, worlds=["sim"],
                                            clients=[{"name": "a", "steps": steps}],
                                            expect={one: True}))
            self.run_scenarios(path, "--world", "sim")
        traces = sorted((self.out / "traces").iterdir())
        self.assertTrue(any(".control." in trace.name for trace in traces), traces)
        done = self.program("replay", *traces)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_the_seed_of_the_command_line_is_the_one_that_counts(self):
        pool = {"size": 1, "backoff_initial_ms": 50, "backoff_jitter_percent": 100}
        faults = [{"fault": "exit_at_start", "at": {"slot": 0, "generation": 0}}]
        path = self.write(echo_scenario("jitter", pool=pool, faults=faults))
        self.run_scenarios(path, "--seed", "0xabc")
        trace = self.out / "traces" / "jitter.jsonl"
        done = self.program("replay", trace)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_the_first_difference_is_named_and_shown(self):
        trace = self.trace()
        lines = [json.loads(line) for line in trace.read_text().splitlines()]
        changed = [i for i, line in enumerate(lines) if line.get("kind") == "handshake_ended"][0]
        self.assertEqual(lines[changed]["effects"][0]["kind"], "grant")
        lines[changed]["effects"][0]["worker"] = "0.7"
        trace.write_text("".join(json.dumps(line) + "\n" for line in lines))
        done = self.program("replay", trace)
        text = done.stdout.decode()
        self.assertEqual(done.returncode, 1, text)
        self.assertTrue(text.startswith(f"{trace}:{changed + 1}: event "), text)
        self.assertIn("handshake_ended, worker 0.0", text)
        marked = [line.split() for line in text.splitlines() if line.startswith("  ! ")]
        self.assertEqual(marked, [["!", "worker", "0.7", "|", "worker", "0.0"]])

    def test_a_changed_event_and_a_sound_trace_beside_it(self):
        sound = self.trace()
        lines = sound.read_text().splitlines(keepends=True)
        (place,) = [i for i, line in enumerate(lines) if '"kind":"checked_in"' in line]
        lines[place] = lines[place].replace('"clean":true', '"clean":false')
        bad = self.file("bad.jsonl", "".join(lines).encode())
        done = self.program("replay", sound, bad)
        text = done.stdout.decode()
        self.assertEqual(done.returncode, 1, text)
        self.assertIn(f"{sound}: replayed", text)
        self.assertIn(f"bad.jsonl:{place + 1}: event", text)
        self.assertIn("step term", text)

    def test_what_cannot_be_replayed(self):
        text = self.trace().read_text()
        lines = text.splitlines(keepends=True)
        self.refused("/no/such", "/no/such")
        self.refused(self.folder, "is no file")
        self.refused(self.file("empty", b""), "empty:1")
        self.refused(self.file("junk", b"\x1b[31m\x00\xff"), "junk:1")
        self.refused(self.file("cut", text[:-9].encode()), f"cut:{len(lines)}")
        of_others = "".join(line for line in lines if '"from":"pool"' not in line)
        self.refused(self.file("driver", of_others.encode()), "driver", "no record of a pool")
        later = text.replace('"trace_version":2', '"trace_version":3', 1)
        self.refused(self.file("later", later.encode()), "later:1", "trace_version")
        no_scenario = text.replace('"schema_version":1', '"schema_version":9', 1)
        self.refused(self.file("header", no_scenario.encode()), "header:1#/scenario_json")
        done = self.program("replay")
        self.assertEqual(done.returncode, 64)
        self.assertIn(b"TRACE", done.stderr)
