"""The wire log of a worker: every byte each way, marked frame by frame, in a bounded file."""

import glob
import os
import re
import subprocess
import sys
import tempfile
import unittest

from driving import FAULTY, ROOT, SOUND, Process, ok, payloads, request, run

FAKE_WORKER = os.environ.get("POOLPROOF_FAKE_WORKER", "")
TIME = re.compile(r"^\+\d+\.\d{3} ms  ", re.MULTILINE)
DUMP = re.compile(r"^  ([0-9a-f]{8})  ((?:[0-9a-f]{2} {1,2}| )+) \|(.*)\|$")


def marks(text):
    """The lines that say what is what, without their times."""
    return [TIME.sub("", line) for line in text.splitlines() if not line.startswith("  ")]


def bytes_of(text, way):
    """All bytes of one way, put together from the hex."""
    found, ours = b"", False
    for line in text.splitlines():
        if not line.startswith("  "):
            ours = TIME.sub("", line).startswith(way)
        elif ours:
            offset, digits, shown = DUMP.match(line).groups()
            part = bytes.fromhex(digits)
            assert int(offset, 16) == len(found), line
            assert len(part) == len(shown), line
            found += part
    return found


class LogTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.path = os.path.join(self.folder, "wire")

    def text(self):
        with open(self.path, encoding="utf-8") as file:
            return file.read()


class OfThePythonWorker(LogTest):
    def test_it_has_every_byte_of_both_ways_and_marks_the_frames(self):
        sent = request(0, "ping") + request(1, "echo", {"text": "ü"}) + bytes(4)
        for program in (SOUND, FAULTY):
            with self.subTest(program):
                code, out, _ = run(program, sent, "--wire-log", self.path)
                self.assertEqual(code, 0)
                text = self.text()
                self.assertEqual(bytes_of(text, "client > worker"), sent)
                self.assertEqual(bytes_of(text, "worker > client"), out)
                self.assertEqual(len(payloads(out)), 3)
                told = marks(text)
                self.assertIn(f"worker > client: frame 1, 4 + {len(payloads(out)[0])} bytes", told)
                self.assertTrue(any("NO FRAME: frame length 0 is not allowed" in one
                                    for one in told))
                self.assertEqual(told[-1], "the client closed its end")

    def test_what_is_no_frame_is_said_with_the_rule(self):
        cases = [
            ("prefix", b"Warning: x", "NO FRAME: frame length 1466004078 is above the limit"),
            ("headers", b"Content-Length: -1\r\n\r\n",
             "NO FRAME: a Content-Length that is not a whole number of bytes"),
            ("varint", b"\xff" * 10, "NO FRAME: frame length without an end"),
            ("lines", b"{}\n[", "line 2, 1 bytes, without an end yet"),
        ]
        for wire, data, told in cases:
            with self.subTest(wire):
                run(SOUND, data, "--wire", wire, "--wire-log", self.path)
                self.assertIn("client > worker: " + told, TIME.sub("", self.text()))

    def test_two_files_at_most_each_within_its_bound(self):
        data = b"".join(request(i, "ping") for i in range(50))
        run(SOUND, data, "--wire-log", self.path, "--wire-log-bytes", "4000")
        sizes = [os.path.getsize(self.path), os.path.getsize(self.path + ".1")]
        self.assertLessEqual(max(sizes), 4000)
        self.assertEqual(sorted(os.listdir(self.folder)), ["wire", "wire.1"])
        self.assertIn("worker > client: frame 50, 4 + ", self.text())

    def test_a_file_for_each_process_by_the_environment(self):
        with Process(SOUND, env={"POOLPROOF_WIRE_LOG": self.path + ".%p"}) as worker:
            self.assertEqual(worker.call(0, "ping"), ok(0, '{"status":"ok","worker_id":"0.0"}'))
            self.assertEqual(glob.glob(self.path + "*"), [f"{self.path}.{worker.process.pid}"])

    def test_a_log_that_can_not_be_written_is_told_and_changes_nothing_else(self):
        for program in (SOUND, FAULTY):
            code, out, err = run(program, b"", "--wire-log", "/no/folder/wire")
            self.assertEqual((code, out, err), (64, b"", "/no/folder/wire: No such file or "
                                                "directory; a file that can be written\n"))
            code, out, err = run(program, request(0, "ping"), "--wire-log", "/dev/full")
            self.assertEqual((code, len(payloads(out))), (0, 1))
            self.assertEqual(err, "no more wire log: /dev/full: No space left on device\n")


