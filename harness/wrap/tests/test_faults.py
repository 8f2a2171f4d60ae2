"""Faults in what real programs say: a JSON-RPC server over lines, and a worker of frames."""

import json
import os
import socket
import struct
import unittest

from wrapped import FAKE_WORKER, HANG, PYTHON, WrapTest, behind, wait_until

# A server as MCP has them, small: it greets, notifies, and answers its tools.
SERVER = """
import json, sys
def say(**members): print(json.dumps({"jsonrpc": "2.0", **members}), flush=True)
for line in sys.stdin:
    message = json.loads(line)
    if "id" not in message: continue
    if message["method"] == "tools/call":
        say(method="notifications/message", params={"level": "info"})
        say(id=message["id"], result={"content": message["params"]["arguments"]})
    else:
        say(id=message["id"], result={"serverInfo": {"name": "small"}})
"""


def request(number, method="tools/call", **arguments):
    params = {"name": "echo", "arguments": arguments}
    return {"jsonrpc": "2.0", "id": number, "method": method, "params": params}


class OnLines(WrapTest):
    def server(self, *options):
        self.journal = self.folder / "journal.jsonl"
        options = ("--wire", "lines", "--speech", "mcp", "--journal", self.journal, *options)
        return self.running(behind(*map(str, options)) + [PYTHON, "-c", SERVER])

    def ask(self, server, message):
        server.say(json.dumps(message).encode() + b"\n")

    def replies(self, server):
        """All that it says until it ends, without notifications."""
        messages = [json.loads(line) for line in server.rest()[0].splitlines()]
        return [message for message in messages if "id" in message]

    def records(self, kind):
        lines = self.journal.read_text().splitlines()
        return [line for line in map(json.loads, lines) if line["kind"] == kind]

    def test_answers_to_questions_of_wrap_do_not_reach_the_server(self):
        """The server would take each message with an id for a request, and fall over these."""
        server = self.server("--fault", "frames_before_reply",
                             "--param", "shape=request_same_id", "--at", "method=tools/call,nth=1")
        self.ask(server, request(1, x=1))
        lines = [json.loads(server.line()) for _ in range(3)]  # its own event among them
        self.assertEqual([(one.get("id"), one["method"]) for one in lines if "method" in one],
                         [(None, "notifications/message"), (1, "ping")])
        self.ask(server, {"jsonrpc": "2.0", "id": 1, "result": {}})
        self.ask(server, request(2, x=2))
        self.assertEqual([reply["id"] for reply in self.replies(server)], [2])
        self.assertEqual([r["fault"] for r in self.records("receipt")], ["frames_before_reply"])

    def test_the_reply_to_the_second_tools_call_is_dropped(self):
        server = self.server("--fault", "reply_dropped", "--at", "method=tools/call,nth=2")
        self.ask(server, request(0, "initialize"))
        server.say(b'{"jsonrpc":"2.0","method":"notifications/initialized"}\n')
        for number in (1, 2, 3):
            self.ask(server, request(number, x=number))
        self.assertEqual([reply["id"] for reply in self.replies(server)], [0, 1, 3])
        receipts = self.records("receipt")
        self.assertEqual([(r["fault"], r["request"]) for r in receipts], [("reply_dropped", 2)])
        self.assertEqual([r["request"] for r in self.records("wrote")], [0, 1, 3])
        self.assertEqual([r["command"] for r in self.records("read")],
                         ["initialize"] + ["tools/call"] * 3)

    def test_the_second_that_contains_a_text_is_dropped_in_either_order(self):
        for aim in ("contains=a,b,nth=2", "nth=2,contains=b"):
            with self.subTest(aim=aim):
                server = self.server("--fault", "reply_dropped", "--at", aim)
                for number in (1, 2, 3):
                    self.ask(server, request(number, x="a,b"))
                self.assertEqual([reply["id"] for reply in self.replies(server)], [1, 3])
        # What is no number of an aim belongs to the text.
        server = self.server("--fault", "reply_dropped", "--at", "contains=a,nth=two")
        for number, text in ((1, "a"), (2, "a,nth=two")):
            self.ask(server, request(number, x=text))
        self.assertEqual([reply["id"] for reply in self.replies(server)], [1])

    def test_what_came_before_the_reading_stopped_is_answered(self):
        for keep in (0, 5):
            for then in ("exit", "kill", "answer"):
                with self.subTest(keep=keep, then=then):
                    server = self.server("--fault", "reading_stopped", "--at", "request=1",
                                         "--param", f"keep_bytes={keep}", "--param", f"then={then}")
                    self.ask(server, request(7))
                    while "id" not in (reply := json.loads(server.line())): pass
                    self.assertEqual(reply["id"], 7)
                    # By then the server may be gone.
                    try: self.ask(server, request(8))
                    except BrokenPipeError: pass
                    wait_until(lambda: self.records("receipt"), "the fault")
                    server.close()
                    self.journal.unlink()

    def test_a_late_reply_holds_no_other_one(self):
        server = self.server("--fault", "reply_late", "--at", "contains=slow one",
                             "--param", "delay_ms=400")
        self.ask(server, request(1, text="the slow one"))
        self.ask(server, request(2, text="quick"))
        self.assertEqual([reply["id"] for reply in self.replies(server)], [2, 1])

    def test_a_call_ends_the_server(self):
        server = self.server("--fault", "exit_mid_call", "--at", "method=tools/call",
                             "--param", "code=5")
        self.ask(server, request(0, "initialize"))
        self.assertEqual(json.loads(server.line())["id"], 0)
        self.ask(server, request(1))
        self.assertEqual(server.process.wait(HANG), 5)

    def test_an_error_is_that_of_json_rpc(self):
        server = self.server("--fault", "error_reply", "--at", "request=1",
                             "--param", "message=quota")
        for number in (7, 8):
            self.ask(server, request(number))
        replies = self.replies(server)
        self.assertEqual(replies[0]["result"], {"content": {}})
        self.assertEqual(replies[1], {"jsonrpc": "2.0", "id": 8,
                                      "error": {"code": -32000, "message": "quota"}})

    def test_a_plan_file_and_the_environment_are_read_and_not_passed_on(self):
        plan = self.folder / "plan.json"
        plan.write_text(json.dumps({"plan_version": 1, "faults": [
            {"fault": "id_wrong", "at": {"method": "tools/call", "nth": 1}, "offset": 10}]}))
        shows = [PYTHON, "-c", "import os; print([k for k in os.environ if 'POOLPROOF_' in k])"]
        names = {"POOLPROOF_PLAN": str(plan), "POOLPROOF_SLOT": "0"}
        out, _, _ = self.done(behind("--wire", "lines") + shows, env=names)
        self.assertNotIn(b"POOLPROOF_PLAN", out)
        self.assertIn(b"POOLPROOF_SLOT", out)
        server = self.running(behind("--wire", "lines") + [PYTHON, "-c", SERVER], env=names)
        self.ask(server, request(1))
        self.assertEqual(self.replies(server)[0]["id"], 11)

    def test_workers_without_a_number_draw_one(self):
        names = {"POOLPROOF_TICKETS": str(self.folder / "tickets")}
        options = ("--fault", "id_wrong", "--at", "generation=1", "--param", "offset=10")
        for ids in ([1], [11], [1]):
            server = self.running(behind("--wire", "lines", *options) + [PYTHON, "-c", SERVER],
                                  env=names)
            self.ask(server, request(1))
            self.assertEqual([reply["id"] for reply in self.replies(server)], ids)
        self.done(behind("--generation", "7") + ["true"], env=names)
        shows = [PYTHON, "-c", "import os; print([k for k in os.environ if 'POOLPROOF_' in k])"]
        out, _, _ = self.done(behind() + shows, env=names)
        self.assertNotIn(b"POOLPROOF_TICKETS", out)
        self.assertEqual((self.folder / "tickets").read_bytes(), b"....")


