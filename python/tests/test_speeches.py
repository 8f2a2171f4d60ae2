"""What is said in each speech (harness/PROTOCOL.md, section 2), by the sample and by workers of
one's own."""

import json
import re
import subprocess
import sys
import types
import unittest

from driving import FAULTY, ROOT, SOUND, Process, run

from poolproof_worker import CommandError, Worker
from poolproof_worker._options import Options
from poolproof_worker._sample import worker as sample
from poolproof_worker._server import Server
from poolproof_worker._wires import make_wire

LINES = ["--wire", "lines"]


def rpc(request_id, method, params=None):
    message = {"jsonrpc": "2.0", "id": request_id, "method": method}
    return message if params is None else {**message, "params": params}


def tool(request_id, name, args=None):
    return rpc(request_id, "tools/call", {"name": name, "arguments": args or {}})


def lines(*messages):
    return b"".join(json.dumps(message).encode() + b"\n" for message in messages)


class Answers:
    """A worker without a process."""

    def __init__(self, speech, worker=sample, limit=1 << 20):
        options = Options()
        options.set("speech", speech, "test")
        pipes = types.SimpleNamespace(wire=make_wire("lines", 4, "big", limit))
        self.server = Server(worker, pipes, options)

    def ask(self, message):
        """The reply as a value; None for what has none."""
        payload = message if isinstance(message, bytes) else json.dumps(message).encode()
        request = self.server.speech.read_request(payload, 0)
        if request.notification:
            return None
        reply = self.server.answer(request)
        self.server.speech.on_answered(self.server, request)
        return json.loads(reply.payload())

    def code(self, message):
        return self.ask(message).get("error", {}).get("code", 0)


class JsonRpc(unittest.TestCase):
    def test_a_reply_is_a_result_or_an_error(self):
        answers = Answers("json_rpc")
        self.assertEqual(answers.ask(rpc(7, "echo", {"a": 1})),
                         {"jsonrpc": "2.0", "id": 7, "result": {"a": 1}})
        self.assertEqual(answers.ask(rpc(8, "fail", {"message": "m"})),
                         {"jsonrpc": "2.0", "id": 8, "error": {"code": -32000, "message": "m"}})

    def test_an_error_has_the_code_of_its_reason(self):
        answers = Answers("json_rpc")
        for message, code in ((b"", -32700), (b"{", -32700), (b"\xff", -32700),
                              (b"[" * 200 + b"]" * 200, -32700), (b"[]", -32600),
                              (b"3", -32600), ({}, -32600), ({"method": 1}, -32600),
                              ({"id": 1}, -32600), (rpc(None, "echo"), -32600),
                              (rpc(1.5, "echo"), -32600), (rpc(2**63, "echo"), -32600),
                              (rpc(True, "echo"), -32600), (rpc(1, "echo", []), -32602),
                              (rpc(1, "nonsense"), -32601), (rpc(1, "sleep"), -32000),
                              (rpc(1, "echo"), 0),
                              (b"\xef\xbb\xbf" + lines(rpc(1, "echo")), -32700)):
            with self.subTest(message):
                self.assertEqual(answers.code(message), code)

    def test_the_id_comes_back_as_it_was_be_it_a_text(self):
        answers = Answers("json_rpc")
        for given in (0, -5, 2**63 - 1, "a\"\u00fc", ""):
            self.assertEqual(answers.ask(rpc(given, "echo"))["id"], given)
        for message in (rpc(1.5, "echo"), {"id": 1}, b"nonsense"):
            self.assertIsNone(answers.ask(message)["id"])

    def test_notifications_and_answers_are_passed_over_and_not_counted(self):
        for speech in ("json_rpc", "mcp", "lsp"):
            answers = Answers(speech)
            for message in ({"method": "notifications/initialized"}, {"id": 9, "result": None},
                            {"id": "x", "error": {}}, {"error": {}},
                            {"method": "$/progress", "params": []}):
                self.assertIsNone(answers.ask(message))
            self.assertEqual((answers.server.calls, answers.server.errors), (0, 0))

    def test_an_error_that_is_too_long_is_counted_once(self):
        answers = Answers("json_rpc", limit=100)
        self.assertEqual(answers.ask(rpc(1, "x" * 60))["error"]["message"],
                         "reply too long: 138 bytes")
        self.assertEqual(answers.ask(rpc(2, "stats"))["result"], {"calls": 1, "errors": 1})


