"""Any program as a worker: what a scenario can say of its replies, its leaving and its paths."""

import os
from pathlib import Path

from program import PYTHON, ProgramTest, echo_scenario, steps_around

GRACES = {"shutdown_grace_ms": 100, "stdin_grace_ms": 100, "term_grace_ms": 100}

FRAMES = '''
import json, os, struct, subprocess, sys, threading, time

def read():
    header = sys.stdin.buffer.read(4)
    return sys.stdin.buffer.read(struct.unpack(">I", header)[0]) if len(header) == 4 else None

def write(payload):
    sys.stdout.buffer.write(struct.pack(">I", len(payload)) + payload)
    sys.stdout.buffer.flush()

def serve(handle):
    while (payload := read()) is not None:
        request = json.loads(payload)
        result = handle(request)
        write(json.dumps({"id": request["id"], "success": True, "result": result},
                         ensure_ascii=False).encode())
        if request["command"] == "shutdown":
            return
'''

ECHO = FRAMES + "serve(lambda request: request['args'])\n"

OFF_BY_ONE = FRAMES + '''
last = b"nothing yet"
while (payload := read()) is not None:
    write(last)
    last = payload
'''

STAYS = FRAMES + '''
threading.Thread(target=lambda: time.sleep(3600)).start()
serve(lambda request: request["args"])
'''

# What it leaves behind has neither its session, nor its environment, nor its pipes.
LEAVES_A_DAEMON = FRAMES + '''
def handle(request):
    if request["command"] == "echo":
        daemon = subprocess.Popen(["/bin/sleep", "1000"], start_new_session=True, env={},
                                  stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                  stderr=subprocess.DEVNULL)
        with open("daemon.pid", "w") as file:
            file.write(str(daemon.pid))
    return request["args"]
serve(handle)
'''

# The umlaut comes back in another encoding, read as text once too often.
MOJIBAKE = FRAMES + '''
serve(lambda request: {key: value.encode().decode("latin-1") if key == "text" else value
                       for key, value in request["args"].items()})
'''


