"""What `./dev bench --peers` found, as a page in Markdown."""

import datetime
import os
import shlex
import statistics

from programs import Failed, run

BASE = "fifo"
OWN_LABELS = {
    "pool": "**Poolproof**",
    "call_bytes": "**Poolproof, `call_bytes`**",
    "call": "**Poolproof, `call`**",
}
QUIET_LOAD = 0.5
LEAST_PASSES = 5
OWN_NOTES = {
    "raw": "no pool at all: a worker for each client, and as many clients as workers",
    "fifo": "a mutex, a queue, and a condition for each who waits: strict order, timed. It starts, "
            "watches and explains nothing",
    "fifo2": "the same, but who was granted is woken after the mutex is free",
    "overtaking": "a mutex and one condition, no order",
    "pool": "Poolproof's pool: checkout and check-in",
    "call_bytes": "Poolproof's pool: an opaque call",
    "call": "Poolproof's pool: a call with JSON, which is built, parsed and checked",
}
NOT_COMPARABLE = (
    "poolproof_bench and each driver are processes of their own, with another language's runtime, "
    "threads and clock: differences of a few percent between languages say nothing.",
    "One client, one worker is pinned to one core: Poolproof and the references pin the client and "
    "its worker, the drivers are pinned as a whole, so that a compiler or collector of the runtime "
    "shares that core.",
    "Only `call` reads the JSON; all the others move its bytes.",
    "Where a client waits the longest operation is told, from asking for a worker to having it back "
    "in the pool. It is the largest of very many: a single hiccup of the machine makes it.",
)


def machine():
    """The processor's name and how many of it may be used."""
    model = "an unknown processor"
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as info:
            for line in info:
                if line.startswith("model name"):
                    model = line.split(":", 1)[1].strip()
                    break
    except OSError:
        pass
    return f"{len(os.sched_getaffinity(0))} x {model}, Linux {os.uname().release}"


def revision(root):
    try:
        return run(["git", "describe", "--always", "--dirty"], cwd=root).strip()
    except Failed:
        return "not known"


def facts(command, passes, seconds, own_build, root):
    """How it was taken: lines (what, value), known before the first run."""
    load = os.getloadavg()[0]
    words = shlex.join(["./dev", "bench", "--peers", *command]).replace("|", "\\|")
    now = datetime.datetime.now(datetime.timezone.utc)
    return [
        ("command", f"`{words}`"),
        ("date", f"{now:%Y-%m-%d %H:%M} UTC"),
        ("machine", machine()),
        ("load before", f"{load:.2f}, of other programs"
         + (": **not a quiet machine, so this is a trial**" if load > QUIET_LOAD else "")),
        ("Poolproof", f"{revision(root)}, {own_build}"),
        ("passes", f"{passes}, each of all pools in turn; at least {2 * seconds:g} s a run, "
                   "after as much of warming up"
         + (": **too few, so this is a trial**" if passes < LEAST_PASSES else "")),
    ]


def short(number):
    """Three digits, with k or M."""
    for unit, name in ((1e6, " M"), (1e3, " k")):
        if number >= unit * 0.9995:
            return f"{number / unit:.3g}{name}"
    return f"{number:.3g}"


def whole(runs):
    """Whether it was measured and never failed."""
    return bool(runs) and None not in runs


def rate_text(runs, base):
    """The median rate, and the median of the ratios to `base` within each pass."""
    if not runs:
        return ""
    if not whole(runs):
        return "failed"
    text = short(statistics.median(one.rate for one in runs))
    if not whole(base):
        return text
    ratio = statistics.median(one.rate / of.rate for one, of in zip(runs, base))
    return f"{text} ({ratio:{'.2f' if ratio >= 0.1 else '.2g'}})"


def wait_text(runs, _):
    """The median of the passes' longest operations, and the longest of all, in milliseconds."""
    if not runs:
        return ""
    if not whole(runs):
        return "failed"
    waits = [one.longest_us / 1e3 for one in runs if one.longest_us is not None]
    return f"{statistics.median(waits):.3g} ({max(waits):.3g})" if waits else ""


def table(runs, cells, text):
    """Rows of the pools, columns of the cells. Empty where a pool does not do that."""
    names = list(dict.fromkeys(name for name, cell in runs if cell in cells))
    lines = ["| | " + " | ".join(f"{cell.workers} workers, {cell.clients} clients"
                                 if cell.clients > 1 else "1 worker, 1 client, pinned"
                                 for cell in cells) + " |",
             "|---|" + "---:|" * len(cells)]
    for name in names:
        texts = [text(runs.get((name, cell)), runs.get((BASE, cell))) for cell in cells]
        if any(texts):
            lines.append(f"| {OWN_LABELS.get(name, name)} | " + " | ".join(texts) + " |")
    return lines


def tables(runs, cells):
    titles = {"checkout": "Checkout and check-in alone",
              "echo": "Checkout, an echo of 100 bytes of JSON, check-in"}
    for workload, title in titles.items():
        chosen = [cell for cell in cells if cell.workload == workload]
        if not chosen:
            continue
        yield from ["", f"## {title}", "", "Operations a second of all clients together, and in "
                    f"brackets the ratio to `{BASE}`.", ""]
        yield from table(runs, chosen, rate_text)
        crowded = [cell for cell in chosen if cell.clients > cell.workers]
        if crowded:
            yield from ["", "The longest operation of a client in ms: the median of the passes, "
                        "and in brackets the longest of all.", ""]
            yield from table(runs, crowded, wait_text)


def bullets(title, lines):
    return ["", f"## {title}", "", *(f"- {line}" for line in lines)] if lines else []


def page(how, peers, runs, cells, skipped, failures):
    """`peers`: those that were there, as (name, version, note)."""
    lines = ["# Poolproof's pool beside others", "",
             "Written by `./dev bench --peers`; what a driver does stands in "
             "`harness/bench/peers_catalogue.py`. Compare within a table: another run of the same "
             "machine can be 1.6 times faster in all.", "", "| | |", "|---|---|",
             *(f"| {what} | {value} |" for what, value in how),
             *(f"| {name} | {version} |" for name, version, _ in peers)]
    lines += tables(runs, cells)
    own = [f"`{name}`: {OWN_NOTES[name]}." for name in dict.fromkeys(name for name, _ in runs)
           if name in OWN_NOTES]
    lines += bullets("The rows from this project", own)
    lines += bullets("What is not comparable",
                     [*NOT_COMPARABLE, *(f"{name}: {note}" for name, _, note in peers)])
    lines += bullets("Skipped", skipped)
    lines += bullets("Failed", failures)
    return "\n".join(lines) + "\n"


def write(path, text):
    """The whole file or none of it. OSError: it cannot be written."""
    draft = path.with_name(path.name + ".new")
    try:
        draft.write_text(text, encoding="utf-8")
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)
