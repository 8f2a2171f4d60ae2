"""Where copies of the tree are changed, built and run, and nothing is left behind."""

import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from mutation.patches import Trouble, patch

LEFT_OUT = {".git", "build", "poolproof-out", "poolproof-sweep", "__pycache__"}
TARGETS = ["poolproof", "fake_worker"]
TOKEN = "POOLPROOF_MUTANTS"
BUILD_S = 1800


def carriers(token):
    """The processes in whose environment the token is."""
    mark = f"{TOKEN}={token}".encode()
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            if mark in (entry / "environ").read_bytes().split(b"\0"):
                yield int(entry.name)
        except OSError:
            continue  # gone, or somebody else's


class Guardian:
    """A process of its own session that outlives this one, to kill and to clear away what is left.

    It is set off by the end of a pipe that only we hold: by dismiss(), or by our death.
    """

    def __init__(self, folder):
        self.token = secrets.token_hex(16)
        reader, self._writer = os.pipe()
        sys.stdout.flush()
        self._pid = os.fork()
        if self._pid == 0:
            os.setsid()
            for name in ("SIGINT", "SIGTERM", "SIGHUP"):
                signal.signal(getattr(signal, name), signal.SIG_IGN)
            os.close(self._writer)
            os.read(reader, 1)
            self._clear_away(folder)
            os._exit(0)
        os.close(reader)

    def dismiss(self):
        os.close(self._writer)
        os.waitpid(self._pid, 0)

    def _clear_away(self, folder):
        quiet = 0
        while quiet < 2:  # between fork and exec a process does not have the token yet
            left = list(carriers(self.token))
            quiet = 0 if left else quiet + 1
            for pid in left:
                try:
                    os.kill(pid, signal.SIGKILL)
                except OSError:
                    pass
            time.sleep(0.05)
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)


class Shop:
    """Where copies are built and run."""

    def __init__(self, folder, token, jobs):
        self.folder, self.jobs = folder, jobs
        self.tree, self.build, self.sound = folder / "tree", folder / "build", folder / "sound"
        # What a shell exports for other projects must not decide how this one is built.
        unset = {"CC", "CXX", "CFLAGS", "CXXFLAGS", "CPPFLAGS", "LDFLAGS", "LIBRARY_PATH", "CPATH",
                 "CPLUS_INCLUDE_PATH"}
        self.environment = {key: value for key, value in os.environ.items() if key not in unset}
        self.environment[TOKEN] = token

    def run(self, arguments, limit_s, cwd=None):
        """The exit code and all that was said."""
        with tempfile.TemporaryFile(mode="w+", errors="replace", dir=self.folder) as said:
            started = subprocess.Popen([str(one) for one in arguments], cwd=cwd or self.tree,
                                       env=self.environment, stdin=subprocess.DEVNULL, stdout=said,
                                       stderr=subprocess.STDOUT)
            try:
                code = started.wait(timeout=limit_s)
            except subprocess.TimeoutExpired:
                started.kill()
                started.wait()
                code = None
            said.seek(0)
            return code, said.read()

    def compile(self):
        code, said = self.run(["cmake", "--build", self.build, "--parallel", self.jobs, "--target",
                               *TARGETS], BUILD_S)
        if code != 0:
            errors = [line for line in said.splitlines() if "error" in line or "FAILED" in line]
            raise Trouble("does not build: " + " | ".join(errors[:3]))

    def build_sound(self):
        code, said = self.run(["cmake", "--preset", "release", "-B", self.build], BUILD_S)
        if code != 0:
            raise Trouble("can't configure: " + said[-1000:])
        self.compile()
        shutil.rmtree(self.sound, ignore_errors=True)
        shutil.copytree(self.build / "bin", self.sound)


def copy_tree(source, target):
    """Brings `target` to what `source` is; files that are equal stay as they are."""
    kept = set()
    for folder, folders, files in os.walk(source):
        folders[:] = [one for one in folders if one not in LEFT_OUT]
        here = Path(folder).relative_to(source)
        (target / here).mkdir(parents=True, exist_ok=True)
        for name in files:
            kept.add(here / name)
            before, after = Path(folder) / name, target / here / name
            if not after.exists() or before.read_bytes() != after.read_bytes():
                shutil.copyfile(before, after)
                shutil.copymode(before, after)
    for path in [one for one in target.rglob("*") if one.is_file()]:
        if path.relative_to(target) not in kept:
            path.unlink()


class Planted:
    """The mutant's files in the copy, while it lasts."""

    def __init__(self, mutant, tree):
        self._mutant, self._tree = mutant, tree
        self._before = {}

    def __enter__(self):
        self._before = {name: (self._tree / name).read_bytes() for name in self._mutant.files}
        patch(self._mutant, self._tree)

    def __exit__(self, *_):
        for name, text in self._before.items():
            (self._tree / name).write_bytes(text)
