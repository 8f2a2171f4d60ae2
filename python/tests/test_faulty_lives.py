"""Faults that end, close or delay more than one reply; the journal tells what happened."""

import os
import select
import signal
import time
import unittest

from driving import FAULTY, TIMEOUT_S, Process, frame, ok, request, run

PING = frame(ok(0, '{"status":"ok","worker_id":"0.0"}'))
ECHO = frame(ok(1, "{}"))


def planned(fault, *options):
    return Process(FAULTY, "--fault", fault, *options)


class Lives(unittest.TestCase):
    def kinds(self, worker):
        return [record["kind"] for record in worker.journal()]

    def ends(self, worker, expected):
        self.assertEqual(worker.finish(request(0, "ping") + request(1, "echo") +
                                       request(2, "echo")), expected)

    # At the start.

    def test_exit_at_start(self):
        for options, code, text in ([], 3, "fault: exit at start\n"), \
                (["--code", "0", "--stderr-text", "no model"], 0, "no model\n"):
            with self.subTest(options), planned("exit_at_start", *options) as worker:
                self.assertEqual(worker.finish(), (code, b"", text))
                self.assertEqual(self.kinds(worker), ["started", "receipt", "exiting"])
                self.assertIsNone(worker.journal("receipt")[0]["request"])

    def test_killed_at_start(self):
        for options, number in ([], 9), (["--signal", "15"], 15), (["--signal", "11"], 11):
            with self.subTest(options), planned("killed_at_start", *options) as worker:
                self.assertEqual(worker.finish(), (-number, b"", ""))
                self.assertEqual(self.kinds(worker), ["started", "receipt"])

    def test_banner(self):
        with planned("banner") as worker:
            self.assertEqual(worker.finish(request(0, "ping")),
                             (0, b"Loading model...\n" + PING, ""))
            self.assertEqual(self.kinds(worker)[:2], ["started", "receipt"])

    def test_import_slow(self):
        with planned("import_slow", "--delay-ms", "600000") as worker:
            worker.send(request(0, "ping"))
            worker.await_journal("receipt")
            self.assertEqual(worker.terminate(), 0)
            self.assertEqual(self.kinds(worker), ["started", "receipt", "term", "exiting"])
        self.assertEqual(run(FAULTY, request(0, "ping"), "--fault", "import_slow", "--delay-ms",
                             "1"), (0, PING, ""))

    def test_input_read_as_lines(self):
        with planned("input_read_as_lines") as worker:
            worker.send(request(0, "ping"))
            worker.await_journal("receipt")
            code, out, err = worker.finish(request(1, "echo"))
            self.assertEqual((code, out), (0, b""))
            self.assertIn("stdin ended without a line of JSON: 00 00 00", err)
            self.assertEqual(self.kinds(worker), ["started", "receipt", "stdin_end", "exiting"])

    # At a request.

    def test_reading_stopped_leaves_the_request_in_the_pipe(self):
        with planned("reading_stopped", "--at", "request=1") as worker:
            worker.send(request(0, "ping") + request(1, "echo"))
            self.assertEqual(worker.read(len(PING)), PING)
            self.assertEqual(worker.await_journal("receipt")[0]["request"], 1)
            self.assertEqual(worker.terminate(), 0)
            self.assertEqual(worker.process.stdout.read(), b"")
            self.assertEqual(self.kinds(worker),
                             ["started", "read", "wrote", "receipt", "term", "exiting"])

    def test_reading_stopped_does_not_notice_the_end_of_input(self):
        with planned("reading_stopped", "--at", "request=0") as worker:
            worker.send(request(0, "ping"))
            worker.process.stdin.close()
            worker.await_journal("receipt")
            ready, _, _ = select.select([worker.process.stdout], [], [], 0.1)
            self.assertEqual(ready, [])
            self.assertEqual(worker.terminate(), 0)

    def test_exit_mid_call(self):
        with planned("exit_mid_call", "--at", "request=1", "--code", "7") as worker:
            self.ends(worker, (7, PING, ""))
            self.assertEqual(self.kinds(worker),
                             ["started", "read", "wrote", "read", "receipt", "exiting"])

    def test_killed_mid_call(self):
        for options, number in ([], 9), (["--signal", "6"], 6), (["--signal", "13"], 13):
            with self.subTest(options), \
                    planned("killed_mid_call", "--at", "request=1", *options) as worker:
                self.ends(worker, (-number, PING, ""))
                self.assertEqual(self.kinds(worker)[-1], "receipt")

    def test_a_signal_that_harms_nobody_leaves_the_worker_in_service(self):
        code, out, _ = run(FAULTY, request(1, "echo"), "--fault", "killed_mid_call", "--signal",
                           str(int(signal.SIGCHLD)))
        self.assertEqual((code, out), (0, ECHO))

    def test_stdout_closed(self):
        with planned("stdout_closed", "--at", "request=1") as worker:
            worker.send(request(0, "ping") + request(1, "echo"))
            self.assertEqual(worker.read(len(PING)), PING)
            self.assertEqual(worker.process.stdout.read(), b"")  # the end of stdout
            self.assertIsNone(worker.process.poll())
            worker.process.stdin.close()
            self.assertEqual(worker.process.wait(TIMEOUT_S), 0)
            self.assertEqual(self.kinds(worker), ["started", "read", "wrote", "read", "receipt",
                                                  "stdin_end", "exiting"])

    def test_stdin_closed(self):
        with planned("stdin_closed", "--at", "request=0") as worker:
            worker.send(request(0, "ping"))
            self.assertEqual(worker.read(len(PING)), PING)
            poll = select.poll()
            poll.register(worker.process.stdin, 0)  # POLLERR: nobody can read it any more
            self.assertEqual([event for _, event in poll.poll(TIMEOUT_S * 1000)],
                             [select.POLLERR])
            self.assertIsNone(worker.process.poll())
            self.assertEqual(worker.terminate(), 0)
            self.assertEqual(self.kinds(worker),
                             ["started", "read", "wrote", "receipt", "term", "exiting"])

    def test_exit_while_idle(self):
        with planned("exit_while_idle", "--at", "request=0", "--code", "4") as worker:
            self.ends(worker, (4, PING, ""))
            self.assertEqual(self.kinds(worker), ["started", "read", "wrote", "receipt", "exiting"])

    def test_stderr_flood(self):
        for size in (1, 79, 80, 81, 1_000_000):
            with self.subTest(size), planned("stderr_flood", "--text-bytes", str(size)) as worker:
                code, out, err = worker.finish(request(1, "echo"))
                self.assertEqual((code, out, len(err)), (0, ECHO, size))
                self.assertEqual(err, (("x" * 79 + "\n") * (size // 80 + 1))[:size // 80 * 80] +
                                 "x" * (size % 80))
                self.assertEqual(self.kinds(worker)[1:4], ["read", "receipt", "wrote"])

    def test_grandchild_left(self):
        with planned("grandchild_left", "--lifetime-ms", "600000", "--at", "request=0") as worker:
            worker.send(request(1, "echo"))
            self.assertEqual(worker.read(len(ECHO)), ECHO)
            child_pid = worker.await_journal("grandchild")[0]["child_pid"]
            self.assertEqual(self.kinds(worker)[:4], ["started", "read", "receipt", "grandchild"])
            worker.process.stdin.close()
            self.assertEqual(worker.process.wait(TIMEOUT_S), 0)
            ready, _, _ = select.select([worker.process.stdout], [], [], 0.1)
            self.assertEqual(ready, [])  # the grandchild holds it open
            while _catches_term(child_pid):  # until it has put the default back
                time.sleep(0.002)
            os.kill(child_pid, signal.SIGTERM)
            self.assertEqual(worker.process.stdout.read(), b"")
            self.assertEqual(self.kinds(worker)[-1], "exiting")

    def test_a_grandchild_ends_by_itself(self):
        with planned("grandchild_left", "--lifetime-ms", "1") as worker:
            self.assertEqual(worker.finish(request(1, "echo")), (0, ECHO, ""))

    # At the end.

    def test_stdin_end_ignored(self):
        with planned("stdin_end_ignored") as worker:
            worker.send(request(0, "ping") + request(1, "shutdown") + request(2, "echo"))
            worker.process.stdin.close()
            self.assertEqual(len(worker.await_journal("receipt", 2)), 2)
            self.assertIsNone(worker.process.poll())
            self.assertEqual(worker.terminate(), 0)
            self.assertEqual(self.kinds(worker),
                             ["started", "read", "wrote", "read", "wrote", "receipt", "read",
                              "wrote", "stdin_end", "receipt", "term", "exiting"])

    def test_term_ignored_leaves_a_receipt_each_time(self):
        with planned("term_ignored") as worker:
            worker.call(0, "ping")
            for count in (1, 2):
                worker.process.terminate()
                worker.await_journal("receipt", count)
            self.assertEqual(worker.call(1, "echo"), ok(1, "{}"))
            self.assertEqual(worker.finish(), (0, b"", ""))
            self.assertNotIn("term", self.kinds(worker))

    def test_term_ignored_in_the_middle_of_a_request(self):
        with planned("term_ignored", "--fault", "reply_slow", "--delay-ms", "100", "--at",
                     "request=0") as worker:
            worker.send(request(1, "echo"))
            worker.await_journal("receipt")
            worker.process.terminate()
            self.assertEqual(worker.finish(), (0, ECHO, ""))

    def test_exit_slow(self):
        with planned("exit_slow", "--delay-ms", "30") as worker:
            self.assertEqual(worker.finish(request(0, "ping")), (0, PING, ""))
            self.assertEqual(self.kinds(worker)[-3:], ["stdin_end", "receipt", "exiting"])
            receipt, exiting = worker.journal()[-2:]
            self.assertGreaterEqual(exiting["at_ms"] - receipt["at_ms"], 30)
        with planned("exit_slow", "--delay-ms", "200") as worker:
            worker.call(0, "ping")
            worker.await_journal("wrote")
            worker.process.terminate()
            worker.await_journal("receipt")
            worker.process.terminate()  # a second one must not cut the first one's work short
            self.assertEqual(worker.process.wait(TIMEOUT_S), 0)
            self.assertEqual(self.kinds(worker),
                             ["started", "read", "wrote", "term", "receipt", "exiting"])

    def test_shutdown_not_obeyed(self):
        with planned("shutdown_not_obeyed") as worker:
            self.assertEqual(worker.call(1, "shutdown"), ok(1, '{"status":"shutting_down"}'))
            self.assertEqual(worker.call(2, "echo"), ok(2, "{}"))
            self.assertEqual(worker.finish(), (0, b"", ""))
            self.assertEqual(len(worker.journal("receipt")), 1)

    def test_exit_code_at_shutdown(self):
        for how in ("stdin_end", "term", "request"):
            with self.subTest(how), planned("exit_code_at_shutdown", "--code", "6") as worker:
                worker.call(0, "ping")
                if how == "stdin_end":
                    code = worker.finish()[0]
                elif how == "term":
                    code = worker.terminate()
                else:
                    worker.call(1, "shutdown")
                    code = worker.process.wait(TIMEOUT_S)
                self.assertEqual(code, 6)
                self.assertEqual([r["code"] for r in worker.journal("exiting")], [6])
                self.assertEqual(len(worker.journal("receipt")), 1)

    # The journal itself.

    def test_the_journal_says_what_the_protocol_says(self):
        env = {"POOLPROOF_SLOT": "3", "POOLPROOF_GENERATION": "2"}
        with Process(FAULTY, env=env) as worker:
            worker.finish(request(0, "ping") + request(5, "echo", {"nonce": "b:7"}) +
                          frame(b"[]") + bytes(4) + frame(b'{"id":1,"args":{"nonce":"c:1"}}'))
            journal = worker.journal()
            times = [record.pop("at_ms") for record in journal]
            self.assertEqual(times, sorted(times))
            who = {"slot": 3, "generation": 2, "pid": worker.process.pid}
            for record in journal:
                self.assertEqual({key: record.pop(key) for key in who}, who)
            # Nobody waited for the answer to the first request.
            early = {"kind": "read", "early": True}
            nothing = {**early, "id": None, "command": None, "nonce": None}
            self.assertEqual(journal, [
                {"kind": "started"},
                {"kind": "read", "request": 0, "id": 0, "command": "ping", "nonce": None},
                {"kind": "wrote", "request": 0, "bytes": len(PING)},
                {**early, "request": 1, "id": 5, "command": "echo", "nonce": "b:7"},
                {"kind": "wrote", "request": 1, "bytes": len(frame(ok(5, '{"nonce":"b:7"}')))},
                {**nothing, "request": 2}, {"kind": "wrote", "request": 2, "bytes": 88},
                {**nothing, "request": 3}, {"kind": "wrote", "request": 3, "bytes": 67},
                {**nothing, "request": 4, "id": 1, "nonce": "c:1"},
                {"kind": "wrote", "request": 4, "bytes": 82},
                {"kind": "stdin_end"},
                {"kind": "exiting", "code": 0}])

    def test_a_too_long_frame_is_journaled_as_an_exit(self):
        with Process(FAULTY) as worker:
            self.assertEqual(worker.finish(b"Warning")[:2], (1, b""))
            self.assertEqual(self.kinds(worker), ["started", "exiting"])


def _catches_term(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        caught = next(line for line in status if line.startswith("SigCgt:"))
    return int(caught.split()[1], 16) >> (signal.SIGTERM - 1) & 1


if __name__ == "__main__":
    unittest.main()
