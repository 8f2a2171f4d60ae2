"""poolproof guard: what any program leaves, and how it ends."""

import os
import signal
import subprocess
import time
import unittest

from guarded import POOL, GuardTest
from program import HANG, POOLPROOF, PYTHON, children_of, wait_until


class Sound(GuardTest):
    PROGRAMS = {
        "true": ["true"],
        "shell": ["sh", "-c", "for i in 1 2 3; do (sleep 0.01 &); echo $i | cat; done; wait"],
        "pipeline": ["sh", "-c", "seq 1000 | sort | uniq | wc -l"],
        "many short ones": ["sh", "-c", "i=0; while [ $i -lt 60 ]; do /bin/true; i=$((i+1)); done"],
        "pool of threads": [PYTHON, "-c", """
import subprocess
from concurrent.futures import ThreadPoolExecutor
with ThreadPoolExecutor(4) as pool:
    list(pool.map(lambda i: subprocess.run(["cat"], input=b"x", stdout=subprocess.PIPE), range(40)))
"""],
        "pool of processes": [PYTHON, "-c", """
import multiprocessing
with multiprocessing.get_context("fork").Pool(3) as pool:
    print(pool.map(abs, range(50)))
    pool.close()
    pool.join()
"""],
        "fake workers": [PYTHON, "-c", POOL + """
workers = [start() for _ in range(3)]
for number in range(20):
    for worker in workers: assert call(worker, number)["success"]
for worker in workers: leave(worker)
"""],
        "workers that see the end of their input when their host is gone": [
            PYTHON, "-c", POOL + "w = start(); call(w, 0); sys.stdout.flush(); os._exit(0)"],
    }

    def test_they_pass(self):
        for name, command in self.PROGRAMS.items():
            with self.subTest(name=name):
                self.passes(self.guard("--", *command))

    def test_a_pool_of_node_passes(self):
        node = next((path for path in ("/usr/bin/node", "/usr/local/bin/node")
                     if os.path.exists(path)), None)
        if node is None:
            self.skipTest("no node here")
        self.passes(self.guard("--", node, "-e", """
const { fork } = require("child_process");
if (process.argv[2] === "worker" || process.send) {
  process.on("message", m => process.send(m + 1));
} else {
  const file = require("fs").mkdtempSync(require("os").tmpdir() + "/x") + "/w.js";
  require("fs").writeFileSync(file, 'process.on("message", m => process.send(m + 1));');
  const child = fork(file);
  child.on("message", m => { console.log(m); child.disconnect(); });
  child.send(1);
}
"""))

    def test_the_program_has_its_own_streams(self):
        done = subprocess.run(
            [POOLPROOF, "guard", "--out", self.out, "--", "sh", "-c", "cat; echo aside >&2"],
            input=b"through\n", capture_output=True, timeout=HANG)
        self.assertEqual(done.stdout, b"through\n")
        self.assertTrue(done.stderr.startswith(b"aside\n"))
        self.passes(done)

    def test_a_stream_that_is_closed_is_closed_below(self):
        look = 'for fd in 0 1 2; do test -e /proc/$$/fd/$fd && echo $fd >>"$TOLD"; done; exit 0'
        told = self.folder / "told"
        guard = [POOLPROOF, "guard", "--out", str(self.out), "--", "sh", "-c", look]
        done = subprocess.run(["sh", "-c", 'exec "$@" 0<&- 1>&-', "sh", *guard],
                              stderr=subprocess.PIPE, env={**os.environ, "TOLD": str(told)},
                              timeout=HANG)
        self.passes(done)
        self.assertEqual(told.read_text(), "2\n")

    def test_a_guard_below_a_guard(self):
        self.passes(self.guard("--", POOLPROOF, "guard", "--out", self.folder / "inner", "--",
                               "sh", "-c", "echo well"))

    def test_looking_costs_little(self):
        # A guard's own processor time, against the time that its program took.
        done = subprocess.Popen([POOLPROOF, "guard", "--out", self.out, "--", "sh", "-c",
                                 "sleep 3"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        usage = os.wait4(done.pid, 0)[2]
        done.returncode = 0
        # 0.05 s are its start, its end and its guardian's; 1 % are 0.03 s. Generous for a busy machine.
        self.assertLess(usage.ru_utime + usage.ru_stime, 0.4)


class Leaks(GuardTest):
    def address(self, finding, command, parent=None):
        one = finding["processes"][0]
        self.assertIn(command, one["command"])
        self.assertGreater(one["pid"], 1)
        self.assertGreaterEqual(one["started_ms"], 0)
        self.assertIn(f"pid {one['pid']} ", finding["what"])
        if parent: self.assertIn(parent, one["parent_command"])
        wait_until(lambda: not os.path.exists(f"/proc/{one['pid']}"), "its end")

    def test_a_child(self):
        done = self.guard("--", "sh", "-c", "sleep 1000 & sleep 0.3; exit 0")
        finding = self.one_finding(done, "no_survivors")
        self.address(finding, "sleep 1000", "sh -c")
        self.assertEqual(finding["blame"], "program")

    def test_a_grandchild(self):
        done = self.guard("--", "sh", "-c", "sh -c 'sleep 1000 & sleep 0.3'; exit 0")
        self.address(self.one_finding(done, "no_survivors"), "sleep 1000")

    def test_a_program_that_a_shim_executes_late_is_told_as_it_is(self):
        # A shim as pyenv has them: long after its start it becomes the program.
        inner = "import subprocess as s; s.Popen(['sleep', '1003']); s.run(['sleep', '0.3'])"
        shim = f'sleep 0.4; exec {PYTHON} -c "{inner}"'
        done = self.guard("--", "sh", "-c", 'sh -c "$1"; exit 0', "sh", shim)
        finding = self.one_finding(done, "no_survivors")
        self.address(finding, "sleep 1003", f"{PYTHON} -c import subprocess")

    def test_a_process_that_node_starts_for_a_file_of_tests_is_the_programs(self):
        if not os.path.exists("/usr/bin/node"): self.skipTest("no node here")
        (self.folder / "a.test.mjs").write_text("""
import test from "node:test";
import { spawn } from "node:child_process";
test("a", () => spawn("sleep", ["1004"], { detached: true, stdio: "ignore" }).unref());
""")
        done = self.guard("--", "/usr/bin/node", "--test", self.folder / "a.test.mjs")
        finding = self.one_finding(done, "no_survivors")
        self.assertIn("sleep 1004", finding["processes"][0]["command"])
        self.assertEqual(finding["blame"], "program", finding)

    def test_a_daemon_with_a_cleared_environment_and_a_session_of_its_own(self):
        done = self.guard("--", PYTHON, "-c", """
import os
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        for fd in range(3): os.close(fd)
        os.execve("/bin/sleep", ["sleep", "1001"], {})
    os._exit(0)
os.wait()
""")
        self.address(self.one_finding(done, "no_survivors"), "sleep 1001")

    # Its main thread ends, another one lives on.
    HEADLESS = """
import ctypes, os, threading
threading.Thread(target=threading.Event().wait).start()
os.write(1, b"up")
ctypes.CDLL(None).pthread_exit(None)
"""

    def test_a_child_that_has_lost_its_main_thread(self):
        done = self.guard("--", PYTHON, "-c", f"""
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", {self.HEADLESS!r}], stdout=subprocess.PIPE)
child.stdout.read(2)
while ") Z " not in open(f"/proc/{{child.pid}}/stat").read(): time.sleep(0.01)
time.sleep(0.6)  # for who takes it for a zombie
""")
        self.address(self.one_finding(done, "no_survivors"), "pthread_exit")

    def test_a_worker_that_ignores_the_end_of_its_input(self):
        done = self.python("w = start('--fault', 'stdin_end_ignored'); call(w, 0); time.sleep(0.2)")
        self.address(self.one_finding(done, "no_survivors"), "fake_worker")

    # Each process starts the next one and ends; nobody is there for long.
    CHAIN = """
import os, sys, time
gap, span = map(float, sys.argv[1:])
if os.fork() == 0:
    os.close(0)
    end = time.monotonic() + span
    while time.monotonic() < end:
        if os.fork(): os._exit(0)
        time.sleep(gap)
    os._exit(0)
os.wait()
"""

    def test_a_chain_of_processes_that_start_each_other(self):
        for gap in ("0", "0.01"):
            with self.subTest(gap=gap):
                begun = time.monotonic()
                done = self.guard("--", PYTHON, "-c", self.CHAIN, gap, "60")
                self.assertGreater(time.monotonic() - begun, 2)  # it was given its time to leave
                self.assertEqual(done.returncode, 1, done.stderr)
                # One that is slow to end may have a dead child meanwhile, on a busy machine.
                found = [one for one in self.found()["findings"] if one["invariant"] != "no_zombies"]
                self.assertEqual({one["invariant"] for one in found}, {"no_survivors"}, found)
                self.assertEqual({one["blame"] for one in found}, {"program"}, found)
                for one in found:
                    self.address(one, "python")  # of one that has just ended only its name is left

    def test_a_chain_that_ends_by_itself_in_time(self):
        self.passes(self.guard("--", PYTHON, "-c", self.CHAIN, "0.005", "0.3"))

    def test_a_zombie(self):
        done = self.guard("--", PYTHON, "-c", """
import os, time
child = os.fork()
if child == 0: os._exit(0)
time.sleep(2.5)
""")
        self.one_finding(done, "no_zombies")

    def test_a_zombie_that_is_reaped_late_is_none(self):
        self.passes(self.guard("--", PYTHON, "-c", """
import os, time
child = os.fork()
if child == 0: os._exit(0)
time.sleep(1.5)
os.wait()
"""))

    def test_descriptors_of_dead_workers(self):
        done = self.python("""
kept = []
for _ in range(20):
    worker = start()
    call(worker, 0)
    worker.stdin.close()
    worker.wait()
    kept.append(os.dup(worker.stdout.fileno()))
    worker.stdout.close()
time.sleep(5)
""")
        self.one_finding(done, "descriptors_back")

    def test_descriptors_of_one_file(self):
        done = self.python("kept = [os.open('/dev/null', 0) for _ in range(200)]; time.sleep(5)")
        self.assertIn("/dev/null", self.one_finding(done, "descriptors_back")["what"])


class Ends(GuardTest):
    def test_a_crash(self):
        done = self.guard("--", PYTHON, "-c", "import os, signal; os.kill(os.getpid(), 11)")
        self.assertIn("signal 11 (SEGV)", self.one_finding(done, "host_ended")["what"])

    def test_an_uncaught_error(self):
        done = self.guard("--", PYTHON, "-c", "raise ValueError('well')")
        self.assertIn("exit code 1", self.one_finding(done, "host_ended")["what"])

    def test_pass_through_gives_the_programs_code(self):
        self.assertEqual(self.guard("--pass-through", "--", "sh", "-c", "exit 7").returncode, 7)
        done = self.guard("--pass-through", "--", "sh", "-c", "kill -9 $$")
        self.assertEqual(done.returncode, 128 + 9)
        done = self.guard("--pass-through", "--", "sh", "-c", "sleep 1000 & sleep 0.2; exit 0")
        self.assertEqual(done.returncode, 0)
        self.assertIn(b"no_survivors", done.stderr)

    CANNOT_END = """
import threading
w = start()
call(w, 0)
wait_for(os.environ["POOLPROOF_JOURNAL"], '"wrote"')
print("done", flush=True)
threading.Thread(target=lambda: w.stdout.read()).start()
"""

    def test_a_host_that_cannot_end(self):
        begun = time.monotonic()
        done = self.python(self.CANNOT_END, "--end-limit", "2")
        took = time.monotonic() - begun
        finding = self.one_finding(done, "host_ended")
        self.assertIn("within 2.0 s after its last output", finding["what"])
        remark = self.found()["remarks"][0]
        self.assertIn("fake_worker", remark["processes"][0]["command"])
        self.assertLess(took, 30)

    def test_a_host_that_cannot_end_after_its_mark(self):
        done = self.python("mark('end'); time.sleep(1000)", "--end-limit", "1")
        self.assertIn('its mark "end"', self.one_finding(done, "host_ended")["what"])

    def test_the_last_sign_of_life_is_told_as_what_it_was(self):
        done = self.guard("--end-limit", "0.5", "--", "sleep", "1000")
        self.assertIn("within 0.5 s after its start: it wrote nothing that was seen",
                      self.one_finding(done, "host_ended")["what"])
        done = self.python("w = start(); call(w, 0); time.sleep(1000)", "--end-limit", "3")
        self.assertIn("within 3.0 s after the last line of a worker's journal at",
                      self.one_finding(done, "host_ended")["what"])
        done = self.python("mark('busy'); time.sleep(1000)", "--end-limit", "1")
        self.assertIn("within 1.0 s after its last mark at",
                      self.one_finding(done, "host_ended")["what"])

    def test_output_puts_the_end_off(self):
        self.passes(self.guard("--end-limit", "2", "--", "sh", "-c",
                               "for i in 1 2 3 4 5 6; do sleep 0.5; echo $i; done"))

    def test_a_limit(self):
        done = self.guard("--limit", "0.5", "--", "sleep", "1000")
        self.assertIn("the limit of 0.5 s", self.one_finding(done, "host_ended")["what"])

    def test_an_idle_host_that_burns(self):
        done = self.python("""
mark("idle")
end = time.monotonic() + 2.5
while time.monotonic() < end: pass
mark("busy")
""")
        self.one_finding(done, "idle_cpu")

    def test_a_busy_host_that_burns_is_none(self):
        self.passes(self.python("""
mark("busy")
end = time.monotonic() + 1.5
while time.monotonic() < end: pass
"""))

    def test_an_idle_host_that_grows(self):
        done = self.python("""
import mmap
mark("idle")
time.sleep(0.7)
# In one call of the kernel: taken page by page it might burn as much as to be a finding of its own.
kept = mmap.mmap(-1, 80 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | mmap.MAP_POPULATE)
time.sleep(1.3)
mark("busy")
""")
        self.one_finding(done, "bounded_memory")


class Signals(GuardTest):
    def begin(self, *command, options=()):
        # A shell ignores INT in what it starts in the background, and so would all that is below.
        return subprocess.Popen([POOLPROOF, "guard", "--out", self.out, *options, "--", *command],
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))

    def ended(self, running):
        _, errors = running.communicate(timeout=HANG)
        return running.returncode, errors

    def test_term_and_int_reach_the_program(self):
        for number, name in ((signal.SIGTERM, "TERM"), (signal.SIGINT, "INT")):
            with self.subTest(name=name):
                running = self.begin("sh", "-c", f"trap 'echo got {name}; exit 0' {name}; "
                                     "echo up; while :; do sleep 0.05; done")
                self.assertEqual(running.stdout.readline(), b"up\n")
                running.send_signal(number)
                self.assertEqual(running.stdout.readline(), f"got {name}\n".encode())
                self.assertEqual(self.ended(running)[0], 0)

    def test_a_program_that_ends_by_the_signal_passed_on_is_not_blamed(self):
        running = self.begin("sh", "-c", "echo up; exec sleep 1000")
        running.stdout.readline()
        running.terminate()
        code, errors = self.ended(running)
        self.assertEqual(code, 0, errors)
        self.assertIn(b"was passed on", errors)

    HIDES = """
import os, sys, time
print("up", flush=True)
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0: os.execve("/bin/sleep", ["sleep", sys.argv[1]], {})
    os._exit(0)
os.wait()
print("hidden", flush=True)
time.sleep(1000)
"""

    def sleepers(self, word):
        found = []
        for entry in os.listdir("/proc"):
            try:
                if entry.isdigit() and open(f"/proc/{entry}/cmdline", "rb").read() == (
                        b"sleep\0" + word.encode() + b"\0"):
                    found.append(int(entry))
            except OSError:
                pass
        return found

    def test_kill_leaves_nothing(self):
        for victim in ("front", "behind"):
            with self.subTest(victim=victim):
                word = str(100000 + os.getpid() + (victim == "front"))
                running = self.begin(PYTHON, "-c", self.HIDES, word)
                for line in (b"up\n", b"hidden\n"):
                    self.assertEqual(running.stdout.readline(), line)
                wait_until(lambda: self.sleepers(word), "the hidden one")
                pid = running.pid
                if victim == "behind":
                    pid = next(int(p) for p in os.listdir("/proc") if p.isdigit() and
                               self.is_copy(int(p), running.pid))
                os.kill(pid, signal.SIGKILL)
                code, errors = self.ended(running)
                self.assertEqual(code, -9 if victim == "front" else 70, errors)
                wait_until(lambda: not self.sleepers(word), "its end")
                wait_until(lambda: not children_of(running.pid), "everybody's end")

    def is_copy(self, pid, front):
        try:
            parent = int(open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()[1])
            command = open(f"/proc/{pid}/cmdline", "rb").read()
        except OSError:
            return False
        return parent == front and b"\0guard\0" in command


class BadInput(GuardTest):
    def refused(self, done, words):
        self.assertEqual(done.returncode, 64, done.stderr)
        self.assertEqual(done.stderr.count(b"\n"), 1, done.stderr)
        self.assertIn(words, done.stderr.decode())

    def test_one_line_says_what_is_wrong(self):
        self.refused(self.guard(), "no program; write it after --")
        self.refused(self.guard("--"), "no program")
        self.refused(self.guard("--", "no-such-program"), 'cannot start "no-such-program"')
        self.refused(self.guard("--", self.folder), "cannot start")
        self.refused(self.guard("--limit", "0", "--", "true"), "--limit")
        for option in ("--limit", "--end-limit"):
            for text in ("nan", "-nan", "inf", "-1", "0x10", "1e400", "1e3", " 1", "1s", "soon", ""):
                with self.subTest(option=option, text=text):
                    self.refused(self.guard(option + "=" + text, "--", "true"), option + ": ")
        self.refused(self.guard("--plan", "/nowhere.json", "--", "true"), "--plan")
        self.refused(self.guard("--plan", self.file("p.json", b"{}"), "--", "true"), "--plan")
        twice = self.file("t.json", b'{"plan_version": 1, "faults": [], "faults": []}')
        self.refused(self.guard("--plan", twice, "--", "true"), 'the key "faults" is there twice')
        self.refused(self.guard("--pass", "--", "true"), "--pass-through")
        self.file("taken", b"")
        self.refused(self.program("guard", "--out", self.folder / "taken", "--", "true"), "--out")

    def test_nothing_else_in_the_folder_is_lost(self):
        self.out.mkdir()
        (self.out / "journals").mkdir()
        (self.out / "journals" / "mine.jsonl").write_text("mine")
        self.passes(self.guard("--", "true"))
        self.assertEqual((self.out / "journals" / "mine.jsonl").read_text(), "mine")


if __name__ == "__main__":
    unittest.main()
