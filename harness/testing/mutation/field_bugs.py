"""The page of codes, and whether it has the codes that the repository uses, and no others."""

import re

PAGE = "harness/FIELD_BUGS.md"
ROOMS = ("harness", "fake_workers", "reports", "scenarios", "python", "README.md")
TEXTS = {".cpp", ".hpp", ".py", ".md", ".json", ".patch"}
CODE = re.compile(r"\b(?:[BK]\d\d|[SL]\d{1,2}b?|(?:SK|[NPHXDYWM])-\d{1,2})\b")
ROW = re.compile(rf"^\| ({CODE.pattern}) \|", re.MULTILINE)


def known_codes(tree):
    return set(ROW.findall((tree / PAGE).read_text()))


def codes_of(text):
    return set(CODE.findall(text))


def texts(tree):
    """The name and the text of each file that may use a code."""
    for room in ROOMS:
        paths = [tree / room] if (tree / room).is_file() else (tree / room).rglob("*")
        for path in sorted(paths):
            if path.suffix in TEXTS and path.is_file():
                yield path.relative_to(tree).as_posix(), path.read_text(errors="replace")


def check_codes(tree):
    """One line for each code without a row and for each row whose code nobody uses."""
    known, used = known_codes(tree), set()
    for name, text in texts(tree):
        codes = codes_of(name + text)
        used |= codes if name != PAGE else set()
        for code in sorted(codes - known):
            yield f"{name}: {code} has no row in {PAGE}"
    for code in sorted(known - used):
        yield f"{PAGE}: nobody uses {code}"
