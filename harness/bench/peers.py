"""How fast is Poolproof's pool beside other people's? Runs all of them in turn.

usage: ./dev bench --peers [--passes N] [--seconds S] [--only REGEX] [--cells REGEX]
                           [--out FILE] [--program FILE] [--no-install] | --missing

Each pass goes through all cells (so many workers, so many clients), and in a cell through all pools
right after one another, each pass beginning with another one: what the machine does in a while it
does to all. Numbers are medians over the passes, and ratios are taken within a pass. What is
measured lasts about 2 to 4 times S seconds a run (0.15), and the warming up as long.

What is not there is skipped, and a line says what is missing. --missing prints the Debian packages
that would bring it. --program is a built poolproof_bench with its echo_worker beside it, instead of
the release build.

Exit code: 0 measured, 2 a build or a run failed, 64 bad usage.
"""

import argparse
import dataclasses
import json
import pathlib
import re
import sys

import peers_report
from peers_catalogue import PEERS
from programs import ROOT, Failed, build, end_on_term, run, say

# As in pool_bench.cpp.
MIXES = ((1, 1), (4, 4), (4, 16), (8, 64))
OWN = ("pool", "call_bytes", "call", "raw", "fifo", "fifo2", "overtaking")
REFERENCES = ("fifo", "fifo2", "overtaking")
OWN_BY_WORKLOAD = {
    "checkout": ("pool", *REFERENCES),
    "echo": ("call_bytes", "call", "raw", *REFERENCES),
}


@dataclasses.dataclass(frozen=True)
class Cell:
    workload: str  # "checkout" or "echo"
    workers: int
    clients: int

    def __str__(self):
        return f"{self.workload}/{self.workers}x{self.clients}"


@dataclasses.dataclass(frozen=True)
class Measured:
    """One run: operations a second of all clients; the longest operation where anybody waited."""

    rate: float
    longest_us: float | None


CELLS = tuple(Cell(workload, *mix) for workload in OWN_BY_WORKLOAD for mix in MIXES)


class OwnRow:
    """A row of poolproof_bench."""

    def __init__(self, program, name):
        self.program, self.name = program, name

    def measures(self, cell):
        return self.name in OWN_BY_WORKLOAD[cell.workload]

    def measure(self, cell, seconds):
        row = f"{cell.workload}/{self.name}/{cell.workers}x{cell.clients}"
        return read_own(run([self.program, f"--benchmark_filter=^{row}/",
                             f"--benchmark_min_time={2 * seconds}", "--benchmark_format=json"],
                            seconds=limit(seconds)))


class Driven:
    """A peer behind its driver."""

    def __init__(self, peer, echo_worker):
        self.peer, self.echo_worker, self.name = peer, echo_worker, peer.name

    def measures(self, cell):
        return cell.workload in self.peer.workloads

    def measure(self, cell, seconds):
        # One client alone shares a core with its worker: to wake another core costs ten times more.
        pinned = ["taskset", "-c", "0"] if cell.clients == 1 else []
        return read_driver(run([*pinned, *self.peer.command, cell.workload, str(cell.workers),
                                str(cell.clients), str(float(seconds)), str(self.echo_worker)],
                               seconds=limit(seconds)))


def limit(seconds):
    """Within so many seconds a run has ended, or it never will."""
    return 60 + 20 * seconds


def read_own(out):
    """Failed: the row is not there, or ended in an error."""
    rows = json.loads(out)["benchmarks"] if out.strip() else []
    if len(rows) != 1:
        raise Failed(f"{len(rows)} rows instead of one")
    if rows[0].get("error_occurred"):
        raise Failed(rows[0].get("error_message", "an error without words"))
    return Measured(rows[0]["items_per_second"], rows[0].get("longest_us"))


def read_driver(out):
    """Failed: the last line is not what a driver prints."""
    last = out.strip().splitlines()[-1] if out.strip() else ""
    try:
        told = json.loads(last)
        longest = told.get("longest_us")
        return Measured(told["operations"] / told["seconds"],
                        None if longest is None else float(longest))
    except (ValueError, KeyError, TypeError, AttributeError, ZeroDivisionError) as wrong:
        raise Failed(f"no line of operations and seconds, but: {last[:100]!r}") from wrong


def ready(all_peers, may_install):
    """The peers that are there, prepared; and those skipped, as lines that say why."""
    there, skipped = [], []
    for peer in all_peers:
        missing = [f"{need.what} (Debian: {need.package})" for need in peer.missing()]
        try:
            if not missing:
                peer.prepare(may_install)
                there.append(peer)
                continue
        except Failed as wrong:
            missing = [str(wrong)]
        skipped.append(f"{peer.name}: {', '.join(missing)}")
        say(f"peers: skips {skipped[-1]}")
    return there, skipped


