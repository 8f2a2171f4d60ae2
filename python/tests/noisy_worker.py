"""A worker as strangers write them: it prints, and returns what no JSON can say."""

import os
import subprocess
import sys

print("banner of an import")

from poolproof_worker import CommandError, Worker

worker = Worker()


@worker.command("print")
def print_something(_args):
    print("a stray print")
    return "printed"


@worker.command("write")
def write_to_descriptor_1(_args):
    os.write(1, b"a C library speaks\n")
    return "written"


@worker.command("child")
def start_a_child(_args):
    subprocess.run(["echo", "a child speaks"], check=True)
    return "run"


@worker.command("read_stdin")
def read_stdin(_args):
    return [os.read(0, 10).decode(), sys.stdin.read()]


@worker.command("result")
def odd_result(args):
    return {"nan": float("nan"), "set": {1}, "surrogate": "a\ud800b", "mixed": {1: 1, "a": 2},
            "deep": deep(300_000), "long": "x" * 300, "none": None}[args["kind"]]


@worker.command("raise")
def odd_error(args):
    raise {"key": KeyError("k"), "empty": RuntimeError(), "refusal": CommandError("no"),
           "broken": Broken(), "surrogate": ValueError("\udc80"), "exit": SystemExit(5),
           "recursion": RecursionError("too deep")}[args["kind"]]


class Broken(Exception):
    def __str__(self):
        raise RuntimeError("broken")


def deep(levels):
    value = []
    for _ in range(levels):
        value = [value]
    return value


if __name__ == "__main__":
    limit = int(sys.argv[2]) if len(sys.argv) > 2 else None
    worker.run(timestamp=sys.argv[1], max_frame_bytes=limit)
