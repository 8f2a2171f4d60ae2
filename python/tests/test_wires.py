"""How frames are cut and written on each wire (harness/PROTOCOL.md, section 1)."""

import resource
import subprocess
import sys
import unittest

from driving import ROOT, SOUND

from poolproof_worker._pipes import EndInsideFrame, Pipes
from poolproof_worker._wires import StreamLost, make_wire

LIMIT = 2000
SHAPES = [("prefix", 1, "big"), ("prefix", 2, "little"), ("prefix", 4, "big"),
          ("prefix", 8, "little"), ("varint", 4, "big"), ("lines", 4, "big"),
          ("headers", 4, "big"), ("node_ipc", 4, "big")]


def wire(name, prefix_bytes=4, byte_order="big", limit=LIMIT):
    return make_wire(name, prefix_bytes, byte_order, limit)


class Chunks(Pipes):
    """Pipes without descriptors: what is read comes in chunks of at most that many bytes."""

    def __init__(self, its_wire, data, chunk=65_536):
        self.wire = its_wire
        self.stream = bytearray()
        self.data = memoryview(data)
        self.chunk = chunk

    def read_some(self, count_max):
        assert count_max > 0
        chunk = self.data[:min(count_max, self.chunk)]
        self.data = self.data[len(chunk):]
        return bytes(chunk)

    def all(self):
        found = []
        while (payload := self.read_payload()) is not None:
            found.append(payload)
        return found


def why_lost(its_wire, data, chunk=65_536):
    pipes = Chunks(its_wire, data, chunk)
    try:
        pipes.all()
    except StreamLost as lost:
        return its_wire.explain(lost, pipes.stream)
    return ""


class Frames(unittest.TestCase):
    def test_a_frame_has_the_bytes_that_others_write(self):
        for name, prefix, order, payload, expected in (
                ("prefix", 2, "little", b"ab", b"\2\0ab"),
                ("prefix", 8, "big", b"ab", b"\0\0\0\0\0\0\0\2ab"),
                ("varint", 4, "big", b"x" * 300, b"\xac\2" + b"x" * 300),
                ("lines", 4, "big", b"{}", b"{}\n"),
                ("headers", 4, "big", b"{}", b"Content-Length: 2\r\n\r\n{}")):
            with self.subTest(name):
                self.assertEqual(wire(name, prefix, order).frame(payload), expected)

    def test_what_is_written_is_read_in_any_chunks(self):
        payloads = [b"{}", b"a\rb", b"", b"x" * 255, b"\xff" * 127, b""]
        for shape in SHAPES:
            its_wire = wire(*shape)
            data = b"".join(map(its_wire.frame, payloads))
            for chunk in (1, 2, 3, 7, 1000):
                with self.subTest(shape=shape, chunk=chunk):
                    self.assertEqual(Chunks(its_wire, data, chunk).all(), payloads)

    def test_what_others_may_write_as_well_is_taken(self):
        self.assertEqual(Chunks(wire("lines"), b"{}\r\n\r\na\r\r\n").all(), [b"{}", b"", b"a\r"])
        block = b"A-b_1: x:y\r\ncontent-LENGTH:\t 002 \r\nContent-Type: z\r\n\r\n{}"
        for chunk in (1, 5, 1000):
            self.assertEqual(Chunks(wire("headers"), block * 2, chunk).all(), [b"{}", b"{}"])

    def test_the_limit_itself_is_allowed_and_one_byte_more_is_not(self):
        for shape in SHAPES:
            its_wire = wire(*shape)
            limit = its_wire.payload_limit
            self.assertEqual(limit, 255 if shape[1] == 1 else LIMIT)
            with self.subTest(shape):
                self.assertEqual(Chunks(its_wire, its_wire.frame(b"x" * limit)).all(),
                                 [b"x" * limit])
                if shape[1] != 1:  # whose header can't say more
                    for chunk in (1, 1000, 65_536):
                        self.assertIn(f"{LIMIT} bytes",
                                      why_lost(its_wire, its_wire.frame(b"x" * (limit + 1)),
                                               chunk))

    def test_a_header_that_is_none_is_told_by_its_rule(self):
        for name, data, text in (
                ("varint", b"\xff" * 9 + b"\2", "a varint has at most 10 bytes"),
                ("headers", b"nonsense\r\n", "no header, where Content-Length is due"),
                ("headers", b": 2\r\n", "no header"),
                ("headers", b"Content-Length: 2\n", "ends with LF, where CR LF is due"),
                ("headers", b"A: 1\r\n\r\n", "headers without Content-Length"),
                ("headers", b"Content-Length: 2\r\ncontent-length: 2\r\n\r\n", "more than one"),
                ("headers", b"Content-Length: +2\r\n\r\n", "not a whole number of bytes"),
                ("headers", b"Content-Length:\r\n\r\n", "not a whole number of bytes"),
                ("headers", b"Content-Length: " + b"9" * 1000 + b"\r\n\r\n",
                 f"Content-Length {2**64 - 1} is above the limit"),
                ("headers", b"A: " + b"x" * LIMIT, "without an empty line behind them"),
                ("headers", b"A: " + b"x" * LIMIT + b"\r\n", "without an empty line behind them")):
            for chunk in (1, 1000, 65_536):
                with self.subTest(data=data[:30], chunk=chunk):
                    self.assertIn(text, why_lost(wire(name), data, chunk))

    def test_the_likely_cause_is_said(self):
        self.assertIn("most likely JSON without its Content-Length header",
                      why_lost(wire("headers"), b'{"id":1}\n'))
        self.assertIn("most likely a print", why_lost(wire("headers"), b"Hello\n"))
        self.assertNotIn("likely", why_lost(wire("headers"), b"Content-Length: x\r\n\r\n"))
        self.assertIn('57 61 72 6e 69 6e 67 3a ("Warning:")',
                      why_lost(wire("prefix", 8), b"Warning: x"))

    def test_the_end_inside_a_frame_is_told(self):
        for shape in SHAPES:
            its_wire = wire(*shape)
            whole = its_wire.frame(b"abc")
            for size in range(1, len(whole)):
                with self.subTest(shape=shape, size=size), self.assertRaises(EndInsideFrame):
                    Chunks(its_wire, whole[:size]).all()

    def test_a_prefix_leaves_what_follows_in_the_pipe(self):
        for shape in SHAPES:
            pipes = Chunks(wire(*shape), wire(*shape).frame(b"ab") + b"rest")
            self.assertEqual(pipes.read_payload(), b"ab")
            unread = bytes(pipes.data)
            self.assertEqual(unread, b"rest" if shape[0] == "prefix" else b"")


