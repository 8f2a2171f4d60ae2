"""poolproof wrap as it is typed; what it does stands in harness/wrap/tests."""

import os
import subprocess
import unittest
from pathlib import Path

from program import POOLPROOF, ProgramTest, wait_until


class Wrap(ProgramTest):
    def test_it_says_and_ends_as_the_worker_does(self):
        done = self.program("wrap", "--", "/bin/sh", "-c", "echo hello; echo oops >&2; exit 5")
        self.assertEqual((done.stdout, done.stderr, done.returncode), (b"hello\n", b"oops\n", 5))
        done = self.program("wrap", "--wire", "lines", "--fault", "banner", "--param", "text=hi\n",
                            "--", "/bin/sh", "-c", "kill -9 $$")
        self.assertEqual((done.stdout, done.returncode), (b"hi\n", -9))

    def test_the_guardian_of_this_program_takes_all_along(self):
        script = "setsid sleep 1000 </dev/null >/dev/null 2>&1 & echo $!; cat"
        process = subprocess.Popen([POOLPROOF, "wrap", "--", "/bin/sh", "-c", script],
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        daemon = int(process.stdout.readline())
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        # The guardian is started behind the worker.
        wait_until(lambda: len(children.read_text().split()) == 2, "the guardian")
        process.kill()
        process.communicate()
        wait_until(lambda: not os.path.exists(f"/proc/{daemon}"), "the end of all")

    def test_it_is_listed_and_explains_itself(self):
        self.assertIn(b"stand where a worker stands", self.program("--help").stdout)
        done = self.program("wrap", "--help")
        self.assertEqual(done.returncode, 0)
        self.assertIn(b"poolproof wrap --wire lines --fault reply_dropped", done.stdout)

    def test_bad_input_is_one_line(self):
        for words, line in [
            (["wrap"], b"poolproof: wrap: no worker's command; write it after --"),
            (["wrap", "--fault", "id_wrong", "--wire", "varint", "--", "cat"],
             b"poolproof: wrap: id_wrong needs replies with members and an id"),
            (["wrap", "--wire", "varint", "--fault", "reply_dropped", "--at", "client=a,call=1",
              "--", "cat"],
             b"poolproof: wrap: reply_dropped is aimed by a client's call, which the speech opaque"),
            (["wrap", "--wire", "lines", "--speech", "opaque", "--fault", "reply_dropped", "--at",
              "method=x", "--", "cat"],
             b"poolproof: wrap: reply_dropped is aimed by a method, which the speech opaque"),
            (["wrap", "--wire", "lines", "--prefix-bytes", "2", "--", "cat"],
             b"poolproof: --prefix-bytes: is said of the wire lines; the wire prefix, or nothing"),
            (["wrap", "--byte-order", "little", "--wire", "headers", "--", "cat"],
             b"poolproof: --byte-order: is said of the wire headers; the wire prefix, or nothing"),
        ]:
            done = self.program(*words)
            self.assertEqual((done.stdout, done.returncode), (b"", 64))
            self.assertTrue(done.stderr.startswith(line), done.stderr)
            self.assertEqual(done.stderr.count(b"\n"), 1)


if __name__ == "__main__":
    unittest.main()
