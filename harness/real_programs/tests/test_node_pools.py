"""Pools of `child_process.fork()` under guard: jest-worker and workerpool, with wrap as their
execPath: in front of the process alone, and on the channel of its IPC."""

import json
import unittest

from real import NODE, POOLPROOF, RealTest, program


class Pools(RealTest):
    POOLS = ("jest_pool.cjs", "worker_pool.cjs")

    SPEECHES = (("jest_pool.cjs", "jest"), ("worker_pool.cjs", "json_rpc"))

    def behind_wrap(self, *faults, on=("--speech", "opaque")):
        """The environment that makes a pool start its workers through wrap."""
        journal = self.folder / "journal.jsonl"
        journal.unlink(missing_ok=True)
        words = ["wrap", *on, "--journal", str(journal), *faults, "--", NODE]
        return {"EXEC_PATH": POOLPROOF, "EXEC_ARGV": json.dumps(words)}

    def on_channel(self, speech, *faults):
        return self.behind_wrap(*faults, on=("--wire", "node_ipc", "--speech", speech))

    def test_a_sound_run_passes(self):
        for pool in self.POOLS:
            with self.subTest(pool):
                told = self.assert_sound([*program(pool), "double", "double"])
                self.assertEqual(told, [42, 42])

    def test_what_a_worker_leaves_is_named(self):
        for pool in self.POOLS:
            with self.subTest(pool):
                self.assert_leak_is_named([*program(pool), "leave", "double"])

    def test_a_worker_that_dies_in_a_call_costs_that_call(self):
        for pool in self.POOLS:
            with self.subTest(pool):
                told = self.assert_sound([*program(pool), "die", "double"])
                self.assertIn("SIGKILL", str(told[0]))
                self.assertEqual(told[1], 42)

    def test_workers_serve_as_well_behind_wrap(self):
        for pool in self.POOLS:
            with self.subTest(pool):
                told = self.assert_sound([*program(pool), "double", "double"],
                                         **self.behind_wrap())
                self.assertEqual(told, [42, 42])
                self.assertGreaterEqual(len(self.journal("started")), 1)

    def test_a_death_in_a_call_crosses_the_wrap_as_it_is(self):
        for pool in self.POOLS:
            with self.subTest(pool):
                told = self.assert_sound([*program(pool), "die", "double"], **self.behind_wrap())
                self.assertIn("SIGKILL", str(told[0]))
                self.assertEqual(told[1], 42)

    def test_a_slow_start_is_waited_for(self):
        for pool in self.POOLS:
            with self.subTest(pool):
                slow = self.behind_wrap("--fault", "import_slow", "--param", "delay_ms=400")
                told = self.assert_sound([*program(pool), "double"], **slow)
                self.assertEqual(told, [42])
                faults = {one["fault"] for one in self.journal("receipt")}
                self.assertEqual(faults, {"import_slow"})

    def test_a_call_is_aimed_at_on_the_channel(self):
        for pool, speech in self.SPEECHES:
            with self.subTest(pool):
                told = self.assert_sound(
                    [*program(pool), "double", "double", "double"],
                    **self.on_channel(speech, "--fault", "exit_mid_call", "--param", "code=9",
                                      "--at", "method=double,nth=2"))
                # Of a pool of two the worker that took the second call took one before, or not.
                self.assertIn(42, told)
                for receipt in self.journal("receipt"):
                    self.assertEqual(receipt["fault"], "exit_mid_call")
                self.assertEqual(sum(one != 42 for one in told), len(self.journal("receipt")))
                commands = {one.get("command") for one in self.journal("read")}
                self.assertIn("double", commands)

    def test_replies_are_spoilt_on_the_channel(self):
        for pool, speech in self.SPEECHES:
            for fault in (("--fault", "reply_late", "--param", "delay_ms=300"),
                          ("--fault", "reply_twice")):
                with self.subTest(pool, fault=fault):
                    told = self.assert_sound(
                        [*program(pool), "double", "double"],
                        **self.on_channel(speech, *fault, "--at", "method=double,nth=1"))
                    self.assertEqual(told, [42, 42])
                    self.assertGreaterEqual(len(self.journal("receipt")), 1)

    def test_an_error_in_a_reply_is_the_callers(self):
        told = self.assert_sound(
            [*program("worker_pool.cjs"), "double", "double"],
            **self.on_channel("json_rpc", "--fault", "error_reply", "--at",
                              "method=double,nth=1"))
        self.assertEqual(told.count("injected error"), len(self.journal("receipt")))
        self.assertGreaterEqual(len(self.journal("receipt")), 1)

    def test_text_on_the_channel_is_an_uncaught_error_of_the_host(self):
        code, found, told = self.guard(
            [*program("worker_pool.cjs"), "double"],
            **self.on_channel("json_rpc", "--fault", "text_before_reply", "--at",
                              "method=double,nth=1"))
        self.assertEqual((code, told), (1, None))
        self.assertIn("host_ended", json.dumps(found["findings"]))

    def test_workers_that_die_at_their_start_fail_the_calls_of_workerpool(self):
        told = self.assert_sound([*program("worker_pool.cjs"), "double"],
                                 **self.behind_wrap("--fault", "killed_at_start"))
        self.assertIn("Unexpectedly", told[0])

    def test_workers_that_die_at_their_start_may_crash_the_host_of_jest_worker(self):
        # It sends at once and hears no error of the channel: mostly an EPIPE that nobody handles.
        killed = self.behind_wrap("--fault", "killed_at_start")
        code, found, told = self.guard([*program("jest_pool.cjs"), "double"], **killed)
        self.assertGreaterEqual(len(self.journal("receipt")), 1)
        if told is None:
            self.assertEqual(code, 1)
            self.assertIn("host_ended", json.dumps(found["findings"]))
        else:
            self.assertIn("SIGKILL", told[0])


if __name__ == "__main__":
    unittest.main()
