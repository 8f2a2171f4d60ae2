"""poolproof guard: what any program leaves, how it ends, how it treats its workers."""

import json
import os
import signal
import subprocess
import sys
import time
import unittest
from xml.etree import ElementTree

from program import HANG, POOLPROOF, PYTHON, ProgramTest, children_of, wait_until

FAKE_WORKER = os.path.join(os.path.dirname(POOLPROOF), "fake_worker")
PYTHON_FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../../python")

# A host of fake workers: what the programs below begin with.
POOL = """
import json, os, struct, subprocess, sys, time

WORKER = %r

def start(*options, **more):
    return subprocess.Popen([WORKER, *options], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                            **more)

def send(worker, number, command="echo", nonce=None, **args):
    if nonce: args["nonce"] = nonce
    body = json.dumps({"id": number, "command": command, "args": args}).encode()
    worker.stdin.write(struct.pack(">I", len(body)) + body)
    worker.stdin.flush()

def receive(worker):
    length, = struct.unpack(">I", worker.stdout.read(4))
    return json.loads(worker.stdout.read(length))

def call(worker, number, *words, **args):
    send(worker, number, *words, **args)
    return receive(worker)

def leave(worker):
    worker.stdin.close()
    worker.stdout.close()
    worker.wait()

def mark(word):
    with open(os.environ["POOLPROOF_MARKS"], "a") as file:
        file.write(word + "\\n")

def wait_for(path, text):
    while True:
        try:
            if text in open(path).read(): return
        except OSError: pass
        time.sleep(0.005)
""" % FAKE_WORKER


class GuardTest(ProgramTest):
    def guard(self, *words, **options):
        return self.program("guard", "--out", self.out, *words, **options)

    def python(self, text, *options, **more):
        return self.guard(*options, "--", PYTHON, "-c", POOL + text, **more)

    def found(self):
        return json.loads((self.out / "guard.json").read_text())

    def one_finding(self, done, invariant):
        self.assertEqual(done.returncode, 1, done.stderr)
        found = self.found()["findings"]
        self.assertEqual([one["invariant"] for one in found], [invariant], found)
        self.assertIn(invariant, done.stderr.decode())
        report = json.loads((self.out / "report.json").read_text())
        self.assertEqual(report["verdict"], "fail")
        self.assertEqual(report["scenarios"][0]["findings"][0]["invariant"], invariant)
        suite = ElementTree.parse(self.out / "junit.xml").getroot()
        self.assertEqual(suite.get("failures"), "1")
        return found[0]

    def passes(self, done):
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.found()["verdict"], "pass")
        self.assertEqual(self.found()["findings"], [])


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

    def test_a_worker_that_ignores_the_end_of_its_input(self):
        done = self.python("w = start('--fault', 'stdin_end_ignored'); call(w, 0); time.sleep(0.2)")
        self.address(self.one_finding(done, "no_survivors"), "fake_worker")

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
mark("idle")
time.sleep(0.7)
kept = bytearray(b"x" * (80 << 20))
time.sleep(0.8)
mark("busy")
""")
        self.one_finding(done, "bounded_memory")


class Workers(GuardTest):
    def test_a_start_storm_of_any_worker(self):
        done = self.python("""
for _ in range(90):
    p = subprocess.Popen(["sh", "-c", "sleep 0.02; exit 3"], stdin=subprocess.PIPE,
                         stdout=subprocess.PIPE)
    p.communicate()
""", "--starts", "20")
        self.one_finding(done, "start_storm")

    def test_a_start_storm_of_fake_workers(self):
        done = self.python("""
for _ in range(60):
    w = start("--fault", "exit_at_start")
    w.communicate()
""")
        self.one_finding(done, "start_storm")

    def test_a_call_that_is_carried_out_twice(self):
        done = self.python("""
for _ in range(2):
    w = start()
    call(w, 0, "echo", "a:1")
    leave(w)
""")
        self.one_finding(done, "at_most_once")

    def test_a_call_that_a_wrapped_worker_never_answered_is_made_again(self):
        program = """
