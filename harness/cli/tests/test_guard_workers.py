"""poolproof guard: how a program treats its workers, and who is to blame for what they leave."""

import json
import os
import subprocess
import sys
import unittest

from guarded import GuardTest
from program import POOLPROOF, PYTHON

PYTHON_FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../../python")


class Workers(GuardTest):
    def test_a_start_storm_of_any_worker(self):
        done = self.python("""
for _ in range(90):
    p = subprocess.Popen(["sh", "-c", "sleep 0.02; exit 3"], stdin=subprocess.PIPE,
                         stdout=subprocess.PIPE)
    p.communicate()
""", "--starts", "20")
        self.one_finding(done, "start_storm")

    def test_a_start_storm_of_short_lives_is_seen_behind_other_work(self):
        # The first loop takes what looking may cost at the start. 85 workers fail after that.
        done = self.python("""
for _ in range(100):
    subprocess.run(["true"])
for _ in range(85):
    p = subprocess.Popen(["sh", "-c", "sleep 0.02; exit 3"], stdin=subprocess.PIPE)
    p.wait()
    p.stdin.close()
""")
        self.one_finding(done, "start_storm")

    def test_a_start_storm_of_fake_workers(self):
        done = self.python("""
for _ in range(60):
    w = start("--fault", "exit_at_start")
    w.communicate()
""")
        self.one_finding(done, "start_storm")

    def test_a_pool_that_grows_and_keeps_its_workers_leaks_nothing(self):
        # Three pipes and a pidfd for each: together more than may grow without a reason.
        self.passes(self.python("""
workers = []
for _ in range(16):
    w = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                         stderr=subprocess.PIPE)
    workers.append((w, os.pidfd_open(w.pid)))
    time.sleep(0.25)
for w, pidfd in workers:
    os.close(pidfd)
    w.communicate()
"""))

    def test_pidfds_of_the_dead_are_a_leak_and_those_of_the_living_are_none(self):
        program = """
w = subprocess.Popen(["cat"], stdin=subprocess.PIPE)
pidfds = [os.pidfd_open(w.pid) for _ in range(70)]
if %r: w.communicate()
time.sleep(4)
for pidfd in pidfds: os.close(pidfd)
w.communicate()
"""
        self.passes(self.python(program % False))
        found = self.one_finding(self.python(program % True), "descriptors_back")
        self.assertIn("processes that have ended and were reaped", found["what"])

    def test_many_commands_that_each_fail_once_are_no_storm(self):
        self.passes(self.python("""
for code in range(1, 41):
    w = start("--fault", "exit_at_start", "--code", str(code))
    w.communicate()
"""))

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

    # Two fake workers of one speech in two languages.
    FAKE = "start(%s)"
    PYTHON_FAKE = f"""(lambda *options: subprocess.Popen(
    [{PYTHON!r}, "-m", "poolproof_worker.faults", *options], stdin=subprocess.PIPE,
    stdout=subprocess.PIPE, env={{**os.environ, "PYTHONPATH": {PYTHON_FOLDER!r}}}))(%s)"""

    def test_a_worker_is_asked_again_before_its_late_answer(self):
        late = "'--fault', 'reply_late', '--at', 'request=0', '--delay-ms', '300'"
        slow = "w = {}\nsend(w, 0, 'sleep', ms=300)"
        again = "\nsend(w, 1, {!r})\nreceive(w), receive(w)\nleave(w)"
        waits = "\nreceive(w)\ncall(w, 1)\nleave(w)"
        for worker in (self.FAKE, self.PYTHON_FAKE):
            for begin in ("w = {}\nsend(w, 0)".format(worker % late), slow.format(worker % "")):
                with self.subTest(begin=begin):
                    done = self.python(begin + again.format("echo"), "--exclusive")
                    found = self.one_finding(done, "no_dirty_reuse")
                    self.assertIn("request 1) although it owed the answer to its request 0",
                                  found["what"])
                    self.passes(self.python(begin + again.format("shutdown"), "--exclusive"))
                    self.passes(self.python(begin + waits, "--exclusive"))

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

    # A server of JSON-RPC whose method "slow" is never answered and whose "leave" leaves a daemon:
    # in a session of its own, without an environment and without the server's streams.
    SERVER = """
import json, os, sys, time

def receive():
    if sys.argv[1] == "lines":
        return sys.stdin.buffer.readline()
    length = sys.stdin.buffer.readline()
    sys.stdin.buffer.readline()
    return sys.stdin.buffer.read(int(length.split()[1])) if length else b""

def send(message):
    text = json.dumps(message).encode()
    begin = b"Content-Length: %d\\r\\n\\r\\n" % len(text) if sys.argv[1] == "headers" else b""
    sys.stdout.buffer.write(begin + text + (b"" if begin else b"\\n"))
    sys.stdout.buffer.flush()

def leave():
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.closerange(0, 100)
            os.execve("/bin/sleep", ["sleep", "1002"], {})
        os._exit(0)
    os.wait()

while True:
    text = receive()
    if not text: break
    request = json.loads(text)
    if request["method"] == "exit": time.sleep(1000)
    if request["method"] == "leave": leave()
    if "id" in request and request["method"] != "slow":
        send({"jsonrpc": "2.0", "id": request["id"], "result": None})
"""

    # Its client, which waits until the journal has what wrap saw.
    CLIENT = """
def serve(wire, speech):
    return subprocess.Popen(
        [%r, "wrap", "--wire", wire, "--speech", speech, "--", sys.executable, "-c", SERVER, wire],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE)

def tell(worker, method, number=None):
    request = {"jsonrpc": "2.0", "method": method}
    if number is not None: request["id"] = number
    text = json.dumps(request).encode()
    begin = b"" if worker.args[3] == "lines" else b"Content-Length: %%d\\r\\n\\r\\n" %% len(text)
    worker.stdin.write(begin + text + (b"" if begin else b"\\n"))
    worker.stdin.flush()

def await_journal(kind, count):
    path = os.environ["POOLPROOF_JOURNAL"]
    while not os.path.exists(path) or open(path).read().count('"kind":"%%s"' %% kind) < count:
        time.sleep(0.005)

def kill(worker):
    worker.kill()
    worker.communicate()
    time.sleep(0.5)
""" % POOLPROOF

    def client(self, program, *options):
        return self.python("SERVER = %r\n%s%s" % (self.SERVER, self.CLIENT, program), *options)

    def remarks(self):
        return [one["what"] for one in self.found()["remarks"]]

    def test_a_wrapped_worker_that_kills_itself_is_not_the_programs(self):
        program = """
w = subprocess.Popen([%r, "wrap", "--wire", "lines", "--speech", "json_rpc", "--", "sh", "-c",
                      "read line; %s kill -9 $$"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
w.stdin.write(b'{"jsonrpc":"2.0","id":0,"method":"build"}\\n')
w.stdin.flush()
w.wait()
time.sleep(0.3)
"""
        answer = "echo '{\\\"id\\\":0,\\\"result\\\":1}'; sleep 0.3;"
        for before in ("", answer):
            with self.subTest(before=before):
                self.passes(self.python(program % (POOLPROOF, before)))
                journal = (self.out / "guard-run/journals/workers.jsonl").read_text()
                self.assertEqual('"kind":"wrote"' in journal, before != "")
                self.assertIn('"text":"the worker was ended by signal 9"', journal)

    def test_a_hung_worker_with_several_calls_is_killed_in_the_oldest(self):
        program = """
w = serve("lines", "json_rpc")
tell(w, "initialize", 0)
tell(w, "slow", 1)
time.sleep(0.3)
tell(w, "echo", 2)
await_journal("wrote", 2)
kill(w)
"""
        self.passes(self.client(program))
        self.assertIn("after it had read its request 1 (command slow)", self.remarks()[0])
        self.one_finding(self.client(program, "--exclusive"), "no_dirty_reuse")

    # Requests have ids of every kind that JSON-RPC knows; guard must see the same.
    IDS = (1, "req-1", "", 2**70, 1.5)

    def test_a_hung_call_is_seen_whatever_its_id_is(self):
        for number in self.IDS:
            with self.subTest(id=number):
                self.passes(self.client(f"""
w = serve("lines", "json_rpc")
tell(w, "echo", 0)
await_journal("wrote", 1)
tell(w, "slow", {number!r})
await_journal("read", 2)
time.sleep(0.3)
kill(w)
"""))
                self.assertIn("after it had read its request 1 (command slow)", self.remarks()[0])

    def test_a_hung_call_of_a_fake_worker_is_seen_whatever_its_id_is(self):
        for number in (1, "req-1", ""):
            with self.subTest(id=number):
                self.passes(self.client(f"""
w = start("--wire", "lines", "--speech", "json_rpc")
request = {{"id": {number!r}, "method": "sleep", "params": {{"ms": 100000}}}}
w.stdin.write(json.dumps(request).encode() + b"\\n")
w.stdin.flush()
await_journal("read", 1)
time.sleep(0.3)
kill(w)
"""))
                self.assertIn("after it had read its request 0 (command sleep)", self.remarks()[0])

    def test_a_call_that_is_made_twice_is_seen_whatever_its_ids_are(self):
        program = """
for number in (%r, %r):
    w = serve("lines", "json_rpc")
    tell(w, "slow", number)
    await_journal("read", 1)
    w.stdin.close()
    w.wait()
"""
        for first, second in ((1, 2), ("req-1", "req-2"), (1.5, 2.5)):
            with self.subTest(id=first):
                done = self.client(program % (first, second), "--distinct")
                self.one_finding(done, "at_most_once")

    def test_a_worker_that_owes_an_answer_is_seen_whatever_its_id_is(self):
        for number in self.IDS:
            with self.subTest(id=number):
                done = self.client(f"""
w = serve("lines", "json_rpc")
tell(w, "slow", {number!r})
tell(w, "echo", 2)
await_journal("wrote", 1)
w.stdin.close()
w.wait()
""", "--exclusive")
                self.one_finding(done, "no_dirty_reuse")

    def test_a_language_server_that_does_not_leave_is_killed(self):
        program = """
w = serve("headers", "lsp")
tell(w, "initialize", 0)
await_journal("wrote", 1)
tell(w, "exit")
await_journal("goodbye", 1)
time.sleep(%s)
kill(w)
"""
        self.passes(self.client(program % "0.3"))
        self.assertEqual(self.remarks(), [])
        program = program.replace('tell(w, "exit")', "").replace('await_journal("goodbye", 1)', "")
        found = self.one_finding(self.client(program % "0.3"), "leaving_order")
        self.assertIn("nobody had told it to leave", found["what"])

    def test_a_daemon_that_nobody_saw_begin_is_not_laid_at_anybodys_door(self):
        done = self.client("""
w = serve("lines", "json_rpc")
tell(w, "leave", 0)
await_journal("wrote", 1)
w.stdin.close()
w.wait()
""")
        found = self.one_finding(done, "no_survivors")
        self.assertIn("sleep 1002", found["processes"][0]["command"])
        # A look may have seen the daemon's parent, or who began its session, before that had gone.
        if found["processes"][0]["parent"] != 0: self.assertEqual(found["blame"], "worker", found)
        self.assertIn(found["blame"], ("worker", "unknown"), found)
        self.assertEqual("who started it had gone before it was seen" in found["what"],
                         found["blame"] == "unknown", found)

    def test_what_a_worker_says_that_it_has_left_is_the_workers(self):
        done = self.python("""
w = start("--fault", "grandchild_left", "--at", "request=0")
call(w, 0)
leave(w)
""")
        found = self.one_finding(done, "no_survivors")
        self.assertEqual(found["blame"], "worker", found)

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

    def test_a_plan_strikes_wrapped_workers_by_the_order_of_their_starts(self):
        program = """
for number in range(3):
    w = serve("lines", "json_rpc")
    tell(w, "echo", 0)
    print(json.loads(w.stdout.readline()).get("error") is not None, flush=True)
    w.stdin.close()
    w.wait()
"""
        plan = self.folder / "plan.json"
        plan.write_text(json.dumps({"plan_version": 1, "faults": [
            {"id": "f0", "fault": "error_reply", "at": {"generation": 1, "request": 0}}]}))
        done = self.client(program, "--plan", str(plan))
        self.passes(done)
        self.assertEqual(done.stdout.split(), [b"False", b"True", b"False"])

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


if __name__ == "__main__":
    unittest.main()
