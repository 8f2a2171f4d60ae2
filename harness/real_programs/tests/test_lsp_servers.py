"""A real language server under probe, and as a wrapped worker of our own pool."""

import unittest

from real import BASH, RealTest

LSP = {"wire": "headers", "speech": "lsp"}
ASK = {"command": "workspace/symbol", "args": {"query": "x"}}
IMPATIENT = {**ASK, "timeout_ms": 5000}
GOOD = ["granted", "ok", "ok", "returned"]
TIMEOUT = {"error": "call_timeout", "phase": "awaiting_reply"}
SECOND_LOST = {"a": ["granted", "ok", TIMEOUT, "returned"], "b": GOOD,
               "workers": [{"slot": 0, "generation": 0, "fate": "killed"},
                           {"slot": 0, "generation": 1, "fate": "closed"}]}
AT_SECOND = {"generation": 0, "method": "workspace/symbol", "nth": 2}


class Bash(RealTest):
    def test_probe_finds_its_wire_and_can_use_it(self):
        rows, said = self.probe(BASH)
        self.assertIn("headers", said)
        for row in ("init_ping", "three_calls", "megabyte", "torn_request", "eof_idle"):
            self.assertEqual(rows[row], "held", rows)
        self.assertNotIn("broken", rows.values())

    def test_it_serves_our_pool_behind_wrap_and_leaves_as_it_is_asked_to(self):
        refused = {"error": "worker_error", "says": "Unhandled method"}
        done, said = self.run_wrapped(
            BASH, LSP, [ASK, {"command": "no/such"}],
            expect={"a": ["granted", "ok", refused, "returned"],
                    "b": ["granted", "ok", refused, "returned"],
                    "workers": [{"slot": 0, "generation": 0, "fate": "closed", "by": "asked",
                                 "exit": 0}]})
        self.assertEqual(done.returncode, 0, said)

    def test_a_reply_that_never_comes_costs_one_call_and_one_worker(self):
        fault = {"fault": "reply_dropped", "at": AT_SECOND}
        self.assert_passes(BASH, LSP, [ASK, IMPATIENT], [fault], SECOND_LOST)

    def test_a_late_reply_does_not_reach_the_next_caller(self):
        fault = {"fault": "reply_late", "at": AT_SECOND, "delay_ms": 15000}
        self.assert_passes(BASH, LSP, [ASK, IMPATIENT], [fault], SECOND_LOST)

    def test_a_length_that_is_too_long_keeps_the_call_waiting(self):
        fault = {"fault": "length_too_long", "at": AT_SECOND}
        reading = {"error": "call_timeout", "phase": "reading_reply"}
        expect = {**SECOND_LOST, "a": ["granted", "ok", reading, "returned"]}
        self.assert_passes(BASH, LSP, [ASK, IMPATIENT], [fault], expect)


if __name__ == "__main__":
    unittest.main()
