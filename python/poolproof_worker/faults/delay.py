"""Faults by which the right bytes come late or in pieces."""

from __future__ import annotations

import os

from .behaviour import PAUSE, REQUEST, START, WRITING, family

BEHAVIOURS, strikes = family()

_LINE_BYTES = 80


@strikes("import_slow", START)
@strikes("reply_slow", PAUSE)
@strikes("reply_late", PAUSE)
def pause_first(scene):
    scene.receipt()
    scene.pause()


@strikes("reply_trickled", WRITING)
def reply_trickled(scene):
    scene.receipt()
    scene.draft.chunk_bytes = scene["chunk_bytes"]
    scene.draft.gap_ms = scene["gap_ms"]


@strikes("reply_fragmented", WRITING)
def reply_fragmented(scene):
    scene.receipt()
    scene.draft.chunk_bytes = scene["chunk_bytes"]


@strikes("reply_unflushed", WRITING)
def reply_unflushed(scene):
    scene.receipt()
    scene.draft.held_back = True


@strikes("stderr_flood", REQUEST)
def stderr_flood(scene):
    scene.receipt()
    size = scene["text_bytes"]
    line = b"x" * (_LINE_BYTES - 1) + b"\n"
    text = memoryview(line * (size // _LINE_BYTES) + b"x" * (size % _LINE_BYTES))
    try:
        while text:
            text = text[os.write(2, text):]
    except BrokenPipeError:
        pass  # nobody reads it; the reply comes all the same
