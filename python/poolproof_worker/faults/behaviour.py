"""What a fault may see and change while it strikes, and when that is."""

from __future__ import annotations

import importlib

# The moments of the table, cut finer, so that faults compose in a fixed order whatever the order
# of the plan. Within a stage they strike in plan order.
START = "start"              # before anything is read
FIRST_BYTES = "first_bytes"  # the first bytes were read and are not looked at yet
BEFORE_READ = "before_read"  # about to read a request, or the rest of one
REQUEST = "request"          # the request was read, nothing is done about it yet
CONTENT = "content"          # the reply's pieces stand
PAUSE = "pause"              # the reply stands and is not written yet
WRITING = "writing"          # how the reply is written
IDLE = "idle"                # after the reply
STAY = "stay"                # whether it obeys a reason to leave
LEAVE = "leave"              # it obeys: how it leaves
LAUNCH = "launch"            # there is no worker yet: no server comes to this

ABOUT_NO_REQUEST = (START, FIRST_BYTES, STAY, LEAVE)

# What the worker does with its input.
FRAMES = "frames"
DISCARDING = "discarding"  # reads and throws away
NOTHING = "nothing"        # neither reads nor notices the end of input


class Scene:
    """One fault, striking. It writes its own receipt, once, unless it does not strike after all."""

    __slots__ = ("server", "planned", "request", "draft", "departure")

    def __init__(self, server, planned, request, draft, departure):
        self.server = server
        self.planned = planned
        self.request = request      # the number of the request it strikes at, or None
        self.draft = draft          # the reply, at stages CONTENT, PAUSE and WRITING
        self.departure = departure  # at stages STAY and LEAVE

    def __getitem__(self, param):
        return self.planned.params[param]

    def receipt(self):
        self.server.journal.write("receipt", fault=self.planned.fault.name, id=self.planned.id,
                                  request=self.request)

    def pause(self):
        self.server.pause(self["delay_ms"])


def family():
    """A family's behaviours by name: {fault: (stage, strike)}, and the decorator that fills it."""
    behaviours = {}

    def strikes(fault, stage):
        def register(strike):
            behaviours[fault] = stage, strike
            return strike

        return register

    return behaviours, strikes


def behaviour_of(fault):
    """(stage, strike) of a fault of the table. Only the families that are planned are imported."""
    module = importlib.import_module(f"poolproof_worker.faults.{fault.family}")
    return module.BEHAVIOURS[fault.name]
