"""Generated scenarios, as `poolproof sweep --case` prints them, for runs of single files."""

import json
import subprocess

LIMIT_S = 60
# What stands in for an event that only the fault, or nobody, would bring about.
ARRANGED = ("await", "signal_worker")


def case(program, seed):
    """The scenario that `seed` gives, its faults included."""
    done = subprocess.run([program, "sweep", "--case", str(seed)], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, timeout=LIMIT_S, check=False)
    text = done.stdout.decode()
    return json.JSONDecoder().raw_decode(text, text.index("{"))[0]


def without_faults(scenario):
    """The same without its faults; None where it awaits or signals what may never be there then, or
    where real processes would take a day."""
    if "host" not in scenario.get("worlds", ["host"]):
        return None
    steps = [step for client in scenario["clients"] for step in client["steps"]]
    if any(kind in step for step in steps for kind in ARRANGED):
        return None
    return {key: value for key, value in scenario.items() if key != "faults"}


def write(scenario, name, folder):
    path = folder / (name + ".json")
    path.write_text(json.dumps({**scenario, "name": name}))
    return path


def sound_files(program, folder, first_seed, count):
    """Writes `count` scenarios without faults, the first ones from that seed on: their paths."""
    paths = []
    seed = first_seed
    while len(paths) < count:
        scenario = without_faults(case(program, seed))
        if scenario is not None:
            paths.append(write(scenario, f"sound-{seed}", folder))
        seed += 1
    return paths


def faulty_files(program, folder, first_seed, count):
    """Writes the scenarios of `count` seeds as they were made: their paths."""
    return [write(case(program, seed), f"case-{seed}", folder)
            for seed in range(first_seed, first_seed + count)]
