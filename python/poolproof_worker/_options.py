"""What a worker was asked to be: the environment first, the command line wins."""

from __future__ import annotations

import json
import os
import sys

from ._envelope import Bridge
from ._pipes import claim_channel
from ._text import quoted
from ._wires import make_wire

BAD_USAGE = 64
_NUMBER_MAX = 2**31 - 1
_WIRE_LOG_BYTES = 64 << 20

WIRES = ("prefix", "varint", "lines", "headers", "node_ipc")
SPEECHES = ("bridge", "json_rpc", "mcp", "lsp")

_VARIABLES = {
    "slot": "POOLPROOF_SLOT",
    "generation": "POOLPROOF_GENERATION",
    "wire": "POOLPROOF_WIRE",
    "speech": "POOLPROOF_SPEECH",
    "prefix_bytes": "POOLPROOF_PREFIX_BYTES",
    "byte_order": "POOLPROOF_BYTE_ORDER",
    "max_frame_bytes": "POOLPROOF_MAX_FRAME_BYTES",
    "tickets": "POOLPROOF_TICKETS",
    "wire_log": "POOLPROOF_WIRE_LOG",
}


class Options:
    """`timestamp` is JSON, or None for the clock's."""

    NAMES = ("slot", "generation", "worker_id", "wire", "speech", "prefix_bytes", "byte_order",
             "max_frame_bytes", "timestamp", "tickets", "wire_log", "wire_log_bytes")

    def __init__(self):
        self.slot = 0
        self.generation = 0
        self.wire = "prefix"
        self.speech = "bridge"
        self.prefix_bytes = 4
        self.byte_order = "big"
        self.max_frame_bytes = 16 << 20
        self.timestamp = None
        self.tickets = ""
        self._numbered = False
        self.wire_log = ""  # a file; empty: none
        self.wire_log_bytes = _WIRE_LOG_BYTES
        self._worker_id = ""
        self._of_prefix = ""  # the option given last that says something of the length prefix

    @classmethod
    def from_environment(cls):
        """Errors: ValueError with one line for people."""
        options = cls()
        for name, variable in _VARIABLES.items():
            value = os.environ.get(variable)
            if value:
                options.set(name, value, variable)
        return options

    @property
    def worker_id(self):
        return self._worker_id or f"{self.slot}.{self.generation}"

    def override(self, **given):
        for name, value in given.items():
            if value is not None:
                self.set(name, str(value), name)

    def set(self, name, text, where):
        """Errors: ValueError that names `where` and what would do."""
        if name in ("prefix_bytes", "byte_order") and where not in _VARIABLES.values():
            self._of_prefix = where
        if name == "worker_id":
            self._worker_id = text
        elif name == "timestamp":
            self.timestamp = _as_json(text)
        elif name == "tickets":
            self.tickets = text
        elif name == "wire_log":
            if not text:
                raise ValueError(f"{where}: an empty name; a file")
            self.wire_log = text
        elif name == "wire_log_bytes":
            self.wire_log_bytes = _number(text, where, 1000, 1 << 40)
        elif name == "wire":
            self.wire = _one_of(WIRES, text, where, "is no wire")
        elif name == "speech":
            self.speech = _one_of(SPEECHES, text, where, "is no speech")
        elif name == "byte_order":
            if text not in ("big", "little"):
                raise ValueError(f"{where}: {quoted(text)} will not do; big or little")
            self.byte_order = text
        elif name == "prefix_bytes":
            if text not in ("1", "2", "4", "8"):
                raise ValueError(f"{where}: {quoted(text)} will not do; 1, 2, 4 or 8")
            self.prefix_bytes = int(text)
        else:
            smallest = 1 if name == "max_frame_bytes" else 0
            setattr(self, name, _number(text, where, smallest))
            self._numbered = self._numbered or name in ("slot", "generation")

    def refuse_what_is_of_no_prefix(self):
        """Call it once all options are set. What the environment says is said of every worker, and
        may mean nothing to this one. Errors: ValueError."""
        if self._of_prefix and self.wire != "prefix":
            raise ValueError(f"{self._of_prefix}: is said of the wire {self.wire}; "
                             "the wire prefix, or nothing")

    def draw_ticket(self):
        """Who was given no number takes the next one of all that share the file: it is 0.N.
        Errors: ValueError when the file can't be written."""
        if not self.tickets or self._numbered:
            return
        try:
            fd = os.open(self.tickets, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
            try:
                # An appending write takes its place and moves the offset behind itself in one step.
                os.write(fd, b".")
                self.generation = os.lseek(fd, 0, os.SEEK_CUR) - 1
            finally:
                os.close(fd)
        except OSError as error:
            raise ValueError(f"{self.tickets}: {error.strerror}; "
                             "a file for tickets that can be written") from error

    def make_pipes(self, pipes, stdin_fd, stdout_fd):
        """Of the class `pipes`. Call it behind claim_stdio(). Errors: ValueError, of the log, or
        where the wire has a socket of its own and there is none."""
        if self.wire == "node_ipc":
            stdin_fd, stdout_fd = claim_channel()
        log = None
        if self.wire_log:
            from ._wire_log import WireLog  # seldom wanted

            log = WireLog(self.wire_log, self.make_wire(), self.wire_log_bytes)
        return pipes(stdin_fd, stdout_fd, self.make_wire(), log)

    def make_wire(self):
        return make_wire(self.wire, self.prefix_bytes, self.byte_order, self.max_frame_bytes)

    def make_speech(self, server_name):
        if self.speech == "bridge":
            return Bridge(server_name, self.worker_id)
        from . import _rpc  # bridges do without

        speech = {"json_rpc": _rpc.JsonRpc, "mcp": _rpc.Mcp, "lsp": _rpc.Lsp}[self.speech]
        return speech(server_name, self.worker_id)


def read_pairs(argv, takes_value):
    """Yields (option, value) of `--option VALUE` and `--option=VALUE`, and (option, None) of those
    that take none. Errors: ValueError."""
    rest = iter(argv)
    for word in rest:
        option, equals, value = word.partition("=")
        if not takes_value(option):
            yield word, None
        elif equals:
            yield option, value
        else:
            value = next(rest, None)
            if value is None:
                raise ValueError(f"{option}: no value; {option} VALUE")
            yield option, value


def own_option(option):
    """`--worker-id` -> `worker_id`; None for what is no option of a sound worker."""
    name = option[2:].replace("-", "_")
    return name if option.startswith("--") and name in Options.NAMES else None


def unknown_option(option, known):
    import difflib  # slow to import, and only wanted here

    near = difflib.get_close_matches(option, known, 1)
    want = f"did you mean {near[0]}?" if near else "see --help"
    return ValueError(f"{option}: unknown option; {want}")


def option_names():
    return ["--" + name.replace("_", "-") for name in Options.NAMES]


def bad_usage(error):
    """One line on stderr, exit 64."""
    print(error, file=sys.stderr)
    sys.exit(BAD_USAGE)


def _one_of(names, text, where, complaint):
    if text not in names:
        raise ValueError(f"{where}: {quoted(text)} {complaint}; one of {', '.join(names)}")
    return text


def _number(text, where, smallest, largest=_NUMBER_MAX):
    digits = text.isascii() and text.isdigit() and len(text) < 20
    number = int(text) if digits else -1
    if not smallest <= number <= largest:
        raise ValueError(f"{where}: {quoted(text)} will not do; "
                         f"a whole number from {smallest} to {largest}")
    return number


def _as_json(text):
    """JSON stays as it is; any other text becomes a JSON text."""
    try:
        json.loads(text, parse_constant=_no_json)
        return text
    except (ValueError, RecursionError):
        return json.dumps(text, ensure_ascii=False)


def _no_json(name):
    raise ValueError(name)