for number in range(2):
    w = subprocess.Popen([%r, "wrap", "--wire", "lines", "--speech", "json_rpc", "--", "sh", "-c",
                          "read line; exit %%d" %% (1 - number)],
                         stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    w.stdin.write(b'{"jsonrpc":"2.0","id":%%d,"method":"build","params":{"x":1}}\\n' %% number)
    w.stdin.flush()
    w.wait()
""" % POOLPROOF
        self.passes(self.python(program))
        remarks = self.found()["remarks"]
        self.assertEqual([one["invariant"] for one in remarks], ["at_most_once"])
        self.assertIn("(command build) was read twice, the same but for its id", remarks[0]["what"])
        found = self.one_finding(self.python(program, "--distinct"), "at_most_once")
        self.assertIn(", which never answered it; and at ", found["what"])

    def test_the_invariants_are_listed_with_those_of_a_run(self):
        done = self.program("list", "invariants", "--json")
        listed = [(row["judged_by"], row["name"]) for row in json.loads(done.stdout)]
        self.assertIn(("run", "pairing"), listed)
        self.assertEqual([name for by, name in listed if by == "guard"], [
            "no_survivors", "no_zombies", "host_ended", "idle_cpu", "bounded_memory",
            "descriptors_back", "start_storm", "at_most_once", "no_dirty_reuse", "leaving_order",
            "healthy_worker_killed"])
        text = self.program("list", "invariants").stdout.decode()
        own = text[text.index("by poolproof guard:\n"):]
        self.assertRegex(own, r"\nno_zombies +whoever starts a process reaps it\n")

    def test_a_worker_that_owes_an_answer_is_asked_again(self):
        program = """
w = start("--fault", "reply_dropped", "--at", "request=0")
send(w, 0)
call(w, 1)
leave(w)
"""
        self.one_finding(self.python(program, "--exclusive"), "no_dirty_reuse")
        self.passes(self.python(program))

    def test_a_worker_is_killed_while_idle(self):
        # A guard judges whom it has seen: of many at least one.
        done = self.python("""
for _ in range(30):
    w = start()
    call(w, 0)
    time.sleep(0.05)
    w.kill()
    w.communicate()
time.sleep(0.5)
""")
        self.assertEqual(done.returncode, 1, done.stderr)
        found = self.found()["findings"]
        self.assertEqual({one["invariant"] for one in found}, {"leaving_order"}, found)
        self.assertIn("fake_worker", found[0]["what"])

    def test_a_worker_is_asked_first(self):
        self.passes(self.python("""
w = start(); call(w, 0); w.terminate(); w.communicate(); time.sleep(0.3)
"""))

    def plan(self, **at):
        path = self.folder / "plan.json"
        path.write_text(json.dumps({"plan_version": 1, "faults": [
            {"id": "f0", "fault": "reply_late", "at": at, "delay_ms": 50}]}))
        return path

    def test_a_plan_strikes(self):
        program = "w = start(); call(w, 0, 'echo', 'a:1'); leave(w)"
        done = self.python(program, "--plan", self.plan(client="a", call=1))
        self.passes(done)
        self.assertEqual(self.found()["strikes"], [{"id": "f0", "fault": "reply_late", "count": 1}])

    def test_a_plan_that_never_strikes_proves_nothing(self):
        done = self.python("w = start(); call(w, 0); leave(w)", "--plan",
                           self.plan(client="a", call=7))
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertEqual(self.found()["verdict"], "invalid")

    def test_workers_number_themselves(self):
        self.passes(self.python("""
print([call(start(), 0, "ping")["result"]["worker_id"] for _ in range(3)])
"""))

    def test_our_python_workers_number_themselves_and_are_judged(self):
        done = self.python("""
os.environ["PYTHONPATH"] = %r
for number in range(2):
    w = subprocess.Popen([sys.executable, "-m", "poolproof_worker.faults"], stdin=subprocess.PIPE,
                         stdout=subprocess.PIPE)
    print(call(w, 0, "ping")["result"]["worker_id"] == "0.%%d" %% number)
    call(w, 1, "echo", "a:1")
    leave(w)
""" % PYTHON_FOLDER)
        self.assertEqual(done.stdout.split(), [b"True", b"True"])
        self.assertIn("-m poolproof_worker.faults", self.one_finding(done, "at_most_once")["what"])


class Signals(GuardTest):
    def begin(self, *command, options=()):
        return subprocess.Popen([POOLPROOF, "guard", "--out", self.out, *options, "--", *command],
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE)

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
        self.refused(self.guard("--end-limit", "soon", "--", "true"), "--end-limit")
        self.refused(self.guard("--plan", "/nowhere.json", "--", "true"), "--plan")
        self.refused(self.guard("--plan", self.file("p.json", b"{}"), "--", "true"), "--plan")
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
