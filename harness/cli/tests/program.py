"""What the tests of the program share: it is driven as a user does it, from outside."""

import json
import os
import re
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import waiting

POOLPROOF = os.environ["POOLPROOF"]
PYTHON = sys.executable
HANG = 90  # seconds: reached only by a program that hangs
CONTROL = re.compile(rb"[\x00-\x08\x0b-\x1f\x7f]|\xc2[\x80-\x9f]|\xe2\x80[\xaa-\xae]")


def steps_around(call):
    return [{"checkout": {}}, call, {"checkin": {}}]


def echo_scenario(name, **changes):
    scenario = {
        "schema_version": 1,
        "name": name,
        "why": "one echo, so that there is a run to look at",
        "worlds": ["host"],
        "pool": {"size": 1},
        "workers": [{"kind": "fake"}],
        "clients": [{"name": "a", "steps": steps_around({"call": {"command": "echo"}})}],
        "expect": {"a": ["granted", "ok", "returned"]},
    }
    scenario.update(changes)
    return scenario


def long_scenario(name, ms=20000):
    """A call that is still under way when the test strikes."""
    call = {"call": {"command": "sleep", "args": {"ms": ms}, "timeout_ms": 60000}}
    return echo_scenario(name, clients=[{"name": "a", "steps": steps_around(call)}])


class ProgramTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.out = self.folder / "out"

    def write(self, scenario, below="scenarios"):
        path = self.folder / below / (scenario["name"] + ".json")
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(scenario))
        return path

    def file(self, name, content):
        path = os.path.join(os.fsencode(self.folder), os.fsencode(name))
        with open(path, "wb") as file:
            file.write(content)
        return path

    def program(self, *words, **options):
        """Runs it to its end. Nothing it says may reach a terminal raw."""
        done = subprocess.run(
            [POOLPROOF, *map(os.fsencode, words)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=self.folder,
            **{"timeout": HANG, **options},
        )
        self.assertIsNone(CONTROL.search(done.stdout + done.stderr), done.stdout + done.stderr)
        return done

    def run_scenarios(self, *words, **options):
        return self.program("run", *words, "--out", self.out, **options)

    def report(self):
        return json.loads((self.out / "report.json").read_text())


def children_of(run_pid):
    """The processes that carry the mark of that run, and its guardian: pid -> command line."""
    mark = b"POOLPROOF_TOKEN=%d-" % run_pid
    guardian = b"guardian\x00--token\x00%d-" % run_pid
    found = {}
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            command = Path("/proc", entry, "cmdline").read_bytes()
            environment = Path("/proc", entry, "environ").read_bytes()
        except OSError:
            continue
        if mark in b"\x00" + environment or guardian in command:
            found[int(entry)] = command.replace(b"\x00", b" ").decode(errors="replace")
    return found


def wait_until(condition, what):
    return waiting.wait_until(condition, what, HANG)
