"""What is printed of the scores."""

import sys

from mutation.patches import invariants

LINE = "{:<8}  {:<44}  {:<40}  {:>8}  {:>8}  {:>4}  {:>4}"


def line_of(score):
    by = ", ".join(sorted(score.by)) or "-"
    others = ", ".join(sorted(score.seen_by - score.by))
    median = score.median
    cells = [score.verdict, score.mutant.name, by + (f" (also {others})" if others else ""),
             "-" if median in (None, sys.maxsize) else str(median), f"{score.seconds:.1f} s",
             str(score.size or "-"),
             f"{score.host_failed}/{score.host_runs}" if score.host_runs else "-"]
    text = LINE.format(*cells)
    return text + (f"\n          {score.note}" if score.note else "")


def print_summary(scores, tree):
    killed = [score for score in scores if score.verdict == "killed"]
    only = {}
    for score in killed:
        if len(score.seen_by) == 1:
            only.setdefault(next(iter(score.seen_by)), []).append(score.mutant.name)
    print("\ninvariants and the mutants that only they kill:")
    for name in invariants(tree):
        some = [score.mutant.name for score in killed if name in score.seen_by]
        words = ", ".join(only.get(name, [])) or "NO MUTANT AT ALL"
        if some and name not in only:
            words = f"none (with others: {', '.join(some[:3])})"
        print(f"  {name:<22} {words}")
    tried = [score for score in killed if score.host_runs]
    if tried:
        failed = [score for score in tried if score.host_failed]
        print(f"\non real processes the shrunk files of {len(failed)} of {len(tried)} mutants of code"
              " that both worlds run fail, too")
    print(f"\n{len(killed)} of {len(scores)} mutants killed")