class Costs(unittest.TestCase):
    def test_each_byte_is_looked_at_once_however_they_come(self):
        """Twice as many bytes may take twice the time and not four times; measured by what is
        searched, not by a clock."""
        for name, begin in (("lines", b""), ("headers", b"A: ")):
            searched = []
            for size in (20_000, 40_000):
                stream = Counted()
                its_wire = wire(name, limit=1 << 20)
                looked = 0
                for at in range(0, size, 10):
                    stream += (begin if at == 0 else b"") + b"x" * 10
                    self.assertIsNone(its_wire.head(stream, looked))
                    looked = len(stream)
                searched.append(stream.searched)
            with self.subTest(name):
                self.assertLess(searched[1], 2.5 * searched[0])

    def test_memory_grows_with_what_arrives_and_no_line_is_endless(self):
        limit = 300 << 20
        for name, data, text in (
                ("lines", b"x" * 3_000_000, b"a line of more than 1000000 bytes"),
                ("headers", b"A: 1\r\n" * 500_000, b"without an empty line behind them")):
            program = [sys.executable, *SOUND, "--wire", name, "--max-frame-bytes", "1000000"]
            done = subprocess.run(
                program, input=data, capture_output=True, check=False, env={"PYTHONPATH": ROOT},
                preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)))
            with self.subTest(name):
                self.assertEqual((done.returncode, done.stdout), (1, b""))
                self.assertEqual(done.stderr.count(b"\n"), 1)
                self.assertIn(text, done.stderr)


class Counted(bytearray):
    """A stream that counts the bytes in which something is searched."""

    searched = 0

    def find(self, what, start=0):
        self.searched += len(self) - start
        return super().find(what, start)


if __name__ == "__main__":
    unittest.main()
