"""The messages inside the frames: requests in, replies out."""

from __future__ import annotations

import json
import re

_DEPTH_MAX = 128  # levels of nesting in a request
_ID_MIN, _ID_MAX = -(2**63), 2**63 - 1

_SURROGATE = re.compile("[\ud800-\udfff]")
_encoder = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False,
                            allow_nan=False)


class CommandError(Exception):
    """Raised by a command to refuse a request: its text is the error reply, without a traceback."""


class Request:
    """A request as it was read. Never refused here: what is wrong with it stands in `problem`."""

    __slots__ = ("number", "id", "command", "args", "problem")

    def __init__(self, number):
        self.number = number  # counted from 0
        self.id = None
        self.command = None
        self.args = None
        self.problem = ""


class Reply:
    """A reply to be. `id`, `body` (the result, or the error's text) and `timestamp` are JSON."""

    __slots__ = ("id", "success", "body", "timestamp")

    def __init__(self, request_id, success, body, timestamp):
        self.id = request_id
        self.success = success
        self.body = body
        self.timestamp = timestamp

    def payload(self):
        if self.success:
            text = (f'{{"id":{self.id},"result":{self.body},"success":true,'
                    f'"timestamp":{self.timestamp}}}')
        else:
            text = (f'{{"error":{self.body},"id":{self.id},"success":false,'
                    f'"timestamp":{self.timestamp}}}')
        return to_utf8(text)


def read_request(payload, number):
    request = Request(number)
    if not payload:
        request.problem = "empty frame"
        return request
    message = _parse(payload)
    if not isinstance(message, dict):
        request.problem = "the request is not a JSON object"
        return request
    args = message.get("args", {})
    if type(message.get("id")) is int and _ID_MIN <= message["id"] <= _ID_MAX:
        request.id = message["id"]
    if isinstance(message.get("command"), str):
        request.command = message["command"]
    if isinstance(args, dict):
        request.args = args

    if request.id is None:
        request.problem = "the request has no integer id"
    elif request.command is None:
        request.problem = "the request has no command"
    elif request.args is None:
        request.problem = "bad args: not an object"
    return request


def to_json(value):
    """Compact JSON with sorted keys. Errors: ValueError for what JSON can't express."""
    try:
        return _encoder.encode(value)
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"the result is not JSON: {error}") from error


def to_utf8(text):
    """Lone surrogates, which UTF-8 can't express, become U+FFFD."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        return _SURROGATE.sub("\ufffd", text).encode()


def _parse(payload):
    """The message, or None for what is not strict JSON in UTF-8 or is nested too deep."""
    try:
        message = json.loads(payload.decode(), parse_constant=_refuse_constant)
        if b"\\u" in payload:
            _encoder.encode(message).encode()  # an escaped lone surrogate is no text
    except (ValueError, RecursionError):
        return None
    brackets = payload.count(b"[") + payload.count(b"{")
    if brackets <= _DEPTH_MAX or (isinstance(message, dict) and _is_shallow(message)):
        return message
    return None


def _refuse_constant(name):
    raise ValueError(f"{name} is not JSON")


def _is_shallow(message):
    level = [message]  # the objects and arrays of one depth
    for _ in range(_DEPTH_MAX):
        level = [child for item in level
                 for child in (item.values() if isinstance(item, dict) else item)
                 if isinstance(child, (dict, list))]
        if not level:
            return True
    return False
