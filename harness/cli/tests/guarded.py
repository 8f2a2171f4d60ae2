"""What the tests of poolproof guard share: a program under guard, and what is found of it."""

import json
import os
from xml.etree import ElementTree

from program import POOLPROOF, PYTHON, ProgramTest

FAKE_WORKER = os.path.join(os.path.dirname(POOLPROOF), "fake_worker")

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
