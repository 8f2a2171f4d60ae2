"""Faults by which a reply, or the worker, does not come."""

from __future__ import annotations

import os
import signal

from .._pipes import say
from .behaviour import (BEFORE_READ, DISCARDING, IDLE, LAUNCH, NOTHING, REQUEST, START, WRITING,
                        family)

BEHAVIOURS, strikes = family()


@strikes("reply_dropped", WRITING)
def reply_dropped(scene):
    scene.receipt()
    scene.draft.dropped = True


@strikes("reading_stopped", BEFORE_READ)
def reading_stopped(scene):
    """A request that is no longer than what it reads is read and answered."""
    pipes = scene.server.pipes
    if pipes.read_bytes < scene["keep_bytes"]:
        pipes.stop_within(scene["keep_bytes"])
        return
    scene.receipt()
    if scene["then"] == "close":
        pipes.close_input()
    if scene["then"] == "answer":
        scene.server.answer_unread()
    scene.server.end_as_planned(scene)
    scene.server.reading = NOTHING


@strikes("exit_mid_call", REQUEST)
@strikes("exit_while_idle", IDLE)
def exit_with_code(scene):
    scene.receipt()
    scene.server.exit(scene["code"])


@strikes("killed_mid_call", REQUEST)
@strikes("killed_at_start", START)
@strikes("killed_while_idle", IDLE)
def raise_signal(scene):
    scene.receipt()
    number = scene["signal"]
    if number not in (signal.SIGKILL, signal.SIGSTOP):
        signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


@strikes("stdout_closed", REQUEST)
@strikes("stdout_closed_while_idle", IDLE)
def stdout_closed(scene):
    scene.receipt()
    scene.server.pipes.close_output()
    scene.server.reading = DISCARDING


@strikes("stdin_closed", IDLE)
def stdin_closed(scene):
    scene.receipt()
    scene.server.pipes.close_input()
    scene.server.reading = NOTHING


@strikes("start_fails", LAUNCH)
def start_fails(_scene):
    """A worker that runs can't show it."""


@strikes("exit_at_start", START)
def exit_at_start(scene):
    scene.receipt()
    say(scene["stderr_text"])
    scene.server.exit(scene["code"])
