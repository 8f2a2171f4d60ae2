#!/usr/bin/env python3
"""Who tests the tests? Plants known bugs in a copy of the tree and sees that each is caught.

    mutants.py [OPTIONS]    builds each mutant, prints a scoreboard; exit code 1 when one survives,
                            no longer applies, does not build, or the sound pool fails
    mutants.py --check      only: every patch applies to the tree as it is, and says what it must;
                            every code in the repository stands in FIELD_BUGS.md, and is used
    mutants.py --refresh    only: rewrites each patch that applies with fuzz alone, or applied to an
                            earlier commit and can be merged, and shows what changed in it: look at
                            each. Exit code 1 when one does not apply even so
    mutants.py --self-test  plants bad patches of every kind and sees that they are found

A mutant is a file mutants/NAME.patch: lines `key: value`, an empty line, a unified diff.
    bug        the codes of the public reports behind it: rows of harness/FIELD_BUGS.md
    what       the bug in one sentence, as its report tells it
    invariant  what is expected to catch it: a name of harness/oracle/oracle.cpp, `expectation`
               (a scenario's own), or `broken promise`, `hang`, `stuck`, `crash`, `nondeterminism`
    world      `sim`: swept, or carried out by the simulator where it names scenarios;
               `host`: its scenarios on real processes; `both`: its scenarios in both worlds, which
               must diverge
    scenarios  files or folders; `host` and `both` need them

What the sound pool shows with the same seeds kills no mutant. Nothing is left behind, however this
program ends: a guardian kills all that carries the run's token in its environment.
"""

import argparse
import os
import re
import shutil
import signal
import sys
import tempfile
from pathlib import Path

from mutation.judge import KNOWN_BEFORE, Judge
from mutation.patches import PATCHES, Trouble, check, read_mutants
from mutation.refresh import refresh
from mutation.scoreboard import LINE, line_of, print_summary
from mutation.self_test import self_test
from mutation.workshop import Guardian, Shop, copy_tree

TREE = Path(__file__).resolve().parent.parent.parent


def world_both_exists(shop):
    _, said = shop.run([shop.sound / "poolproof", "run", "--help"], 60)
    return re.search(r"\bboth\b", said) is not None


def chosen(mutants, only):
    if not only:
        return mutants
    unknown = [name for name in only if not any(one.name.startswith(name) for one in mutants)]
    if unknown:
        raise Trouble(f"no such mutant: {', '.join(unknown)}")
    return [one for one in mutants if any(one.name.startswith(name) for name in only)]


def hunt_all(arguments, shop):
    copy_tree(TREE, shop.tree)
    mutants = chosen(read_mutants(shop.tree), arguments.only)
    # Neighbours change the same files, so that less is compiled again.
    mutants.sort(key=lambda one: (one.files, one.name))
    print("building the sound pool", flush=True)
    shop.build_sound()
    judge = Judge(shop, arguments)
    if any(one.world == "sim" and not one.scenarios for one in mutants):
        shutil.rmtree(judge.sound.out, ignore_errors=True)
        count = min(arguments.count, KNOWN_BEFORE)
        judge.sweep_sound({seed: count for seed in range(1, arguments.seeds + 1)})
        print(f"the sound pool has {len(judge.known)} signature(s) of its own in {count} scenarios"
              " of each seed", flush=True)
    both = world_both_exists(shop)
    print(LINE.format("verdict", "mutant", "killed by", "median", "time", "size", "host"),
          flush=True)
    scores = []
    for mutant in mutants:
        if mutant.world == "both" and not both:
            print(f"skipped   {mutant.name:<44}  this poolproof has no `run --world both`")
            continue
        scores.append(judge.judge(mutant))
        print(line_of(scores[-1]), flush=True)
    if any(score.last for score in scores):
        judge.judge_sound(scores)
    print_summary(scores, shop.tree)
    for line in judge.sound_trouble:
        print(line)
    bad = [score for score in scores if score.verdict != "killed"]
    for score in bad:
        print(f"{score.verdict}: {score.mutant.name}: {score.note}")
    return 1 if bad or judge.sound_trouble or not scores else 0


def parse(arguments):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--check", action="store_true", help="only: all patches apply")
    parser.add_argument("--refresh", action="store_true",
                        help="only: rewrite the patches whose context has changed")
    parser.add_argument("--self-test", action="store_true", help="only: bad patches are found")
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME",
                        help="mutants whose names begin so")
    parser.add_argument("--seeds", type=int, default=10, help="sweeps of each mutant (10)")
    parser.add_argument("--count", type=int, default=200_000, help="scenarios of a sweep at most")
    parser.add_argument("--time", type=int, default=60, help="seconds of a sweep at most (60)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes (all)")
    parser.add_argument("--work", type=Path,
                        help="folder that is kept, for faster builds (default: a temporary one)")
    parsed = parser.parse_args(arguments)
    for name in ("seeds", "count", "time", "jobs"):
        if getattr(parsed, name) < 1:
            parser.error(f"--{name}: {getattr(parsed, name)}; at least 1")
    return parsed


def main(arguments):
    parsed = parse(arguments)
    if parsed.self_test:
        return self_test()
    if parsed.refresh:
        lost = refresh(TREE)
        print("\n".join(lost) or "all others apply as they are")
        return 1 if lost else 0
    wrong = check(TREE)
    if wrong or parsed.check:
        count = len(list((TREE / PATCHES).glob("*.patch")))
        print("\n".join(wrong) or f"{count} mutants apply")
        return 1 if wrong else 0
    folder = Path(tempfile.mkdtemp(prefix="poolproof-mutants-")) if not parsed.work else parsed.work
    folder = folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # ends us at once: the guardian does the rest
    guardian = Guardian(None if parsed.work else folder)
    try:
        return hunt_all(parsed, Shop(folder, guardian.token, parsed.jobs))
    except Trouble as trouble:
        print(trouble)
        return 1
    finally:
        guardian.dismiss()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
