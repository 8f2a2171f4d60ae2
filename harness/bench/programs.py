"""What the benches share that run other programs: a child that leaves nothing behind, and builds."""

import os
import pathlib
import signal
import subprocess
import sys

ENDING_S = 10  # from TERM to KILL
ROOT = pathlib.Path(__file__).resolve().parents[2]


class Failed(Exception):
    """A build or a run went wrong; the text says which, and its last words."""


def say(words):
    print(words, file=sys.stderr, flush=True)


def run(command, seconds=None, **options):
    """Its stdout. Whatever ends this, the command and all that it started end, too.

    Failed: it cannot be started, ends with another exit code than 0, or lasts so many seconds.
    """
    name = " ".join(map(str, command))
    try:
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                 stderr=subprocess.PIPE, text=True, start_new_session=True,
                                 **options)
    except OSError as wrong:
        raise Failed(f"{name}: {wrong.strerror}") from wrong
    with child:
        try:
            out, err = child.communicate(timeout=seconds)
        except subprocess.TimeoutExpired as late:
            raise Failed(f"{name}: not done within {seconds:g} s") from late
        finally:
            end_group(child)
    if child.returncode != 0:
        words = (err or out).strip().splitlines()
        raise Failed(f"{name}: {words[-1] if words else f'exit code {child.returncode}'}")
    return out


def end_group(child):
    """First in a way that it hears of: ninja's compilers are in groups of their own, and it ends
    them."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(child.pid, number)
            child.wait(ENDING_S)
        except (ProcessLookupError, subprocess.TimeoutExpired):
            pass


def end_on_term():
    """TERM ends this program as an error does: what it started ends first."""
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))


def build(tree):
    """The benchmark program of a tree, in its release build."""
    run(["cmake", "--preset", "release", "-B", "build/release"], cwd=tree)
    run(["cmake", "--build", "build/release", "--parallel", "2", "--target", "poolproof_bench"],
        cwd=tree)
    return tree / "build/release/bin/poolproof_bench"
