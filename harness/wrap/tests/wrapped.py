"""What the tests of wrap share: a worker bare and behind wrap, and what is seen of it."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import unittest
import uuid
from pathlib import Path

import waiting

WRAP = os.environ["POOLPROOF_WRAP"]
FAKE_WORKER = os.environ["POOLPROOF_FAKE_WORKER"]
PYTHON = sys.executable
HANG = 90  # seconds: reached only by a program that hangs
NEVER = ("--fault", "reply_dropped", "--at", "request=4000000000")  # armed, and never struck
MARK = "POOLPROOF_TEST_MARK"


def wait_until(condition, what):
    return waiting.wait_until(condition, what, HANG)


def behind(*options):
    """The words in front of a worker's command."""
    return [WRAP, *options, "--"]


def marked(mark):
    """The living processes with that mark: pid -> command line."""
    found = {}
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            environment = Path("/proc", entry, "environ").read_bytes()
            command = Path("/proc", entry, "cmdline").read_bytes()
            state = Path("/proc", entry, "stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if ("%s=%s" % (MARK, mark)).encode() in environment.split(b"\0") and state not in "ZX":
            found[int(entry)] = command.replace(b"\0", b" ").decode(errors="replace").strip()
    return found


class Running:
    """A worker that runs: what it is told, what it says, and how it ends."""

    def __init__(self, command, sockets=False, **options):
        self.mark = uuid.uuid4().hex
        environment = {**os.environ, MARK: self.mark, **options.pop("env", {})}
        self.ours = None
        ends = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        if sockets:
            (into, theirs_in), (out, theirs_out) = socket.socketpair(), socket.socketpair()
            ends = {"stdin": theirs_in, "stdout": theirs_out}
        self.process = subprocess.Popen(
            command, stderr=subprocess.PIPE, bufsize=0, env=environment, **ends, **options)
        if sockets:
            theirs_in.close()
            theirs_out.close()
            self.process.stdin = into.makefile("wb", buffering=0)
            self.process.stdout = out.makefile("rb", buffering=0)
            into.close()
            out.close()

    def say(self, data):
        view = memoryview(data)
        while view:
            view = view[self.process.stdin.write(view):]

    def line(self):
        line = b""
        while not line.endswith(b"\n"):
            byte = self.process.stdout.read(1)
            if not byte:
                break
            line += byte
        return line

    def rest(self):
        """Closes its stdin: all that it still says, and how it ends."""
        try:
            self.process.stdin.close()
        except BrokenPipeError:
            pass
        out, err = [], []
        readers = [threading.Thread(target=lambda: out.append(self.process.stdout.read())),
                   threading.Thread(target=lambda: err.append(self.process.stderr.read()))]
        for reader in readers:
            reader.start()
        for reader in readers:
            reader.join(HANG)
        return out[0], err[0], self.process.wait(HANG)

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        for pid in marked(self.mark):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            try:
                stream.close()
            except BrokenPipeError:
                pass


class WrapTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def running(self, command, **options):
        running = Running(command, **options)
        self.addCleanup(running.close)
        return running

    def done(self, command, told=b"", **options):
        """All that a worker says to that, and how it ends."""
        running = self.running(command, **options)

        def tell():
            try:
                running.say(told)
            except BrokenPipeError:
                pass
            try:
                running.process.stdin.close()
            except BrokenPipeError:
                pass

        teller = threading.Thread(target=tell)
        teller.start()
        out, err = [], []
        reader = threading.Thread(target=lambda: err.append(running.process.stderr.read()))
        reader.start()
        out = running.process.stdout.read()
        reader.join(HANG)
        teller.join(HANG)
        return out, err[0], running.process.wait(HANG)
