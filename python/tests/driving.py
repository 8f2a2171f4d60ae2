"""Starts workers as a pool would, and speaks with them."""

import json
import os
import select
import subprocess
import sys
import tempfile
import time

TESTS = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(TESTS)
SOUND = ["-m", "poolproof_worker"]
FAULTY = ["-m", "poolproof_worker.faults"]
NOISY = [os.path.join(TESTS, "noisy_worker.py")]
TIMEOUT_S = 60


def frame(payload, prefix_bytes=4):
    if isinstance(payload, str):
        payload = payload.encode()
    return len(payload).to_bytes(prefix_bytes, "big") + payload


def request(number, command, args=None, prefix_bytes=4):
    message = {"id": number, "command": command, "args": args or {}, "timestamp": "t"}
    return frame(json.dumps(message), prefix_bytes)


def ok(number, result):
    """The payload of a sound reply under --timestamp 7."""
    return f'{{"id":{number},"result":{result},"success":true,"timestamp":7}}'.encode()


def error(number, text):
    text = json.dumps(text, ensure_ascii=False)
    return f'{{"error":{text},"id":{number},"success":false,"timestamp":7}}'.encode()


def payloads(data, prefix_bytes=4):
    """Cuts sound frames; what is left over fails the test that called."""
    found = []
    while data:
        length = int.from_bytes(data[:prefix_bytes], "big")
        payload = data[prefix_bytes:prefix_bytes + length]
        if not payload or len(payload) < length:
            raise AssertionError(f"no frame: {data[:80]!r}")
        found.append(payload)
        data = data[prefix_bytes + length:]
    return found


class Process:
    """A worker with three pipes, a journal and an environment built from a list.

    Use as a context manager: at the end it is killed if it still lives, and reaped.
    """

    def __init__(self, program, *options, env=None, timestamp="7"):
        handle, self.journal_file = tempfile.mkstemp(suffix=".jsonl")
        os.close(handle)
        if program == NOISY:
            options = (timestamp, *options)
        else:
            options = ("--timestamp", timestamp, *options)
        if program == FAULTY:
            options += ("--journal", self.journal_file)
        self.process = subprocess.Popen(
            [sys.executable, *program, *options], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, bufsize=0, env={"PYTHONPATH": ROOT, **(env or {})})

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            pipe.close()
        os.unlink(self.journal_file)

    def send(self, data):
        self.process.stdin.write(data)

    def read(self, count):
        """Exactly `count` bytes of stdout."""
        data = b""
        while len(data) < count:
            ready, _, _ = select.select([self.process.stdout], [], [], TIMEOUT_S)
            chunk = os.read(self.process.stdout.fileno(), count - len(data)) if ready else b""
            if not chunk:
                raise AssertionError(f"wanted {count} bytes of stdout, got {data!r}")
            data += chunk
        return data

    def read_payload(self, prefix_bytes=4):
        return self.read(int.from_bytes(self.read(prefix_bytes), "big"))

    def call(self, number, command, args=None):
        self.send(request(number, command, args))
        return self.read_payload()

    def journal(self, kind=None):
        """The whole lines so far, of one kind or of all."""
        with open(self.journal_file, encoding="utf-8") as file:
            lines = file.read().split("\n")[:-1]
        records = [json.loads(line) for line in lines]
        return [record for record in records if kind in (None, record["kind"])]

    def await_journal(self, kind, count=1):
        """Waits until the journal has so many records of a kind; returns them."""
        end = time.monotonic() + TIMEOUT_S
        while len(records := self.journal(kind)) < count:
            if time.monotonic() > end or self.process.poll() is not None:
                records = self.journal(kind)
                if len(records) >= count:
                    return records
                raise AssertionError(f"no {count} of {kind!r} in {self.journal()}")
            time.sleep(0.002)
        return records

    def finish(self, data=b""):
        """Sends the rest, ends stdin, and returns (exit code, stdout, stderr) of the end."""
        out, err = self.process.communicate(data, timeout=TIMEOUT_S)
        return self.process.returncode, out, err.decode(errors="replace")

    def terminate(self):
        """TERM with stdin still open; returns the exit code."""
        self.process.terminate()
        return self.process.wait(TIMEOUT_S)


def run(program, data, *options, **more):
    """One worker for one input: (exit code, stdout, stderr)."""
    with Process(program, *options, **more) as worker:
        return worker.finish(data)
