"""wrap on the channel of Node's fork(): a socket of its own, named by the environment."""

import json
import os
import socket
import subprocess
import unittest

from wrapped import FAKE_WORKER, HANG, PYTHON, WrapTest, behind, wait_until

CHANNEL = "NODE_CHANNEL_FD"
# A child of fork(): gives back each line, and what it prints goes to its stdout.
CHILD = """
import os, socket
channel = socket.socket(fileno=int(os.environ["NODE_CHANNEL_FD"]))
print("printed", flush=True)
for line in channel.makefile("rb"):
    channel.sendall(line)
print("the end", flush=True)
raise SystemExit(7)
"""
# It writes into each descriptor that it is passed.
TAKER = """
import os, socket
channel = socket.socket(fileno=int(os.environ["NODE_CHANNEL_FD"]))
while True:
    message, fds, _, _ = socket.recv_fds(channel, 1000, 8)
    if not message: break
    for fd in fds: os.write(fd, message)
    channel.sendall(b"%d\\n" % len(fds))
"""
# It answers calls as a child of jest-worker does, and says something of its own before each.
JEST = """
import json, os, socket
channel = socket.socket(fileno=int(os.environ["NODE_CHANNEL_FD"]))
def say(*members): channel.sendall(json.dumps(members).encode() + b"\\n")
for line in channel.makefile("rb"):
    message = json.loads(line)
    say(3, "of its own")
    if message[0] == 1: say(0, message[3][0])
"""


class Forked(WrapTest):
    """Started as Node starts a child: `ours` is the parent's end of its channel."""

    def fork(self, *command, mode="json"):
        self.ours, theirs = socket.socketpair()
        self.addCleanup(self.ours.close)
        self.ours.settimeout(HANG)
        environment = {CHANNEL: str(theirs.fileno()), "NODE_CHANNEL_SERIALIZATION_MODE": mode}
        child = self.running(list(map(str, command)), env=environment,
                             pass_fds=[theirs.fileno()])
        theirs.close()
        self.lines = self.ours.makefile("rb")
        self.addCleanup(self.lines.close)
        return child

    def ask(self, message):
        self.ours.sendall(json.dumps(message, separators=(",", ":")).encode() + b"\n")

    def nobody_reads(self):
        try:
            self.ours.send(b"")
        except BrokenPipeError:
            return True
        return False

    def end(self, child):
        """All lines that still come, and how it ends."""
        self.ours.shutdown(socket.SHUT_WR)
        rest = self.lines.readlines()
        return rest, child.process.wait(HANG)


class Unseen(Forked):
    def test_nobody_can_tell(self):
        journal = self.folder / "journal"
        for options in ((), ("--journal", journal)):
            with self.subTest(options):
                child = self.fork(*behind("--wire", "node_ipc", *options), PYTHON, "-c", CHILD)
                self.assertEqual(child.line(), b"printed\n")
                for payload in (b"{}\n", b'"ready"\n', b"no JSON\n", b"x" * 300_000 + b"\n"):
                    self.ours.sendall(payload)
                    self.assertEqual(self.lines.readline(), payload)
                self.assertEqual(self.end(child), ([], 7))
                self.assertEqual(child.line(), b"the end\n")

    def test_descriptors_are_passed_on(self):
        for options in ((), ("--fault", "reply_dropped", "--at", "request=4000000000")):
            with self.subTest(options):
                child = self.fork(*behind("--wire", "node_ipc", *options), PYTHON, "-c", TAKER)
                read, write = os.pipe()
                another, other = os.pipe()
                socket.send_fds(self.ours, [b"hello\n"], [write, other])
                self.assertEqual(self.lines.readline(), b"2\n")
                self.assertEqual(os.read(read, 100), b"hello\n")
                self.assertEqual(os.read(another, 100), b"hello\n")
                self.assertEqual(self.end(child), ([], 0))
                for fd in (write, other):
                    os.close(fd)
                # Nobody else holds them: wrap has kept none.
                self.assertEqual((os.read(read, 1), os.read(another, 1)), (b"", b""))
                os.close(read)
                os.close(another)

    def test_without_a_channel_it_says_what_is_missing(self):
        for value, said in ((None, "it is not set"), ("77", "what it says is none"),
                            ("0", "what it says is none"), ("x", "what it says is none")):
            environment = {k: v for k, v in os.environ.items() if k != CHANNEL}
            if value is not None:
                environment[CHANNEL] = value
            done = subprocess.run(behind("--wire", "node_ipc") + ["/bin/true"], env=environment,
                                  stdin=subprocess.DEVNULL, capture_output=True, timeout=HANG,
                                  check=False)
            self.assertEqual(done.returncode, 64)
            self.assertIn(said, done.stderr.decode())
            self.assertEqual(done.stderr.count(b"\n"), 1)

    def test_advanced_serialization_is_opaque(self):
        journal = self.folder / "journal"
        options = ("--wire", "node_ipc", "--fault", "reply_twice", "--at", "request=1",
                   "--journal", journal)
        child = self.fork(*behind(*options), PYTHON, "-c", CHILD, mode="advanced")
        frame = b"\0\0\0\5\xff\x0f\"1\n"
        for _ in range(2):
            self.ours.sendall(frame)
        self.assertEqual(b"".join(self.end(child)[0]), frame * 3)

    def test_advanced_serialization_has_no_other_speech(self):
        options = ("--wire", "node_ipc", "--speech", "json_rpc")
        child = self.fork(*behind(*options), "/bin/true", mode="advanced")
        self.assertEqual(child.process.wait(HANG), 64)
        self.assertIn(b"--speech opaque, or jest", child.process.stderr.read())


