"""poolproof probe: a plain, right diagnosis of any program, in bounded time and space."""

import json
import os
import re
import resource
import signal
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from xml.etree import ElementTree

import hostile
from program import HANG, POOLPROOF, PYTHON, ProgramTest, children_of, wait_until

FAKE_WORKER = os.path.join(os.path.dirname(POOLPROOF), "fake_worker")

# What must be in the diagnosis, and the exit code.
EXPECTED = {
    "plain": ("a pool can use, though it answers an unknown command with success", 0),
    "bridge": ("ends without a word on a request that is no JSON (exited with code 0)", 0),
    "banner": ('text on stdout where a frame should be (a banner or a stray print): "Hello! Lo', 1),
    "short banner": ('where a frame should be (a banner or a stray print): "hi!', 1),
    "banner and exit": ("exited with code 2 before it answered its ping: dead at start", 1),
    "unframed": ('answered in JSON without a length prefix: "{', 1),
    "unframed, unflushed": ("without a length prefix, and only at end of input", 1),
    "lines": ("with what is no reply to it: the message is 0, not an object", 1),
    "lenient lines": ("without a length prefix, and only at end of input", 1),
    "little-endian": ("a pool can use, though it answers an unknown command with success", 0),
    "little-endian replies": ("no reply to it: a length in little-endian order; it begins", 1),
    "short prefix": ("(another framing: lines, another length prefix)", 1),
    "unflushed": ("it answers, but never flushes its stdout", 1),
    "exit 3": ("before it answered its ping: dead at start; its stderr ends: No module", 1),
    "segfault": ("was ended by signal 11 (SEGV) before it answered", 1),
    "slow import": ("still importing (a slow start), or a program that never reads its input", 1),
    "outlives its input": ("within 3000 ms of the end of its input: it needs TERM", 1),
    "closes stdout": ("closed its stdout before it answered its ping, and lives on", 1),
    "zeros": ("what is no reply", 1),
    "much text": ('a banner or a stray print): "spam and eggs', 1),
    "much stderr": ("bytes to stderr: it hangs wherever nobody reads them", 0),
    "escapes": ("a banner or a stray print", 1),
    "escapes in its error": ("answered its ping with an error", 1),
    "never reads": ("or a program that never reads its input; the process ", 1),
    "half a header": ("wrote 2 bytes that make no whole frame", 1),
    "half a reply": ("wrote 13 bytes that make no whole frame", 1),
    "4 GiB header": ("it begins with ff ff ff ff", 1),
    "refuses": ('answered its ping with an error: "no API key"', 1),
    "dies on its call": ("pool: it ends in its first call (exited with code 5).", 1),
    "wrong id": ("answers a call with what is no reply: expected id 3, got 77", 1),
    "twice": ("writes more than one reply to a call", 1),
    "text in a call": ("writes in its first call text (a banner or a stray print)", 1),
    "hangs in a call": ("it hangs in its first call: it has read the request (", 1),
    "hangs with a reason": ("the process waits; its stderr ends: waiting for the lock", 1),
    "stops itself": ("hangs in its first call: it has read the request (95 bytes), and the process "
                     "is stopped", 1),
    "spins in a call": ("hangs in its first call: it has read the request (95 bytes), and the "
                        "process runs at ", 1),
    "one call only": ("it ends after its first call (exited with code 0).", 1),
    "off by one": ("gives a caller the answer that belongs to the caller before.", 1),
    "newline after": ("no reply to it: a perfect reply and one byte too many: a newline", 1),
    "prints in a call": ('text behind it (a stray print): "done', 1),
    "interleaved": ("a frame of 40 bytes in which another frame begins inside this one", 1),
    "counts characters": ("a length that counts characters, not bytes: the header says", 1),
    "counts its header": ("a length that counts its own header: it says 44, and 40 bytes", 1),
    "speaks Latin-1": ("changes non-ASCII text on its way through.", 1),
    "reads once": ("on a request that comes in pieces (exited with code 1); its stderr ends: short",
                   1),
    "reads a tenth": ("hangs in a call of 1000000 bytes: it has read 102400 of 1000088 bytes", 1),
    "noise while idle": ('stray print): "tick', 1),
    "floods": ("makes noise on its stdout", 1),
    "busy while idle": ("keeps a processor busy while it is idle (", 0),
    "ends while idle": ("it ends while it is idle (exited with code 0).", 1),
    "ignores TERM": ("does not end within 3000 ms of TERM while idle: it needs KILL", 0),
    "needs KILL": ("it needs KILL (TERM does not end it either)", 1),
    "hides a daemon": ("it leaves a process behind when it ends: sleep 1001.", 1),
    "launcher": ("another process holds its stdout still: most likely it is a launcher", 1),
    "varint": ("bytes of its ping and exited with code 1 without an answer: it could not make sense "
               "of it, or failed in it; its stderr ends: unparseable WorkRequest", 1),
    "echo": ("a worker that a pool can use, though it ", 0),
    "errors only": ("a worker that a pool can use, though it ends without a word", 0),
    "helper that ends with it": ("a worker that a pool can use", 0),
    "answers in threads": ("a worker that a pool can use", 0),
    "escapes its group": ("it leaves a process behind when it ends: ", 1),
}
# Workers whose frames are nobody's business, as --speech opaque judges them: what one makes of a
# payload, the diagnosis and the exit code.
OPAQUE = """
import os, struct, subprocess, sys, threading, time
I, O = sys.stdin.buffer, sys.stdout.buffer
def write(payload):
    O.write(struct.pack(">I", len(payload)) + payload)
    O.flush()
def serve(answer):
    while len(head := I.read(4)) == 4:
        size, = struct.unpack(">I", head)
        if not 0 < size <= 16 << 20 or len(payload := I.read(size)) < size: break
        answer(payload)
last = [b"nothing yet"]
"""
OPAQUE_WORKERS = {
    "serve(write)": ("diagnosis: a ", 0),
    "serve(lambda p: write(b'\\xff' + p.upper()))": ("diagnosis: a ", 0),
    "serve(lambda p: (write(p), write(p)))": ("writes more than one reply to a call", 1),
    "serve(lambda p: (write(p), os.write(1, b'done')))":
        ("makes noise on its stdout in a call", 1),
    "serve(lambda p: (write(last[-1]), last.append(p)))":
        ("gives a caller the answer that belongs to the caller before", 1),
    "serve(lambda p: (write(p), sys.exit(0)))": ("ends after its first call", 1),
    "serve(lambda p: None)": ("hangs in its first call: it has read the request", 1),
    "serve(lambda p: write(p[:70000]))": ("changes a text of 1000000 bytes on its way", 1),
    "def tick():\n  while True: time.sleep(0.25); os.write(1, b'tick')\n"
    "threading.Thread(target=tick, daemon=True).start(); serve(write)":
        ("makes noise on its stdout", 1),
    "serve(write); time.sleep(1000)": ("of the end of its input: it needs TERM", 1),
    "subprocess.Popen(['sleep', '1003'], stdin=0, stdout=2); serve(write)":
        ("it leaves a process behind when it ends: sleep 1003", 1),
    "print('Loading...', flush=True); serve(write)": ("text (a banner or a stray print)", 1),
    "sys.exit(4)": ("ends before it is asked anything (exited with code 4): dead at start", 1),
}
LONGEST_OUTPUT = 20000
LARGEST_MEMORY_KIB = 512 << 10  # of ours and of the largest worker


