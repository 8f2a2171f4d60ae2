"""What the tests with real programs share: where they are, and how poolproof is let loose on them.

A module that imports this is skipped, with exit code 77, where they are not installed."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import packages

POOLPROOF = os.environ["POOLPROOF"]
FOLDER = Path(os.environ["REAL_PROGRAMS"])
MODULES = FOLDER / "node_modules"
HANG_S = 280  # reached only by what hangs
START_MS = 60000  # Node takes seconds to start on a busy machine
PROBE_MS = 15000  # the same, and for each answer that never comes

if not packages.are_installed(FOLDER):
    print("skipped: the packages are not installed; the test `real programs: packages` does it")
    sys.exit(packages.SKIPPED)
NODE = shutil.which("node")

EVERYTHING = [NODE, str(MODULES / "@modelcontextprotocol/server-everything/dist/index.js")]
FILESYSTEM = [NODE, str(MODULES / "@modelcontextprotocol/server-filesystem/dist/index.js")]
BASH = [NODE, str(MODULES / "bash-language-server/out/cli.js"), "start"]


def program(name):
    """One of ours, beside the packages that it asks for."""
    return [NODE, str(FOLDER / "programs" / name)]


class RealTest(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def poolproof(self, *words, env=None):
        return subprocess.run([POOLPROOF, *map(str, words)], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              timeout=HANG_S, check=False, cwd=self.folder,
                              env={**os.environ, **(env or {})})

    # ---- under probe ----------------------------------------------------------------------------

    def probe(self, worker, *options):
        """The verdict of each row. The worker has to be usable."""
        done = self.poolproof("probe", "--timeout-ms", PROBE_MS, "--json", "-", *options, "--",
                              *worker)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        table = json.loads(done.stdout)
        self.assertTrue(table["usable"], table)
        return {row["row"]: row["verdict"] for row in table["rows"]}, done.stderr

    # ---- as a wrapped worker of our own pool ----------------------------------------------------

    def run_wrapped(self, worker, pool, calls, faults=(), expect=None, **more):
        """Two clients, one after the other, each with those calls, on one worker behind wrap."""
        steps = [{"checkout": {}}, *({"call": call} for call in calls), {"checkin": {}}]
        scenario = {
            "schema_version": 1,
            "name": "real",
            "why": "a real program behind wrap, in our own pool",
            "worlds": ["host"],
            "pool": {"size": 1, "startup_budget_ms": START_MS, "checkout_timeout_ms": 2 * START_MS,
                     "call_timeout_ms": START_MS, **pool},
            "workers": [{"kind": "wrapped", "argv": worker}],
            "clients": [{"name": "a", "steps": steps}, {"name": "b", "after": "a", "steps": steps}],
            "faults": list(faults),
            "expect": expect or {},
            **more,
        }
        path = self.folder / "real.json"
        path.write_text(json.dumps(scenario))
        done = self.poolproof("run", path, "--out", self.folder / "out")
        return done, done.stdout + done.stderr

    def assert_passes(self, *what, **more):
        done, said = self.run_wrapped(*what, **more)
        self.assertEqual(done.returncode, 0, said)

    # ---- behind wrap, below a program under guard -----------------------------------------------

    def wrapped(self, worker, wire, speech, *faults):
        """The command of a worker behind wrap, whose journal is `journal()`."""
        return [POOLPROOF, "wrap", "--wire", wire, "--speech", speech,
                "--journal", str(self.folder / "journal.jsonl"), *faults, "--", *worker]

    def journal(self, kind):
        lines = (self.folder / "journal.jsonl").read_text().splitlines()
        return [record for record in map(json.loads, lines) if record["kind"] == kind]

    def guard(self, command, **env):
        """(exit code, what guard found, the one line of JSON that the program printed)"""
        done = self.poolproof("guard", "--out", self.folder / "guard", "--", *command, env=env)
        found = json.loads((self.folder / "guard" / "guard.json").read_text())
        lines = done.stdout.splitlines()
        told = json.loads(lines[-1]) if lines else None
        return done.returncode, found, told

    def assert_sound(self, command, **env):
        """Nothing is found. Returns what the program printed."""
        code, found, told = self.guard(command, **env)
        self.assertEqual((code, found["verdict"], found["findings"]), (0, "pass", []), found)
        return told

    def assert_leak_is_named(self, command, **env):
        code, found, told = self.guard(command, **env)
        self.assertEqual((code, found["verdict"]), (1, "fail"), found)
        said = json.dumps(found["findings"])
        self.assertIn("no_survivors", said)
        self.assertIn("sleep 1000", said)
        return told
