"""The worker's loop with faults in it: the order in which everything strikes."""

from __future__ import annotations

import fcntl
import os
import signal
import sys
import termios
import time

from .._envelope import Reply
from .._pipes import Pipes, flush_stderr, say
from .._server import STDIN_END, TERM, Server
from .._text import hex_and_text
from .._wires import READ_MAX_BYTES
from .behaviour import (ABOUT_NO_REQUEST, BEFORE_READ, CONTENT, DISCARDING, FIRST_BYTES, FRAMES,
                        IDLE, LEAVE, NOTHING, PAUSE, REQUEST, START, STAY, WRITING, Scene,
                        behaviour_of)
from .draft import Draft
from .journal import noted_id


class Departure:
    """A reason to exit."""

    __slots__ = ("cause", "code", "stays")

    def __init__(self, cause, code):
        self.cause = cause
        self.code = code
        self.stays = False  # takes no notice of it


class ReadEnough(Exception):
    """As much of a frame has been read as was wanted, and it is not whole."""


class FaultyPipes(Pipes):
    """Pipes that may stop within a frame, and that know who does not wait for an answer."""

    def __init__(self, *args):
        super().__init__(*args)
        self.beyond = bytearray()  # what came in the same read as the frame in hand, out of reach
        self.taken_bytes = 0  # of all frames given out
        self.came_early = 0  # how many bytes had come when the last answer was not yet out
        self.is_early = False  # the frame in hand began to come before the answer before was out
        self.begin_frame()

    def begin_frame(self):
        """It will read the next frame, however long."""
        self.read_bytes = 0
        self.read_at_most = None
        self.stream += self.beyond
        self.beyond.clear()

    def stop_within(self, count):
        """It will read no more of the next frame than `count` bytes."""
        self.read_at_most = min(count, self.read_at_most or count)
        self.beyond[:0] = self.stream[self.read_at_most:]
        del self.stream[self.read_at_most:]

    def _take(self, head):
        self.is_early = self.taken_bytes < self.came_early
        self.taken_bytes += head.frame_bytes
        return super()._take(head)

    def look_for_input(self):
        """To be called while an answer is being written."""
        unread = bytes(4)
        try:
            unread = fcntl.ioctl(self.stdin_fd, termios.FIONREAD, unread)
        except OSError:
            pass  # its stdin is closed
        self.came_early = (self.taken_bytes + len(self.stream) + len(self.beyond)
                           + int.from_bytes(unread, sys.byteorder))

    def read_some(self, count_max):
        if self.read_at_most is not None:
            count_max = min(count_max, self.read_at_most - len(self.stream))
            if count_max == 0:
                self.read_bytes = len(self.stream)
                raise ReadEnough
        return super().read_some(count_max)


