"""The two pipes to the pool: taken out of everybody else's way, and cut into frames."""

from __future__ import annotations

import os
import select
import signal
import stat
import sys

from ._text import hex_and_text, quoted

CHANNEL_VARIABLE = "NODE_CHANNEL_FD"

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


def claim_channel():
    """The same for a child of Node's fork(), whose socket is none of the standard streams. Returns
    (stdin_fd, stdout_fd), two descriptors of it. Errors: ValueError where there is no channel."""
    number = os.environ.get(CHANNEL_VARIABLE, "")
    try:
        fd = int(number)
        is_socket = stat.S_ISSOCK(os.fstat(fd).st_mode)
    except (ValueError, OSError, OverflowError):
        is_socket = False
    if not is_socket:
        said = f"is {quoted(number)}, which is no socket" if number else "is not set"
        raise ValueError(f"{CHANNEL_VARIABLE}: {said}; the wire node_ipc needs the descriptor of a "
                         "socket there, as child_process.fork() and poolproof set it")
    ends = os.dup(fd), os.dup(fd)
    os.close(fd)
    os.set_blocking(ends[0], True)
    return ends


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
    """Frames in and out, as a wire marks them off. `log` is a WireLog, or None."""

    def __init__(self, stdin_fd, stdout_fd, wire, log=None):
        self.log = log
        self.stdin_fd = stdin_fd
        self.stdout_fd = stdout_fd
        self.wire = wire
        self.stream = bytearray()  # what has arrived and belongs to no frame given out
        self.waiter = Waiter()
        self.waiter.watch(stdin_fd)

    def read_payload(self):
        """The next payload: b"" for an empty frame, None at the end of the input.

        Never holds more than what has arrived and one read, whatever the header says; where a
        header has a fixed size, nothing is read beyond the frame. Each byte is looked at once,
        however they arrive. Raises StreamLost and EndInsideFrame.
        """
        head, looked = None, 0
        while True:
            if head is None:
                head = self.wire.head(self.stream, looked)
                looked = len(self.stream)
            if head and head.frame_bytes <= len(self.stream):
                return self._take(head)
            chunk = self.read_some(self.wire.wanted(len(self.stream), head))
            if chunk:
                self.stream += chunk
            elif self.stream:
                raise EndInsideFrame(f"end of input inside a frame: {hex_and_text(self.stream)}")
            else:
                return None

    def _take(self, head):
        end = head.header_bytes + head.payload_bytes
        with memoryview(self.stream) as view, view[head.header_bytes:end] as part:
            payload = bytes(part)
        del self.stream[:head.frame_bytes]
        return payload

    def read_some(self, count_max):
        """What is there, or b"" at the end of the input."""
        self.waiter.wait_for_input()
        data = os.read(self.stdin_fd, count_max)
        if self.log:
            self.log.note_read(data)
        return data

    def close_input(self):
        _close_half(self.stdin_fd, 0)

    def close_output(self):
        _close_half(self.stdout_fd, 1)
        self.stdout_fd = None

    def write(self, data):
        """Writes all of it. Raises BrokenPipeError when nobody reads any more."""
        view = memoryview(data)
        while view:
            wrote = os.write(self.stdout_fd, view)
            if self.log:
                self.log.note_written(view[:wrote])
            view = view[wrote:]


def _close_half(fd, shut):
    """Of a socket that is both streams the other one lives on. `shut`: SHUT_RD or SHUT_WR."""
    if stat.S_ISSOCK(os.fstat(fd).st_mode):
        import socket  # seldom wanted

        with socket.socket(fileno=os.dup(fd)) as half:
            half.shutdown(shut)
    os.close(fd)
