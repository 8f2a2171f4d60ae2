"""The fault table: one row a fault, in the order of the documentation."""

from __future__ import annotations

from .._options import WIRES

DELAY_MAX_MS = 600_000
TEXT_MAX_BYTES = 65_536


class Param:
    """A whole number with bounds, a text of at most `max` bytes, or one of `words`.

    Its name ends in its unit.
    """

    __slots__ = ("name", "default", "min", "max", "words")

    def __init__(self, name, default, smallest, largest, words=()):
        self.name = name
        self.default = default
        self.min = smallest
        self.max = largest
        self.words = words

    @property
    def is_text(self):
        return isinstance(self.default, str)


class Fault:
    """`moment` decides which aims make sense; `harmless`: a sound pool's calls all succeed;
    `on_wires`: the wires on which it can be shown."""

    __slots__ = ("name", "family", "moment", "harmless", "params", "on_wires")

    def __init__(self, name, family, moment, harmless, params, on_wires):
        self.name = name
        self.family = family
        self.moment = moment
        self.harmless = harmless
        self.params = params
        self.on_wires = on_wires


def _row(name, family, moment, *params, harmless=False, on_wires=WIRES):
    return Fault(name, family, moment, harmless, params, on_wires)


def _text(default, name="text"):
    return Param(name, default, 0, TEXT_MAX_BYTES)


def _delay(default, smallest=1):
    return Param("delay_ms", default, smallest, DELAY_MAX_MS)


def _code(default, smallest=0):
    return Param("code", default, smallest, 255)


def _then(default, *more):
    return Param("then", default, 0, TEXT_MAX_BYTES, ("exit", "kill", "hang", "close", *more))


def _shape(*words):
    return Param("shape", words[0], 0, TEXT_MAX_BYTES, words)


# A line has no header that could lie.
_WITH_LENGTH = ("prefix", "varint", "headers")

_SIGNAL = Param("signal", 9, 1, 31)
_CHUNK = Param("chunk_bytes", 1, 1, 65_536)

FAULTS = [
    _row("reply_dropped", "drop", "reply"),
    _row("reading_stopped", "drop", "reading", Param("keep_bytes", 0, 0, 1_000_000),
         _then("hang", "answer"), _code(1)),
    _row("exit_mid_call", "drop", "request", _code(1)),
    _row("killed_mid_call", "drop", "request", _SIGNAL),
    _row("stdout_closed", "drop", "request"),
    _row("stdin_closed", "drop", "idle"),
    # A worker that is never started can't show it: whoever starts workers does.
    _row("start_fails", "drop", "launch",
         Param("errno", "ENOENT", 0, TEXT_MAX_BYTES, ("ENOENT", "EACCES", "ENOEXEC"))),
    _row("exit_at_start", "drop", "start", _code(3), _text("fault: exit at start", "stderr_text")),
    _row("killed_at_start", "drop", "start", _SIGNAL),
    _row("exit_while_idle", "drop", "idle", _code(0)),
    _row("killed_while_idle", "drop", "idle", _SIGNAL),
    _row("stdout_closed_while_idle", "drop", "idle"),

    _row("banner", "misframe", "start", _text("Loading model...\n")),
    _row("input_read_as_lines", "misframe", "start", on_wires=_WITH_LENGTH),
    _row("reply_unframed", "misframe", "reply"),
    _row("text_before_reply", "misframe", "reply", _text("Warning: slow path\n")),
    _row("text_after_reply", "misframe", "reply", _text("done\n")),
    _row("text_while_idle", "misframe", "idle", _text("tick\n"), _delay(0, 0)),
    _row("reply_truncated", "misframe", "reply", Param("keep_bytes", 3, 0, 1_000_000), _code(0),
         _then("exit")),
    _row("length_too_long", "misframe", "reply", Param("extra_bytes", 5, 1, 1_000_000),
         on_wires=_WITH_LENGTH),
    _row("length_too_short", "misframe", "reply", Param("missing_bytes", 5, 1, 1_000_000),
         on_wires=_WITH_LENGTH),
    _row("length_in_characters", "misframe", "reply", on_wires=_WITH_LENGTH),
    _row("length_little_endian", "misframe", "reply", on_wires=("prefix",)),
    _row("length_zero", "misframe", "reply", on_wires=_WITH_LENGTH),
    _row("length_huge", "misframe", "reply", on_wires=_WITH_LENGTH),
    _row("length_over_limit", "misframe", "reply", Param("over_bytes", 1, 1, 1_000_000),
         on_wires=_WITH_LENGTH),
    _row("header_malformed", "misframe", "reply",
         _shape("negative", "missing", "no_number", "twice", "line_feed"), on_wires=("headers",)),
    _row("json_invalid", "misframe", "reply"),
    _row("utf8_invalid", "misframe", "reply"),
    _row("nan_result", "misframe", "reply"),
    _row("json_deep", "misframe", "reply", Param("depth", 100_000, 1, 5_000_000)),
    _row("id_wrong", "misframe", "reply", Param("offset", 1, -1_000_000, 1_000_000)),
    _row("id_text", "misframe", "reply"),
    _row("success_missing", "misframe", "reply"),
    _row("reply_reshaped", "misframe", "reply",
         _shape("id_fraction", "no_result", "result_list", "null_id_error", "id_null", "null",
                "batch")),
    _row("reply_twice", "misframe", "reply"),
    _row("frames_before_reply", "misframe", "reply",
         _shape("event", "request", "request_same_id", "previous_reply"),
         Param("frames", 1, 1, 1_000_000)),
    _row("frame_inside_reply", "misframe", "reply", Param("keep_bytes", 10, 1, 1_000_000)),
    _row("error_reply", "misframe", "reply", _text("injected error", "message")),
    _row("reply_padded", "misframe", "reply", Param("payload_bytes", 1000, 1, 1_000_000),
         harmless=True),

    _row("import_slow", "delay", "start", _delay(1000), harmless=True),
    _row("reply_slow", "delay", "reply", _delay(50), harmless=True),
    _row("reply_late", "delay", "reply", _delay(300)),
    _row("reply_trickled", "delay", "reply", Param("gap_ms", 20, 0, 60_000), _CHUNK),
    _row("reply_fragmented", "delay", "reply", _CHUNK, harmless=True),
    _row("reply_unflushed", "delay", "reply"),
    _row("stderr_flood", "delay", "request", Param("text_bytes", 1_000_000, 1, 100_000_000),
         harmless=True),

    _row("stdin_end_ignored", "shutdown", "shutdown"),
    _row("term_ignored", "shutdown", "shutdown"),
    _row("exit_slow", "shutdown", "shutdown", _delay(300)),
    _row("shutdown_not_obeyed", "shutdown", "shutdown"),
    _row("exit_code_at_shutdown", "shutdown", "shutdown", _code(1, 1)),
    _row("grandchild_left", "shutdown", "request", Param("lifetime_ms", 60_000, 1, DELAY_MAX_MS),
         harmless=True),
]

BY_NAME = {fault.name: fault for fault in FAULTS}


def as_rows():
    """The table as JSON values."""
    return [{"name": fault.name, "family": fault.family, "moment": fault.moment,
             "harmless": fault.harmless, "params": [_as_row(param) for param in fault.params]}
            for fault in FAULTS]


def _as_row(param):
    if param.words:
        return {"name": param.name, "default": param.default, "words": list(param.words)}
    if param.is_text:
        return {"name": param.name, "default": param.default}
    return {"name": param.name, "default": param.default, "min": param.min, "max": param.max}
