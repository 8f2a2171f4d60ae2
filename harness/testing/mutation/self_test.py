"""Bad patches of every kind, and whether --check and --refresh tell of them."""

import contextlib
import io
import shutil
import tempfile
from pathlib import Path

from mutation.field_bugs import PAGE, check_codes
from mutation.patches import ORACLE, PATCHES, check
from mutation.refresh import git, refresh

ORACLE_TEXT = 'Invariant{"order", "S15", "first come first served", true, judge_order},\n'
PAGE_TEXT = "| B10 | a bug | x |\n| N-7 | a bug | x |\n| S15 | a promise | N-7 |\n"
SOURCE_FILE = "harness/x.cpp"
SOURCE = "one\ntwo\nthree\nfour\nfive\nsix\nseven\n"
DIFF = ("--- a/harness/x.cpp\n+++ b/harness/x.cpp\n@@ -1,7 +1,7 @@\n one\n two\n three\n"
        "-four\n+FOUR\n five\n six\n seven\n")
HEAD = "bug: B10, N-7\nwhat: a bug\ninvariant: order\nworld: sim\n"

# Each of them must be told of by --check.
BAD = {
    "a context that is not there": (HEAD, DIFF.replace(" three", " THREE")),
    "a line that is gone": (HEAD, DIFF.replace("-four", "-vier")),
    "a file that is gone": (HEAD, DIFF.replace("x.cpp", "y.cpp")),
    "no diff": (HEAD, ""),
    "an unknown code": (HEAD.replace("B10", "B1000"), DIFF),
    "a code of no kind": (HEAD.replace("N-7", "Q-1"), DIFF),
    "an unknown invariant": (HEAD.replace("order", "ardor"), DIFF),
    "an unknown world": (HEAD.replace("sim", "dream"), DIFF),
    "a host mutant without scenarios": (HEAD.replace("sim", "host"), DIFF),
    "scenarios that are gone": (HEAD + "scenarios: no.json\n", DIFF),
    "a header without its sentence": (HEAD.replace("what: a bug\n", ""), DIFF),
    "an unknown key": (HEAD + "color: red\n", DIFF),
}
# Texts in which one code has no row, or one row no use.
BAD_CODES = {
    "a code without a row": {SOURCE_FILE: "// K" + "10\n"},
    "a code without a row, in a file's name": {f"{PATCHES}/SK" + "-4-bug.patch": ""},
    "a code without a row, in the page": {PAGE: PAGE_TEXT + "| B" + "11 | as D" + "-3 | |\n",
                                          SOURCE_FILE: "// B" + "11\n"},
    "a row that nobody uses": {PAGE: PAGE_TEXT + "| B" + "11 | a bug | x |\n"},
}
# What --refresh makes of a diff, beside the source as it is; None: it must tell of it.
REFRESHED = {
    "all fits": (DIFF, DIFF),
    "the first line of context has changed": (DIFF.replace(" one", " eins"), DIFF),
    "the last lines of context have changed": (DIFF.replace(" six\n seven", " 6\n 7"), DIFF),
    "the file has moved": (DIFF.replace("harness/", "harness/old/"), DIFF),
    "the line beside the change has changed": (DIFF.replace(" three", " drei"), None),
    "the changed line itself has changed": (DIFF.replace("-four", "-vier"), None),
    "the file is gone": (DIFF.replace("x.cpp", "y.cpp"), None),
}
# What --refresh makes of DIFF, which applied to the last commit, once these words are others.
MERGED = {
    "a comment above the change": ({"three": "drei"}, DIFF.replace(" three", " drei")),
    "both neighbours of the change": ({"three": "drei", "five": "5"},
                                      DIFF.replace(" three", " drei").replace(" five", " 5")),
    "the changed line itself": ({"four": "vier"}, None),
}


@contextlib.contextmanager
def tree_with(patches):
    """A small tree with one source and these patches."""
    with tempfile.TemporaryDirectory() as name:
        tree = Path(name)
        files = {ORACLE: ORACLE_TEXT, SOURCE_FILE: SOURCE, PAGE: PAGE_TEXT}
        files |= {f"{PATCHES}/{stem}.patch": text for stem, text in patches.items()}
        for file, text in files.items():
            (tree / file).parent.mkdir(parents=True, exist_ok=True)
            (tree / file).write_text(text)
        yield tree


def wrong_in_check(kind, head, diff):
    """A bad patch beside a good one: exactly its own line must come."""
    with tree_with({"good": f"{HEAD}\n{DIFF}", "other": f"{head}\n{diff}"}) as tree:
        found = check(tree)
        if len(found) != (kind in BAD) or any("other.patch" not in line for line in found):
            yield f"{kind}: {found}"
        if (tree / SOURCE_FILE).read_text() != SOURCE:
            yield f"{kind}: the tree was changed"


def wrong_in_codes(kind, texts):
    with tree_with({"good": f"{HEAD}\n{DIFF}"}) as tree:
        for file, text in texts.items():
            (tree / file).write_text(text)
        found = list(check_codes(tree))
        if len(found) != 1:
            yield f"{kind}: {found}"


def wrong_in_refresh(kind, diff, expected):
    with tree_with({"one": f"{HEAD}\n{diff}"}) as tree:
        with contextlib.redirect_stdout(io.StringIO()) as said:
            lost = refresh(tree)
        text = (tree / PATCHES / "one.patch").read_text()
        if bool(lost) != (expected is None) or text != f"{HEAD}\n{expected or diff}":
            yield f"refresh: {kind}: {lost}, {text}"
        if bool(said.getvalue()) != (expected not in (None, diff)):
            yield f"refresh: {kind}: said {said.getvalue()!r}"
        if (tree / SOURCE_FILE).read_text() != SOURCE:
            yield f"refresh: {kind}: the tree was changed"


def wrong_in_merge(kind, words, expected):
    with tree_with({"one": f"{HEAD}\n{DIFF}"}) as tree:
        for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "all"]):
            git(tree, "-c", "user.name=x", "-c", "user.email=x", *command)
        for before, now in words.items():
            source = (tree / SOURCE_FILE).read_text().replace(before, now)
            (tree / SOURCE_FILE).write_text(source)
        with contextlib.redirect_stdout(io.StringIO()):
            lost = refresh(tree)
        text = (tree / PATCHES / "one.patch").read_text()
        if bool(lost) != (expected is None) or text != f"{HEAD}\n{expected or DIFF}":
            yield f"merge: {kind}: {lost}, {text}"


def self_test():
    wrong = []
    for kind, (head, diff) in {"nothing bad": (HEAD, DIFF), **BAD}.items():
        wrong.extend(wrong_in_check(kind, head, diff))
    for kind, texts in BAD_CODES.items():
        wrong.extend(wrong_in_codes(kind, texts))
    for kind, (diff, expected) in REFRESHED.items():
        wrong.extend(wrong_in_refresh(kind, diff, expected))
    for kind, (words, expected) in MERGED.items() if shutil.which("git") else ():
        wrong.extend(wrong_in_merge(kind, words, expected))
    print("\n".join(wrong) or f"{len(BAD) + len(BAD_CODES)} kinds of bad patches and codes found, "
                              f"{len(REFRESHED) + len(MERGED)} patches refreshed or given up")
    return 1 if wrong else 0