def measure(subjects, cells, passes, seconds):
    """Runs by (subject's name, cell), one a pass, None where it failed; and what failed, in words.

    Whoever failed in a cell is not tried there again.
    """
    runs = {(one.name, cell): [] for cell in cells for one in subjects if one.measures(cell)}
    failures = []
    for done in range(passes):
        say(f"peers: pass {done + 1} of {passes}")
        turned = subjects[done % len(subjects):] + subjects[:done % len(subjects)]
        for cell in cells:
            for one in turned:
                found = runs.get((one.name, cell))
                if found is None or None in found:
                    continue
                try:
                    found.append(one.measure(cell, seconds))
                except Failed as wrong:
                    found.append(None)
                    failures.append(f"{one.name}: {cell}: {wrong}")
                    say(f"peers: {failures[-1]}")
    return runs, failures


def at_least(least, kind):
    def parse(word):
        value = kind(word)
        if not least <= value < float("inf"):
            raise argparse.ArgumentTypeError(f"{word} is not at least {least}")
        return value
    parse.__name__ = kind.__name__
    return parse


def pattern(word):
    try:
        return re.compile(word)
    except re.error as wrong:
        raise argparse.ArgumentTypeError(f"{word} is no regular expression: {wrong}") from wrong


def parsed(words):
    """ValueError: what is wrong with the words, in one line."""
    parser = argparse.ArgumentParser(prog="./dev bench --peers", exit_on_error=False)
    parser.add_argument("--passes", type=at_least(1, int), default=5)
    parser.add_argument("--seconds", type=at_least(0.001, float), default=0.15)
    parser.add_argument("--only", type=pattern, default=re.compile(""), metavar="REGEX")
    parser.add_argument("--cells", type=pattern, default=re.compile(""), metavar="REGEX")
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "reports/benchmarks.md")
    parser.add_argument("--program", type=pathlib.Path)
    parser.add_argument("--no-install", action="store_true")
    parser.add_argument("--missing", action="store_true")
    try:
        arguments, left = parser.parse_known_args(words)
    except argparse.ArgumentError as wrong:
        raise ValueError(str(wrong)) from wrong
    if left:
        raise ValueError(f"unknown argument: {left[0]}")
    arguments.cells = [cell for cell in CELLS if arguments.cells.search(str(cell))]
    if not arguments.cells:
        raise ValueError(f"--cells: fits none of {', '.join(map(str, CELLS))}")
    if arguments.program and not arguments.program.is_file():
        raise ValueError(f"--program: {arguments.program}: no such file")
    if not arguments.out.parent.is_dir():
        raise ValueError(f"--out: {arguments.out.parent}: no such folder")
    return arguments


def all_subjects(program, there, only):
    """fifo is always among them: the others are told as ratios to it."""
    subjects = [OwnRow(program, name) for name in OWN]
    subjects += [Driven(peer, program.parent / "echo_worker") for peer in there]
    return [one for one in subjects if only.search(one.name) or one.name == "fifo"]


def compare(words, arguments):
    """Measures and writes the page. What failed, in words."""
    wanted = [peer for peer in PEERS if arguments.only.search(peer.name)]
    there, skipped = ready(wanted, not arguments.no_install)
    if arguments.program:
        program, own_build = arguments.program.resolve(), "as given by --program"
    else:
        say("peers: builds the release build of poolproof_bench")
        program, own_build = build(ROOT), "release build"
    how = peers_report.facts(words, arguments.passes, arguments.seconds, own_build, ROOT)
    runs, failures = measure(all_subjects(program, there, arguments.only), arguments.cells,
                             arguments.passes, arguments.seconds)
    peers_report.write(arguments.out, peers_report.page(
        how, [(peer.name, peer.version(), peer.note) for peer in there], runs, arguments.cells,
        skipped, failures))
    return failures


def main(words):
    try:
        arguments = parsed(words)
    except ValueError as wrong:
        say(f"peers: {wrong}")
        return 64
    if arguments.missing:
        for package in dict.fromkeys(need.package for peer in PEERS for need in peer.missing()):
            print(package)
        return 0
    end_on_term()
    try:
        failures = compare(words, arguments)
    except (Failed, OSError) as wrong:
        say(f"peers: {wrong}")
        return 2
    say(f"peers: wrote {arguments.out}")
    return 2 if failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
