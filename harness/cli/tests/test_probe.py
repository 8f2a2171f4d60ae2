"""poolproof probe: a plain, right diagnosis of any program, in bounded time and space."""

import os
import resource
import signal
import subprocess
from concurrent.futures import ThreadPoolExecutor

import hostile
from program import HANG, POOLPROOF, PYTHON, ProgramTest, children_of, wait_until

FAKE_WORKER = os.path.join(os.path.dirname(POOLPROOF), "fake_worker")

# What must be in the diagnosis, and the exit code.
EXPECTED = {
    "plain": ("a pool can use, though it ends without a word on a broken request", 0),
    "bridge": ("ends without a word on a broken request (exited with code 0)", 0),
    "banner": ('text on stdout where a frame should be (a banner or a stray print): "Hello! Lo', 1),
    "short banner": ('where a frame should be (a banner or a stray print): "hi!', 1),
    "banner and exit": ("exited with code 2 before it answered its ping: dead at start", 1),
    "unframed": ('answered in JSON without a length prefix: "{', 1),
    "unframed, unflushed": ("without a length prefix, and only at end of input", 1),
    "lines": ("it reads another framing (lines, another length prefix)", 1),
    "lenient lines": ("without a length prefix, and only at end of input", 1),
    "little-endian": ("it reads another framing (lines, another length prefix)", 1),
    "little-endian replies": ("what is no reply", 1),
    "short prefix": ("it reads another framing (lines, another length prefix)", 1),
    "unflushed": ("it answers, but never flushes its stdout", 1),
    "exit 3": ("before it answered its ping: dead at start; its stderr ends: No module", 1),
    "segfault": ("was ended by signal 11 (SEGV) before it answered", 1),
    "slow import": ("still importing (a slow start), or a program that never reads its input", 1),
    "outlives its input": ("does not end within 3000 ms of the end of its input", 1),
    "closes stdout": ("closed its stdout before it answered its ping, and lives on", 1),
    "zeros": ("what is no reply", 1),
    "much text": ('a banner or a stray print): "spam and eggs', 1),
    "much stderr": ("a worker that a pool can use", 0),
    "escapes": ("a banner or a stray print", 1),
    "escapes in its error": ("answered its ping with an error", 1),
    "never reads": ("never reads its input", 1),
    "half a header": ("wrote 2 bytes that make no whole frame", 1),
    "half a reply": ("wrote 13 bytes that make no whole frame", 1),
    "4 GiB header": ("what is no reply to it: ff ff ff ff", 1),
    "refuses": ('answered its ping with an error: "no API key"', 1),
    "dies on its call": ("no good worker for a pool: it ends on its first call (exited with", 1),
    "wrong id": ("answers a call with what is no reply: expected id 1, got 77", 1),
    "twice": ("writes more than one reply to a call", 1),
    "text in a call": ("answers its first call with bytes that make no frame", 1),
    "escapes its group": ("a worker that a pool can use", 0),
}
LONGEST_OUTPUT = 16384
LARGEST_MEMORY_KIB = 512 << 10  # of ours and of the largest worker


def probe(command, *options):
    """Returns what it said and its exit code, once nobody of it is left."""
    words = [POOLPROOF, "probe", "--timeout-ms", "3000", *options, "--", *command]
    with subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT) as program:
        said, _ = program.communicate(timeout=HANG)
        wait_until(lambda: not children_of(program.pid), "the end of the worker")
        return said, program.returncode


def sleepers(program):
    return sum(command.startswith("sleep") for command in children_of(program.pid).values())


def diagnosis(said):
    return [line for line in said.decode().splitlines() if line.startswith("diagnosis: ")]


class Probe(ProgramTest):
    def test_every_hostile_program_is_diagnosed(self):
        self.assertEqual(EXPECTED.keys(), hostile.SCRIPTS.keys())
        with ThreadPoolExecutor(4) as pool:
            jobs = {n: pool.submit(probe, hostile.command(n, PYTHON)) for n in EXPECTED}
        for name, (words, code) in EXPECTED.items():
            with self.subTest(worker=name):
                said, returned = jobs[name].result()
                self.assertEqual(len(diagnosis(said)), 1, said.decode())
                self.assertIn(words, diagnosis(said)[0])
                self.assertEqual(returned, code)
                self.assertLess(len(said), LONGEST_OUTPUT)
                self.assertRegex(said, rb"\A[\n\x20-\x7e\xc2-\xf4\x80-\xbf]*\Z")
                self.assertNotIn(b"worker 0.0", said)
        self.assertLess(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, LARGEST_MEMORY_KIB)

    def test_our_own_worker_is_sound(self):
        said, code = probe([FAKE_WORKER])
        self.assertEqual(diagnosis(said), ["diagnosis: a sound worker."], said)
        self.assertEqual(code, 0)
        self.assertIn(b'{"args":{"initialization":true,"worker_id":"probe"},"command":"ping"', said)
        self.assertIn(b'00 00 00 1d {"id": 2, "command": "echo", \n', said)
        said, code = probe([FAKE_WORKER, "--prefix-bytes", "2"], "--prefix-bytes", "2")
        self.assertEqual(diagnosis(said), ["diagnosis: a sound worker."], said)

    def test_programs_that_are_no_workers(self):
        for command, words in [
            (["/bin/cat"], "it gives back what it is sent, as cat does, so it is no worker"),
            (["/bin/true"], "it exited with code 0 before it answered its ping: dead at start"),
            (["/bin/sleep", "100"], "never reads its input"),
            (["/bin/sh", "-c", "echo oops >&2; exit 7; ["], "it exited with code 7"),
            (["/bin/sh", "-c", "[ 1 = 1 ] && exit 9", "[a", "b]"], "it exited with code 9"),
        ]:
            said, code = probe(command)
            self.assertEqual(len(diagnosis(said)), 1, said)
            self.assertIn(words, diagnosis(said)[0])
            self.assertEqual(code, 1)

    def test_the_words_of_its_command_are_left_alone(self):
        script = "import sys; sys.exit(str(sys.argv[1:]))"
        said, _ = probe([PYTHON, "-c", script, "[a,b]", "--", "--out", "%x"])
        self.assertIn(b"['[a,b]', '--', '--out', '%x']", said)

    def test_nobody_is_left_when_it_is_killed(self):
        for how in (signal.SIGINT, signal.SIGKILL):
            words = [POOLPROOF, "probe", "--", "/bin/sh", "-c", "sleep 1000 & sleep 1000; true"]
            with subprocess.Popen(words, stdout=subprocess.DEVNULL) as program:
                wait_until(lambda: sleepers(program) == 2, "the worker's children")
                program.send_signal(how)
                self.assertEqual(program.wait(HANG), -how)
            wait_until(lambda: not children_of(program.pid), "the end of the worker")