@unittest.skipUnless(FAKE_WORKER, "POOLPROOF_FAKE_WORKER is not set")
class OfTheCppWorker(LogTest):
    def fake_worker(self, data, *options, **env):
        done = subprocess.run([FAKE_WORKER, *options], input=data, capture_output=True,
                              check=False, timeout=60, env=env)
        return done.returncode, done.stdout, done.stderr.decode()

    def test_it_has_every_byte_of_both_ways_also_of_faulty_replies(self):
        sent = request(0, "ping") + request(1, "echo", {"text": "ü"})
        for fault in ([], ["--fault", "reply_fragmented"], ["--fault", "reply_truncated"],
                      ["--fault", "text_after_reply"]):
            with self.subTest(fault):
                _, out, _ = self.fake_worker(sent, "--wire-log", self.path, *fault)
                read = bytes_of(self.text(), "client > worker")
                self.assertTrue(sent.startswith(read) and read, read)
                self.assertEqual(bytes_of(self.text(), "worker > client"), out)

    def test_it_is_bounded_and_has_the_number_of_its_process(self):
        data = b"".join(request(i, "ping") for i in range(50))
        self.fake_worker(data, "--wire-log-bytes", "4000", POOLPROOF_WIRE_LOG=self.path + ".%p")
        names = sorted(os.listdir(self.folder))
        self.assertRegex(" ".join(names), r"^wire\.(\d+) wire\.\1\.1$")
        sizes = [os.path.getsize(os.path.join(self.folder, name)) for name in names]
        self.assertLessEqual(max(sizes), 4000)

    def test_bad_input_is_one_line(self):
        unwritable = "/no/folder/wire: No such file or directory; a file that can be written\n"
        bounds = '--wire-log-bytes: "3" will not do; a whole number from 1000 to 1099511627776\n'
        for options, line in ((["--wire-log", "/no/folder/wire"], unwritable),
                              (["--wire-log", ""], "--wire-log: an empty name; a file\n"),
                              (["--wire-log-bytes", "3"], bounds)):
            self.assertEqual(self.fake_worker(b"", *options), (64, b"", line))
            self.assertEqual(run(SOUND, b"", *options), (64, b"", line))
        code, out, err = self.fake_worker(request(0, "ping"), "--wire-log", "/dev/full")
        self.assertEqual((code, len(payloads(out))), (0, 1))
        self.assertEqual(err, "no more wire log: /dev/full: No space left on device\n")

    def test_the_log_never_takes_the_place_of_a_closed_stream(self):
        script = f'exec "{FAKE_WORKER}" --wire-log "{self.path}" >&-'
        ping = request(0, "ping")
        subprocess.run(["/bin/sh", "-c", script], input=ping, check=False, timeout=60, env={})
        self.assertEqual(bytes_of(self.text(), "client > worker"), ping)
        self.assertNotIn("status", self.text())

    def test_the_python_worker_writes_the_same(self):
        streams = {
            "prefix": request(0, "echo", {"x": 1}) + bytes(4) + b"Warning",
            "varint": b"\x02{}\x00\x03{",
            "lines": b'{"id":0}\n\n{"id":1',
            "headers": b"Content-Length: 2\r\n\r\n{}Content-Length: 0\r\n\r\nContent: 1\n",
        }
        for wire, data in streams.items():
            with self.subTest(wire):
                logs = []
                for program in ([sys.executable, *SOUND], [FAKE_WORKER]):
                    subprocess.run([*program, "--wire", wire, "--wire-log", self.path,
                                    "--timestamp", "7"], input=data, capture_output=True,
                                   check=False, timeout=60, env={"PYTHONPATH": ROOT})
                    logs.append(TIME.sub("", self.text()))
                self.assertEqual(*logs)


if __name__ == "__main__":
    unittest.main()
