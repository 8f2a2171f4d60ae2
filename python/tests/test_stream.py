"""The protocol's stream: guarded, bounded, and left cleanly."""

import fcntl
import json
import os
import resource
import signal
import subprocess
import sys
import termios
import unittest

from driving import FAULTY, NOISY, ROOT, SOUND, Process, error, ok, payloads, request, run


class Guard(unittest.TestCase):
    def test_stray_output_goes_to_stderr(self):
        for command, result, text in (("print", "printed", "a stray print"),
                                      ("write", "written", "a C library speaks"),
                                      ("child", "run", "a child speaks")):
            with self.subTest(command):
                code, out, err = run(NOISY, request(1, command) + request(2, "ping"))
                self.assertEqual(code, 0)
                self.assertEqual(payloads(out)[0], ok(1, f'"{result}"'))
                self.assertEqual(len(payloads(out)), 2)
                self.assertIn(text, err)

    def test_what_was_printed_before_run_goes_to_stderr(self):
        code, out, err = run(NOISY, b"")
        self.assertEqual((code, out), (0, b""))
        self.assertIn("banner of an import", err)

    def test_commands_find_an_empty_stdin(self):
        _, out, _ = run(NOISY, request(1, "read_stdin") + request(2, "print"))
        self.assertEqual(payloads(out), [ok(1, '["",""]'), ok(2, '"printed"')])

    def test_the_pipes_are_not_inherited_by_children(self):
        program = ("import os, subprocess; from poolproof_worker import claim_stdio; "
                   "fds = claim_stdio(); assert claim_stdio() == fds; "
                   "print(*map(os.get_inheritable, fds))")
        done = subprocess.run([sys.executable, "-c", program], env={"PYTHONPATH": ROOT},
                              stdin=subprocess.DEVNULL, capture_output=True, check=True)
        self.assertEqual((done.stdout, done.stderr), (b"", b"False False\n"))

    def test_a_closed_stderr_is_no_harm(self):
        done = subprocess.run([sys.executable, *NOISY, "7"], env={"PYTHONPATH": ROOT},
                              input=request(1, "print") + request(2, "raise", {"kind": "key"}),
                              stdout=subprocess.PIPE, preexec_fn=lambda: os.close(2), check=False)
        self.assertEqual(done.returncode, 0)
        self.assertEqual(payloads(done.stdout), [ok(1, '"printed"'), error(2, "'k'")])

    def test_a_stderr_that_nobody_reads_leaves_the_exit_code_alone(self):
        with Process(NOISY) as worker:
            worker.call(1, "ping")
            worker.process.stderr.close()
            self.assertEqual(worker.call(2, "raise", {"kind": "key"}), error(2, "'k'"))
            worker.process.stdin.close()
            self.assertEqual(worker.process.wait(60), 0)
            worker.process.stderr = open(os.devnull, "rb")


class Results(unittest.TestCase):
    def test_what_json_can_not_say_is_an_error_reply(self):
        for kind, text in (("nan", "Out of range float values"), ("set", "type set is not"),
                           ("mixed", "not supported between"), ("deep", "recursion")):
            with self.subTest(kind):
                code, out, _ = run(NOISY, request(1, "result", {"kind": kind}) +
                                   request(2, "print"))
                first, second = payloads(out)
                self.assertEqual((code, second), (0, ok(2, '"printed"')))
                reply = json.loads(first)
                self.assertEqual((reply["id"], reply["success"]), (1, False))
                self.assertIn("the result is not JSON: ", reply["error"])
                self.assertIn(text, reply["error"])

    def test_a_lone_surrogate_becomes_a_replacement_character(self):
        _, out, _ = run(NOISY, request(1, "result", {"kind": "surrogate"}))
        self.assertEqual(payloads(out), [ok(1, '"a\ufffdb"')])

    def test_exceptions_become_error_replies_with_a_traceback_on_stderr(self):
        for kind, text in (("key", "'k'"), ("empty", "RuntimeError"), ("broken", "Broken"),
                           ("surrogate", "\ufffd"), ("recursion", "too deep")):
            with self.subTest(kind):
                code, out, err = run(NOISY, request(1, "raise", {"kind": kind}) +
                                     request(2, "print"))
                self.assertEqual(code, 0)
                self.assertEqual(payloads(out), [error(1, text), ok(2, '"printed"')])
                self.assertIn("Traceback", err)

    def test_a_command_error_has_no_traceback(self):
        _, out, err = run(NOISY, request(1, "raise", {"kind": "refusal"}))
        self.assertEqual(payloads(out), [error(1, "no")])
        self.assertNotIn("Traceback", err)

    def test_a_command_may_end_the_worker(self):
        code, out, _ = run(NOISY, request(1, "raise", {"kind": "exit"}))
        self.assertEqual((code, out), (5, b""))

    def test_a_reply_above_the_limit_is_an_error_reply(self):
        code, out, _ = run(NOISY, request(1, "result", {"kind": "long"}) + request(2, "stats"),
                           "200")
        size = len(ok(1, '"' + "x" * 300 + '"'))
        self.assertEqual(code, 0)
        self.assertEqual(payloads(out), [error(1, f"reply too long: {size} bytes"),
                                         ok(2, '{"calls":1,"errors":1}')])


