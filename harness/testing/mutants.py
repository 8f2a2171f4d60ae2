#!/usr/bin/env python3
"""Who tests the tests? Plants known bugs in a copy of the tree and sees that each is caught.

    mutants.py [OPTIONS]    builds each mutant, prints a scoreboard; exit code 1 when one survives,
                            no longer applies, does not build, or the sound pool fails
    mutants.py --check      only: every patch applies to the tree as it is, and says what it must
    mutants.py --self-test  plants a bad patch of every kind and sees that it is found

A mutant is a file mutants/NAME.patch: lines `key: value`, an empty line, a unified diff.
    bug        the codes of the public reports behind it
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
import concurrent.futures
import json
import os
import re
import secrets
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
TREE = HERE.parent.parent
PATCHES = "harness/testing/mutants"
ORACLE = "harness/oracle/oracle.cpp"
LEFT_OUT = {".git", "build", "poolproof-out", "poolproof-sweep", "__pycache__"}
TARGETS = ["poolproof", "fake_worker"]

# How many reports of each kind the catalogue has.
CODES = {"B": 32, "N": 14, "P": 10, "SK": 30, "H": 19, "X": 21, "D": 15, "Y": 12, "W": 12, "M": 9}
KEYS = {"bug", "what", "invariant", "world", "scenarios"}
WORLDS = {"sim", "host", "both"}
# What catches a mutant besides the oracle's invariants.
OTHER_CATCHERS = {"expectation", "broken promise", "hang", "stuck", "crash", "divergent",
                  "nondeterminism"}

TOKEN = "POOLPROOF_MUTANTS"
# From so many seeds in a row that find nothing on, the others are not tried.
SEEDS_IN_VAIN = 3
# The sound pool's own failures in so many scenarios of each seed are known before the first mutant.
KNOWN_BEFORE = 20_000
# So much is looked at to learn which invariants besides the first one see a mutant.
LOOK_COUNT, LOOK_S = 5000, 20
BUILD_S, SCENARIOS_S, SHRINK_S = 1800, 900, 180


class Trouble(Exception):
    """One line of why a mutant, or the whole run, can't go on."""


# ---- the patches ---------------------------------------------------------------------------------


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


def known_code(code):
    kind, number = re.fullmatch(r"([A-Z]+)-?(\d+)", code).groups() if re.fullmatch(
        r"B\d\d|[A-Z]+-\d+", code) else ("", "0")
    return 1 <= int(number) <= CODES.get(kind, 0)


def wrong_with(mutant, tree):
    """Why the patch's header or target is no good; empty: it is."""
    keys = mutant.keys
    lacking = [key for key in ("bug", "what", "invariant", "world") if not keys.get(key)]
    if lacking:
        return f"header lacks {', '.join(lacking)}"
    unknown = [code for code in keys["bug"].split(", ") if not known_code(code)]
    if unknown:
        return f"bug: no such code in the catalogue: {', '.join(unknown)}"
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


def patch(mutant, tree, *options):
    """Applies it; whatever does not fit exactly is refused."""
    done = subprocess.run(["patch", "-p1", "--fuzz=0", "--force", "--no-backup-if-mismatch",
                           "--reject-file=-", *options], input=mutant.diff, text=True, cwd=tree,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    if done.returncode != 0:
        raise Trouble("no longer applies: " + " | ".join(done.stdout.split("\n")[:4]))


def check(tree):
    """One line for each patch that is no good."""
    try:
        mutants = read_mutants(tree)
    except Trouble as trouble:
        return [str(trouble)]
    if not mutants:
        return [f"{PATCHES}: there are no mutants"]
    found = []
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


# ---- processes -----------------------------------------------------------------------------------


def carriers(token):
    """The processes in whose environment the token is."""
    mark = f"{TOKEN}={token}".encode()
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            if mark in (entry / "environ").read_bytes().split(b"\0"):
                yield int(entry.name)
        except OSError:
            continue  # gone, or somebody else's


class Guardian:
    """A process of its own session that outlives this one, to kill and to clear away what is left.

    It is set off by the end of a pipe that only we hold: by dismiss(), or by our death.
    """

    def __init__(self, folder):
        self.token = secrets.token_hex(16)
        reader, self._writer = os.pipe()
        sys.stdout.flush()
        self._pid = os.fork()
        if self._pid == 0:
            os.setsid()
            for name in ("SIGINT", "SIGTERM", "SIGHUP"):
                signal.signal(getattr(signal, name), signal.SIG_IGN)
            os.close(self._writer)
            os.read(reader, 1)
            self._clear_away(folder)
            os._exit(0)
        os.close(reader)

    def dismiss(self):
        os.close(self._writer)
        os.waitpid(self._pid, 0)

    def _clear_away(self, folder):
        quiet = 0
        while quiet < 2:  # between fork and exec a process does not have the token yet
            left = list(carriers(self.token))
            quiet = 0 if left else quiet + 1
            for pid in left:
                try:
                    os.kill(pid, signal.SIGKILL)
                except OSError:
                    pass
            time.sleep(0.05)
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)


