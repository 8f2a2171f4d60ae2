"""The messages inside the frames: requests in, replies out."""

from __future__ import annotations

import json
import re

_DEPTH_MAX = 128  # levels of nesting in a request
_ID_MIN, _ID_MAX = -(2**63), 2**63 - 1
_NO_JSON = object()

# What JSON-RPC calls the reasons for an error.
PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
SERVER_ERROR = -32000

_SURROGATE = re.compile("[\ud800-\udfff]")
_encoder = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False,
                            allow_nan=False)


class CommandError(Exception):
    """Raised by a command to refuse a request: its text is the error reply, without a traceback."""


class NoJson(ValueError):
    """A result that JSON can't express."""


class Refused(Exception):
    """A request that can't be carried out. `code`: what JSON-RPC calls it."""

    def __init__(self, text, code=SERVER_ERROR):
        super().__init__(text)
        self.code = code


class Request:
    """A request as it was read. Never refused here: what is wrong with it stands in `problem`."""

    __slots__ = ("number", "id", "refused_id", "command", "args", "problem", "code",
                 "notification", "tool_call")

    def __init__(self, number):
        self.number = number  # counted from 0
        self.id = None        # a whole number; JSON-RPC: or a text
        self.refused_id = ""  # a text or a number, as JSON, that the speech has for no id
        self.command = None
        self.args = None
        self.problem = ""
        self.code = INVALID_REQUEST  # of the problem
        self.notification = False    # nobody waits for an answer, and it has no number
        self.tool_call = False       # its answer is wrapped as that of a tool

    def refuse(self, problem, code=INVALID_REQUEST):
        self.problem = problem
        self.code = code
        return self

    def shown_id(self):
        """As JSON. What is no request is answered without an id, even where it has one."""
        return "null" if self.id is None or self.command is None else to_json(self.id)


class Reply:
    """A reply to be. `id`, `body` (the result, or the error's text) and `timestamp` are JSON."""

    __slots__ = ("speech", "id", "success", "body", "timestamp", "code", "of_tool", "is_object")

    def __init__(self, speech, request_id, timestamp):
        self.speech = speech
        self.id = request_id
        self.success = True
        self.body = "{}"
        self.timestamp = timestamp
        self.code = SERVER_ERROR  # of an error, in JSON-RPC
        self.of_tool = False      # its result says by itself if the tool failed
        self.is_object = True     # the result of a tool is one

    def refuse(self, text, code=SERVER_ERROR):
        self.success = False
        self.body = to_json(text)
        self.code = code

    def members(self):
        """(key, JSON) of the message, sorted by the keys."""
        return self.speech.members(self)

    def payload(self):
        return to_utf8("{" + ",".join(f'"{key}":{value}' for key, value in self.members()) + "}")


class Bridge:
    """The messages of DSPex's Python bridge, and the base of the other speeches."""

    says_success = ("success",)  # the keys by which a reply says whether it went well

    def __init__(self, name, worker_id):
        self.name = name  # of the server, for those who ask
        self.worker_id = worker_id

    def read_request(self, payload, number):
        request = Request(number)
        message = parse_object(payload, request)
        if message is None:
            return request
        args = message.get("args", {})
        if is_id(message.get("id")):
            request.id = message["id"]
        else:
            request.refused_id = refused_id(message, payload)
        if isinstance(message.get("command"), str):
            request.command = message["command"]
        if isinstance(args, dict):
            request.args = args

        if request.id is None:
            return request.refuse("the request has no integer id")
        if request.command is None:
            return request.refuse("the request has no command")
        if request.args is None:
            return request.refuse("bad args: not an object", INVALID_PARAMS)
        return request

    def members(self, reply):
        named_id = ("id", reply.id)
        body = ("result" if reply.success else "error", reply.body)
        first = [named_id, body] if reply.success else [body, named_id]
        return [*first, ("success", "true" if reply.success else "false"),
                ("timestamp", reply.timestamp)]

    def builtins(self, server):
        """What every worker answers beside its commands: functions by name."""
        return {"ping": server.ping, "stats": server.stats, "shutdown": server.shutdown}

    def find(self, server, request):
        """The function that answers. Raises Refused."""
        function = server.commands.get(request.command)
        if function is None:
            raise Refused(f"Unknown command: {request.command}", METHOD_NOT_FOUND)
        return function

    def on_notification(self, _server, _request):
        pass

    def on_answered(self, server, request):
        if request.command == "shutdown" and not request.problem:
            server.leave_as_asked()


def parse_object(payload, request):
    """The message, or None, and then a problem."""
    if not payload:
        request.refuse("empty frame", PARSE_ERROR)
        return None
    message = _parse(payload)
    if isinstance(message, dict):
        return message
    request.refuse("the request is not a JSON object",
                   PARSE_ERROR if message is _NO_JSON else INVALID_REQUEST)
    return None


def refused_id(message, payload):
    """A text or a number that is no id, as JSON; numbers stay as they are written."""
    given = message.get("id")
    if isinstance(given, str):
        return to_json(given)
    if type(given) not in (int, float):
        return ""
    return json.loads(payload.decode(), parse_int=str, parse_float=str)["id"]


def is_id(value):
    return type(value) is int and _ID_MIN <= value <= _ID_MAX


def to_json(value):
    """Compact JSON with sorted keys. Errors: NoJson."""
    try:
        return _encoder.encode(value)
    except (TypeError, ValueError, RecursionError) as error:
        raise NoJson(f"the result is not JSON: {error}") from error


def to_utf8(text):
    """Lone surrogates, which UTF-8 can't express, become U+FFFD."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        return _SURROGATE.sub("\ufffd", text).encode()


def _parse(payload):
    """The message, or _NO_JSON for what is not strict JSON in UTF-8 or is nested too deep."""
    try:
        message = json.loads(payload.decode(), parse_constant=_refuse_constant)
        if b"\\u" in payload:
            _encoder.encode(message).encode()  # an escaped lone surrogate is no text
    except (ValueError, RecursionError):
        return _NO_JSON
    brackets = payload.count(b"[") + payload.count(b"{")
    if brackets <= _DEPTH_MAX or _is_shallow(message):
        return message
    return _NO_JSON


def _refuse_constant(name):
    raise ValueError(f"{name} is not JSON")


def _is_shallow(message):
    level = [message] if isinstance(message, (dict, list)) else []  # the containers of one depth
    for _ in range(_DEPTH_MAX):
        level = [child for item in level
                 for child in (item.values() if isinstance(item, dict) else item)
                 if isinstance(child, (dict, list))]
        if not level:
            return True
    return False
