"""Which faults strike where: read from a plan file or from options, checked against the table."""

from __future__ import annotations

import json

from .._text import quoted
from .catalogue import BY_NAME

_PLAN_MAX_BYTES = 16 << 20
_NUMBER_MAX = 2**32 - 1
_COORDINATES = ("client", "call", "slot", "generation", "request")


class PlanError(ValueError):
    """One line: where, what, and what would do."""

    def __init__(self, where, what, want):
        super().__init__(f"{where}: {what}; {want}")


class Planned:
    """One fault of a plan. `at` holds the coordinates given; one left out means "any"."""

    __slots__ = ("id", "fault", "at", "params")

    def __init__(self, plan_id, fault, at, params):
        self.id = plan_id
        self.fault = fault
        self.at = at
        self.params = params  # every parameter has its value

    def is_for(self, slot, generation):
        return (self.at.get("slot", slot) == slot
                and self.at.get("generation", generation) == generation)

    def is_at_request(self, number, nonce):
        if "client" in self.at:
            return nonce == f"{self.at['client']}:{self.at['call']}"
        return self.at.get("request", number) == number


class _Object(dict):
    """An object of a plan file, and the first key that is there twice, or None."""

    __slots__ = ("twice",)

    def __init__(self, pairs):
        super().__init__()
        self.twice = None
        for key, value in pairs:
            if key in self and self.twice is None:
                self.twice = key
            self[key] = value


def key_twice(where, key):
    return PlanError(where, f"the key {quoted(key)} is there twice", "one of them")


def _refuse_keys_twice(root, path):
    values = [(root, path)]
    while values:
        value, where = values.pop()
        if isinstance(value, _Object) and value.twice is not None:
            raise key_twice(where, value.twice)
        below = where + ("#/" if where == path else "/")
        items = {}
        if isinstance(value, dict):
            items = value
        elif isinstance(value, list):
            items = dict(enumerate(value))
        values += [(item, f"{below}{key}") for key, item in reversed(items.items())]


def read_plan(path):
    """The faults of a plan file. Errors: PlanError."""
    try:
        with open(path, "rb") as file:
            text = file.read(_PLAN_MAX_BYTES + 1)
    except OSError as error:
        raise PlanError(path, error.strerror, "a plan file") from error
    if len(text) > _PLAN_MAX_BYTES:
        raise PlanError(path, "too long", "a plan of at most 16 MiB")
    try:
        root = json.loads(text.decode(), object_pairs_hook=_Object)
    except (ValueError, RecursionError) as error:
        raise PlanError(path, f"not JSON: {error}", "a plan as JSON") from error
    _refuse_keys_twice(root, path)
    want = '{"plan_version": 1, "faults": [...]}'
    if not isinstance(root, dict):
        raise PlanError(path, "not an object", want)
    _refuse_unknown(root, path + "#", ("plan_version", "faults"))
    if type(root.get("plan_version")) is not int or root["plan_version"] != 1:
        raise PlanError(path + "#/plan_version", "missing or unknown",
                        "this program reads version 1")
    if not isinstance(root.get("faults"), list):
        raise PlanError(path + "#/faults", "missing or no list", "a list of faults")
    return _read_faults(root["faults"], path + "#/faults")


def read_fault(given, where, plan_id):
    """One fault object; `plan_id` is its name unless it has an "id". Errors: PlanError."""
    if not isinstance(given, dict):
        raise PlanError(where, "no object", '{"fault", "at", ...}')
    name = _checked_text(given.get("fault"), where + "/fault", "the name of a fault")
    fault = BY_NAME.get(name)
    if fault is None:
        raise PlanError(where + "/fault", f"unknown fault {name!r}", _suggestion(name, BY_NAME))
    _refuse_unknown(given, where, ["id", "fault", "at"] + [param.name for param in fault.params])
    if "at" not in given:
        raise PlanError(where, 'no "at"', "where it strikes; {} is everywhere")
    at = _read_aim(fault, given["at"], where + "/at")
    params = {param.name: _read_param(param, given, where) for param in fault.params}
    return Planned(_checked_text(given.get("id", plan_id), where + "/id", "a name for receipts"),
                   fault, at, params)


def _read_faults(given, where):
    plan = []
    for i, fault in enumerate(given):
        planned = read_fault(fault, f"{where}/{i}", f"f{i}")
        if any(other.id == planned.id for other in plan):
            raise PlanError(f"{where}/{i}/id", f"a second {planned.id!r}", "an id of its own")
        plan.append(planned)
    return plan


def _read_aim(fault, at, where):
    if not isinstance(at, dict):
        raise PlanError(where, "no object", "{} strikes everywhere")
    allowed = _coordinates(fault)
    for key in at:
        if key in _COORDINATES and key not in allowed:
            raise PlanError(f"{where}/{key}", f"impossible coordinate {key!r} for {fault.name}",
                            "it is aimed by " + ", ".join(allowed))
    _refuse_unknown(at, where, allowed)
    if "client" in at or "call" in at:
        return _read_call(at, where)
    return {key: _checked_number(value, f"{where}/{key}", 0, _NUMBER_MAX)
            for key, value in at.items()}


def _read_call(at, where):
    if set(at) != {"client", "call"}:
        raise PlanError(where, "a client's call needs both, and nothing else",
                        "either {client, call} or {slot, generation, request}")
    client = _checked_text(at["client"], where + "/client", "a client's name")
    if not client:
        raise PlanError(where + "/client", "an empty name", "a client's name")
    return {"client": client, "call": _checked_number(at["call"], where + "/call", 1, _NUMBER_MAX)}


def _coordinates(fault):
    if fault.moment in ("start", "shutdown", "launch"):
        return ("slot", "generation")
    if fault.moment == "reading":  # no client's nonce has been seen
        return ("slot", "generation", "request")
    return _COORDINATES


def _read_param(param, given, where):
    value = given.get(param.name, param.default)
    where = f"{where}/{param.name}"
    if not param.is_text:
        return _checked_number(value, where, param.min, param.max)
    text = _checked_text(value, where, "a text")
    size = len(text.encode(errors="replace"))
    if size > param.max:
        raise PlanError(where, f"a text of {size} bytes", f"at most {param.max}")
    if param.words and text not in param.words:
        raise PlanError(where, f"{text!r} is none of its words", _suggestion(text, param.words))
    return text


def _checked_number(value, where, smallest, largest):
    if type(value) is not int or not smallest <= value <= largest:
        raise PlanError(where, f"{_short(value)} will not do",
                        f"a whole number from {smallest} to {largest}")
    return value


def _checked_text(value, where, want):
    if not isinstance(value, str):
        raise PlanError(where, f"{_short(value)} is no text", want)
    return value


def _refuse_unknown(given, where, known):
    for key in given:
        if key not in known:
            raise PlanError(where, f"unknown key {key!r}", _suggestion(key, known))


def _suggestion(name, known):
    import difflib  # slow to import, and only wanted here

    near = difflib.get_close_matches(name, known, 1)
    return f'did you mean "{near[0]}"?' if near else "one of " + ", ".join(known)


def _short(value):
    text = json.dumps(value)
    return text if len(text) <= 60 else text[:60] + "..."
