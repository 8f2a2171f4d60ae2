"""The loop of a worker: read a request, obey it, reply; and the reasons to leave."""

from __future__ import annotations

import os
import signal
import sys
import time

from ._envelope import CommandError, Reply, read_request, to_json
from ._pipes import EndInsideFrame, FrameTooLong, flush_stderr, say

# Reasons to leave.
STDIN_END, TERM, SHUTDOWN_REQUEST = "stdin_end", "term", "request"


class Server:
    """One process of one slot. Its methods are the seams at which a relative may differ."""

    def __init__(self, commands, pipes, options):
        self.pipes = pipes
        self.worker_id = options.worker_id
        self.timestamp = options.timestamp
        self.read_count = 0
        self.calls = 0
        self.errors = 0
        self.commands = {"ping": self.ping, "stats": self.stats, "shutdown": self.shutdown}
        self.commands.update(commands)

    def run(self):
        """Never returns."""
        signal.signal(signal.SIGTERM, self.on_term)
        self.on_start()
        while True:
            self.serve_one()

    def on_start(self):
        pass

    def on_term(self, _signal, _frame):
        flush_stderr()
        os._exit(0)

    def serve_one(self):
        try:
            payload = self.pipes.read_payload()
        except EndInsideFrame as error:
            return self.end_of_input(str(error))
        except FrameTooLong as error:
            say(error)
            self.exit(1)
        if payload is None:
            return self.end_of_input()
        request = read_request(payload, self.read_count)
        self.read_count += 1
        self.respond(request)

    def respond(self, request):
        self.send(request, self.answer(request))
        if request.command == "shutdown" and not request.problem:
            self.leave(SHUTDOWN_REQUEST)

    def answer(self, request):
        """The reply, and the counting of it."""
        is_request = request.id is not None and request.command is not None
        request_id = str(request.id) if is_request else "null"
        success, body = self.obey(request)
        reply = Reply(request_id, success, body, self.now())
        size = len(reply.payload())
        if size > self.pipes.payload_limit:
            reply = Reply(request_id, False, to_json(f"reply too long: {size} bytes"),
                          reply.timestamp)
        self.calls += bool(request.problem) or request.command != "ping"
        self.errors += not reply.success
        return reply

    def obey(self, request):
        """Whether it went well, and the result or the error's text as JSON."""
        if request.problem:
            return False, to_json(request.problem)
        function = self.commands.get(request.command)
        if function is None:
            return False, to_json(f"Unknown command: {request.command}")
        try:
            result = function(request.args)
        except CommandError as error:
            return False, to_json(str(error))
        except Exception as error:
            sys.__excepthook__(*sys.exc_info())  # prints as `traceback` would, without its import
            return False, to_json(_text_of(error))
        try:
            return True, to_json(result)
        except ValueError as error:
            return False, to_json(str(error))

    def send(self, _request, reply):
        self.write(self.pipes.frame(reply.payload()))

    def write(self, data):
        try:
            self.pipes.write(data)
        except BrokenPipeError:
            self.exit(0)  # the pool is gone

    def end_of_input(self, problem=""):
        if problem:
            say(problem)
        self.leave(STDIN_END, 1 if problem else 0)

    def leave(self, _cause, code=0):
        self.exit(code)

    def exit(self, code):
        flush_stderr()
        sys.exit(code)

    def now(self):
        return repr(time.time()) if self.timestamp is None else self.timestamp

    def ping(self, _args):
        return {"status": "ok", "worker_id": self.worker_id}

    def stats(self, _args):
        return {"calls": self.calls, "errors": self.errors}

    def shutdown(self, _args):
        return {"status": "shutting_down"}


def _text_of(error):
    try:
        return str(error) or type(error).__name__
    except Exception:  # somebody's broken __str__
        return type(error).__name__