class Faults(Forked):
    def records(self, kind):
        lines = map(json.loads, (self.folder / "journal").read_text().splitlines())
        return [line for line in lines if line["kind"] == kind]

    def child_behind(self, *options, child=CHILD):
        return self.fork(*behind("--wire", "node_ipc", *options, "--journal",
                                 self.folder / "journal"), PYTHON, "-c", child)

    def test_a_reply_is_dropped_by_order(self):
        child = self.child_behind("--fault", "reply_dropped", "--at", "request=1")
        for n in range(3):
            self.ask({"n": n})
        self.assertEqual([json.loads(line)["n"] for line in self.end(child)[0]], [0, 2])
        self.assertEqual(len(self.records("receipt")), 1)

    def test_what_node_says_by_itself_is_no_message(self):
        child = self.child_behind("--fault", "reply_dropped", "--at", "request=1")
        for n in range(3):
            self.ask({"cmd": "NODE_HANDLE_ACK"})
            self.ask({"n": n})
        rest = [json.loads(line) for line in self.end(child)[0]]
        self.assertEqual([one["n"] for one in rest if "n" in one], [0, 2])
        self.assertEqual(len(rest), 5)

    def test_calls_of_jest_are_told_from_what_it_says_besides(self):
        child = self.child_behind("--speech", "jest", "--fault", "reply_dropped", "--at",
                                  "method=double,nth=2", child=JEST)
        self.ask([0, False, "/task.js", []])
        self.ask([1, False, "other", [9]])
        for n in range(3):
            self.ask([1, False, "double", [n]])
        self.ask([3])
        rest = [json.loads(line) for line in self.end(child)[0]]
        answers = [[0, 9], [0, 0], [0, 2]]
        self.assertEqual([one for one in rest if one[0] == 0], answers)
        self.assertEqual([one for one in rest if one[0] != 0], [[3, "of its own"]] * 6)
        self.assertEqual([one["command"] for one in self.records("read")],
                         ["other", "double", "double", "double"])

    def test_faults_of_the_process_strike_as_on_pipes(self):
        child = self.child_behind("--fault", "exit_mid_call", "--param", "code=9", "--at",
                                  "contains=boom")
        self.ask({"n": 1})
        self.assertEqual(json.loads(self.lines.readline()), {"n": 1})
        self.ask({"n": "boom"})
        self.assertEqual(self.lines.read(), b"")
        self.assertEqual(child.process.wait(HANG), 9)

    def test_a_closed_half_is_seen_above(self):
        child = self.child_behind("--fault", "stdout_closed", "--at", "request=0")
        self.ask({"n": 1})
        self.assertEqual(self.lines.read(), b"")
        self.assertIsNone(child.process.poll())

    def test_our_own_workers_have_their_messages_there(self):
        for command in ([FAKE_WORKER], [PYTHON, "-m", "poolproof_worker.faults"]):
            with self.subTest(command[-1]):
                child = self.fork(*command, "--wire", "node_ipc", "--fault", "stdin_closed",
                                  "--at", "request=1")
                self.ask({"id": 0, "command": "ping", "args": {}})
                self.assertEqual(json.loads(self.lines.readline())["id"], 0)
                self.ask({"id": 1, "command": "echo", "args": {"n": 1}})
                self.assertEqual(json.loads(self.lines.readline())["result"], {"n": 1})
                wait_until(self.nobody_reads, "the end of reading")
                self.assertIsNone(child.process.poll())

    def test_our_own_workers_say_where_a_channel_is_missing(self):
        environment = {k: v for k, v in os.environ.items() if k != CHANNEL}
        for command in ([FAKE_WORKER], [PYTHON, "-m", "poolproof_worker.faults"],
                        [PYTHON, "-m", "poolproof_worker"]):
            for value in (None, "77", "0"):
                with self.subTest(command[-1], value=value):
                    given = {} if value is None else {CHANNEL: value}
                    done = subprocess.run([*command, "--wire", "node_ipc"], capture_output=True,
                                          stdin=subprocess.DEVNULL, env={**environment, **given},
                                          timeout=HANG, check=False)
                    self.assertEqual(done.returncode, 64, done.stderr)
                    self.assertEqual(done.stderr.count(b"\n"), 1)
                    self.assertIn(b"NODE_CHANNEL_FD: ", done.stderr)


if __name__ == "__main__":
    unittest.main()