def probe(command, *options):
    """Returns what it said and its exit code, once nobody of it is left."""
    words = [POOLPROOF, "probe", "--timeout-ms", "3000", *options, "--", *command]
    with subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT) as program:
        said, _ = program.communicate(timeout=HANG)
        wait_until(lambda: not children_of(program.pid), "the end of the worker")
        return said, program.returncode


def probe_all(jobs):
    """What probe says of each and its exit code: by their names, the words of their commands and
    the options. They mostly wait, so many go at once."""
    with ThreadPoolExecutor(12) as pool:
        begun = {name: pool.submit(probe, *words) for name, words in jobs.items()}
    return {name: one.result() for name, one in begun.items()}


def sleepers(program):
    return sum(command.startswith("sleep") for command in children_of(program.pid).values())


# A child as Node's fork() starts it, which gives back what it is sent; alone it has nothing to do.
FORKED = """
import os, socket
if "NODE_CHANNEL_FD" not in os.environ: raise SystemExit(0)
channel = socket.socket(fileno=int(os.environ["NODE_CHANNEL_FD"]))
while data := channel.recv(65536): channel.sendall(data)
"""


def diagnosis(said):
    return [line for line in said.decode().splitlines() if line.startswith("diagnosis: ")]


class Probe(ProgramTest):
    def test_every_hostile_program_is_diagnosed(self):
        self.assertEqual(EXPECTED.keys(), hostile.SCRIPTS.keys())
        probed = probe_all({n: [hostile.command(n, PYTHON)] for n in EXPECTED})
        for name, (words, code) in EXPECTED.items():
            with self.subTest(worker=name):
                said, returned = probed[name]
                self.assertEqual(len(diagnosis(said)), 1, said.decode())
                self.assertIn(words, diagnosis(said)[0])
                self.assertEqual(returned, code)
                self.assertLess(len(said), LONGEST_OUTPUT)
                self.assertRegex(said, rb"\A[\n\x20-\x7e\xc2-\xf4\x80-\xbf]*\Z")
                self.assertNotIn(b"worker 0.0", said)
        self.assertLess(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, LARGEST_MEMORY_KIB)

    def test_the_wire_and_the_speech_are_found(self):
        workers = {("lines", "mcp"): [], ("headers", "lsp"): [], ("lines", "bridge"): [],
                   ("varint", "bridge"): [], ("node_ipc", "bridge"): [],
                   ("prefix of 4 bytes", "bridge"): [],
                   ("prefix of 1 byte", "bridge"): ["--prefix-bytes", "1"],
                   ("prefix of 4 bytes, little-endian", "bridge"): ["--byte-order", "little"]}
        probed = probe_all({
            (wire, speech): [[FAKE_WORKER, "--wire", wire.split()[0], "--speech", speech, *options]]
            for (wire, speech), options in workers.items()})
        for (wire, speech), (said, code) in probed.items():
            with self.subTest(wire=wire, speech=speech):
                self.assertIn(f"wire {wire}, speech {speech} (", said.decode())
                self.assertIn("diagnosis: a sound worker.", diagnosis(said)[0])
                self.assertEqual(code, 0, said.decode())

    def test_a_wire_that_is_said_is_not_looked_for(self):
        command = hostile.command("little-endian", PYTHON)
        done = subprocess.run([POOLPROOF, "probe", "--wire", "prefix", "--timeout-ms", "1000", "--",
                               *command], capture_output=True, timeout=HANG, check=False)
        self.assertIn("another framing", diagnosis(done.stdout)[0])
        self.assertEqual(done.returncode, 1)

    def test_who_takes_any_bytes_is_judged_by_what_needs_no_json(self):
        probed = probe_all({script: [[PYTHON, "-c", OPAQUE + script], "--speech", "opaque"]
                            for script in OPAQUE_WORKERS})
        for script, (words, code) in OPAQUE_WORKERS.items():
            with self.subTest(worker=script):
                said, returned = probed[script]
                self.assertIn("wire prefix of 4 bytes, speech opaque (as was said", said.decode())
                self.assertIn(words, diagnosis(said)[0])
                self.assertEqual(returned, code, said.decode())
                self.assertRegex(said, rb"not tried (start_time|.*unknown_command, not_json)")

    def test_cat_takes_any_bytes_on_every_wire(self):
        probed = probe_all({wire: [["/bin/cat"], "--speech", "opaque", "--wire", wire]
                            for wire in ("prefix", "varint", "lines", "headers")})
        for wire, (said, code) in probed.items():
            with self.subTest(wire=wire):
                self.assertEqual(code, 0, said.decode())
                self.assertIn(b"held      megabyte        takes 1000000 bytes, and gives", said)

    def test_who_answers_otherwise_on_its_channel_is_taken_for_opaque(self):
        lives_on = FORKED.replace("raise SystemExit(0)", "import time; time.sleep(1000)")
        says_hello = FORKED.replace("while", 'channel.sendall(b\'"ready"\\n\')\nwhile')
        probed = probe_all({
            (script, asked): [[PYTHON, "-c", script], *asked]
            for script, asked in ((FORKED, ()), (lives_on, ()), (says_hello, ()),
                                  (FORKED, ("--wire", "node_ipc")))})
        for (script, asked), (said, code) in probed.items():
            with self.subTest(asked, script=script):
                self.assertIn("wire node_ipc, speech opaque (on its channel", said.decode())
                self.assertEqual(diagnosis(said), ["diagnosis: a sound worker."], said)
                self.assertEqual(code, 0)

    def test_who_lives_only_with_a_channel_is_taken_to_speak_on_it(self):
        silent = """
import os
if "NODE_CHANNEL_FD" not in os.environ: raise SystemExit(0)
while os.read(int(os.environ["NODE_CHANNEL_FD"]), 65536): pass"""
        said, code = probe([PYTHON, "-c", silent])
        self.assertIn("wire node_ipc, speech opaque (without a channel it ends by itself", said.decode())
        self.assertIn("hangs in its first call: it has read the request", diagnosis(said)[0])
        self.assertEqual(code, 1)

    def test_our_own_worker_is_sound(self):
        said, code = probe([FAKE_WORKER])
        self.assertEqual(diagnosis(said), ["diagnosis: a sound worker."], said)
        self.assertEqual(code, 0)
        self.assertIn(b'{"args":{"initialization":true,"worker_id":"the one worker that', said)
        self.assertIn(b'00 00 00 1d {"id": 2, "command": "echo", \n', said)
        self.assertNotIn(b"not tried", said)
        said, code = probe([FAKE_WORKER, "--prefix-bytes", "2"], "--prefix-bytes", "2")
        self.assertEqual(diagnosis(said), ["diagnosis: a sound worker."], said)

    def test_programs_that_are_no_workers(self):
        programs = {
            ("/bin/cat",): "it gives back what it is sent, as cat does, so it is no worker",
            ("/bin/true",): "it exited with code 0 before it answered its ping: dead at start",
            ("/bin/sleep", "100"): "never reads its input",
            ("/bin/sh", "-c", "echo oops >&2; exit 7; ["): "it exited with code 7",
            ("/bin/sh", "-c", "[ 1 = 1 ] && exit 9", "[a", "b]"): "it exited with code 9",
        }
        for command, (said, code) in probe_all({one: [one] for one in programs}).items():
            with self.subTest(command=command):
                self.assertEqual(len(diagnosis(said)), 1, said)
                self.assertIn(programs[command], diagnosis(said)[0])
                self.assertEqual(code, 1)

    def test_the_words_of_its_command_are_left_alone(self):
        script = "import sys; sys.exit(str(sys.argv[1:]))"
        said, _ = probe([PYTHON, "-c", script, "[a,b]", "--", "--out", "%x"])
        self.assertIn(b"['[a,b]', '--', '--out', '%x']", said)

    def test_the_table_for_programs(self):
        command = hostile.command("ignores TERM", PYTHON)
        words = [POOLPROOF, "probe", "--timeout-ms", "2000"]
        said = subprocess.run([*words, "--json", "--", *command], capture_output=True,
                              timeout=HANG, stdin=subprocess.DEVNULL)
        table = json.loads(said.stdout)
        verdicts = {row["row"]: row["verdict"] for row in table["rows"]}
        self.assertEqual((said.returncode, table["usable"]), (0, True))
        self.assertEqual(verdicts["three_calls"], "held")
        self.assertEqual(verdicts["term_idle"], "remark")
        self.assertIn(b"init_ping: answers its init ping", said.stderr)
        self.assertIn(table["diagnosis"].encode(), said.stderr)
        with tempfile.TemporaryDirectory() as folder:
            file = os.path.join(folder, "probe.xml")
            said = subprocess.run([*words, "--junit", file, "--", *hostile.command(
                "hangs in a call", PYTHON)], capture_output=True, timeout=HANG,
                stdin=subprocess.DEVNULL)
            suite = ElementTree.parse(file).getroot().find("testsuite")
        cases = {case.get("name").split(":")[0]: case for case in suite.findall("testcase")}
        self.assertEqual(cases.keys(), verdicts.keys())
        self.assertEqual(said.returncode, 1)
        failure = cases["three_calls"].find("failure")
        self.assertIn("hangs in its first call", failure.get("message"))
        self.assertIsNotNone(cases["megabyte"].find("skipped"))
        self.assertIsNone(cases["init_ping"].find("failure"))

    def test_the_wire_log_has_all_processes_one_after_the_other(self):
        with tempfile.TemporaryDirectory() as folder:
            file = os.path.join(folder, "wire")
            said, code = probe([FAKE_WORKER, "--wire", "lines", "--speech", "mcp"],
                               "--wire-log", file)
            self.assertEqual(code, 0, said)
            with open(file, encoding="utf-8") as log:
                processes = re.split(r"a worker was started on the wire (\w+), pid \d+\n", log.read())
        wires, bodies = processes[1::2], processes[2::2]
        self.assertEqual((wires[0], wires[-1]), ("prefix", "lines"))
        self.assertGreater(len(bodies), 5)
        # Each begins at its first frame, and its first frame is the greeting.
        for body in bodies[wires.index("lines"):]:
            self.assertRegex(body.splitlines()[0], r"ms  client > worker: line 1, \d+ bytes$")
            self.assertIn('|{"id":0,"jsonrpc|', body)
        self.assertIn("ms  worker > client: line 2, ", bodies[-1] + bodies[-2] + bodies[-3])
        self.assertIn("ms  the client closed its end", "".join(bodies))

    def test_nobody_is_left_when_it_is_killed(self):
        for how in (signal.SIGINT, signal.SIGKILL):
            # Who runs the tests in the background may have SIGINT ignored.
            words = ["/usr/bin/env", "--default-signal=INT", POOLPROOF, "probe", "--", "/bin/sh",
                     "-c", "sleep 1000 & sleep 1000; true"]
            with subprocess.Popen(words, stdout=subprocess.DEVNULL) as program:
                wait_until(lambda: sleepers(program) == 2, "the worker's children")
                program.send_signal(how)
                self.assertEqual(program.wait(HANG), -how)
            wait_until(lambda: not children_of(program.pid), "the end of the worker")
