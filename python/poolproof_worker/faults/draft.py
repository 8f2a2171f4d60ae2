"""A reply on its way out, in pieces that faults may change before it becomes bytes."""

from __future__ import annotations

from .._envelope import Reply
from .._wires import Lines


class Draft(Reply):
    __slots__ = ("names_success", "whole_payload", "pad_to", "wire", "header",
                 "over_bytes", "length_error", "text_before", "text_after", "copies", "dropped",
                 "held_back", "cut", "chunk_bytes", "gap_ms")

    def __init__(self, reply, wire):
        for name in Reply.__slots__:
            setattr(self, name, getattr(reply, name))
        # The message and the frame.
        self.names_success = True
        self.whole_payload = None  # stands in for the envelope
        self.pad_to = 0            # a shorter payload is padded until it is that long
        self.wire = wire           # which says what a frame may hold
        self.header = "sound"      # or: none, zero, huge, little_endian, over_limit
        self.over_bytes = 0        # over_limit: what the header adds to that
        self.length_error = 0      # what the header adds to the payload's length
        self.text_before = b""
        self.text_after = b""
        self.copies = 1
        # How it is written.
        self.dropped = False
        self.held_back = False  # stays in the worker's own buffer
        self.cut = None         # the fault by which only the beginning is written
        self.chunk_bytes = 0    # 0: all in one write
        self.gap_ms = 0

    def members(self):
        members = self.speech.members(self)
        left_out = () if self.names_success else self.speech.says_success
        if not self.body:
            left_out += ("result", "error")  # neither a result nor an error
        return [(key, value) for key, value in members if key not in left_out]

    def payload(self):
        return super().payload() if self.whole_payload is None else self.whole_payload

    def bytes(self):
        """All that goes to stdout."""
        wire = self.wire
        payload = self.payload().ljust(self.pad_to)
        if self.header == "none":
            once = payload if isinstance(wire, Lines) else payload + b"\n"
        elif self.header == "zero":
            once = wire.header(0) + wire.end
        else:
            once = self._header(len(payload)) + payload + wire.end
        return self.text_before + once * self.copies + self.text_after

    def _header(self, size):
        if self.header == "huge":
            return self.wire.header(self.wire.huge_length())
        if self.header == "over_limit":
            size = self.wire.payload_limit + self.over_bytes
        header = self.wire.header(max(1, size + self.length_error))
        return header[::-1] if self.header == "little_endian" else header
