"""A program with vscode-jsonrpc under guard, its language server behind wrap."""

import unittest

from real import BASH, RealTest, program


class Client(RealTest):
    def command(self, *faults):
        return [*program("lsp_client.cjs"), *self.wrapped(BASH, "headers", "lsp", *faults)]

    def test_a_sound_run_passes_and_each_request_crossed_the_wrap(self):
        told = self.assert_sound(self.command())
        self.assertEqual(told, {"calls": ["ok", "ok"], "finds_symbols": True, "code": 0,
                                "signal": None})
        read = [record["command"] for record in self.journal("read")]
        self.assertEqual(read, ["initialize", "workspace/symbol", "workspace/symbol", "shutdown"])

    def test_a_dropped_reply_costs_one_call(self):
        told = self.assert_sound(
            self.command("--fault", "reply_dropped", "--at", "method=workspace/symbol,nth=1"),
            CALL_LIMIT_MS="5000")
        self.assertEqual((told["calls"], told["code"]), (["late", "ok"], 0))
        self.assertEqual([one["fault"] for one in self.journal("receipt")], ["reply_dropped"])

    def test_a_delayed_reply_is_waited_for_and_holds_no_other(self):
        told = self.assert_sound(
            self.command("--fault", "reply_slow", "--at", "method=workspace/symbol,nth=1",
                         "--param", "delay_ms=400"))
        self.assertEqual(told["calls"], ["ok", "ok"])
        self.assertEqual([one["fault"] for one in self.journal("receipt")], ["reply_slow"])

    def test_a_planted_leak_is_named(self):
        told = self.assert_leak_is_named(self.command(), LEAK="1")
        self.assertEqual(told["calls"], ["ok", "ok"])


if __name__ == "__main__":
    unittest.main()