class Shop:
    """Where copies are built and run."""

    def __init__(self, folder, token, jobs):
        self.folder, self.jobs = folder, jobs
        self.tree, self.build, self.sound = folder / "tree", folder / "build", folder / "sound"
        # What a shell exports for other projects must not decide how this one is built.
        unset = {"CC", "CXX", "CFLAGS", "CXXFLAGS", "CPPFLAGS", "LDFLAGS", "LIBRARY_PATH", "CPATH",
                 "CPLUS_INCLUDE_PATH"}
        self.environment = {key: value for key, value in os.environ.items() if key not in unset}
        self.environment[TOKEN] = token

    def run(self, arguments, limit_s, cwd=None):
        """The exit code and all that was said."""
        with tempfile.TemporaryFile(mode="w+", errors="replace", dir=self.folder) as said:
            started = subprocess.Popen([str(one) for one in arguments], cwd=cwd or self.tree,
                                       env=self.environment, stdin=subprocess.DEVNULL, stdout=said,
                                       stderr=subprocess.STDOUT)
            try:
                code = started.wait(timeout=limit_s)
            except subprocess.TimeoutExpired:
                started.kill()
                started.wait()
                code = None
            said.seek(0)
            return code, said.read()

    def compile(self):
        code, said = self.run(["cmake", "--build", self.build, "--parallel", self.jobs, "--target",
                               *TARGETS], BUILD_S)
        if code != 0:
            errors = [line for line in said.splitlines() if "error" in line or "FAILED" in line]
            raise Trouble("does not build: " + " | ".join(errors[:3]))

    def build_sound(self):
        code, said = self.run(["cmake", "--preset", "release", "-B", self.build], BUILD_S)
        if code != 0:
            raise Trouble("can't configure: " + said[-1000:])
        self.compile()
        shutil.rmtree(self.sound, ignore_errors=True)
        shutil.copytree(self.build / "bin", self.sound)


def copy_tree(source, target):
    """Brings `target` to what `source` is; files that are equal stay as they are."""
    kept = set()
    for folder, folders, files in os.walk(source):
        folders[:] = [one for one in folders if one not in LEFT_OUT]
        here = Path(folder).relative_to(source)
        (target / here).mkdir(parents=True, exist_ok=True)
        for name in files:
            kept.add(here / name)
            before, after = Path(folder) / name, target / here / name
            if not after.exists() or before.read_bytes() != after.read_bytes():
                shutil.copyfile(before, after)
                shutil.copymode(before, after)
    for path in [one for one in target.rglob("*") if one.is_file()]:
        if path.relative_to(target) not in kept:
            path.unlink()


class Planted:
    """The mutant's files in the copy, while it lasts."""

    def __init__(self, mutant, tree):
        self._mutant, self._tree = mutant, tree
        self._before = {}

    def __enter__(self):
        self._before = {name: (self._tree / name).read_bytes() for name in self._mutant.files}
        patch(self._mutant, self._tree)

    def __exit__(self, *_):
        for name, text in self._before.items():
            (self._tree / name).write_bytes(text)


# ---- sweeps --------------------------------------------------------------------------------------


def catcher(signature):
    return signature.partition(":")[0]


