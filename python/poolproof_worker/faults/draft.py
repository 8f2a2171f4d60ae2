"""A reply on its way out, in pieces that faults may change before it becomes bytes."""

from __future__ import annotations

from .._envelope import Reply, to_utf8


class Draft(Reply):
    __slots__ = ("names_success", "whole_payload", "pad_to", "payload_limit", "header",
                 "over_bytes", "length_error", "text_before", "text_after", "copies", "dropped",
                 "held_back", "cut", "chunk_bytes", "gap_ms")

    def __init__(self, reply, payload_limit):
        super().__init__(reply.id, reply.success, reply.body, reply.timestamp)
        # The message and the frame.
        self.names_success = True
        self.whole_payload = None  # stands in for the envelope
        self.pad_to = 0            # a shorter payload is padded until it is that long
        self.payload_limit = payload_limit  # what a frame may hold
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

    def payload(self):
        if self.whole_payload is not None:
            return self.whole_payload
        named_id = f'"id":{self.id}'
        pieces = [named_id, f'"result":{self.body}'] if self.success \
            else [f'"error":{self.body}', named_id]
        if not self.body:
            pieces = [named_id]  # neither a result nor an error
        if self.names_success:
            pieces.append('"success":true' if self.success else '"success":false')
        return to_utf8(f'{{{",".join(pieces)},"timestamp":{self.timestamp}}}')

    def bytes(self, prefix_bytes):
        """All that goes to stdout."""
        payload = self.payload().ljust(self.pad_to)
        if self.header == "none":
            once = payload + b"\n"
        elif self.header == "zero":
            once = bytes(prefix_bytes)
        else:
            once = self._header(len(payload), prefix_bytes) + payload
        return self.text_before + once * self.copies + self.text_after

    def _header(self, size, prefix_bytes):
        if self.header == "huge":
            return b"\x7f" + b"\xff" * (prefix_bytes - 1)
        if self.header == "over_limit":
            size = self.payload_limit + self.over_bytes
        # A fault may make a payload that the prefix can't announce; then it announces all it can.
        length = max(1, min(size + self.length_error, (1 << (8 * prefix_bytes)) - 1))
        order = "little" if self.header == "little_endian" else "big"
        return length.to_bytes(prefix_bytes, order)
