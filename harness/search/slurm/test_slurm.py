#!/usr/bin/env python3
"""A sweep on a real Slurm: four shards, of which one is killed and requeued and one is asked to stop
and comes back by itself, merged after any, come to what one sweep in one go comes to.

    POOLPROOF=build/dev/bin/poolproof test_slurm.py

Exit code 77: skipped, for Slurm or munge is not installed (Debian: slurm-wlm, munge)."""

import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from cluster import Cluster, missing_programs, wait_until

HERE = Path(__file__).resolve().parent
SKIPPED = 77
SHARDS = 4
COUNT = int(os.environ.get("POOLPROOF_SLURM_COUNT", "40000"))
SWEEP = ("--count", str(COUNT), "--seed", "7")


def state_in(folder):
    return json.loads((folder / "sweep.json").read_text())


def check(condition, what):
    if not condition:
        raise AssertionError(what)


class Run:
    def __init__(self, cluster, work, program):
        self.cluster, self.work, self.program = cluster, work, program
        self.out = work / "poolproof-sweep"
        cluster.environment["POOLPROOF"] = program

    def said(self, name):
        try:
            return (self.work / name).read_text()
        except FileNotFoundError:
            return ""

    def has_begun(self, shard):
        """Its sweep has saved progress."""
        folder = self.out / f"shard-{shard}"
        return (folder / "sweep.json").exists() and state_in(folder)["done"] > 0

    def sweep_of(self, shard):
        """The pid of the shard's sweep, which has processes of its own."""
        mark = f"shard-{shard}".encode()
        found = {}
        for entry in os.listdir("/proc"):
            if not entry.isdigit():
                continue
            try:
                command = Path("/proc", entry, "cmdline").read_bytes()
                parent = int(Path("/proc", entry, "stat").read_text().rpartition(")")[2].split()[1])
            except (OSError, ValueError):
                continue
            if str(self.out.name).encode() + b"/" + mark in command:
                found[int(entry)] = parent
        return next((pid for pid, parent in found.items() if parent not in found), None)

    def runs_again(self, job, shard):
        """Whether the shard's second try has got somewhere; helps it to begin."""
        said = self.said(f"sweep-{shard}.out")
        if said.count("kind(s) of failure, ") > 1 or "\nno failure\n" in said:
            return True
        state = self.cluster.states().get(f"{job}_{shard}")
        # One that begins in the second in which its predecessor ended may be refused by its node
        # ("Job credential revoked").
        if state is None:
            self.cluster.run("scontrol", "requeue", f"{job}_{shard}", check=False)
        if state == "PENDING":
            self.cluster.start_now(f"{job}_{shard}")
        return False

    def carry_out(self):
        job = self.cluster.submit("--output=sweep-%a.out", f"--array=1-{SHARDS}",
                                  HERE / "sweep.sbatch", *SWEEP, cwd=self.work)
        for shard in (2, 3):
            wait_until(lambda shard=shard: self.has_begun(shard), f"shard {shard}")
        # One is killed: the task fails, and somebody requeues it.
        os.kill(wait_until(lambda: self.sweep_of(2), "the sweep of shard 2"), signal.SIGKILL)
        # One is asked, as a preempted one is: it ends with 75, for which Slurm requeues it itself.
        self.cluster.run("scancel", "--signal=TERM", "--batch", f"{job}_3")
        wait_until(lambda: f"{job}_2" not in self.cluster.states(), "the end of shard 2")
        check(state_in(self.out / "shard-2")["parts"][0]["end"] == "running", "it was killed")
        wait_until(lambda: "the same command goes on" in self.said("sweep-3.out"),
                   "the end of shard 3")
        check(self.cluster.states().get(f"{job}_3") is not None, "75 did not requeue shard 3")
        for shard in (2, 3):
            wait_until(lambda shard=shard: self.runs_again(job, shard), f"shard {shard} again")
        merge = self.cluster.submit("--output=merge.out", f"--dependency=afterany:{job}",
                                    HERE / "merge.sbatch", "--no-host", cwd=self.work)
        wait_until(lambda: not self.cluster.states(), f"the end of {job} and {merge}")

    def judge(self):
        said = self.said("merge.out")
        check(f"{COUNT} of {COUNT} scenarios in {SHARDS} of {SHARDS} shard(s)" in said, said)
        check(said.endswith("\nno failure\n"), said)
        whole = self.work / "whole"
        subprocess.run([self.program, "sweep", *SWEEP, "--no-host", "--out", whole], check=True,
                       stdout=subprocess.DEVNULL)
        one, sum_of_all = state_in(whole), state_in(self.out / "sum")
        for key in ("done", "traces", "repeated", "coverage", "proved_nothing", "failures", "build"):
            check(one[key] == sum_of_all[key], f"{key}: {one[key]} and {sum_of_all[key]}")
        for codec in ("terse", "json"):
            for key in ("runs", "core_events"):
                check(one[codec][key] == sum_of_all[codec][key], f"{codec} {key}")
        check(self.said("sweep-3.out").count("\nno failure\n") == 1, "shard 3 came back")
        return f"hash {one['traces']}, {one['repeated']} repeated: the same in {SHARDS} shards"


def main():
    missing = missing_programs()
    if missing:
        print(f"skipped: no {', '.join(missing)} here; Debian has them in slurm-wlm and munge")
        return SKIPPED
    program = os.path.abspath(os.environ["POOLPROOF"])
    with tempfile.TemporaryDirectory(prefix="poolproof-slurm-") as folder:
        work = Path(folder, "work")
        work.mkdir()
        (Path(folder) / "cluster").mkdir()
        cluster = Cluster(Path(folder) / "cluster", SHARDS)
        run = Run(cluster, work, program)
        try:
            cluster.start()
            run.carry_out()
            said = run.judge()
        except BaseException:
            for log in [*work.glob("*.out"), *cluster.folder.glob("*.log")]:
                print(f"--- {log.name}\n{log.read_text(errors='replace')[-3000:]}")
            raise
        finally:
            cluster.stop()
        print(said)
    return 0


if __name__ == "__main__":
    sys.exit(main())