class Sweeps:
    """Sweeps of one program, each seed in one process of its own, so that numbers repeat."""

    def __init__(self, shop, program, out, time_s):
        self.shop, self.program, self.out, self.time_s = shop, program, out, time_s

    def sweep(self, folder, seed, count, *options, time_s=None):
        """How many were carried out, and what failed by its signature: number, size, times..."""
        limit = time_s or self.time_s
        shutil.rmtree(folder, ignore_errors=True)  # else it would go on where another one stopped
        code, said = self.shop.run(
            [self.program, "sweep", "--seed", seed, "--count", count, "--time", limit, "--jobs", 1,
             "--out", folder, *options], limit + SHRINK_S + 60, cwd=self.shop.folder)
        if code not in (0, 1, 2):
            raise Trouble(f"the sweep of seed {seed} ended with {code}: {said[-300:]}")
        state = json.loads((folder / "sweep.json").read_text())
        return state["done"], {one["signature"]: one for one in state["failures"]}

    def first_new(self, seed, limit, known):
        """The first failure of that seed whose signature is not known; None: there is none."""
        folder = self.out / f"seed-{seed}"
        _, failures = self.sweep(folder, seed, limit, "--no-shrink", "--stop-at-failure")
        if failures and not set(failures) - known:
            # Stopped at what the sound pool shows, too: past all of those.
            began = time.monotonic()
            for count in (300, 3000, 30_000, limit):
                left = self.time_s - (time.monotonic() - began)
                if left < 1 or set(failures) - known:
                    break
                _, failures = self.sweep(folder, seed, min(count, limit), "--no-shrink",
                                         time_s=int(left))
        new = [one for signature, one in failures.items() if signature not in known]
        return min(new, key=lambda one: one["number"], default=None)

    def shrunk(self, seed, failure, *options):
        """That failure with the smallest scenario that fails so; None: it did not shrink."""
        # Those before it fail otherwise and would be shrunk, too: the last one alone is enough.
        folder = self.out / "shrunk"
        count = failure["number"] + 1
        _, failures = self.sweep(folder, seed, count, "--stop-at-failure", *options)
        if failure["signature"] not in failures:
            _, failures = self.sweep(folder, seed, count, *options)
        found = failures.get(failure["signature"])
        return found if found and found["file"] else None


# ---- the scoreboard ------------------------------------------------------------------------------


@dataclass
class Score:
    mutant: Mutant
    verdict: str = ""  # killed, SURVIVED, FAILED, skipped
    by: set = field(default_factory=set)  # the first catcher of each seed
    seen_by: set = field(default_factory=set)  # all catchers
    signatures: set = field(default_factory=set)
    counts: list = field(default_factory=list)
    last: dict = field(default_factory=dict)  # seed to the scenarios needed
    seeds: int = 0
    seconds: float = 0.0
    size: object = None
    host_failed: int = 0  # runs of the shrunk file on real processes
    host_runs: int = 0
    note: str = ""

    @property
    def median(self):
        return statistics.median_low(self.counts) if self.counts else None


