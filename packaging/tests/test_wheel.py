"""The Python worker as a wheel and as an sdist, built with what Debian has, without a network."""

import importlib.util
import shutil
import struct
import subprocess
import sys
import tarfile

from outside import SKIPPED, SOURCE, OutsideTest, run

PING = b'{"id": 0, "command": "ping", "args": {}, "timestamp": ""}'


def lacks(*modules):
    return [one for one in modules if importlib.util.find_spec(one) is None]


if missing := lacks("pip", "setuptools", "wheel"):
    print("skipped: these are not installed: " + ", ".join(missing))
    sys.exit(SKIPPED)


class Wheel(OutsideTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.source = cls.folder / "source"  # setuptools leaves its files beside the source
        shutil.copytree(SOURCE / "python", cls.source,
                        ignore=shutil.ignore_patterns("__pycache__", "tests"))

    def build(self, source, name):
        out = self.folder / name
        run(sys.executable, "-m", "pip", "wheel", source, "--wheel-dir", out, "--no-deps",
            "--no-index", "--no-build-isolation", "--disable-pip-version-check")
        (wheel,) = out.glob("poolproof_worker-*.whl")
        return wheel

    def check_serves(self, wheel, name):
        place = self.folder / name
        run(sys.executable, "-m", "pip", "install", wheel, "--target", place, "--no-deps",
            "--no-index", "--disable-pip-version-check")
        for module in ("poolproof_worker", "poolproof_worker.faults"):
            with self.subTest(module):
                done = subprocess.run([sys.executable, "-m", module],
                                      input=struct.pack(">I", len(PING)) + PING,
                                      stdout=subprocess.PIPE, env={"PYTHONPATH": str(place)})
                self.assertEqual(done.returncode, 0)
                self.assertIn(b'"success":true', done.stdout.replace(b" ", b""))

    def test_a_worker_from_the_wheel_answers(self):
        self.check_serves(self.build(self.source, "wheels"), "from-wheel")

    def test_a_worker_from_the_sdist_answers(self):
        out = self.folder / "sdist"
        out.mkdir()
        run(sys.executable, "-c",
            f"from setuptools import build_meta; build_meta.build_sdist({str(out)!r})",
            cwd=self.source)
        (packed,) = out.glob("*.tar.gz")
        with tarfile.open(packed) as archive:
            archive.extractall(out)
        (source,) = (one for one in out.iterdir() if one.is_dir())
        self.check_serves(self.build(source, "wheels-of-sdist"), "from-sdist")
