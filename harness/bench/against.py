"""Is this tree slower than that revision? Builds both and runs them in turn, row by row.

usage: ./dev bench --against REV [--passes N] [--filter REGEX] [--min-time SECONDS] [--seed N]

A machine that changes its speed makes two runs one after the other worthless. Here each pass runs a
row twice in both builds, A B B A or B A A B as is drawn, takes the better time of each, and a row is
judged from the ratios of these pairs (paired.py). A run is short, so that there are many pairs. A
row is done when its interval is narrow enough to tell a tenth; one that does not get there is
`unclear`.

A row has two measures: the time on the wall (the median of a run's repetitions), and the processor
time of its clients (the least of them), which other programs disturb by far less. Whoever waits
longer shows in the first alone, whoever does more in both.

Exit code: 0 no row is slower, 3 some row is, 64 bad usage, 2 a build or a run failed.
"""

import argparse
import dataclasses
import json
import pathlib
import random
import re
import shutil
import statistics
import subprocess
import sys

import paired
import programs
from programs import ROOT, Failed, build, run

REPETITIONS = 8
RUN_LIMIT_S = 120
DEFAULT_ROWS = "^(checkout/pool|echo/(call|call_bytes)|core)/"
MEASURES = ("wall", "cpu")
# Base and new: what makes the second run slower, or each run slower than the last, meets both.
ORDERS = ((0, 1, 1, 0), (1, 0, 0, 1))


@dataclasses.dataclass
class Row:
    """Pairs (base, new) of nanoseconds an operation, by measure; and how many runs had an error."""

    wall: list = dataclasses.field(default_factory=list)
    cpu: list = dataclasses.field(default_factory=list)
    errors: int = 0

    def add(self, base, new):
        """The runs of one pass: the better ones make the pair."""
        if None in base or None in new:
            self.errors += 1
            return
        for one in MEASURES:
            better = tuple(min(run[one] for run in runs) for runs in (base, new))
            getattr(self, one).append(better)

    def is_done(self, passes):
        """Whether it has an error, or more passes, up to so many, would tell nothing new."""
        return self.errors > 0 or all(paired.is_done(getattr(self, one), passes)
                                      for one in MEASURES)


def rows_of(program, wanted):
    listed = run([program, "--benchmark_list_tests", f"--benchmark_filter={wanted}"])
    return [row for row in listed.split("\n") if row]


def time_of(program, row, min_time):
    """Nanoseconds an operation of this row, by measure, or None if the row ended in an error."""
    plain = re.sub(r"([.+*?()\[\]{}|^$\\])", r"\\\1", row)
    return read_times(run([program, f"--benchmark_filter=^{plain}$",
                           f"--benchmark_min_time={min_time}",
                           f"--benchmark_repetitions={REPETITIONS}", "--benchmark_format=json"],
                          seconds=RUN_LIMIT_S))


def read_times(out):
    found = json.loads(out)["benchmarks"] if out.strip() else []
    runs = [one for one in found if one.get("run_type") == "iteration"]
    if not runs or any(one.get("error_occurred") for one in runs):
        return None
    return {"wall": statistics.median(one["real_time"] for one in runs),
            "cpu": min(one["cpu_time"] for one in runs)}


def measure(names, time_both, passes, dice):
    """Rows by name. `time_both[i](name)` is a run of the base (0) or of the new build (1)."""
    rows = {name: Row() for name in names}
    for done in range(passes):
        left = [name for name in names if not rows[name].is_done(passes)]
        if not left:
            break
        say(f"pass {done + 1} of at most {passes}: {len(left)} rows")
        for name in left:
            times = [], []
            for which in dice.choice(ORDERS):
                times[which].append(time_both[which](name))
            rows[name].add(*times)
    return rows


def report(rows):
    """One line a row, and how many are slower or in error."""
    width = max(map(len, rows))
    verdicts = []
    print(f"{'':8}{'':{width}}  {'base ns':>11}  {'wall new / base':15}  {'cpu new / base':15}  pairs")
    for name, row in rows.items():
        if row.errors:
            verdicts.append("error")
            print(f"{'ERROR':8}{name:{width}}  a run ended in an error")
            continue
        changes = [paired.change(getattr(row, one)) for one in MEASURES]
        verdicts.append(paired.worst([one.verdict() for one in changes]))
        base = statistics.median(base for base, _ in row.wall)
        print(f"{verdicts[-1]:8}{name:{width}}  {base:11.1f}  {changes[0]!s:15}  {changes[1]!s:15}  "
              f"{len(row.wall)}")
    bad = sum(one in ("slower", "error") for one in verdicts)
    print(f"{len(rows)} compared, {bad} slower or in error, {verdicts.count('unclear')} unclear")
    return bad


def say(words):
    programs.say(f"against: {words}")


def parsed(words):
    parser = argparse.ArgumentParser(prog="./dev bench --against", exit_on_error=False)
    parser.add_argument("rev", metavar="REV", nargs="?")
    parser.add_argument("--passes", type=int, default=80)
    parser.add_argument("--filter", default=DEFAULT_ROWS)
    parser.add_argument("--min-time", type=float, default=0.005)
    parser.add_argument("--seed", type=int, default=1)
    try:
        arguments, left = parser.parse_known_args(words)
    except argparse.ArgumentError as wrong:
        raise ValueError(str(wrong)) from wrong
    if left:
        raise ValueError(f"unknown argument: {left[0]}")
    if arguments.rev is None:
        raise ValueError("which revision? ./dev bench --against REV")
    if arguments.passes < paired.FEWEST_PAIRS:
        raise ValueError(f"--passes: {arguments.passes} is too few; at least {paired.FEWEST_PAIRS}")
    return arguments


def copied(program):
    """A copy beside it. Where the pages of a file lie in memory is decided when it is written: a
    linker's lie anywhere, and two runs of the same bytes differed by 7 % of a row's time."""
    copy = program.with_name(program.name + ".copy")
    copy.unlink(missing_ok=True)
    return pathlib.Path(shutil.copy(program, copy))


def measure_against(found, arguments):
    """Rows by name, of the revision `found` and of this tree."""
    tree = ROOT / "build" / f"against-{found}"
    remove = ["git", "worktree", "remove", "--force", str(tree)]
    # One may be left of a run that was killed.
    subprocess.run(remove, cwd=ROOT, capture_output=True, check=False)
    try:
        run(["git", "worktree", "add", "--detach", "--force", str(tree), found], cwd=ROOT)
        say(f"builds {found} and this tree")
        both = (copied(build(tree)), copied(build(ROOT)))
        known = set(rows_of(both[0], arguments.filter))
        names = [name for name in rows_of(both[1], arguments.filter) if name in known]
        if not names:
            raise Failed(f"no row that both have fits {arguments.filter}")
        times = [lambda name, one=one: time_of(one, name, arguments.min_time) for one in both]
        return measure(names, times, arguments.passes, random.Random(arguments.seed))
    finally:
        subprocess.run(remove, cwd=ROOT, capture_output=True, check=False)


def main(words):
    try:
        arguments = parsed(words)
        found = run(["git", "rev-parse", "--verify", "--short", arguments.rev + "^{commit}"],
                    cwd=ROOT).strip()
    except (ValueError, Failed) as wrong:
        say(str(wrong))
        return 64
    programs.end_on_term()
    try:
        rows = measure_against(found, arguments)
    except (Failed, OSError) as wrong:
        say(str(wrong))
        return 2
    return 3 if report(rows) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
