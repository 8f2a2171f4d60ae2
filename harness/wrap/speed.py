#!/usr/bin/env python3
"""How fast wrap is, beside the same worker without it.

    speed.py PROGRAM        PROGRAM is poolproof (or the wrap_alone of the tests)

The targets: 500 MB/s of 64 KiB frames, 100 MB/s of 200-byte lines, an echo on one processor at most
3 times as long as without. Bytes are also told by the processor's time that wrap took for them: on a
machine that is shared that says more. Exit code 1: a target is missed.
"""

import os
import resource
import subprocess
import sys
import threading
import time

FRAME = b"\0\1\0\0" + b"x" * 65536
LINES = (b"y" * 199 + b"\n") * 320
ECHO_ROUNDS = 20_000
ECHO = [sys.executable, "-c", "import os\nwhile b := os.read(0, 4096): os.write(1, b)"]


def spent():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def start(command):
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)


def megabytes_a_second(command, chunk, total):
    """By the clock, and by the processor's time of the command."""
    before, begun = spent(), time.monotonic()
    process = start(command)

    def feed():
        for _ in range(total // len(chunk)):
            view = memoryview(chunk)
            while view:
                view = view[os.write(process.stdin.fileno(), view):]
        process.stdin.close()

    feeder = threading.Thread(target=feed)
    feeder.start()
    got = 0
    while part := os.read(process.stdout.fileno(), 1 << 20):
        got += len(part)
    feeder.join()
    process.wait()
    assert got == total // len(chunk) * len(chunk), got
    return got / 1e6 / (time.monotonic() - begun), got / 1e6 / max(spent() - before, 1e-9)


def round_trip_us(command):
    process = start(command)
    to, back = process.stdin.fileno(), process.stdout.fileno()
    for rounds in (ECHO_ROUNDS // 10, ECHO_ROUNDS):
        begun = time.monotonic()
        for _ in range(rounds):
            os.write(to, b"0123456789\n")
            os.read(back, 4096)
    took = time.monotonic() - begun
    process.stdin.close()
    process.wait()
    return took / ECHO_ROUNDS * 1e6


def words(program):
    return [program] if os.path.basename(program) == "wrap_alone" else [program, "wrap"]


def main(arguments):
    if len(arguments) != 1 or not os.access(arguments[0], os.X_OK):
        print(__doc__, file=sys.stderr)
        return 64
    missed = 0
    wrap = words(arguments[0])
    # What takes without looking: the measured one is then wrap, and not the worker.
    for what, chunk, target, wire in (("64 KiB frames", FRAME, 500, "prefix"),
                                      ("200-byte lines", LINES, 100, "lines")):
        bare = megabytes_a_second(["cat"], chunk, 2_000_000_000)
        through = megabytes_a_second([*wrap, "--wire", wire, "--", "cat"], chunk, 2_000_000_000)
        print(f"{what}: {through[0]:.0f} MB/s, {through[1]:.0f} MB a second of processor time "
              f"(bare {bare[0]:.0f}, {bare[1]:.0f}; target {target})")
        missed += through[0] < target
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    bare, through = [], []
    for _ in range(3):
        bare.append(round_trip_us(ECHO))
        through.append(round_trip_us([*wrap, "--", *ECHO]))
    ratio = min(through) / min(bare)
    print(f"echo on one processor: {min(through):.1f} us (bare {min(bare):.1f} us): {ratio:.2f} "
          f"times (target: at most 3)")
    return 1 if missed or ratio > 3 else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
