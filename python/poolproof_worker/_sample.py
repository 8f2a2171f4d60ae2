"""The sample worker: commands that do little, for pools under test."""

from __future__ import annotations

import time

from . import CommandError, Worker

_SLEEP_MAX_MS = 600_000
_COMPUTE_MAX = 5_000_000
_GROW_MAX = 1_000_000_000
_NAP_S = 0.05  # TERM waits that long when it comes just before time.sleep() does

worker = Worker(name="poolproof fake worker")
_stored = {}  # (session, key) -> value
_grown = []


@worker.command("echo")
def echo(args):
    """gives its arguments back"""
    return args


@worker.command("sleep")
def sleep(args):
    """sleeps for `ms` milliseconds"""
    ms = _number(args, "ms", _SLEEP_MAX_MS)
    end = time.monotonic() + ms / 1000
    while (left := end - time.monotonic()) > 0:
        time.sleep(min(left, _NAP_S))
    return {"slept_ms": ms}


@worker.command("compute")
def compute(args):
    """counts the primes below `n`

    Real work for the processor: by trial division.
    """
    below = _number(args, "n", _COMPUTE_MAX)
    return {"primes": sum(map(_is_prime, range(2, below)))}


@worker.command("grow")
def grow(args):
    """keeps `bytes` more bytes of memory

    Each byte of it is written, so that it is resident.
    """
    _grown.append(b"x" * _number(args, "bytes", _GROW_MAX))
    return {"grown_bytes": sum(map(len, _grown))}


@worker.command("fail")
def fail(args):
    """fails with `message`"""
    message = args.get("message", "failed on request")
    if not isinstance(message, str):
        raise CommandError("bad args: message must be a text")
    raise CommandError(message)


@worker.command("session_put")
def session_put(args):
    """keeps `value` as `key` of `session`"""
    if not _names_entry(args) or "value" not in args:
        raise CommandError("bad args: session and key must be texts, and a value must be there")
    _stored[args["session"], args["key"]] = args["value"]
    return {"stored": True}


@worker.command("session_get")
def session_get(args):
    """gives what was kept as `key` of `session`"""
    if not _names_entry(args):
        raise CommandError("bad args: session and key must be texts")
    entry = args["session"], args["key"]
    return {"found": entry in _stored, "value": _stored.get(entry)}


# What comes with every worker is a tool of this one.
worker.list_tool("stats", "counts calls and errors", {"type": "object"})
worker.list_tool("shutdown", "leaves behind its answer", {"type": "object"})


def _number(args, key, largest):
    value = args.get(key)
    if type(value) is not int or not 0 <= value <= largest:
        raise CommandError(f"bad args: {key} must be a whole number from 0 to {largest}")
    return value


def _names_entry(args):
    return isinstance(args.get("session"), str) and isinstance(args.get("key"), str)


def _is_prime(number):
    divisor = 2
    while divisor * divisor <= number:
        if number % divisor == 0:
            return False
        divisor += 1
    return True
