"""The two pipes to the pool: taken out of everybody else's way, and cut into frames."""

from __future__ import annotations

import os
import select
import signal
import sys

_READ_MAX_BYTES = 65_536  # os.read() allocates what it is asked for, whatever arrives
_SHOWN_MAX_BYTES = 60

_claimed = None


def claim_stdio():
    """Keeps stdin and stdout for the protocol. Returns (stdin_fd, stdout_fd), private duplicates.

    Afterwards descriptor 1 and sys.stdout are stderr and descriptor 0 is /dev/null, so that a
    stray print(), a C library or a child process can't touch the protocol. Worker.run() does this;
    call it yourself, first of all, when modules that print are imported before run(). Later calls
    return the same descriptors. Errors: OSError when stdin or stdout is closed.
    """
    global _claimed
    if _claimed is None:
        _make_sure_of_stderr()  # first, or a duplicate would become descriptor 2
        _claimed = os.dup(0), os.dup(1)
        for fd in _claimed:
            os.set_blocking(fd, True)
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.close(nothing)
        os.dup2(2, 1)
        if sys.stdout is not None:
            sys.stdout.flush()  # what was printed before and is still in the buffer
        sys.stdout = sys.stderr
    return _claimed


def _make_sure_of_stderr():
    """A pool may start us without one; then /dev/null takes its place."""
    try:
        os.fstat(2)
    except OSError:
        nothing = os.open(os.devnull, os.O_WRONLY)
        if nothing != 2:
            os.dup2(nothing, 2)
            os.close(nothing)
    if sys.stderr is None:
        sys.stderr = open(2, "w", errors="backslashreplace", closefd=False)


def say(text):
    """One line for people. Nobody listening is no error."""
    try:
        print(text, file=sys.stderr, flush=True)
    except (OSError, RuntimeError, ValueError):
        pass  # RuntimeError: a signal handler spoke in the middle of another line


def flush_stderr():
    """Before an exit; a stderr that nobody reads must not turn the exit code into 120."""
    try:
        sys.stderr.flush()
    except (OSError, RuntimeError, ValueError):
        sys.stdout = sys.stderr = open(os.devnull, "w")


class FrameTooLong(Exception):
    """A header announces more than the limit: the stream is lost."""


class EndInsideFrame(Exception):
    """The input ended inside a header or a payload."""


class Waiter:
    """Waits in such a way that a signal's handler runs at once.

    Python notes a signal that comes just before a blocking call, and would run its handler only
    after that call. So nothing here blocks but poll(), which a signal also wakes through a pipe.
    """

    def __init__(self):
        self._woken, wakes = os.pipe()
        os.set_blocking(self._woken, False)
        os.set_blocking(wakes, False)
        signal.set_wakeup_fd(wakes, warn_on_full_buffer=False)
        self._input = select.poll()
        self._input.register(self._woken, select.POLLIN)

    def watch(self, fd):
        self._input.register(fd, select.POLLIN)

    def wait_for_input(self):
        """Returns when the watched descriptor has bytes or its end to read."""
        while True:
            ready = [fd for fd, _ in self._input.poll()]
            if self._woken not in ready:
                return
            self._forget_signals()

    def wait(self, timeout_ms=None):
        """Lets the time pass, or, without a timeout, whatever comes until a signal does."""
        signals = select.poll()  # one of its own: a handler may wait inside a wait
        signals.register(self._woken, select.POLLIN)
        if signals.poll(timeout_ms):
            self._forget_signals()

    def _forget_signals(self):
        """Their handlers have run, or we would not be here."""
        try:
            os.read(self._woken, 64)
        except BlockingIOError:
            pass  # a wait inside a handler was faster


class Pipes:
    """Frames in and out: a big-endian length of `prefix_bytes`, then as many bytes of payload."""

    def __init__(self, stdin_fd, stdout_fd, prefix_bytes, max_frame_bytes):
        self.stdin_fd = stdin_fd
        self.stdout_fd = stdout_fd
        self.prefix_bytes = prefix_bytes
        self.payload_limit = min(max_frame_bytes, (1 << (8 * prefix_bytes)) - 1)
        self.waiter = Waiter()
        self.waiter.watch(stdin_fd)

    def read_payload(self):
        """The next payload: b"" for a length of zero, None at the end of the input.

        Never reads beyond the frame, and never holds more than what has arrived and one read,
        whatever the header says. Raises FrameTooLong and EndInsideFrame.
        """
        header = self._read(self.prefix_bytes)
        if not header:
            return None
        if len(header) < self.prefix_bytes:
            raise EndInsideFrame(f"end of input inside a frame: {shown(header)}")
        length = int.from_bytes(header, "big")
        if length > self.payload_limit:
            raise FrameTooLong(f"frame length {length} is above the limit of {self.payload_limit} "
                               f"bytes; first bytes {shown(header)}")
        payload = self._read(length)
        if len(payload) < length:
            raise EndInsideFrame(f"end of input inside a frame: {shown(header + payload)}")
        return payload

    def read_some(self, count_max):
        """What is there, or b"" at the end of the input."""
        self.waiter.wait_for_input()
        return os.read(self.stdin_fd, count_max)

    def _read(self, count):
        """`count` bytes, or fewer when the input ends before."""
        chunks = []
        while count > 0:
            chunk = self.read_some(min(count, _READ_MAX_BYTES))
            if not chunk:
                break
            chunks.append(chunk)
            count -= len(chunk)
        return b"".join(chunks)

    def frame(self, payload):
        return len(payload).to_bytes(self.prefix_bytes, "big") + payload

    def write(self, data):
        """Writes all of it. Raises BrokenPipeError when nobody reads any more."""
        view = memoryview(data)
        while view:
            view = view[os.write(self.stdout_fd, view):]


def shown(data):
    """The first bytes as hex and as text, for people."""
    head = data[:_SHOWN_MAX_BYTES]
    rest = f", {len(data)} bytes in all" if len(data) > len(head) else ""
    return f"{head.hex(' ')} ({head!r}{rest})" if data else "(no bytes)"
