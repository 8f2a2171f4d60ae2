"""Is this tree slower than that revision? Builds both and runs them in turn, row by row.

usage: against.py REV [--passes N] [--filter REGEX] [--min-time SECONDS] [--seed N]

A machine that changes its speed makes two runs one after the other worthless. Here each pass runs a
row in both builds right after one another, and draws which of them goes first. So, if there is no
difference, each pair's ratio is as likely as its inverse, whatever the machine does. The test counts
on nothing else: signed ranks of the logarithms (Wilcoxon), exact, and with the larger half of the
ranks all alike, so that the few pairs between whose runs the machine changed its speed do not
outvote the rest. It is wrong in one row of 200.

Exit code: 0 no row is slower, 3 some row is, 64 bad usage, 2 a build or a run failed.
"""

import argparse
import json
import math
import random
import statistics
import subprocess
import sys

import programs
from programs import ROOT, Failed, build, run

# A row is told as changed when chance does as much in at most so many of all cases, and the median
# ratio is off by at least so much: less is nothing that anybody would act on.
CHANCE_MAX = 0.005
LEAST_CHANGE = 0.03
FEWEST_PASSES = 9  # with fewer pairs not even the clearest change is that unlikely
REPETITIONS = 20
DEFAULT_ROWS = "^(checkout|echo/(call|call_bytes|raw)|core)/"


def chance(ratios):
    """How likely ratios as one-sided as these are if up and down are equally likely: from 0 to 1.

    Exact, for any number of pairs: the distribution of the sum of ranks over all signs.
    """
    logs = sorted((math.log(ratio) for ratio in ratios if ratio != 1), key=abs)
    if not logs:
        return 1.0
    # Doubled ranks, so that ties, which share their mean rank, have whole ones.
    ranks, start = [], 0
    while start < len(logs):
        end = start
        while end < len(logs) and abs(logs[end]) == abs(logs[start]):
            end += 1
        ranks += [start + end + 1] * (end - start)
        start = end
    ranks = [min(rank, ranks[len(ranks) // 2]) for rank in ranks]
    total = sum(ranks)
    ways = [1] + [0] * total
    for rank in ranks:
        for at in range(total, rank - 1, -1):
            ways[at] += ways[at - rank]
    up = sum(rank for rank, log in zip(ranks, logs) if log > 0)
    tail = sum(ways[: min(up, total - up) + 1])
    return min(1.0, 2 * tail / 2 ** len(ranks))


def judged(ratios):
    """`slower`, `faster` or `same`, from the ratios new / base of the pairs."""
    middle = statistics.median(ratios)
    if chance(ratios) > CHANCE_MAX or abs(math.log(middle)) < math.log(1 + LEAST_CHANGE):
        return "same"
    return "slower" if middle > 1 else "faster"


def rows_of(program, wanted):
    return run([program, "--benchmark_list_tests", f"--benchmark_filter={wanted}"]).split("\n")


def time_of(program, row, min_time):
    """Nanoseconds an operation of this row, or None if the row ended in an error.

    The least of some short repetitions: what disturbs one only makes it slower.
    """
    plain = "".join("\\" + c if c in ".+*?()[]{}|^$\\" else c for c in row)
    out = run([program, f"--benchmark_filter=^{plain}$", f"--benchmark_min_time={min_time}",
               f"--benchmark_repetitions={REPETITIONS}", "--benchmark_format=json"])
    runs = [one for one in json.loads(out)["benchmarks"] if one.get("run_type") == "iteration"]
    if not runs or any(one.get("error_occurred") for one in runs):
        return None
    return min(one["real_time"] for one in runs)


def measure(base, fresh, arguments):
    """Pairs (base, new) of times by row."""
    known = set(rows_of(base, arguments.filter))
    rows = [row for row in rows_of(fresh, arguments.filter) if row and row in known]
    if not rows:
        raise Failed(f"no row that both have fits {arguments.filter}")
    dice = random.Random(arguments.seed)
    pairs = {row: [] for row in rows}
    for done in range(arguments.passes):
        say(f"pass {done + 1} of {arguments.passes}")
        for row in rows:
            order = [0, 1]
            dice.shuffle(order)
            times = [None, None]
            for which in order:
                times[which] = time_of((base, fresh)[which], row, arguments.min_time)
            if None not in times:
                pairs[row].append(tuple(times))
    return pairs


def report(pairs):
    """One line a row, and how many are slower."""
    width = max(map(len, pairs))
    slower = 0
    print(f"{'':8}{'':{width}}  {'base ns':>12} {'new ns':>12}  ratio  chance")
    for row, times in pairs.items():
        if len(times) < FEWEST_PASSES:
            print(f"{'ERROR':8}{row:{width}}  only {len(times)} pairs without an error")
            slower += 1
            continue
        ratios = [new / base for base, new in times]
        verdict = judged(ratios)
        slower += verdict == "slower"
        before, after = (statistics.median(side) for side in zip(*times))
        print(f"{verdict:8}{row:{width}}  {before:12.1f} {after:12.1f}  "
              f"{statistics.median(ratios):5.2f}  {chance(ratios):.4f}")
    print(f"{len(pairs)} compared, {slower} slower or in error")
    return slower


def say(words):
    programs.say(f"against: {words}")


def parsed(words):
    parser = argparse.ArgumentParser(prog="./dev bench --against", exit_on_error=False)
    parser.add_argument("rev", metavar="REV")
    parser.add_argument("--passes", type=int, default=21)
    parser.add_argument("--filter", default=DEFAULT_ROWS)
    parser.add_argument("--min-time", type=float, default=0.01)
    parser.add_argument("--seed", type=int, default=1)
    try:
        arguments, left = parser.parse_known_args(words)
    except argparse.ArgumentError as wrong:
        raise ValueError(str(wrong)) from wrong
    if left:
        raise ValueError(f"unknown argument: {left[0]}")
    if arguments.passes < FEWEST_PASSES:
        raise ValueError(f"--passes: {arguments.passes} is too few; at least {FEWEST_PASSES}")
    return arguments


def main(words):
    try:
        arguments = parsed(words)
        found = run(["git", "rev-parse", "--verify", "--short", arguments.rev + "^{commit}"],
                    cwd=ROOT).strip()
    except (ValueError, Failed) as wrong:
        say(str(wrong))
        return 64
    tree = ROOT / "build" / f"against-{found}"
    try:
        run(["git", "worktree", "add", "--detach", "--force", str(tree), found], cwd=ROOT)
        say(f"builds {found} and this tree")
        pairs = measure(build(tree), build(ROOT), arguments)
    except Failed as wrong:
        say(str(wrong))
        return 2
    finally:
        subprocess.run(["git", "worktree", "remove", "--force", str(tree)], cwd=ROOT,
                       capture_output=True, check=False)
    return 3 if report(pairs) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
