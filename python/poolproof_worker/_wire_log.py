"""Every byte that crosses the pipes, in a file for people: when it came, as hex and as text, and
where frames begin and break off. The C++ side's harness/wire/wire_log.cpp writes the same."""

from __future__ import annotations

import os
import time

from ._pipes import say
from ._wires import Lines, StreamLost

_LINE_BYTES = 16


class WireLog:
    """Begins the file anew. At `limit_bytes` it becomes PATH.1, in the place of the one before.
    %p in the path is the number of the process.

    Errors: ValueError with one line for people.
    """

    def __init__(self, path, wire, limit_bytes):
        self.wire = wire
        self._path = path = path.replace("%p", str(os.getpid()))
        self._limit_bytes = limit_bytes
        self._start_ns = time.monotonic_ns()
        self._streams = {"client > worker": _Stream(), "worker > client": _Stream()}
        self._written_bytes = 0
        try:
            self._fd = self._open()
        except OSError as error:
            raise ValueError(f"{path}: {error.strerror}; a file that can be written") from error

    def note_read(self, data):
        """Nothing: the end of the input."""
        if data:
            self._note("client > worker", data)
        else:
            self._write(f"{self._stamp()}the client closed its end\n")

    def note_written(self, data):
        self._note("worker > client", data)

    def _note(self, way, data):
        stream, data = self._streams[way], bytes(data)
        while data:
            part, what = self._next_part(stream, data)
            self._write(f"{self._stamp()}{way}: {what}\n{_dump(data[:part], stream.offset)}")
            stream.offset += part
            data = data[part:]

    def _next_part(self, stream, data):
        """How many of the bytes belong to one frame, or to what is none, and what they are."""
        if stream.lost:
            return len(data), f"{len(data)} bytes of what is no frame"
        if isinstance(self.wire, Lines):
            return _part_of_line(stream, data)
        if stream.left:
            part = min(stream.left, len(data))
            stream.left -= part
            return part, f"frame {stream.frames}, further {part} bytes; {stream.left} to come"
        return self._beginning(stream, data)

    def _beginning(self, stream, data):
        before = len(stream.head)
        stream.head += data
        try:
            head = self.wire.head(stream.head, before)
            if head and not head.payload_bytes:
                # What reads it goes on behind it.
                lost = StreamLost(self.wire.empty, head.header_bytes)
                told = self.wire.explain(lost, stream.head)
                stream.head = bytearray()
                return head.header_bytes - before, f"NO FRAME: {told}"
        except StreamLost as lost:
            told = self.wire.explain(lost, stream.head)
            stream.lost, stream.head = True, bytearray()
            return len(data), f"NO FRAME: {told}"
        if not head:
            return len(data), f"frame {stream.frames + 1}, {len(data)} bytes of its header"
        stream.head = bytearray()
        stream.frames += 1
        part = min(head.frame_bytes - before, len(data))
        stream.left = head.frame_bytes - before - part
        to_come = f"; {stream.left} to come" if stream.left else ""
        return part, (f"frame {stream.frames}, {head.header_bytes} + {head.payload_bytes} bytes"
                      f"{to_come}")

    def _stamp(self):
        us = (time.monotonic_ns() - self._start_ns) // 1000
        return f"+{us // 1000}.{us % 1000:03} ms  "

    def _open(self):
        return os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o666)

    def _write(self, text):
        """What can't be written is told once, and changes nothing that the worker does."""
        if self._fd is None:
            return
        data = text.encode("utf-8", "replace")
        try:
            if self._written_bytes and self._written_bytes + len(data) > self._limit_bytes:
                self._turn_over()
            self._written_bytes += len(data)
            view = memoryview(data)
            while view:
                view = view[os.write(self._fd, view):]
        except OSError as error:
            self._fd = None
            say(f"no more wire log: {self._path}: {error.strerror}")

    def _turn_over(self):
        os.close(self._fd)
        os.replace(self._path, f"{self._path}.1")
        self._fd = self._open()
        self._written_bytes = 0


class _Stream:
    """How far one way's bytes have come."""

    __slots__ = ("head", "left", "frames", "offset", "in_line", "lost")

    def __init__(self):
        self.head = bytearray()  # of a header that has no end yet: what came of it
        self.left = 0  # of the frame under way
        self.frames = 0
        self.offset = 0  # of all bytes
        self.in_line = False
        self.lost = False


def _part_of_line(stream, data):
    part = data.find(b"\n") + 1
    ends = part > 0
    part = part or len(data)
    further = "further " if stream.in_line else ""
    stream.frames += not stream.in_line
    stream.in_line = not ends
    return part, (f"line {stream.frames}, {further}{part} bytes"
                  f"{'' if ends else ', without an end yet'}")


def _dump(data, offset):
    """As hexdump -C shows it."""
    lines = []
    for start in range(0, len(data), _LINE_BYTES):
        line = data[start:start + _LINE_BYTES]
        left, right = line[:8].hex(" "), line[8:].hex(" ")
        text = "".join(chr(byte) if 0x20 <= byte <= 0x7E else "." for byte in line)
        lines.append(f"  {offset + start:08x}  {left:<23}  {right:<23}  |{text}|\n")
    return "".join(lines)