class Command(ProgramTest):
    def scenario(self, name, worker, **changes):
        (self.folder / "scenarios").mkdir(exist_ok=True)
        (self.folder / "scenarios" / "worker.py").write_text(worker)
        scenario = echo_scenario(name, pool={"size": 1, **GRACES},
                                 workers=[{"kind": "command", "argv": [PYTHON, "worker.py"]}])
        scenario.update(changes)
        return self.write(scenario)

    def judged(self, path, code, *says, more=()):
        done = self.run_scenarios(path, *more)
        text = done.stdout.decode()
        self.assertEqual(done.returncode, code, text + done.stderr.decode())
        for part in says:
            self.assertIn(part, text)
        return text

    def calls(self, *calls):
        return [{"name": "ab"[i], **({"after": "a"} if i else {}), "steps": steps_around(call)}
                for i, call in enumerate(calls)]

    def test_another_callers_answer_is_told(self):
        bytes_of = [{"call_bytes": {"text": "of " + name}} for name in "ab"]
        path = self.scenario("off-by-one", OFF_BY_ONE, clients=self.calls(*bytes_of),
                             pool={"size": 1, "payload": "opaque", **GRACES}, expect={})
        self.judged(path, 1, "pairing: client b, step 1", 'got "of a", which client a, step 1',
                    "another caller's answer")

    def test_bytes_are_held_to_what_they_are_said_to_be(self):
        for said, code in (("nothing yet", 0), ("of a", 1)):
            call = {"call_bytes": {"text": "of a", "reply": said}}
            path = self.scenario("said", OFF_BY_ONE, clients=self.calls(call),
                                 pool={"size": 1, "payload": "opaque", **GRACES})
            self.judged(path, code, *(["got the reply nothing yet; expected of a"] * code))

    def test_a_result_is_held_to_what_it_is_said_to_be(self):
        for said, code in (({"n": 1, "deep": [{"x": None}]}, 0), ({"n": 2}, 1)):
            call = {"call": {"command": "double", "args": {"n": 1, "deep": [{"x": None}]},
                             "pad_bytes": 10, "reply": said}}
            path = self.scenario("said", ECHO, clients=self.calls(call))
            self.judged(path, code, *(['got the reply {"deep":[{"x":null}],"n":1}; expected '
                                       '{"n":2}'] * code))

    def test_our_own_workers_are_held_to_it_in_both_worlds(self):
        for said, code in (({"n": 1}, 0), ({"n": 2}, 1)):
            call = {"call": {"command": "echo", "args": {"n": 1}, "reply": said}}
            path = self.write(echo_scenario("said", clients=self.calls(call),
                                            worlds=["host", "sim"]))
            for world in ("host", "sim"):
                self.judged(path, code, *(["expected {\"n\":2}"] * code), more=["--world", world])

    def test_an_echo_that_comes_back_changed_is_told_without_being_asked(self):
        call = {"call": {"command": "echo", "args": {"text": "gr\u00fcn"}}}
        path = self.scenario("mojibake", MOJIBAKE, clients=self.calls(call))
        self.judged(path, 1, "sound_reply: client a, step 1", "gr\u00fcn", "gr\u00c3\u00bcn")
        path = self.scenario("sound", ECHO, clients=self.calls(call))
        self.judged(path, 0)

    def test_a_program_may_make_of_an_echo_what_it_likes(self):
        other = FRAMES + 'serve(lambda request: {"said": "hello"})\n'
        self.judged(self.scenario("other", other), 0)

    def leaves(self, worker, **leaving):
        fate = {"slot": 0, "generation": 0, "fate": "closed", **leaving}
        return self.scenario("leaves", worker,
                             expect={"a": ["granted", "ok", "returned"], "workers": [fate]})

    def test_a_worker_that_stays_at_the_end_of_its_input_is_told(self):
        self.judged(self.leaves(STAYS, by="end_of_input"), 1,
                    "worker 0.0 left by TERM; expected end_of_input: it was asked to leave, ",
                    "later its input ended, ", "later TERM, ", "later it was ended by signal 15")
        self.judged(self.leaves(STAYS, by=["end_of_input", "TERM"], exit={"signal": "TERM"}), 0)
        self.judged(self.leaves(ECHO, by="asked", exit=0), 0)

    def test_how_a_worker_exits_is_told(self):
        self.judged(self.leaves(ECHO + "sys.exit(3)\n", exit=3), 0)
        self.judged(self.leaves(ECHO + "sys.exit(3)\n", exit=0), 1,
                    "worker 0.0 exited with code 3; expected exited with code 0")

    def test_a_daemon_without_session_and_environment_does_not_outlive_the_pool(self):
        self.judged(self.scenario("daemon", LEAVES_A_DAEMON), 0)
        pid = int((self.folder / "scenarios" / "daemon.pid").read_text())
        self.assertFalse(Path("/proc", str(pid)).exists())

    def test_paths_are_those_of_the_scenarios_folder(self):
        for argv, cwd in (([PYTHON, "worker.py"], None), ([PYTHON, "../worker.py"], "below"),
                          (["below/python", "worker.py"], None),
                          (["./below/python", "worker.py"], ".")):
            worker = {"kind": "command", "argv": argv, **({"cwd": cwd} if cwd else {})}
            path = self.scenario("paths", ECHO, workers=[worker])
            below = path.parent / "below"
            below.mkdir(exist_ok=True)
            if not (below / "python").exists():
                os.symlink(PYTHON, below / "python")
            self.judged(path, 0)
            self.judged(os.path.relpath(path, self.folder), 0)

    def test_what_ran_on_the_host_alone_is_not_said_to_have_run_in_both_worlds(self):
        path = self.scenario("alone", ECHO)
        text = self.judged(path, 0, more=["--world", "both"])
        self.assertNotIn("(both)", text)
        alone = self.report()["scenarios"][0]
        self.assertEqual(alone["world"], "host")
        self.assertIn("not compared", alone["agreement"])
        for name in ("summary.md", "junit.xml"):
            self.assertNotIn("both)", (self.out / name).read_text())
        both = self.write(echo_scenario("twice", worlds=["host", "sim"]))
        self.judged(both, 0, more=["--world", "both"])
        self.assertEqual(self.report()["scenarios"][0]["world"], "both")


class Files(ProgramTest):
    def test_a_file_has_the_name_of_its_scenario(self):
        path = self.write(echo_scenario("late-reply"))
        self.assertEqual(self.program("check", path).returncode, 0)
        other = path.rename(path.with_name("other.json"))
        for words in (["check", other], ["run", other, "--out", self.out]):
            done = self.program(*words)
            self.assertEqual(done.returncode, 64)
            self.assertEqual(done.stderr.count(b"\n"), 1)
            self.assertIn(b'other.json#/name: is "late-reply", and the file\'s is another',
                          done.stderr)
        self.assertFalse(self.out.exists())

    def test_each_bad_file_is_told(self):
        good = self.write(echo_scenario("good"))
        self.write(echo_scenario("one", pool={"sise": 1}))
        self.write(echo_scenario("two", faults=[{"fault": "late", "at": {}}]))
        (good.parent / "three.json").write_text("{")
        for words in (["check", "scenarios"], ["run", "scenarios", "--out", self.out]):
            done = self.program(*words, "nowhere")
            self.assertEqual(done.returncode, 64)
            lines = done.stderr.decode().splitlines()
            self.assertEqual(len(lines), 4, lines)
            for line, part in zip(lines, ("one.json#/pool", "three.json", "two.json#/faults/0",
                                          "nowhere: no such file")):
                self.assertIn(part, line)
        self.assertFalse(self.out.exists())
