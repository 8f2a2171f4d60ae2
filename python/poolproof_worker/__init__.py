"""A worker that a pool drives over its stdin and stdout: JSON in frames, a server of MCP, or one
of another kind that speaks JSON-RPC.

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

    def __init__(self, commands=None, *, name="poolproof_worker"):
        """`commands`: a mapping from names to functions, as if each had been given to command().
        `name`: what an MCP or a language client is told that the server is called; its worker_id
        follows it."""
        self.name = name
        self.commands = {}
        self._tools = {}
        for command, function in (commands or {}).items():
            self.command(command)(function)

    def command(self, name: str, *, schema=None):
        """Decorator: `name` is answered by the function, which stays callable as it is.

        The function gets the request's args (a dict) and returns any JSON value. What it raises
        becomes an error reply with the exception's text (its class name when that is empty) and a
        traceback on stderr; a CommandError becomes one without the traceback. A result that JSON
        can't express (NaN, a set...) or that is longer than max_frame_bytes becomes an error reply
        too. SystemExit ends the worker.

        Of an MCP server it is a tool: the first line of its docstring describes it, and `schema`
        is the JSON Schema of its args (a dict; default: any object). A result that is a text is
        the tool's text; any other is told as JSON, and a dict as structured content, too. What it
        raises is a result with `isError`. Of a server that speaks JSON-RPC it is a method.

        Errors: ValueError when the name is empty or taken, or the schema is none of an object.
        `ping`, `stats` and `shutdown` may be replaced, and of a language server `initialize`; after
        `shutdown` was answered the worker exits all the same.
        """
        if not name or name in self.commands:
            raise ValueError(f"a command needs a name of its own, not {name!r}")
        schema = {"type": "object"} if schema is None else schema
        if not isinstance(schema, dict) or schema.get("type") != "object":
            raise ValueError(f"the args of {name!r} are an object; their schema is "
                             '{"type": "object", ...}')

        def register(function):
            self.commands[name] = function
            self.list_tool(name, function.__doc__, schema)
            return function

        return register

    def list_tool(self, name, description, schema):
        """Has `tools/list` of MCP name a tool; command() does it for each."""
        lines = (description or "").strip().splitlines()
        described = {"description": lines[0]} if lines else {}
        self._tools[name] = {"name": name, **described, "inputSchema": schema}

    def tools(self):
        """What `tools/list` of MCP answers: a list of dicts, in the order of registration."""
        return list(self._tools.values())

    def run(self, *, worker_id=None, wire=None, speech=None, prefix_bytes=None, byte_order=None,
            max_frame_bytes=None, timestamp=None, wire_log=None):
        """Answers requests until the input ends, TERM comes or `shutdown` was answered.

        `wire` is how messages are marked off: "prefix" (a length, the default), "varint" (a length
        as protobuf's), "lines" (as MCP has it) or "headers" (`Content-Length`, as language servers
        have it). `speech` is what they say: "bridge" (the default), "json_rpc", "mcp" or "lsp".
        Notifications, and answers to what nobody asked, are passed over. Each wire goes with each
        speech; a client of MCP wants wire="lines", speech="mcp".

        What is None comes from POOLPROOF_SLOT and POOLPROOF_GENERATION (worker_id is
        "SLOT.GENERATION"; without both, the generation is drawn from the file POOLPROOF_TICKETS),
        POOLPROOF_WIRE, POOLPROOF_SPEECH, POOLPROOF_PREFIX_BYTES (1, 2, 4 or 8; default 4),
        POOLPROOF_BYTE_ORDER ("big", the default, or "little") and POOLPROOF_MAX_FRAME_BYTES
        (default 16 MiB; the longest payload of a request and a reply). What is said of a prefix
        here, and not by the environment, is a bad option with another wire.
        `timestamp` is a text that stands in every reply of a bridge instead of the time, so that
        two runs can be compared. `wire_log` (POOLPROOF_WIRE_LOG) is a file for every byte each way,
        with its time, as hex and text, and frames marked; %p in its name is the process's number,
        and at 64 MiB it becomes FILE.1, in the place of the one before.

        Call it in the main thread. It never returns: it raises SystemExit, so that `finally` and
        atexit run; with code 0, or 1 when the input makes no sense any more (it ends inside a
        frame, a header is none, or a frame is longer than max_frame_bytes) or a language client
        says `exit` without `shutdown`, or 64 for a bad option. TERM ends the process at once with
        code 0, without `finally` and atexit; while a command is in C code that does not return to
        the interpreter, Python can't see it, and only KILL helps.

        From here on (or from claim_stdio() on) print() and whatever else writes to descriptor 1 go
        to stderr, and descriptor 0 reads as empty.
        """
        stdin_fd, stdout_fd = claim_stdio()
        try:
            options = Options.from_environment()
            options.override(worker_id=worker_id, wire=wire, speech=speech,
                             prefix_bytes=prefix_bytes, byte_order=byte_order,
                             max_frame_bytes=max_frame_bytes, timestamp=timestamp,
                             wire_log=wire_log)
            options.refuse_what_is_of_no_prefix()
            options.draw_ticket()
            pipes = options.make_pipes(Pipes, stdin_fd, stdout_fd)
        except ValueError as error:
            bad_usage(error)
        Server(self, pipes, options).run()


def serve(commands, **options):
    """`Worker(commands).run(**options)`, for those who have a mapping: serve({"add": add})."""
    Worker(commands).run(**options)
