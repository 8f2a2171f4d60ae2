"""A reply on its way out, in pieces that faults may change before it becomes bytes."""

from __future__ import annotations

from .._envelope import Reply
from .._wires import Lines


# What clients may pass over, by the name of the speech.
_EVENTS = {
    "Bridge": b'{"event":"busy"}',
    "JsonRpc": b'{"jsonrpc":"2.0","method":"event"}',
    "Mcp": b'{"jsonrpc":"2.0","method":"notifications/message",'
           b'"params":{"data":"busy","level":"info"}}',
    "Lsp": b'{"jsonrpc":"2.0","method":"window/logMessage",'
           b'"params":{"message":"busy","type":3}}',
}

# What is wrong with Content-Length.
MALFORMED = {
    "negative": "Content-Length: -{0}\r\n\r\n",
    "missing": "Content-Type: application/json\r\n\r\n",
    "no_number": "Content-Length: {0} bytes\r\n\r\n",
    "twice": "Content-Length: {0}\r\nContent-Length: {0}\r\n\r\n",
    "line_feed": "Content-Length: {0}\n\n",
}


def event_payload(speech):
    return _EVENTS[type(speech).__name__]


def own_request_payload(speech, request_id):
    """A request of the worker's own; its id is JSON."""
    name = type(speech).__name__
    if name == "Bridge":
        return f'{{"command":"ping","id":{request_id}}}'.encode()
    method = "workspace/workspaceFolders" if name == "Lsp" else "ping"
    return f'{{"id":{request_id},"jsonrpc":"2.0","method":"{method}"}}'.encode()


class Draft(Reply):
    __slots__ = ("names_success", "whole_payload", "pad_to", "wire", "header",
                 "over_bytes", "length_error", "bytes_before", "bytes_after", "copies", "dropped",
                 "interrupted_at", "held_back", "cut", "chunk_bytes", "gap_ms")

    def __init__(self, reply, wire):
        for name in Reply.__slots__:
            setattr(self, name, getattr(reply, name))
        # The message and the frame.
        self.names_success = True
        self.whole_payload = None  # stands in for the envelope
        self.pad_to = 0            # a shorter payload is padded until it is that long
        self.wire = wire           # which says what a frame may hold
        # Or: none, zero, huge, little_endian, over_limit, a key of MALFORMED
        self.header = "sound"
        self.over_bytes = 0        # over_limit: what the header adds to that
        self.length_error = 0      # what the header adds to the payload's length
        self.bytes_before = b""    # text, or frames
        self.bytes_after = b""
        self.copies = 1
        # How it is written.
        self.dropped = False
        self.interrupted_at = 0  # so much, then another frame, then the rest; 0: it is not
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
        return self._interrupted(self.bytes_before + once * self.copies + self.bytes_after)

    def _interrupted(self, data):
        if not self.interrupted_at or not data:
            return data
        at = min(self.interrupted_at, len(data) - 1)
        return data[:at] + self.wire.frame(event_payload(self.speech)) + data[at:]

    def _header(self, size):
        if self.header == "huge":
            return self.wire.header(self.wire.huge_length())
        if self.header == "over_limit":
            size = self.wire.payload_limit + self.over_bytes
        size = max(1, size + self.length_error)
        if self.header in MALFORMED:
            return MALFORMED[self.header].format(size).encode()
        header = self.wire.header(size)
        return header[::-1] if self.header == "little_endian" else header
