"""Faults by which a worker does not leave as it is told to."""

from __future__ import annotations

import os
import signal
import time

from .._server import SHUTDOWN_REQUEST, TERM
from .behaviour import LEAVE, REQUEST, STAY, family

BEHAVIOURS, strikes = family()


def _stay(scene):
    scene.receipt()
    scene.departure.stays = True


@strikes("stdin_end_ignored", STAY)
def stdin_end_ignored(scene):
    if scene.departure.cause != TERM:
        _stay(scene)


@strikes("term_ignored", STAY)
def term_ignored(scene):
    if scene.departure.cause == TERM:
        _stay(scene)


@strikes("shutdown_not_obeyed", STAY)
def shutdown_not_obeyed(scene):
    if scene.departure.cause == SHUTDOWN_REQUEST:
        _stay(scene)


@strikes("exit_slow", LEAVE)
def exit_slow(scene):
    scene.receipt()
    scene.pause()


@strikes("exit_code_at_shutdown", LEAVE)
def exit_code_at_shutdown(scene):
    scene.receipt()
    scene.departure.code = scene["code"]


@strikes("grandchild_left", REQUEST)
def grandchild_left(scene):
    scene.receipt()
    # Blocked meanwhile: a TERM that meets the child early must not run the worker's handler there.
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    child_pid = os.fork()
    if child_pid == 0:
        scene.server.journal.close()
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
        time.sleep(scene["lifetime_ms"] / 1000)
        os._exit(0)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
    scene.server.journal.write("grandchild", child_pid=child_pid)
