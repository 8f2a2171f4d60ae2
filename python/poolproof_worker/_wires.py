"""The wires: how a message is marked off in a stream. One class each; the C++ side's
harness/wire/wire_*.cpp cut the same bytes in the same way."""

from __future__ import annotations

from ._text import hex_and_text, is_text

READ_MAX_BYTES = 65_536  # os.read() allocates what it is asked for, whatever arrives
_SHOWN_AFTER_HEADER_BYTES = 60
_UINT64_MAX = 2**64 - 1
_UINT64_DIGITS = 20
_VARINT_MAX_BYTES = 10  # 64 bits, 7 a byte
_BLOCK_MIN_BYTES = 1024
_HEADER_NAME = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")


class StreamLost(Exception):
    """Nothing behind this point of the stream can be read: a header that breaks a rule of its wire,
    or announces more than a frame may hold."""

    def __init__(self, complaint, header_bytes=0):
        super().__init__(complaint)
        self.header_bytes = header_bytes  # of the header, as far as one was found


class Head:
    """Where the first frame of a stream lies in it. A payload of 0 bytes is none."""

    __slots__ = ("header_bytes", "payload_bytes", "end_bytes", "frame_bytes")

    def __init__(self, header_bytes, payload_bytes, end_bytes=0):
        self.header_bytes = header_bytes
        self.payload_bytes = payload_bytes
        self.end_bytes = end_bytes
        self.frame_bytes = header_bytes + payload_bytes + end_bytes


class Wire:
    """What all wires have in common. `payload_limit`: bytes of the longest payload."""

    end = b""  # behind each payload
    empty = "frame length 0 is not allowed: a frame holds at least 1 byte"

    def __init__(self, payload_limit):
        self.payload_limit = payload_limit

    def frame(self, payload):
        return self.header(len(payload)) + payload + self.end

    def huge_length(self):
        """A length that nobody means: half of what can be said."""
        return _UINT64_MAX // 2

    def wanted(self, _buffered, _head):
        """How many bytes to read at most, behind `buffered` that are no whole frame."""
        return READ_MAX_BYTES

    def explain(self, lost, stream):
        """One line for people, of a StreamLost in a stream."""
        shown = stream[:lost.header_bytes + _SHOWN_AFTER_HEADER_BYTES]
        return f"{lost}; first bytes {hex_and_text(shown, len(shown))}{self.likely_cause(shown)}"

    def likely_cause(self, stream):
        if not is_text(stream):
            return ""
        if stream.startswith(b"{"):
            return f"; most likely JSON without its {self.missing()}"
        return "; text where a frame should be, most likely a print or a banner on stdout"

    def _announced(self, header_bytes, length):
        if length > self.payload_limit:
            raise StreamLost(self._too_large(length), header_bytes)
        return Head(header_bytes, length)

    def _too_large(self, length):
        return f"frame length {length} is above the limit of {self.payload_limit} bytes"


class Prefix(Wire):
    """A length of `size` bytes, then as many bytes of payload."""

    def __init__(self, size, byte_order, max_frame_bytes):
        self.size = size
        self.byte_order = byte_order
        self.largest = (1 << (8 * size)) - 1
        super().__init__(min(self.largest, max_frame_bytes))

    def head(self, stream, _looked):
        if len(stream) < self.size:
            return None
        return self._announced(self.size, int.from_bytes(stream[:self.size], self.byte_order))

    def header(self, length):
        """It says as much of the length as it can."""
        return min(length, self.largest).to_bytes(self.size, self.byte_order)

    def huge_length(self):
        return self.largest // 2

    def wanted(self, buffered, head):
        """Nothing beyond the frame in hand: what follows stays in the pipe."""
        whole = head.frame_bytes if head else self.size
        return min(whole - buffered, READ_MAX_BYTES)

    def missing(self):
        return f"{self.size}-byte length prefix"