class Judge:
    def __init__(self, shop, arguments):
        self.shop, self.arguments = shop, arguments
        self.known = {}  # of the sound pool: signatures to how they were found
        self.sound = Sweeps(shop, shop.sound / "poolproof", shop.folder / "sound-sweeps",
                            arguments.time)
        self.sound_done = {}
        self.sound_trouble = []

    # -- the sound pool

    def sweep_sound(self, counts):
        """Carries out so many scenarios of each seed, whatever fails."""
        def one(seed):
            done, failures = self.sound.sweep(self.sound.out / f"seed-{seed}", seed, counts[seed],
                                              "--no-shrink", time_s=self.arguments.time * 4)
            return seed, done, failures

        with concurrent.futures.ThreadPoolExecutor(self.arguments.jobs) as pool:
            for seed, done, failures in pool.map(one, counts):
                self.sound_done[seed] = done
                for signature, failure in failures.items():
                    self.known.setdefault(signature, f"seed {seed}, case {failure['seed']}")

    # -- one mutant

    def judge(self, mutant):
        score = Score(mutant)
        began = time.monotonic()
        try:
            with Planted(mutant, self.shop.tree):
                self.shop.compile()
                out = self.shop.folder / "mutant"
                shutil.rmtree(out, ignore_errors=True)
                began = time.monotonic()
                self.hunt(score, out)
        except Trouble as trouble:
            score.verdict, score.note = "FAILED", str(trouble)
        score.seconds = time.monotonic() - began
        if score.verdict == "killed" and score.mutant.expected not in score.seen_by:
            score.verdict = "FAILED"
            score.note = f"caught, but not by {score.mutant.expected}, as its header says"
        return score

    def hunt(self, score, out):
        if score.mutant.scenarios:
            self.run_scenarios(score, out)
        else:
            self.sweep_seeds(score, out)

    def run_scenarios(self, score, out):
        """Which of the scenarios' findings does the mutant raise that the sound pool does not?"""
        world = score.mutant.world

        def findings(program, folder):
            paths = [self.shop.tree / path for path in score.mutant.scenarios]
            code, said = self.shop.run([program, "run", *paths, "--world", world, "--out", folder],
                                       SCENARIOS_S, cwd=self.shop.folder)
            try:
                report = json.loads((folder / "report.json").read_text())
            except (OSError, ValueError):
                who = folder.name
                raise Trouble(f"{who}: run ended with {code}: {said[-300:]}") from None
            found = set()
            for one in report["scenarios"]:
                if one["verdict"] == "divergent":
                    found.add((one["name"], "divergent"))
                if one["verdict"] == "fail":
                    found |= {(one["name"], finding["invariant"]) for finding in one["findings"]}
            return found

        sound = findings(self.shop.sound / "poolproof", out / "sound")
        if sound:
            raise Trouble(f"the sound pool fails its scenarios: {sorted(sound)}")
        found = findings(self.shop.build / "bin" / "poolproof", out / "mutated")
        score.by = score.seen_by = {invariant for _, invariant in found}
        score.verdict = "killed" if found else "SURVIVED"
        score.note = ", ".join(sorted({name for name, _ in found}))

    def sweep_seeds(self, score, out):
        sweeps = Sweeps(self.shop, self.shop.build / "bin" / "poolproof", out, self.arguments.time)
        seeds = list(range(1, self.arguments.seeds + 1))
        known = set(self.known)
        found = {}
        with concurrent.futures.ThreadPoolExecutor(self.arguments.jobs) as pool:
            for first in (seeds[:SEEDS_IN_VAIN], seeds[SEEDS_IN_VAIN:]):
                hunts = {seed: pool.submit(sweeps.first_new, seed, self.arguments.count, known)
                         for seed in first}
                found.update({seed: hunt.result() for seed, hunt in hunts.items()})
                if not any(found.values()):
                    break
        score.seeds = len(found)
        kills = {seed: one for seed, one in found.items() if one}
        # A seed that found nothing counts as more than any that did.
        score.counts = [one["number"] + 1 if one else sys.maxsize for one in found.values()]
        score.last = {seed: one["number"] + 1 for seed, one in kills.items()}
        score.by = {catcher(one["signature"]) for one in kills.values()}
        score.signatures = {one["signature"] for one in kills.values()}
        if not kills or score.median == sys.maxsize:
            score.verdict = "SURVIVED"
            score.note = f"{len(kills)} of {len(found)} seeds caught it"
            return
        score.verdict = "killed"
        if len(kills) < len(found):
            score.note = f"{len(kills)} of {len(found)} seeds caught it"
        seed, failure = next(iter(kills.items()))
        options = ["--no-host"] if score.mutant.in_simulator_alone else []
        shrunk = sweeps.shrunk(seed, failure, *options)
        if shrunk:
            score.size = shrunk["size"]
            score.host_failed, score.host_runs = shrunk["host_failed"], shrunk["host_runs"]
        _, all_seen = sweeps.sweep(out / "look", 1, LOOK_COUNT, "--no-shrink", time_s=LOOK_S)
        score.signatures |= set(all_seen) - known
        score.seen_by = {catcher(signature) for signature in score.signatures}

    # -- the end

    def judge_sound(self, scores):
        """The sound pool passes what was needed, or what it shows kills nobody."""
        counts = {seed: 1 for seed in range(1, self.arguments.seeds + 1)}
        for score in scores:
            for seed, count in score.last.items():
                counts[seed] = max(counts[seed], count)
        most = max(counts.values())
        if any(self.sound_done.get(seed, 0) < most for seed in counts):
            self.sweep_sound({seed: most for seed in counts})
        for score in scores:
            guilty = score.signatures & set(self.known)
            if score.verdict == "killed" and guilty:
                score.verdict = "FAILED"
                score.note = f"the sound pool shows it, too: {sorted(guilty)[0]}"
        for signature, where in sorted(self.known.items()):
            self.sound_trouble.append(f"the sound pool fails ({where}): {signature}")


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


