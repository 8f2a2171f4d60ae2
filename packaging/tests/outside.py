"""What the tests of the packages share: the tree and its build, and a project outside of them."""

import os
import re
import subprocess
import tempfile
import unittest
from pathlib import Path

SOURCE = Path(os.environ["SOURCE"])
BUILD = Path(os.environ["BUILD"])
CMAKE = os.environ["CMAKE"]
CXX = os.environ["CXX"]
FLAGS = os.environ["CXXFLAGS"]
SKIPPED = 77  # the exit code of a test that lacks a program
HANG = 250  # seconds: reached only by what hangs


def run(*command, **options):
    """Its output; what it said is part of the error when it fails."""
    done = subprocess.run([str(one) for one in command], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=HANG, **options)
    if done.returncode != 0:
        raise AssertionError(f"{command} failed with {done.returncode}:\n{done.stdout}")
    return done.stdout


def readme(language):
    """The README's only block in that language."""
    blocks = re.findall(rf"^```{language}\n(.*?)^```$", (SOURCE / "README.md").read_text(),
                        re.S | re.M)
    if len(blocks) != 1:
        raise AssertionError(f"the README has {len(blocks)} blocks of {language}, not one")
    return blocks[0]


def configure(project, *options):
    return run(CMAKE, "-S", project, "-B", project / "build", "-G", "Ninja",
               f"-DCMAKE_CXX_COMPILER={CXX}", f"-DCMAKE_CXX_FLAGS={FLAGS}", *options)


class OutsideTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = Path(folder.name)

    def project(self, name, **files):
        folder = self.folder / name
        folder.mkdir()
        for file, text in files.items():
            file = {"lists": "CMakeLists.txt"}.get(file, file.replace("_cpp", ".cpp"))
            (folder / file).write_text(text)
        return folder