class FaultyServer(Server):
    """A Server that keeps a journal and misbehaves where the plan says so."""

    def __init__(self, worker, pipes, options, plan, journal):
        super().__init__(worker, pipes, options)
        self.journal = journal
        self.reading = FRAMES
        self.request_number = 0  # of the request in hand, or the last one
        self.nonce = None
        self.last_reply = b""  # all that was written of it
        self.held_back = []  # (draft, bytes, request number): replies in the worker's own buffer
        self.terminated = False
        self.plan = [(planned, *behaviour_of(planned.fault)) for planned in plan
                     if planned.is_for(options.slot, options.generation)]
        self.reads_lines = any(stage == FIRST_BYTES for _, stage, _ in self.plan)

    def strike(self, stage, draft=None, departure=None):
        """Lets every fault of that stage strike that is aimed at the request in hand."""
        number = self.read_count if stage == BEFORE_READ else self.request_number
        if stage in ABOUT_NO_REQUEST:
            number = None
        for planned, its_stage, behave in self.plan:
            if its_stage == stage and (number is None or planned.is_at_request(number, self.nonce)):
                behave(Scene(self, planned, number, draft, departure))

    def on_start(self):
        self.journal.write("started")
        self.strike(START)

    def serve_one(self):
        if self.reading == FRAMES:
            self.pipes.begin_frame()
            self.strike(BEFORE_READ)
        if self.reading == NOTHING:
            self.pipes.waiter.wait()
        elif self.reading == DISCARDING:
            self.read_to_the_end(b"")
            self.end_of_input()
        elif self.reads_lines:
            self.read_as_lines()
        else:
            self.serve_or_stop()

    def serve_or_stop(self):
        try:
            super().serve_one()
        except ReadEnough:
            self.strike(BEFORE_READ)

    def read_as_lines(self):
        """Reads all there is, and finds no line of JSON in it."""
        first = self.pipes.read_some(READ_MAX_BYTES)
        if first:
            self.pipes.begin_frame()
            self.strike(FIRST_BYTES)
            text = self.read_to_the_end(first)
            say(f"stdin ended without a line of JSON: {hex_and_text(text)}")
        self.end_of_input()

    def read_to_the_end(self, kept):
        """Throws away what does not fit behind `kept`, which is returned."""
        while chunk := self.pipes.read_some(READ_MAX_BYTES):
            kept += chunk[:READ_MAX_BYTES - len(kept)]
        return kept

    def respond(self, request):
        self.request_number = request.number
        nonce = (request.args or {}).get("nonce")
        self.nonce = nonce if isinstance(nonce, str) else None
        early = {"early": True} if self.pipes.is_early else {}
        self.journal.write("read", request=request.number, id=noted_id(request),
                           command=request.command, nonce=self.nonce, **early)
        self.strike(REQUEST)
        if self.reading == FRAMES:
            super().respond(request)

    def answered(self, request):
        if self.reading == FRAMES:
            super().answered(request)

    def answer_unread(self):
        """It says nothing, and guesses the id: a pool counts what it asks one worker."""
        draft = Draft(Reply(self.speech, str(self.read_count), self.now()), self.pipes.wire)
        self.write_out(draft, draft.bytes(), self.read_count)

    def end_as_planned(self, scene):
        """Exits or kills itself; returns when it is to live."""
        if scene["then"] == "exit":
            self.exit(scene["code"])
        if scene["then"] == "kill":
            os.kill(os.getpid(), signal.SIGKILL)

    def send(self, request, reply):
        draft = Draft(reply, self.pipes.wire)
        self.strike(CONTENT, draft)
        self.strike(PAUSE, draft)
        self.strike(WRITING, draft)
        self.write_draft(request, draft)
        if self.reading == FRAMES:
            self.strike(IDLE)

    def write_draft(self, request, draft):
        if draft.dropped:
            return
        data = draft.bytes()
        self.last_reply = data
        if draft.cut is not None:
            self.write_beginning(draft, data, request.number)
        elif draft.held_back:
            self.held_back.append((draft, data, request.number))
        else:
            self.write_out(draft, data, request.number)

    def write_beginning(self, draft, data, request_number):
        beginning = data[:draft.cut["keep_bytes"]]
        if len(beginning) == len(data):
            self.write_out(draft, data, request_number)
        else:
            self.write_in_chunks(draft, beginning)
        self.end_as_planned(draft.cut)
        if draft.cut["then"] == "close":
            self.pipes.close_output()
            self.reading = DISCARDING
        else:
            self.reading = NOTHING

    def write_out(self, draft, data, request_number):
        self.write_in_chunks(draft, data)
        self.journal.write("wrote", request=request_number, bytes=len(data))

    def write_in_chunks(self, draft, data):
        chunk_bytes = draft.chunk_bytes or len(data) or 1
        for start in range(0, len(data), chunk_bytes):
            self.write(data[start:start + chunk_bytes])
            if draft.gap_ms:
                self.pause(draft.gap_ms)

    def write(self, data):
        self.pipes.look_for_input()
        if self.pipes.stdout_fd is not None:
            super().write(data)

    def flush(self):
        while self.held_back:
            self.write_out(*self.held_back.pop(0))

    def end_of_input(self, problem=""):
        self.journal.write("stdin_end")
        self.flush()
        super().end_of_input(problem)

    def on_term(self, _signal, _frame):
        if not self.terminated:
            self.leave(TERM)

    def leave(self, cause, code=0):
        departure = Departure(cause, code)
        self.strike(STAY, departure=departure)
        if departure.stays:
            if cause == STDIN_END:
                self.reading = NOTHING
            return
        if cause == TERM:
            self.terminated = True
            self.journal.write("term")
        self.strike(LEAVE, departure=departure)
        self.exit(departure.code)

    def exit(self, code):
        self.flush()
        self.journal.write("exiting", code=code)
        flush_stderr()
        os._exit(code)

    def pause(self, ms):
        end = time.monotonic() + ms / 1000
        while (left := end - time.monotonic()) > 0:
            self.pipes.waiter.wait(left * 1000)