# ---- the self-test -------------------------------------------------------------------------------

SAMPLE_ORACLE = 'Invariant{"order", "S15", "first come first served", true, judge_order},\n'
SAMPLE_SOURCE = "one\ntwo\nthree\nfour\nfive\nsix\nseven\n"
SAMPLE_DIFF = ("--- a/harness/x.cpp\n+++ b/harness/x.cpp\n@@ -1,7 +1,7 @@\n one\n two\n three\n"
               "-four\n+FOUR\n five\n six\n seven\n")
SAMPLE_HEAD = "bug: B10, N-7\nwhat: a bug\ninvariant: order\nworld: sim\n"


def self_test():
    """Each bad patch alone, beside a good one: exactly its own line must come."""
    bad = {
        "a context that is not there": (SAMPLE_HEAD, SAMPLE_DIFF.replace(" three", " THREE")),
        "a line that is gone": (SAMPLE_HEAD, SAMPLE_DIFF.replace("-four", "-vier")),
        "a file that is gone": (SAMPLE_HEAD, SAMPLE_DIFF.replace("x.cpp", "y.cpp")),
        "no diff": (SAMPLE_HEAD, ""),
        "an unknown code": (SAMPLE_HEAD.replace("B10", "B99"), SAMPLE_DIFF),
        "a code of no kind": (SAMPLE_HEAD.replace("N-7", "Q-1"), SAMPLE_DIFF),
        "an unknown invariant": (SAMPLE_HEAD.replace("order", "ardor"), SAMPLE_DIFF),
        "an unknown world": (SAMPLE_HEAD.replace("sim", "dream"), SAMPLE_DIFF),
        "a host mutant without scenarios": (SAMPLE_HEAD.replace("sim", "host"), SAMPLE_DIFF),
        "scenarios that are gone": (SAMPLE_HEAD + "scenarios: no.json\n", SAMPLE_DIFF),
        "a header without its sentence": (SAMPLE_HEAD.replace("what: a bug\n", ""), SAMPLE_DIFF),
        "an unknown key": (SAMPLE_HEAD + "color: red\n", SAMPLE_DIFF),
    }
    failures = []
    for kind, (head, diff) in {"nothing bad": (SAMPLE_HEAD, SAMPLE_DIFF), **bad}.items():
        with tempfile.TemporaryDirectory() as name:
            tree = Path(name)
            (tree / PATCHES).mkdir(parents=True)
            (tree / ORACLE).parent.mkdir(parents=True)
            (tree / ORACLE).write_text(SAMPLE_ORACLE)
            (tree / "harness/x.cpp").write_text(SAMPLE_SOURCE)
            (tree / PATCHES / "good.patch").write_text(SAMPLE_HEAD + "\n" + SAMPLE_DIFF)
            (tree / PATCHES / "other.patch").write_text(head + "\n" + diff)
            found = check(tree)
            untouched = (tree / "harness/x.cpp").read_text() == SAMPLE_SOURCE
        expected = 1 if kind in bad else 0
        if len(found) != expected or any("other.patch" not in line for line in found):
            failures.append(f"{kind}: {found}")
        if not untouched:
            failures.append(f"{kind}: the tree was changed")
    print("\n".join(failures) or f"{len(bad)} kinds of bad patches found")
    return 1 if failures else 0


# ---- the command line ----------------------------------------------------------------------------


def parse(arguments):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--check", action="store_true", help="only: all patches apply")
    parser.add_argument("--self-test", action="store_true", help="only: --check can fail")
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
