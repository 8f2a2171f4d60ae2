"""Real MCP servers under probe, and as wrapped workers of our own pool."""

import unittest

from real import EVERYTHING, FILESYSTEM, RealTest

MCP = {"wire": "lines", "speech": "mcp"}
ECHO = {"command": "echo", "args": {"message": "hi"}}
TWO_GOOD = {"a": ["granted", "ok", "ok", "returned"], "b": ["granted", "ok", "ok", "returned"]}
TIMEOUT = {"error": "call_timeout", "phase": "awaiting_reply"}
# b gets a fresh worker, and answers of its own.
SECOND_LOST = {"a": ["granted", "ok", TIMEOUT, "returned"], "b": TWO_GOOD["b"],
               "workers": [{"slot": 0, "generation": 0, "fate": "killed"},
                           {"slot": 0, "generation": 1, "fate": "closed"}]}


def at_second(method):
    return {"generation": 0, "method": method, "nth": 2}


class Everything(RealTest):
    def test_probe_finds_its_wire_and_can_use_it(self):
        rows, said = self.probe(EVERYTHING)
        self.assertIn("lines", said)
        for row in ("init_ping", "three_calls", "megabyte", "torn_request", "eof_idle"):
            self.assertEqual(rows[row], "held", rows)
        self.assertNotIn("broken", rows.values())

    def test_it_serves_our_pool_behind_wrap(self):
        self.assert_passes(EVERYTHING, MCP, [ECHO, {"command": "tools/list"}], expect=TWO_GOOD)

    def test_a_reply_that_never_comes_costs_one_call_and_one_worker(self):
        fault = {"fault": "reply_dropped", "at": at_second("tools/call")}
        calls = [ECHO, {**ECHO, "timeout_ms": 5000}]
        self.assert_passes(EVERYTHING, MCP, calls, [fault], SECOND_LOST)

    def test_a_late_reply_does_not_reach_the_next_caller(self):
        fault = {"fault": "reply_late", "at": at_second("tools/call"), "delay_ms": 15000}
        calls = [ECHO, {**ECHO, "timeout_ms": 5000}]
        self.assert_passes(EVERYTHING, MCP, calls, [fault], SECOND_LOST)

    def test_what_the_pool_does_not_do_is_red(self):
        fault = {"fault": "reply_dropped", "at": at_second("tools/call")}
        calls = [ECHO, {**ECHO, "timeout_ms": 5000}]
        done, said = self.run_wrapped(EVERYTHING, MCP, calls, [fault], TWO_GOOD)
        self.assertEqual(done.returncode, 1, said)
        self.assertIn("call_timeout", said)

    def test_a_fault_that_does_not_strike_proves_nothing(self):
        fault = {"fault": "reply_dropped", "at": {"method": "tools/call", "nth": 5}}
        done, said = self.run_wrapped(EVERYTHING, MCP, [ECHO, ECHO], [fault], TWO_GOOD)
        self.assertEqual(done.returncode, 2, said)


class Filesystem(RealTest):
    def server(self):
        shared = self.folder / "shared"
        shared.mkdir()
        (shared / "a.txt").write_text("hello")
        return [*FILESYSTEM, str(shared)]

    def read(self, **more):
        return {"command": "read_text_file", "args": {"path": str(self.folder / "shared/a.txt")},
                **more}

    def test_probe_can_use_it(self):
        rows, _ = self.probe(self.server())
        self.assertEqual(rows["init_ping"], "held")
        self.assertNotIn("broken", rows.values())

    def test_it_serves_our_pool_behind_wrap(self):
        calls = [self.read(reply={"content": "hello"}), {"command": "list_allowed_directories"}]
        self.assert_passes(self.server(), MCP, calls, expect=TWO_GOOD)

    def test_a_reply_that_never_comes_costs_one_call_and_one_worker(self):
        fault = {"fault": "reply_dropped", "at": {"generation": 0, "contains": "a.txt", "nth": 2}}
        calls = [self.read(), self.read(timeout_ms=5000)]
        self.assert_passes(self.server(), MCP, calls, [fault], SECOND_LOST)

    def test_an_error_of_its_own_is_told_and_is_no_fault_of_the_pool(self):
        missing = {"command": "read_text_file", "args": {"path": str(self.folder / "shared/b")}}
        error = {"error": "worker_error", "says": "ENOENT"}
        told = ["granted", error, "ok", "returned"]
        self.assert_passes(self.server(), MCP, [missing, self.read()],
                           expect={"a": told, "b": told})

    def test_a_slow_reply_is_waited_for(self):
        fault = {"fault": "reply_slow", "at": at_second("tools/call"), "delay_ms": 400}
        self.assert_passes(self.server(), MCP, [self.read(), self.read()], [fault], TWO_GOOD)


if __name__ == "__main__":
    unittest.main()
