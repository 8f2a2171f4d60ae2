"""A program with the official MCP client under guard, its server behind wrap."""

import unittest

from real import EVERYTHING, RealTest, program

REQUEST_TIMEOUT = -32001  # the SDK's code


class Client(RealTest):
    def command(self, *faults):
        return [*program("mcp_client.mjs"), "echo", '{"message": "hi"}',
                *self.wrapped(EVERYTHING, "lines", "mcp", *faults)]

    def test_a_sound_run_passes_and_each_call_crossed_the_wrap(self):
        told = self.assert_sound(self.command())
        self.assertEqual(told, {"has_tool": True, "calls": ["ok", "ok"]})
        read = [record["command"] for record in self.journal("read")]
        self.assertEqual(read, ["initialize", "tools/list", "tools/call", "tools/call"])
        self.assertEqual(len(self.journal("wrote")), 4)

    def test_a_dropped_reply_ends_the_call_and_the_next_one_is_served(self):
        told = self.assert_sound(
            self.command("--fault", "reply_dropped", "--at", "method=tools/call,nth=1"),
            CALL_LIMIT_MS="5000")
        self.assertEqual(told["calls"], [REQUEST_TIMEOUT, "ok"])
        self.assertEqual([one["fault"] for one in self.journal("receipt")], ["reply_dropped"])

    def test_a_late_reply_is_no_answer_to_the_next_call(self):
        told = self.assert_sound(
            self.command("--fault", "reply_late", "--at", "method=tools/call,nth=1",
                         "--param", "delay_ms=9000"),
            CALL_LIMIT_MS="5000")
        self.assertEqual(told["calls"], [REQUEST_TIMEOUT, "ok"])
        self.assertEqual([one["fault"] for one in self.journal("receipt")], ["reply_late"])

    def test_a_planted_leak_is_named(self):
        told = self.assert_leak_is_named(self.command(), LEAK="1")
        self.assertEqual(told["calls"], ["ok", "ok"])


if __name__ == "__main__":
    unittest.main()
