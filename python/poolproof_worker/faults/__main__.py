"""The sample worker with faults. Usage: python3 -m poolproof_worker.faults [OPTION VALUE]...

  --fault NAME          plants a fault; may be repeated. Its parameters follow it
  --at K=V[,K=V]        where it strikes: client=a,call=1 or slot=, generation=, request=
                        (left out: everywhere)
  --PARAM VALUE         a parameter of the fault before it: --delay-ms 300
  --plan FILE           faults from a plan file              (POOLPROOF_PLAN)
  --journal FILE        appends what it does, as JSON lines  (POOLPROOF_JOURNAL)
  --worker MODULE:NAME  another Worker than the sample
  --list                the fault table as JSON

The options of python3 -m poolproof_worker are understood too; --tickets numbers the journal's lines. What can't be understood is one line
on stderr and exit code 64.
"""

from __future__ import annotations

import importlib
import os
import sys

from .. import _options
from .._pipes import claim_stdio
from .catalogue import FAULTS, as_rows
from .journal import Journal
from .plan import PlanError, key_twice, read_fault, read_plan
from .server import FaultyPipes, FaultyServer

_TEXTS = {param.name for fault in FAULTS for param in fault.params if param.is_text}
_PARAMS = {param.name for fault in FAULTS for param in fault.params}


class Asked:
    """What the command line and the environment ask for."""

    def __init__(self):
        self.options = _options.Options.from_environment()
        self.plan_file = os.environ.get("POOLPROOF_PLAN", "")
        self.journal_file = os.environ.get("POOLPROOF_JOURNAL", "")
        self.worker = "poolproof_worker._sample:worker"
        self.faults = []  # as a plan file would hold them

    def set(self, option, value):
        name = option[2:].replace("-", "_")
        if name in _options.Options.NAMES:
            self.options.set(name, value, option)
        elif name in ("plan", "journal"):
            setattr(self, name + "_file", value)
        elif name == "worker":
            self.worker = value
        elif name == "fault":
            self.faults.append({"fault": value, "at": {}})
        elif not self.faults:
            raise ValueError(f"{option}: no --fault before it; --fault NAME {option} VALUE")
        elif name == "at":
            _aim(value, self.faults[-1]["at"])
        else:
            _put(self.faults[-1], name, value if name in _TEXTS else _number_or_text(value), option)

    def plan(self):
        """The plan file's faults, then those of the command line."""
        plan = read_plan(self.plan_file) if self.plan_file else []
        for fault in self.faults:
            where = f"--fault {fault['fault']}"
            plan.append(read_fault(fault, where, f"f{len(plan)}"))
            self.refuse_what_can_not_strike(plan[-1].fault, where)
        return plan

    def refuse_what_can_not_strike(self, fault, where):
        """In a plan it is meant for others; a worker that is to show it itself can't."""
        if fault.moment == "launch":
            raise PlanError(where, "strikes before there is a worker", 'a scenario\'s "faults"')
        if self.options.wire not in fault.on_wires:
            raise PlanError(where, f"can't strike on the wire {self.options.wire}",
                            "one of the wires " + ", ".join(fault.on_wires))

    def make_worker(self):
        module, _, name = self.worker.partition(":")
        try:
            worker = getattr(importlib.import_module(module), name or "worker")
            worker.commands  # or it is no Worker
            return worker
        except (AttributeError, ImportError, ValueError) as error:
            raise ValueError(f"--worker {self.worker}: {error}; MODULE:NAME of a Worker") from error


def main(argv):
    try:
        asked = read_arguments(argv)
        stdin_fd, stdout_fd = claim_stdio()
        plan = asked.plan()
        asked.options.draw_ticket()
        journal = Journal(asked.journal_file, asked.options.slot, asked.options.generation)
        worker = asked.make_worker()
        pipes = asked.options.make_pipes(FaultyPipes, stdin_fd, stdout_fd)
    except ValueError as error:
        _options.bad_usage(error)
    FaultyServer(worker, pipes, asked.options, plan, journal).run()


def read_arguments(argv):
    asked = Asked()
    for option, value in _options.read_pairs(argv, takes_value):
        if value is not None:
            asked.set(option, value)
        elif option in ("--help", "-h"):
            print(__doc__, end="")
            sys.exit(0)
        elif option == "--list":
            print_list()
            sys.exit(0)
        else:
            raise _options.unknown_option(option, known_options())
    asked.options.refuse_what_is_of_no_prefix()
    return asked


def takes_value(option):
    return option in known_options() and option not in ("--list", "--help")


def known_options():
    own = ["--fault", "--at", "--plan", "--journal", "--worker", "--list", "--help"]
    params = ["--" + name.replace("_", "-") for name in _PARAMS]
    return [*own, *_options.option_names(), *params]


def print_list():
    import json

    print(json.dumps(as_rows(), indent=2, sort_keys=True, ensure_ascii=False))


def _aim(text, aim):
    for pair in text.split(","):
        key, equals, value = pair.partition("=")
        if not equals:
            raise ValueError(f"--at: {pair!r} is no coordinate; request=1, or client=a,call=1")
        _put(aim, key, value if key == "client" else _number_or_text(value), "--at")


def _put(given, key, value, where):
    if key in given:
        raise key_twice(where, key)
    given[key] = value


def _number_or_text(text):
    try:
        return int(text)
    except ValueError:
        return text


main(sys.argv[1:])
