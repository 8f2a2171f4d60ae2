"""Sweeps of one program."""

import json
import shutil
import time

from mutation.patches import Trouble

SHRINK_S = 180


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
        if code not in (0, 1, 2, 75):  # 75: its time was over before its count
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
