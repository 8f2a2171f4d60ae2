"""Does anything catch the mutant that does not catch the sound pool?"""

import concurrent.futures
import json
import shutil
import statistics
import sys
import time
from dataclasses import dataclass, field

from mutation.patches import Mutant, Trouble
from mutation.sweeps import Sweeps, catcher
from mutation.workshop import Planted

# From so many seeds in a row that find nothing on, the others are not tried.
SEEDS_IN_VAIN = 3
# The sound pool's own failures in so many scenarios of each seed are known before the first mutant.
KNOWN_BEFORE = 20_000
# So much is looked at to learn which invariants besides the first one see a mutant.
LOOK_COUNT, LOOK_S = 5000, 20
SCENARIOS_S = 900


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
