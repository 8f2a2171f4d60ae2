#!/usr/bin/env python3
"""What does the simulator not know? Orders of the Core's events seen on real processes alone.

    event_orders.py POOLPROOF [OPTIONS]

Generated scenarios, sound and faulty, are carried out once on real processes and with many seeds in
the simulator. Of each run the Core's events are taken, and of these
    pairs       what two events in a row were, what the pool did at each, and whether they were
                about the same worker, another one of its slot, or another slot's
    situations  what an event was, what the pool did, and how many (0, 1, more) were starting, in
                handshake, idle, leased, leaving and waiting before
Those that no simulated run shows are printed, most frequent first, each with a trace. Exit code 1:
there are some that `--often` real runs show.

Of 1,681 orders in 200 real runs 118 were in none of 2,400 simulated ones, when a worker had been
given its time to leave (before: 181 in none of 2,000); each in one or two real runs. (The simulator
did not tell the Core of a late cancel then; it does now, and this was not measured again.) They are
    after the end     a real pool is closed while starts fail or workers leave; a simulated one first
                      comes to rest
    little time left  a real start takes longer than the budget leaves it; a simulated one takes 0, 1
                      or 40 ms
    coincidences      three or four states at once, of which more seeds show more (`--chase`)
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from generated import faulty_files, sound_files

STATES = ("starting", "handshake", "idle", "leased", "leaving", "waiting")


class Pool:
    """The workers' states and the number of those who wait, as far as the records tell."""

    def __init__(self):
        self.states, self.leases, self.waiting = {}, {}, 0

    def standing(self):
        counts = Counter(self.states.values())
        counts["waiting"] = self.waiting
        return "".join(str(min(counts[state], 2)) for state in STATES)

    def happened(self, record):
        kind, worker = record["kind"], record.get("worker")
        if kind == "checkout_requested":
            self.waiting += 1
        if kind == "started" and self.states.get(worker) == "starting":
            self.states[worker] = "handshake"
        if kind == "handshake_ended" and self.states.get(worker) == "handshake":
            self.states[worker] = "idle"
        if kind == "checked_in":
            held = self.leases.pop(record["lease"], None)
            if self.states.get(held) == "leased":
                self.states[held] = "idle"
        for effect in record.get("effects", ()):
            self.ordered(effect)

    def ordered(self, effect):
        kind, worker = effect["kind"], effect.get("worker")
        if kind in ("grant", "refuse"):
            self.waiting -= 1
        if kind == "grant":
            self.states[worker] = "leased"
            self.leases[effect["lease"]] = worker
        if kind == "start":
            self.states[worker] = "starting"
        if kind == "stop":
            self.states[worker] = "leaving"
        if kind == "forget":
            self.states.pop(worker, None)


def said(record):
    """What happened, and what the pool did about it."""
    words = [record["kind"]]
    words += [str(record[key]) for key in ("clean",) if key in record]
    cause = record.get("evidence", {}).get("cause") or record.get("cause")
    if isinstance(cause, str):
        words.append(cause)
    did = Counter(" ".join(filter(None, (effect["kind"], effect.get("step"), effect.get("why"))))
                  for effect in record.get("effects", ()))
    told = [what if times == 1 else what + " (more)" for what, times in sorted(did.items())]
    return " ".join(words) + (" -> " + ", ".join(told) if told else "")


def relation(one, other):
    if one is None or other is None:
        return "|"
    if one == other:
        return "of the same worker"
    same_slot = one.split(".")[0] == other.split(".")[0]
    return "of the same slot" if same_slot else "of another slot"


def orders_of(path):
    """All pairs and situations of one trace."""
    found, pool, before = set(), Pool(), None
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            record = json.loads(line)
            if record.get("from") != "pool":
                continue
            standing = pool.standing()
            worker = record.get("worker") or pool.leases.get(record.get("lease"))
            pool.happened(record)
            if record["kind"] == "tick" and not record.get("effects"):
                continue
            words = said(record)
            found.add(f"at {standing}: {words}")
            if before is not None:
                found.add(f"{before[0]}, then {relation(before[1], worker)} {words}")
            before = (words, worker)
    return found


def traces(program, paths, out, jobs, *words):
    """Carries the files out; the traces of the runs with their faults."""
    subprocess.run([program, "run", *map(str, paths), "--out", str(out), "--jobs", str(jobs), *words],
                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=False)
    return [path for path in sorted((out / "traces").glob("*.jsonl"))
            if not path.name.endswith(".control.jsonl")]


def compare(arguments, folder):
    program = str(arguments.program.resolve())
    paths = sound_files(program, folder, arguments.seed, arguments.sound)
    paths += faulty_files(program, folder, arguments.seed, arguments.faulty)
    real, example = Counter(), {}
    for path in traces(program, paths, folder / "host", arguments.jobs):
        for order in orders_of(path):
            real[order] += 1
            example.setdefault(order, path)
    unseen = set(real)
    runs = 0
    for schedule in range(arguments.schedules + arguments.chase):
        if schedule >= arguments.schedules:
            wanted = {example[order].stem for order in unseen}
            tried = [path for path in paths if path.stem in wanted]
        else:
            tried = paths
        if not tried:
            break
        out = folder / f"sim-{schedule}"
        seed = ("--seed", str(arguments.seed + schedule))
        for path in traces(program, tried, out, arguments.jobs, "--world", "sim", *seed):
            unseen -= orders_of(path)
            runs += 1
        shutil.rmtree(out, ignore_errors=True)
    print(f"{len(paths)} real runs: {len(real)} orders; {runs} simulated runs lack {len(unseen)}")
    often = [order for order in unseen if real[order] >= arguments.often]
    for order in sorted(unseen, key=lambda one: (-real[one], one)):
        print(f"{real[order]:5} {example[order].name}: {order}")
    return 1 if often else 0


def parse():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("program", type=Path, help="poolproof")
    parser.add_argument("--sound", type=int, default=100, help="scenarios without faults (100)")
    parser.add_argument("--faulty", type=int, default=100, help="scenarios with faults (100)")
    parser.add_argument("--seed", type=int, default=1, help="of the first scenario (1)")
    parser.add_argument("--schedules", type=int, default=50, help="simulated runs of each (50)")
    parser.add_argument("--chase", type=int, default=0,
                        help="further simulated runs of those scenarios alone of whose real runs"
                             " an order is missing (0)")
    parser.add_argument("--often", type=int, default=3,
                        help="so many real runs make an order worth an error (3)")
    parser.add_argument("--jobs", type=int, default=4, help="scenarios side by side (4)")
    parser.add_argument("--work", type=Path, help="folder that is kept (default: a temporary one)")
    return parser.parse_args()


def main():
    arguments = parse()
    if arguments.work:
        arguments.work.mkdir(parents=True, exist_ok=True)
        return compare(arguments, arguments.work)
    with tempfile.TemporaryDirectory() as folder:
        return compare(arguments, Path(folder))


if __name__ == "__main__":
    sys.exit(main())
