"""Patches whose context has changed are written anew, with the context as it is now."""

import difflib
import shutil
import tempfile
from pathlib import Path

from mutation.patches import PATCHES, Mutant, Trouble, patch, read_mutants

FUZZ = 2  # one of three lines of context must fit


def moved(mutant, tree):
    """The mutant with the present folders of its files, if there is one file of each name."""
    diff = mutant.diff
    for name in mutant.files:
        if not (tree / name).exists():
            found = [path for room in ("harness", "fake_workers", "reports")
                     for path in (tree / room).rglob(Path(name).name)]
            if len(found) != 1:
                raise Trouble(f"no longer applies: {name} is gone")
            for side in "ab":
                diff = diff.replace(f"{side}/{name}", f"{side}/{found[0].relative_to(tree)}")
    return Mutant(mutant.name, mutant.keys, diff)


def unified(before, after, name_before, name_after):
    return "".join(difflib.unified_diff(before.splitlines(keepends=True),
                                        after.splitlines(keepends=True), name_before, name_after))


def refreshed(mutant, tree):
    """Its diff against the tree as it is; the old one where that still applies exactly."""
    mutant = moved(mutant, tree)
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        for name in mutant.files:
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(tree / name, copy / name)
        try:
            patch(mutant, copy, "--dry-run")
            return mutant.diff
        except Trouble:
            patch(mutant, copy, fuzz=FUZZ)
        return "".join(unified((tree / name).read_text(), (copy / name).read_text(),
                               f"a/{name}", f"b/{name}") for name in mutant.files)


def refresh(tree):
    """Rewrites what can be, prints how, and returns one line for each patch that can't."""
    lost = []
    for mutant in read_mutants(tree):
        file = f"{PATCHES}/{mutant.name}.patch"
        try:
            diff = refreshed(mutant, tree)
        except Trouble as trouble:
            lost.append(f"{file}: {trouble}")
            continue
        if diff != mutant.diff:
            before = (tree / file).read_text()
            after = before.removesuffix(mutant.diff) + diff
            (tree / file).write_text(after)
            print(f"refreshed {file}\n{unified(before, after, 'before', 'after')}", flush=True)
    return lost