class OfFrames(WrapTest):
    def worker(self, *options, command=(FAKE_WORKER, "--timestamp", "0"), **more):
        return self.running(behind(*options) + list(command), **more)

    def ping(self, worker, number=0):
        payload = b'{"args":{},"command":"ping","id":%d}' % number
        worker.say(struct.pack(">I", len(payload)) + payload)

    def pong(self, worker):
        size, = struct.unpack(">I", worker.process.stdout.read(4))
        reply = b""
        while len(reply) < size:
            reply += worker.process.stdout.read(size - len(reply))
        return json.loads(reply)

    def test_a_signal_ends_both(self):
        worker = self.worker("--fault", "killed_mid_call", "--param", "signal=11")
        self.ping(worker)
        self.assertEqual(worker.process.wait(HANG), -11)

    def test_a_stopped_process_goes_on_when_it_is_continued(self):
        worker = self.worker("--fault", "killed_mid_call", "--param", "signal=19")
        self.ping(worker)
        stat = "/proc/%d/stat" % worker.process.pid

        def state():
            with open(stat) as file:
                return file.read().rpartition(")")[2].split()[0]

        wait_until(lambda: state() == "T", "the stop")
        worker.process.send_signal(18)
        self.assertTrue(self.pong(worker)["success"])

    def test_a_grandchild_holds_the_streams_when_all_else_is_over(self):
        worker = self.worker("--fault", "grandchild_left", "--param", "lifetime_ms=700")
        self.ping(worker)
        self.pong(worker)
        worker.process.stdin.close()
        self.assertEqual(worker.process.wait(HANG), 0)
        self.assertEqual(worker.process.stdout.read(), b"")

    def test_what_goes_to_stderr_and_the_end(self):
        worker = self.worker("--fault", "stderr_flood", "--param", "text_bytes=100000",
                             "--fault", "exit_code_at_shutdown", "--param", "code=9")
        self.ping(worker)
        _, err, code = worker.rest()
        self.assertEqual((len(err), code), (100_000, 9))

    def test_term_and_the_end_of_input_are_ignored_as_told(self):
        worker = self.worker("--fault", "term_ignored", "--fault", "stdin_end_ignored",
                             "--journal", str(self.folder / "j"))
        self.ping(worker)
        self.pong(worker)
        worker.process.terminate()
        worker.process.stdin.close()
        wait_until(lambda: (self.folder / "j").read_text().count("receipt") == 2, "both receipts")
        self.assertIsNone(worker.process.poll())
        worker.process.kill()

    def test_a_slow_import_leaves_the_ping_unread(self):
        ours, theirs = socket.socketpair()
        self.addCleanup(ours.close)
        worker = self.worker("--fault", "import_slow", "--param", "delay_ms=300")
        theirs.close()
        self.ping(worker)
        self.assertTrue(self.pong(worker)["success"])

    def test_the_wire_log_is_bounded(self):
        log = self.folder / "wire"
        worker = self.worker("--wire-log", str(log), "--wire-log-bytes", "4000")
        for number in range(50):
            self.ping(worker, number)
            self.pong(worker)
        worker.rest()
        both = log.read_text() + log.with_suffix(".1").read_text()
        self.assertLessEqual(max(log.stat().st_size, log.with_suffix(".1").stat().st_size), 4000)
        self.assertIn("worker > client: frame 50, 4 + ", both)
        self.assertIn('|...${"args":{},"|', both)
        self.assertIn("the worker exited with code 0", log.read_text())
        self.assertEqual(sorted(os.listdir(self.folder)), ["wire", "wire.1"])

    def test_the_wire_log_by_the_environment_is_of_wrap_alone(self):
        script = 'echo "[$POOLPROOF_WIRE_LOG]"'
        worker = self.running(behind("--speech", "opaque") + ["/bin/sh", "-c", script],
                              env={"POOLPROOF_WIRE_LOG": str(self.folder / "wire.%p")})
        self.assertEqual(worker.rest()[0], b"[]\n")
        self.assertEqual(os.listdir(self.folder), [f"wire.{worker.process.pid}"])