class Varint(Wire):
    """A length as protobuf's varint, then as many bytes of payload."""

    def head(self, stream, _looked):
        length = 0
        for at, byte in enumerate(stream[:_VARINT_MAX_BYTES]):
            if at + 1 == _VARINT_MAX_BYTES and byte > 1:
                raise StreamLost("frame length without an end: a varint has at most "
                                 f"{_VARINT_MAX_BYTES} bytes")
            length |= (byte & 0x7F) << (7 * at)
            if byte < 0x80:
                return self._announced(at + 1, length)
        return None

    def header(self, length):
        header = bytearray()
        while length >= 0x80:
            header.append(length & 0x7F | 0x80)
            length >>= 7
        header.append(length)
        return bytes(header)

    def missing(self):
        return "varint length"


class Lines(Wire):
    """The payload, then a line feed; CR LF is taken, too."""

    end = b"\n"

    def head(self, stream, looked):
        newline = stream.find(b"\n", looked)
        size = len(stream) if newline < 0 else newline
        # Even where the line has no end yet its last byte may be the CR of one.
        end_bytes = 2 if stream[size - 1:size] == b"\r" else 1
        payload_bytes = size - (end_bytes - 1)
        if payload_bytes > self.payload_limit:
            raise StreamLost(f"a line of more than {self.payload_limit} bytes, which are the limit")
        return Head(0, payload_bytes, end_bytes) if newline >= 0 else None

    def header(self, _length):
        return b""

    def missing(self):
        return "line break"


class Headers(Wire):
    """`Content-Length: N` among lines that end with CR LF, an empty line, then N bytes."""

    empty = "Content-Length 0 is not allowed: a message holds at least 1 byte"

    def head(self, stream, looked):
        block_limit = max(self.payload_limit, _BLOCK_MIN_BYTES)
        endless = ("headers without an empty line behind them, and more than "
                   f"{block_limit} bytes")
        newline = stream.find(b"\n", looked)
        while newline >= 0:
            if newline >= block_limit:
                raise StreamLost(endless)
            line = stream[stream.rfind(b"\n", 0, newline) + 1:newline]
            if line == b"\r":
                return self._head_of_block(bytes(stream[:newline + 1]))
            if not _is_header(line):
                raise StreamLost("a line that is no header, where Content-Length is due")
            if not line.endswith(b"\r"):
                raise StreamLost("a header line that ends with LF, where CR LF is due")
            newline = stream.find(b"\n", newline + 1)
        if len(stream) > block_limit:
            raise StreamLost(endless)
        return None

    def _head_of_block(self, block):
        """`block`: all headers, up to and with the empty line. Each line is sound."""
        lengths = []
        for line in block.split(b"\n")[:-2]:
            name, _, value = line.split(b"\r")[0].partition(b":")
            if name.lower() == b"content-length":
                lengths.append(value.strip(b" \t"))
        if len(lengths) != 1:
            raise StreamLost("headers with more than one Content-Length" if lengths
                             else "headers without Content-Length", len(block))
        if not lengths[0].isdigit():
            raise StreamLost("a Content-Length that is not a whole number of bytes", len(block))
        digits = lengths[0].lstrip(b"0") or b"0"
        length = int(digits) if len(digits) <= _UINT64_DIGITS else _UINT64_MAX
        return self._announced(len(block), min(length, _UINT64_MAX))

    def header(self, length):
        return b"Content-Length: %d\r\n\r\n" % length

    def likely_cause(self, stream):
        """Who writes some of what is agreed means it."""
        return "" if stream.startswith(b"Content-") else super().likely_cause(stream)

    def _too_large(self, length):
        return f"Content-Length {length} is above the limit of {self.payload_limit} bytes"

    def missing(self):
        return "Content-Length header"


def make_wire(name, prefix_bytes, byte_order, max_frame_bytes):
    """The wire of that name; `prefix_bytes` and `byte_order` are those of `prefix`."""
    if name == "prefix":
        return Prefix(prefix_bytes, byte_order, max_frame_bytes)
    rows = {"varint": Varint, "lines": Lines, "headers": Headers, "node_ipc": Lines}
    return rows[name](max_frame_bytes)


def _is_header(line):
    name, colon, _ = bytes(line).partition(b":")
    return bool(colon and name) and _HEADER_NAME.issuperset(name)