def own_server():
    worker = Worker(name="own")

    @worker.command("add", schema={"type": "object", "properties": {"a": {"type": "number"}}})
    def add(args):
        """Adds two numbers."""
        return {"sum": args["a"] + args["b"]}

    @worker.command("say")
    def say(args):
        return f"h\u00e9, {args['name']}"

    @worker.command("list")
    def several(_args):
        return [1, "2"]

    @worker.command("refuse")
    def refuse(_args):
        raise CommandError("not today")

    return worker


class Mcp(unittest.TestCase):
    def test_the_greeting_says_version_capabilities_and_who_it_is(self):
        self.assertEqual(Answers("mcp", own_server()).ask(rpc(0, "initialize", {}))["result"],
                         {"protocolVersion": "2025-06-18", "capabilities": {"tools": {}},
                          "serverInfo": {"name": "own 0.0", "version": "1"}})

    def test_a_server_lists_what_its_author_registered(self):
        rows = Answers("mcp", own_server()).ask(rpc(1, "tools/list"))["result"]["tools"]
        self.assertEqual([row["name"] for row in rows], ["add", "say", "list", "refuse"])
        self.assertEqual(rows[0], {"name": "add", "description": "Adds two numbers.",
                                   "inputSchema": {"type": "object",
                                                   "properties": {"a": {"type": "number"}}}})
        rows = Answers("mcp").ask(rpc(1, "tools/list"))["result"]["tools"]
        self.assertEqual([row["name"] for row in rows],
                         ["echo", "sleep", "compute", "grow", "fail", "session_put",
                          "session_get", "stats", "shutdown"])

    def test_a_result_is_wrapped_by_what_it_is(self):
        answers = Answers("mcp", own_server())
        for name, text, more in (
                ("add", '{"sum":3}', {"structuredContent": {"sum": 3}}),
                ("say", "h\u00e9, A", {}), ("list", '[1,"2"]', {}),
                ("refuse", "not today", {"isError": True})):
            with self.subTest(name):
                reply = answers.ask(tool(1, name, {"a": 1, "b": 2, "name": "A"}))
                self.assertEqual(reply["result"],
                                 {"content": [{"type": "text", "text": text}], **more})

    def test_what_is_no_call_of_a_tool_that_is_there_is_a_protocol_error(self):
        answers = Answers("mcp")
        for message, code in ((tool(1, "nonsense"), -32602), (rpc(1, "tools/call", {}), -32602),
                              (rpc(1, "tools/call", {"name": "echo", "arguments": []}), -32602),
                              (rpc(1, "resources/list"), -32601), (rpc(1, "echo"), -32601),
                              (rpc(1, "shutdown"), -32601), (rpc(1, "ping"), 0)):
            with self.subTest(message):
                self.assertEqual(answers.code(message), code)
                self.assertEqual(answers.ask(message)["id"], 1)

    def test_a_conversation_ends_with_the_input(self):
        data = lines(rpc(0, "initialize", {}), {"method": "notifications/initialized"},
                     tool("a", "echo", {"x": "\u00fc"}), {"jsonrpc": "2.0", "method": "exit"},
                     rpc(2, "ping"))
        for program in (SOUND, FAULTY):
            with self.subTest(program):
                code, out, err = run(program, data, *LINES, "--speech", "mcp")
                self.assertEqual((code, err, out.count(b"\n")), (0, "", 3))
                self.assertEqual(out.split(b"\n")[1].decode(),
                                 '{"id":"a","jsonrpc":"2.0","result":{"content":[{"text":'
                                 '"{\\"x\\":\\"\u00fc\\"}","type":"text"}],'
                                 '"structuredContent":{"x":"\u00fc"}}}')

    def test_the_server_of_the_readme_runs(self):
        with open(f"{ROOT}/README.md", encoding="utf-8") as file:
            blocks = re.findall(r"```python\n(.*?)```", file.read(), re.DOTALL)
        program = next(block for block in blocks if 'speech="mcp"' in block)
        data = lines(rpc(0, "initialize", {}), rpc(1, "tools/list"),
                     tool(2, "add", {"a": 1, "b": 2}))
        done = subprocess.run([sys.executable, "-c", program], input=data, capture_output=True,
                              env={"PYTHONPATH": ROOT}, check=False, timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)
        replies = [json.loads(line) for line in done.stdout.splitlines()]
        self.assertEqual([tool["name"] for tool in replies[1]["result"]["tools"]], ["add"])
        self.assertEqual(replies[2]["result"]["structuredContent"], {"sum": 3})


