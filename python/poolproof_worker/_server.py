"""The loop of a worker: read a request, obey it, reply; and the reasons to leave."""

from __future__ import annotations

import os
import signal
import sys
import time

from ._envelope import CommandError, NoJson, Refused, Reply, to_json
from ._pipes import EndInsideFrame, flush_stderr, say
from ._wires import StreamLost

# Reasons to leave.
STDIN_END, TERM, SHUTDOWN_REQUEST = "stdin_end", "term", "request"


class Server:
    """One process of one slot. Its methods are the seams at which a relative may differ."""

    def __init__(self, worker, pipes, options):
        self.pipes = pipes
        self.worker_id = options.worker_id
        self.timestamp = options.timestamp
        self.speech = options.make_speech(worker.name)
        self.tools = worker.tools()
        self.read_count = 0
        self.calls = 0
        self.errors = 0
        self.commands = {**self.speech.builtins(self), **worker.commands}

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
        except StreamLost as lost:
            say(self.pipes.wire.explain(lost, self.pipes.stream))
            self.exit(1)
        if payload is None:
            return self.end_of_input()
        request = self.speech.read_request(payload, self.read_count)
        if request.notification:
            return self.speech.on_notification(self, request)
        self.read_count += 1
        self.respond(request)

    def respond(self, request):
        self.send(request, self.answer(request))
        self.answered(request)

    def answered(self, request):
        self.speech.on_answered(self, request)

    def answer(self, request):
        """The reply, and the counting of it."""
        reply = Reply(self.speech, request.shown_id(), self.now())
        self.obey(request, reply)
        size = len(reply.payload())
        if size > self.pipes.wire.payload_limit:
            reply.refuse(f"reply too long: {size} bytes")
        self.calls += bool(request.problem) or request.command not in ("ping", "initialize")
        self.errors += not reply.success
        return reply

    def obey(self, request, reply):
        """Puts the result, or the error's text, into the reply."""
        if request.problem:
            return reply.refuse(request.problem, request.code)
        try:
            function = self.speech.find(self, request)
            reply.of_tool = request.tool_call
            result = function(request.args)
            reply.body = to_json(result)
            reply.is_object = isinstance(result, dict)
        except Refused as refused:
            reply.refuse(str(refused), refused.code)
        except (CommandError, NoJson) as error:
            reply.refuse(str(error))
        except Exception as error:
            sys.__excepthook__(*sys.exc_info())  # prints as `traceback` would, without its import
            reply.refuse(_text_of(error))

    def send(self, _request, reply):
        self.write(self.pipes.wire.frame(reply.payload()))

    def write(self, data):
        try:
            self.pipes.write(data)
        except BrokenPipeError:
            self.exit(0)  # the pool is gone

    def end_of_input(self, problem=""):
        if problem:
            say(problem)
        self.leave(STDIN_END, 1 if problem else 0)

    def leave_as_asked(self, code=0):
        self.leave(SHUTDOWN_REQUEST, code)

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
