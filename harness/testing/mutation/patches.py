"""The mutants as files: what is in them, whether they are good and apply."""

import re
import subprocess
from dataclasses import dataclass

from mutation.field_bugs import PAGE, check_codes, known_codes

PATCHES = "harness/testing/mutants"
ORACLE = "harness/oracle/oracle.cpp"

KEYS = {"bug", "what", "invariant", "world", "scenarios"}
WORLDS = {"sim", "host", "both"}
# What catches a mutant besides the oracle's invariants.
OTHER_CATCHERS = {"expectation", "broken promise", "hang", "stuck", "crash", "divergent",
                  "nondeterminism"}


class Trouble(Exception):
    """One line of why a mutant, or the whole run, can't go on."""


@dataclass
class Mutant:
    name: str
    keys: dict
    diff: str

    @property
    def files(self):
        return re.findall(r"^\+\+\+ b/(\S+)$", self.diff, re.MULTILINE)

    @property
    def world(self):
        return self.keys["world"]

    @property
    def in_simulator_alone(self):
        """Real processes run nothing of it."""
        return all(path.startswith("harness/sim/") for path in self.files)

    @property
    def scenarios(self):
        return self.keys.get("scenarios", "").split()

    @property
    def expected(self):
        return "divergent" if self.world == "both" else self.keys["invariant"]


def read_mutant(path):
    head, _, diff = path.read_text().partition("\n\n")
    keys = {}
    for line in head.splitlines():
        key, colon, value = line.partition(": ")
        if not colon or key not in KEYS or key in keys:
            raise Trouble(f"{path.name}: header: {line!r}; known keys, each once: {sorted(KEYS)}")
        keys[key] = value.strip()
    return Mutant(path.stem, keys, diff)


def read_mutants(tree):
    return [read_mutant(path) for path in sorted((tree / PATCHES).glob("*.patch"))]


def invariants(tree):
    return re.findall(r'Invariant\{"(\w+)"', (tree / ORACLE).read_text())


def wrong_with(mutant, tree):
    """Why the patch's header or target is no good; empty: it is."""
    keys = mutant.keys
    lacking = [key for key in ("bug", "what", "invariant", "world") if not keys.get(key)]
    if lacking:
        return f"header lacks {', '.join(lacking)}"
    unknown = [code for code in keys["bug"].split(", ") if code not in known_codes(tree)]
    if unknown:
        return f"bug: no such code in {PAGE}: {', '.join(unknown)}"
    if keys["invariant"] not in OTHER_CATCHERS | set(invariants(tree)):
        return f"invariant: {keys['invariant']!r}; a name of {ORACLE} or {sorted(OTHER_CATCHERS)}"
    if mutant.world not in WORLDS:
        return f"world: {mutant.world!r}; one of {sorted(WORLDS)}"
    if mutant.world != "sim" and not mutant.scenarios:
        return f"scenarios: none; a mutant of world {mutant.world} needs some"
    missing = [path for path in mutant.scenarios if not (tree / path).exists()]
    if missing:
        return f"scenarios: no such file: {', '.join(missing)}"
    if not mutant.files:
        return "there is no diff in it"
    return ""


def patch(mutant, tree, *options, fuzz=0):
    """Applies it. Of the context, `fuzz` lines at either end need not fit; other lines move."""
    done = subprocess.run(["patch", "-p1", f"--fuzz={fuzz}", "--force", "--no-backup-if-mismatch",
                           "--reject-file=-", *options], input=mutant.diff, text=True, cwd=tree,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    if done.returncode != 0:
        even_so = " even with fuzz" if fuzz else ""
        raise Trouble(f"no longer applies{even_so}: " + " | ".join(done.stdout.split("\n")[:4]))


def check(tree):
    """One line for each patch that is no good, and for each code without a row or a use."""
    try:
        mutants = read_mutants(tree)
    except Trouble as trouble:
        return [str(trouble)]
    if not mutants:
        return [f"{PATCHES}: there are no mutants"]
    found = list(check_codes(tree))
    for mutant in mutants:
        wrong = wrong_with(mutant, tree)
        try:
            if not wrong:
                patch(mutant, tree, "--dry-run")
        except Trouble as trouble:
            wrong = str(trouble)
        if wrong:
            found.append(f"{PATCHES}/{mutant.name}.patch: {wrong}")
    return found
