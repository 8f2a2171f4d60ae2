"""kill -9 of wrap, of the worker, of who started it, in any order: nothing is left."""

import os
import signal
import subprocess
import unittest
import uuid
from pathlib import Path

from wrapped import HANG, MARK, NEVER, PYTHON, WrapTest, behind, marked, wait_until

# A worker with a child in a session of its own, which keeps nothing but its environment.
WITH_DAEMON = ["/bin/sh", "-c",
               "setsid sleep 1000 </dev/null >/dev/null 2>&1 & echo $$; exec cat"]
# Who starts a worker, says its pid, and waits.
HOST = ("import subprocess,sys,time\n"
        "p = subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE, stdout=subprocess.PIPE)\n"
        "print(p.pid, int(p.stdout.readline()), flush=True)\n"
        "time.sleep(1000)\n")


class Ends(WrapTest):
    def is_gone(self, mark):
        wait_until(lambda: not marked(mark), "the end of all: %s" % marked(mark))

    def test_wrap_killed_takes_the_worker_and_what_it_started_along(self):
        for armed in ((), NEVER):
            worker = self.running(behind("--wire", "lines", *armed) + WITH_DAEMON)
            worker.line()
            wait_until(lambda: len(marked(worker.mark)) >= 3, "all processes")
            worker.process.kill()
            self.assertEqual(worker.process.wait(HANG), -9)
            self.is_gone(worker.mark)

    def test_a_worker_killed_ends_wrap_by_the_same_signal(self):
        for armed in ((), NEVER):
            worker = self.running(behind("--wire", "lines", *armed) + ["/bin/sh", "-c",
                                                                      "echo $$; exec cat"])
            os.kill(int(worker.line()), signal.SIGKILL)
            self.assertEqual(worker.process.wait(HANG), -9)
            self.is_gone(worker.mark)

    def test_what_a_worker_leaves_of_itself_is_its_own_affair(self):
        worker = self.running(behind() + ["/bin/sh", "-c", "sleep 1000 >/dev/null 2>&1 & exit 3"])
        self.assertEqual(worker.process.wait(HANG), 3)
        wait_until(lambda: list(marked(worker.mark).values()) == ["sleep 1000"],
                   "the end of all but what it left")

    def test_each_order_of_three_kills_leaves_nothing(self):
        for order in ("host", "wrap", "worker", "host wrap", "host worker", "wrap worker host",
                      "worker host"):
            for armed in ((), NEVER):
                with self.subTest(order, armed=bool(armed)):
                    mark = uuid.uuid4().hex
                    host = subprocess.Popen(
                        [PYTHON, "-c", HOST, *behind("--wire", "lines", *armed), "/bin/sh", "-c",
                         "echo $$; exec cat"],
                        stdout=subprocess.PIPE, env={**os.environ, MARK: mark})
                    self.addCleanup(host.stdout.close)
                    wrap, worker = map(int, host.stdout.readline().split())
                    pids = {"host": host.pid, "wrap": wrap, "worker": worker}
                    for name in order.split():
                        try:
                            os.kill(pids[name], signal.SIGKILL)
                        except ProcessLookupError:
                            pass
                    if "host" not in order:
                        wait_until(lambda: set(marked(mark)) <= {host.pid}, "the end of both")
                        host.kill()
                    host.wait(HANG)
                    self.is_gone(mark)

    def test_below_who_marks_its_workers_nothing_is_added(self):
        shows = ["/bin/sh", "-c", "echo $POOLPROOF_TOKEN; cat"]
        marks = {"POOLPROOF_TOKEN": "1-2-3"}
        worker = self.running(behind("--wire", "lines") + shows, env=marks)
        self.assertEqual(worker.line(), b"1-2-3\n")
        children = Path("/proc/%d/task/%d/children" % ((worker.process.pid,) * 2)).read_text()
        self.assertEqual(len(children.split()), 1)
        worker.process.kill()
        self.is_gone(worker.mark)

    def test_nothing_is_done_to_others_in_the_same_group(self):
        worker = self.running(behind() + WITH_DAEMON, process_group=0)
        worker.line()
        other = subprocess.Popen(["/bin/sh", "-c", "echo ready; exec cat"], stdin=subprocess.PIPE,
                                 stdout=subprocess.PIPE, process_group=worker.process.pid)
        self.addCleanup(other.stdout.close)
        self.addCleanup(other.wait)
        self.addCleanup(other.stdin.close)
        other.stdout.readline()
        worker.process.kill()
        self.is_gone(worker.mark)
        self.assertIsNone(other.poll())


if __name__ == "__main__":
    unittest.main()
