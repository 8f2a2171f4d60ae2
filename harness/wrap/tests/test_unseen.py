"""A worker behind wrap is the worker: byte for byte, signal for signal, end for end."""

import fcntl
import os
import random
import signal
import struct
import subprocess
import threading
import unittest
from pathlib import Path

from wrapped import HANG, NEVER, PYTHON, WrapTest, behind, marked, wait_until


def sh(script):
    return ["/bin/sh", "-c", script]


def python(script):
    return [PYTHON, "-c", script]


# Each one does what no worker should, or what few do.
HOSTILE = {
    "echo": sh("cat"),
    "says nothing": sh("exit 0"),
    "exit code": sh("cat; exit 7"),
    "exit 64": sh("exit 64"),
    "killed": sh("cat; kill -9 $$"),
    "crash": sh("kill -SEGV $$"),
    "ended by TERM": sh("kill -TERM $$"),
    "ended by USR2": sh("kill -USR2 $$"),
    "stderr": sh("echo oops >&2; cat; echo again >&2; exit 3"),
    "reads nothing": sh("echo hello"),
    "half a frame": sh(r"printf '\000\000\000\011abc'"),
    "no frame at all": sh("echo Traceback; cat; echo"),
    "zeros": sh("head -c 100000 /dev/zero"),
    "much": sh("head -c 3000000 /dev/zero; exit 5"),
    "closes stdout": sh("echo bye; exec >&-; cat >/dev/null; exit 4"),
    "closes stdin": sh("exec <&-; echo done; exit 6"),
    "closes stderr": sh("exec 2>&-; cat"),
    "one byte at a time": python("import os,sys\nwhile (b:=os.read(0,1)): os.write(1,b)"),
    "answers at the end": python("import sys; sys.stdout.buffer.write(sys.stdin.buffer.read()[::-1])"),
    "header blocks": sh(r"printf 'Content-Length: 5\r\nX: y\r\n\r\nhelloContent-Length: x\r\n\r\n'"),
    "lines of all kinds": sh(r"printf '\n\r\n{}\r\nno json\n'; cat; printf 'no end'"),
    "leaves a process that speaks": sh("(sleep 0.3; echo late) & echo early; exit 9"),
    "dispositions": python(
        "import signal,os\n"
        "print([signal.getsignal(s) for s in (1,2,10,12,13,15)], signal.pthread_sigmask(0,[]))\n"),
    "descriptors": sh("ls /proc/self/fd | wc -l"),
    "kinds of streams": python(
        "import os,stat\nprint([stat.S_IFMT(os.fstat(f).st_mode) for f in (0,1)],"
        "stat.S_IFMT(os.fstat(2).st_mode))"),
    "flags of streams": python(
        "import fcntl\nprint([fcntl.fcntl(f, fcntl.F_GETFL) for f in (0,1)])"),
    "words": ["/usr/bin/printf", "[%s]", "--help", "", "a b", "--", "$x"],
}

TOLD = b"\0\0\0\5hello\0\0\0\3abc{\"id\":1}\nContent-Length: 3\r\n\r\nabc" + bytes(range(256)) * 40