class Frames(unittest.TestCase):
    def test_every_prefix_works(self):
        for prefix in (1, 2, 4):
            with self.subTest(prefix):
                code, out, _ = run(SOUND, request(1, "echo", {"a": 1}, prefix),
                                   "--prefix-bytes", str(prefix))
                self.assertEqual(code, 0)
                self.assertEqual(payloads(out, prefix), [ok(1, '{"a":1}')])

    def test_a_large_frame_comes_back_whole(self):
        args = {"x": "y" * 3_000_000}
        _, out, _ = run(SOUND, request(1, "echo", args))
        self.assertEqual(payloads(out), [ok(1, json.dumps(args, separators=(",", ":")))])

    def test_a_frame_in_single_bytes_is_understood(self):
        with Process(SOUND) as worker:
            for byte in request(1, "echo"):
                worker.send(bytes([byte]))
            self.assertEqual(worker.read_payload(), ok(1, "{}"))

    def test_the_limit_itself_is_allowed(self):
        data = request(1, "echo")
        limit = len(data) - 4
        code, out, _ = run(SOUND, data, "--max-frame-bytes", str(limit))
        self.assertEqual((code, payloads(out)), (0, [ok(1, "{}")]))
        code, out, err = run(SOUND, data, "--max-frame-bytes", str(limit - 1))
        self.assertEqual((code, out), (1, b""))
        self.assertEqual(err.count("\n"), 1)
        self.assertIn(f"frame length {limit} is above the limit of {limit - 1} bytes", err)

    def test_text_where_a_frame_should_be_ends_the_worker_with_one_line(self):
        code, out, err = run(SOUND, request(1, "echo") + b"Warning: something")
        self.assertEqual((code, payloads(out)), (1, [ok(1, "{}")]))
        self.assertEqual(err.count("\n"), 1)
        self.assertIn('57 61 72 6e ("Warn")', err)

    def test_memory_grows_with_what_arrives_not_with_the_header(self):
        limit = 300 << 20  # far more than the worker needs, far less than the header says
        program = [sys.executable, *SOUND, "--max-frame-bytes", str(2**31 - 1)]
        done = subprocess.run(
            program, input=b"\x7f\xff\xff\xfe" + b"x" * 100_000, capture_output=True, check=False,
            env={"PYTHONPATH": ROOT},
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)))
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"end of input inside a frame", done.stderr)
        self.assertNotIn(b"Traceback", done.stderr)

    def test_nothing_is_read_beyond_the_request_in_hand(self):
        with Process(SOUND) as worker:
            worker.send(request(1, "sleep", {"ms": 600_000}) + b"left" * 10)
            unread = 0
            while unread != 40:  # until the first request was taken out of the pipe
                unread = _unread(worker.process.stdin)
            self.assertIsNone(worker.process.poll())


class Leaving(unittest.TestCase):
    def test_the_end_of_input_between_frames_is_exit_0(self):
        self.assertEqual(run(SOUND, b""), (0, b"", ""))

    def test_the_end_of_input_inside_a_frame_is_exit_1_and_one_line(self):
        for data in (b"\0", b"\0\0\0", b"\0\0\0\x05", b"\0\0\0\x05abcd"):
            for program in (SOUND, FAULTY):
                with self.subTest(data=data, program=program):
                    code, out, err = run(program, data)
                    self.assertEqual((code, out, err.count("\n")), (1, b"", 1))
                    self.assertIn("end of input inside a frame", err)

    def test_term_is_exit_0_while_idle(self):
        for program in (SOUND, FAULTY):
            with self.subTest(program), Process(program) as worker:
                worker.call(0, "ping")
                self.assertEqual(worker.terminate(), 0)

    def test_term_is_exit_0_in_the_middle_of_a_request(self):
        for command, args in (("sleep", {"ms": 600_000}), ("compute", {"n": 5_000_000})):
            for program in (SOUND, FAULTY):
                with self.subTest(command=command, program=program), Process(program) as worker:
                    worker.call(0, "ping")
                    worker.send(request(1, command, args))
                    while _unread(worker.process.stdin):
                        pass
                    self.assertEqual(worker.terminate(), 0)
                    self.assertEqual(worker.process.stdout.read(), b"")

    def test_term_is_exit_0_in_the_middle_of_a_frame(self):
        with Process(SOUND) as worker:
            worker.call(0, "ping")
            worker.send(b"\0\0\0\x50{")
            while _unread(worker.process.stdin):
                pass
            self.assertEqual(worker.terminate(), 0)

    def test_term_is_exit_0_while_the_reply_is_stuck_in_the_pipe(self):
        with Process(SOUND) as worker:
            worker.send(request(1, "echo", {"x": "y" * 1_000_000}))
            worker.read(10)
            self.assertEqual(worker.terminate(), 0)

    def test_a_stdout_that_nobody_reads_is_exit_0_without_a_word(self):
        for program in (SOUND, FAULTY):
            with self.subTest(program), Process(program) as worker:
                worker.call(0, "ping")
                worker.process.stdout.close()
                worker.send(request(1, "echo"))
                self.assertEqual(worker.process.wait(60), 0)
                self.assertEqual(worker.process.stderr.read(), b"")
                worker.process.stdout = open(os.devnull, "rb")

    def test_term_right_behind_a_reply_is_exit_0(self):
        for _ in range(5):
            with Process(SOUND) as worker:
                worker.send(request(0, "ping"))
                worker.read(4)
                os.kill(worker.process.pid, signal.SIGTERM)
                self.assertEqual(worker.process.wait(60), 0)


def _unread(pipe):
    return int.from_bytes(fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)), sys.byteorder)


if __name__ == "__main__":
    unittest.main()