class BadInput(WrapTest):
    LINES = [
        ([], "wrap: no worker's command; write it after --"),
        (["cat"], "cat: a command without -- before it"),
        (["--wire", "line", "--", "cat"], 'no wire is called "line"; there are prefix, varint'),
        (["--speech", "mpc", "--", "cat"], 'no speech is called "mpc"; there are bridge'),
        (["--prefix-bytes", "3", "--", "cat"], '"3" will not do; 1, 2, 4 or 8'),
        (["--wyre", "lines", "--", "cat"], 'unknown option; did you mean "--wire"?'),
        (["--fault", "id_wrong", "--speech", "opaque", "--", "cat"],
         "id_wrong needs replies with members and an id; take the speech json_rpc or bridge"),
        (["--fault", "length_zero", "--wire", "lines", "--", "cat"],
         "length_zero needs a wire that has a length: prefix, varint or headers"),
        (["--fault", "shutdown_not_obeyed", "--wire", "lines", "--", "cat"],
         "needs a request to exit: the speech bridge or lsp"),
        (["--fault", "start_fails", "--", "cat"], "strikes before there is a worker"),
        (["--fault", "reply_lat", "--", "cat"], 'did you mean "reply_late"?'),
        (["--fault", "reply_late", "--param", "delay_ms=-1", "--", "cat"], "out of bounds"),
        (["--fault", "reply_late", "--param", "delay", "--", "cat"], '"delay" is no pair'),
        (["--fault", "reply_late", "--at", "nth=2", "--", "cat"], '"nth" of nothing'),
        (["--fault", "banner", "--at", "method=x", "--", "cat"], "impossible coordinate"),
        (["--at", "request=1", "--", "cat"], "no --fault before it"),
        (["--fault", "id_wrong", "--at", "request=1,request=2", "--", "cat"],
         '--at: the key "request" is there twice; one of them'),
        (["--fault", "id_wrong", "--at", "method=a", "--at", "method=b", "--", "cat"],
         '--at: the key "method" is there twice; one of them'),
        (["--fault", "reply_late", "--param", "delay_ms=1", "--param", "delay_ms=1", "--", "cat"],
         '--param: the key "delay_ms" is there twice; one of them'),
        (["--fault", "reply_late", "--param", "fault=id_wrong", "--", "cat"],
         '--param: the key "fault" is there twice; one of them'),
        (["--fault", "--", "cat"], "--fault: no value"),
        (["--plan", "/no/plan", "--", "cat"], "/no/plan: "),
        (["--journal", "/no/journal", "--", "cat"], "/no/journal: No such file or directory"),
        (["--wire-log", "/no/log", "--", "cat"], "/no/log: No such file or directory"),
        (["--", "/no/program"], 'cannot start "/no/program": No such file or directory'),
        (["--", "no_program"], 'cannot start "no_program": No such file or directory'),
        (["--", "/etc/passwd"], 'cannot start "/etc/passwd": Permission denied'),
    ]

    def test_a_key_twice_in_a_plan_is_one_line_and_64(self):
        plan = self.folder / "plan.json"
        plan.write_text('{"plan_version":1,"faults":[{"id":"f0","fault":"reply_dropped",'
                        '"at":{"method":"a"},"at":{"method":"b"}}]}')
        out, err, code = self.done(behind()[:1] + ["--plan", str(plan), "--", "cat"])
        self.assertEqual((out, code), (b"", 64))
        self.assertIn('plan.json#/faults/0: the key "at" is there twice; one of them\n',
                      err.decode())

    def test_is_one_line_and_64(self):
        for words, line in self.LINES:
            with self.subTest(line):
                command = behind()[:1] + words
                out, err, code = self.done(command)
                self.assertEqual((out, code), (b"", 64))
                self.assertIn(line, err.decode())
                self.assertEqual(err.count(b"\n"), 1)


if __name__ == "__main__":
    unittest.main()