class Unseen(WrapTest):
    def test_hostile_workers_are_the_same_behind_it(self):
        ways = [(False, (), "prefix"), (False, NEVER, "prefix"), (False, NEVER, "lines"),
                (False, NEVER, "headers"), (True, (), "prefix"), (True, NEVER, "varint")]
        for name, command in HOSTILE.items():
            bare = {sockets: self.done(command, TOLD, sockets=sockets)
                    for sockets in (False, True)}
            for sockets, armed, wire in ways:
                words = behind("--wire", wire, "--speech", "opaque", *armed)
                with self.subTest(name, wire=wire, armed=bool(armed), sockets=sockets):
                    seen = self.done(words + command, TOLD, sockets=sockets)
                    self.assertTrue(bare[sockets] == seen, str((bare[sockets], seen))[:2000])

    def test_a_stream_that_is_closed_is_closed_below(self):
        # What is open, and how reading and writing fail, must not depend on our own descriptors.
        look = sh("for fd in 0 1 2; do test -e /proc/$$/fd/$fd && printf $fd >>$1; done;"
                  "cat >/dev/null 2>&1; echo $? >>$1; echo x 2>/dev/null; echo $? >>$1")
        told = str(self.folder / "told")
        for closed in ("0<&-", "1>&-", "2>&-", "0<&- 1>&-", "0<&- 1>&- 2>&-"):
            seen = {}
            for name, words in {"bare": [], "relayed": behind(), "armed": behind(*NEVER),
                                "journaled": behind("--journal", str(self.folder / "j"))}.items():
                Path(told).write_text("")
                command = words + look + ["sh", told]
                done = subprocess.run(["sh", "-c", 'exec "$@" ' + closed, "sh", *command],
                                      input=b"x", stdout=subprocess.PIPE, timeout=HANG)
                seen[name] = (done.returncode, done.stdout, Path(told).read_text())
            with self.subTest(closed):
                for name, one in seen.items():
                    self.assertEqual((name, one), (name, seen["bare"]))

    def test_signals_are_passed_on(self):
        script = (
            "import os,signal,sys\n"
            "def on(n, f): print('got', n, flush=True); sys.exit(n) if n != 10 else None\n"
            "for n in (1,2,10,15): signal.signal(n, on)\n"
            "print('ready', flush=True)\n"
            "while True: signal.pause()\n")
        for armed in ((), NEVER):
            for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
                with self.subTest(number, armed=bool(armed)):
                    worker = self.running(behind(*armed) + python(script))
                    self.assertEqual(worker.line(), b"ready\n")
                    worker.process.send_signal(signal.SIGUSR1)
                    self.assertEqual(worker.line(), b"got 10\n")
                    worker.process.send_signal(number)
                    self.assertEqual(worker.line(), b"got %d\n" % number)
                    self.assertEqual(worker.process.wait(HANG), number)

    def test_a_signal_that_is_not_caught_ends_both(self):
        for armed in ((), NEVER):
            for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGUSR1):
                with self.subTest(number, armed=bool(armed)):
                    worker = self.running(behind(*armed) + sh("echo ready; exec sleep 1000"))
                    worker.line()
                    worker.process.send_signal(number)
                    self.assertEqual(worker.process.wait(HANG), -number)
                    self.assertEqual(marked(worker.mark), {})

    def test_who_reads_no_more_is_felt_below(self):
        script = sh("trap 'exit 3' PIPE; echo ready; while true; do echo x || exit 3; done")
        for armed in ((), NEVER):
            worker = self.running(behind("--wire", "lines", *armed) + script)
            worker.line()
            worker.process.stdout.close()
            self.assertEqual(worker.process.wait(HANG), 3)

    def test_who_closes_its_input_is_felt_above(self):
        for armed in ((), NEVER):
            worker = self.running(behind(*armed) + sh("exec <&-; echo closed; exec sleep 1000"))
            worker.line()

            def is_broken():
                try:
                    worker.process.stdin.write(b"x")
                except BrokenPipeError:
                    return True
                return False

            wait_until(is_broken, "the broken pipe")
            worker.process.kill()

    def test_the_end_of_input_comes_behind_all_bytes(self):
        for armed in ((), NEVER):
            told = os.urandom(2_000_000)
            out, _, code = self.done(
                behind("--wire", "headers", "--speech", "opaque", *armed) + sh("cat; exit 8"), told)
            self.assertEqual((out == told, code), (True, 8))

    def test_a_large_group_of_bytes_stops_where_nobody_takes_it(self):
        frame = struct.pack(">I", 1_000_000) + b"x" * 1_000_000
        for armed in ((), NEVER, ("--journal", os.devnull)):
            worker = self.running(behind("--speech", "opaque", *armed) + sh("yes >/dev/null & cat"))
            told = [0]

            def tell():
                try:
                    for _ in range(100):
                        view = memoryview(frame)
                        while view:
                            wrote = worker.process.stdin.write(view[:65536])
                            told[0] += wrote
                            view = view[wrote:]
                except (BrokenPipeError, ValueError):
                    pass

            teller = threading.Thread(target=tell, daemon=True)
            teller.start()
            seen = []

            def stands_still():
                seen.append(told[0])
                return len(seen) > 100 and seen[-100] == seen[-1] > 0

            # Judged too early it shows less, and nothing wrong.
            wait_until(stands_still, "the end of all movement")
            status = Path("/proc/%d/status" % worker.process.pid).read_text()
            peak_kb = int(status.split("VmHWM:")[1].split()[0])
            self.assertLess(told[0], 6_000_000, armed)
            # A sanitizer's build has thirty megabytes of its own; a hundred were sent.
            self.assertLess(peak_kb, 60_000, armed)
            worker.close()
            teller.join(HANG)

    def test_a_million_random_frames_on_each_wire(self):
        draw = random.Random(14)
        blob = bytes(draw.getrandbits(8) for _ in range(4096)).replace(b"\n", b"x") * 2
        cuts = [(draw.randrange(4096), draw.randrange(1, 60)) for _ in range(1000)]
        payloads = [blob[at:at + size] for at, size in cuts]
        frames = {
            "prefix": b"".join(struct.pack(">I", len(p)) + p for p in payloads),
            "varint": b"".join(bytes([len(p)]) + p for p in payloads),
            "lines": b"".join(p + b"\n" for p in payloads),
            "headers": b"".join(b"Content-Length: %d\r\n\r\n" % len(p) + p for p in payloads),
        }
        for wire, thousand in frames.items():
            for armed in ((), NEVER):
                with self.subTest(wire, armed=bool(armed)):
                    told = thousand * 1000
                    words = behind("--wire", wire, "--speech", "opaque", *armed)
                    out, err, code = self.done(words + ["cat"], told)
                    self.assertEqual((len(out), err, code), (len(told), b"", 0))
                    self.assertTrue(out == told)

    def test_it_does_not_change_the_flags_of_those_around_it(self):
        worker = self.running(behind() + ["cat"])
        worker.say(b"x\n")
        worker.line()
        for stream in (worker.process.stdin, worker.process.stdout):
            self.assertEqual(fcntl.fcntl(stream.fileno(), fcntl.F_GETFL) & os.O_NONBLOCK, 0)


if __name__ == "__main__":
    unittest.main()
