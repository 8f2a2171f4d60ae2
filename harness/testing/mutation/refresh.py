"""Patches whose context has changed are written anew, with the context as it is now."""

import difflib
import os
import subprocess
import tempfile
from pathlib import Path

from mutation.patches import PATCHES, Mutant, Trouble, patch, read_mutants

FUZZ = 2  # one of three lines of context must fit
COMMITS = 50  # the last ones of its files, among which one is looked for in which it applied


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


def write_files(folder, texts):
    for name, text in texts.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def planted(mutant, texts, fuzz=0):
    """The texts of the mutant's files with the bug in them."""
    with tempfile.TemporaryDirectory() as folder:
        write_files(Path(folder), texts)
        patch(mutant, folder, fuzz=fuzz)
        return {name: (Path(folder) / name).read_text() for name in texts}


def git(tree, *arguments):
    """What git says of the repository that `tree` lies in; nothing where it fails."""
    # A hook of git's exports which repository it means.
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    try:
        done = subprocess.run(["git", "-C", tree, *arguments], text=True, stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, check=False, env=environment)
    except OSError:
        return None
    return done.stdout if done.returncode == 0 else None


def merged(mutant, tree, texts):
    """The same by a merge: with what the last commit in which it applied has become since."""
    commits = git(tree, "log", f"-n{COMMITS}", "--format=%H", "--", *texts) or ""
    for commit in commits.split():
        before = {name: git(tree, "show", f"{commit}:./{name}") for name in texts}
        try:
            bugs = planted(mutant, before) if None not in before.values() else None
        except Trouble:
            continue
        if bugs:
            return {name: merge(texts[name], before[name], bugs[name]) for name in texts}
    raise Trouble(f"no longer applies even with fuzz, nor did it in the last {COMMITS} commits")


def merge(now, before, bug):
    """What changes from `before` to `bug`, in `now`. The lines that it takes away must be there, and
    beside an added line one of its neighbours."""
    now, before, bug = (text.splitlines(keepends=True) for text in (now, before, bug))
    where = {-1: -1, len(before): len(now)}  # lines of `before` in `now`
    for a, b, size in difflib.SequenceMatcher(None, before, now, False).get_matching_blocks():
        where.update({a + i: b + i for i in range(size)})
    result = list(now)
    changes = difflib.SequenceMatcher(None, before, bug, False).get_opcodes()
    for kind, first, end, from_bug, to_bug in reversed(changes):
        if kind == "equal":
            continue
        start = where.get(first) if first < end or first - 1 not in where else where[first - 1] + 1
        if start is None or any(where.get(first + i) != start + i for i in range(end - first)):
            raise Trouble("no longer applies: lines that it changes have changed: "
                          + "".join(before[first:end]).strip())
        result[start:start + end - first] = bug[from_bug:to_bug]
    return "".join(result)


def refreshed(mutant, tree):
    """Its diff against the tree as it is; the old one where that still applies exactly."""
    mutant = moved(mutant, tree)
    texts = {name: (tree / name).read_text() for name in mutant.files}
    try:
        planted(mutant, texts)
        return mutant.diff
    except Trouble:
        pass
    try:
        bugs = planted(mutant, texts, fuzz=FUZZ)
    except Trouble:
        bugs = merged(mutant, tree, texts)
    return "".join(unified(texts[name], bugs[name], f"a/{name}", f"b/{name}") for name in texts)


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
