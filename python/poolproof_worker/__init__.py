"""A worker that a pool drives over its stdin and stdout, in frames of JSON.

    from poolproof_worker import Worker

    worker = Worker()

    @worker.command("add")
    def add(args):
        return {"sum": args["a"] + args["b"]}

    if __name__ == "__main__":
        worker.run()

`ping`, `stats` and `shutdown` come with every worker. The protocol (frames, messages, environment)
is written down in harness/PROTOCOL.md. Standard library only; Python 3.9 or later; Linux.
"""

from __future__ import annotations

from ._envelope import CommandError
from ._options import Options, bad_usage
from ._pipes import Pipes, claim_stdio
from ._server import Server

__all__ = ["CommandError", "Worker", "claim_stdio", "serve"]


class Worker:
    """Commands by name, and the loop that answers requests with them, one at a time, in order."""

    def __init__(self, commands=None):
        """`commands`: a mapping from names to functions, as if each had been given to command()."""
        self.commands = {}
        for name, function in (commands or {}).items():
            self.command(name)(function)

    def command(self, name: str):
        """Decorator: `name` is answered by the function, which stays callable as it is.

        The function gets the request's args (a dict) and returns any JSON value. What it raises
        becomes an error reply with the exception's text (its class name when that is empty) and a
        traceback on stderr; a CommandError becomes one without the traceback. A result that JSON
        can't express (NaN, a set...) or that is longer than max_frame_bytes becomes an error reply
        too. SystemExit ends the worker.

        Errors: ValueError when the name is empty or taken. `ping`, `stats` and `shutdown` may be
        replaced; after `shutdown` was answered the worker exits all the same.
        """
        if not name or name in self.commands:
            raise ValueError(f"a command needs a name of its own, not {name!r}")

        def register(function):
            self.commands[name] = function
            return function

        return register

    def run(self, *, worker_id=None, prefix_bytes=None, max_frame_bytes=None, timestamp=None):
        """Answers requests until the input ends, TERM comes or `shutdown` was answered.

        What is None comes from POOLPROOF_SLOT and POOLPROOF_GENERATION (worker_id is
        "SLOT.GENERATION"), POOLPROOF_PREFIX_BYTES (4, 2 or 1; default 4) and
        POOLPROOF_MAX_FRAME_BYTES (default 16 MiB; it bounds requests and replies). `timestamp` is a
        text that stands in every reply instead of the time, so that two runs can be compared.

        Call it in the main thread. It never returns: it raises SystemExit, so that `finally` and
        atexit run; with code 0, or 1 when the input makes no sense any more (it ends inside a
        frame, or a header announces more than max_frame_bytes), or 64 for a bad option. TERM ends
        the process at once with code 0, without `finally` and atexit; while a command is in C code
        that does not return to the interpreter, Python can't see it, and only KILL helps.

        From here on (or from claim_stdio() on) print() and whatever else writes to descriptor 1 go
        to stderr, and descriptor 0 reads as empty.
        """
        stdin_fd, stdout_fd = claim_stdio()
        try:
            options = Options.from_environment()
            options.override(worker_id=worker_id, prefix_bytes=prefix_bytes,
                             max_frame_bytes=max_frame_bytes, timestamp=timestamp)
        except ValueError as error:
            bad_usage(error)
        pipes = Pipes(stdin_fd, stdout_fd, options.prefix_bytes, options.max_frame_bytes)
        Server(self.commands, pipes, options).run()


def serve(commands, **options):
    """`Worker(commands).run(**options)`, for those who have a mapping: serve({"add": add})."""
    Worker(commands).run(**options)