class Lsp(unittest.TestCase):
    EXIT = {"jsonrpc": "2.0", "method": "exit"}

    def test_exit_is_0_behind_shutdown_and_1_without(self):
        shutdown = rpc(1, "shutdown")
        for program in (SOUND, FAULTY):
            for messages, code, replies in (([self.EXIT], 1, 0), ([shutdown, self.EXIT], 0, 1),
                                            ([shutdown], 0, 1)):
                with self.subTest(program=program, messages=messages):
                    data = lines(*messages, *[rpc(2, "echo")] * (self.EXIT in messages))
                    got, out, err = run(program, data, *LINES, "--speech", "lsp")
                    self.assertEqual((got, out.count(b"\n"), err), (code, replies, ""))

    def test_behind_shutdown_it_obeys_nothing(self):
        answers = Answers("lsp")
        self.assertIsNone(answers.ask(rpc(1, "shutdown"))["result"])
        for method in ("echo", "shutdown", "nonsense"):
            self.assertEqual(answers.code(rpc(2, method)), -32600)

    def test_it_greets_and_what_it_can_do_may_be_replaced(self):
        self.assertEqual(Answers("lsp").ask(rpc(0, "initialize", {}))["result"],
                         {"capabilities": {}, "serverInfo": {"name": "poolproof fake worker 0.0",
                                                             "version": "1"}})
        own = Worker({"initialize": lambda args: {"capabilities": {"hoverProvider": True}}})
        self.assertEqual(Answers("lsp", own).ask(rpc(0, "initialize", {}))["result"],
                         {"capabilities": {"hoverProvider": True}})


class Faults(unittest.TestCase):
    def test_a_notification_has_no_number_and_no_line_in_the_journal(self):
        data = lines(rpc(0, "initialize", {}), {"method": "notifications/initialized"},
                     tool(1, "echo"), tool("t", "echo"))
        with Process(FAULTY, *LINES, "--speech", "mcp", "--fault", "id_wrong", "--at",
                     "request=1") as worker:
            _, out, _ = worker.finish(data)
            self.assertEqual([json.loads(line)["id"] for line in out.splitlines()], [0, 2, "t"])
            self.assertEqual([(r["request"], r["id"]) for r in worker.journal("read")],
                             [(0, 0), (1, 1), (2, '"t"')])

    def test_reading_stops_within_a_request_that_came_with_others(self):
        data = lines(rpc(0, "echo"), rpc(1, "echo"), rpc(2, "echo"))
        for keep, replies in ((0, 1), (5, 1), (60, 3), (1000, 3)):
            with self.subTest(keep), Process(
                    FAULTY, *LINES, "--speech", "json_rpc", "--fault", "reading_stopped", "--at",
                    "request=1", "--then", "exit", "--code", "9", "--keep-bytes",
                    str(keep)) as worker:
                code, out, _ = worker.finish(data)
                self.assertEqual((code, out.count(b"\n")), (9 if replies == 1 else 0, replies))

    def test_what_came_with_a_request_and_is_not_read_is_no_part_of_a_frame(self):
        code, out, err = run(FAULTY, lines(*[rpc(0, "echo")] * 3), *LINES, "--speech", "json_rpc",
                             "--fault", "stdout_closed")
        self.assertEqual((code, out, err), (0, b"", ""))


if __name__ == "__main__":
    unittest.main()
