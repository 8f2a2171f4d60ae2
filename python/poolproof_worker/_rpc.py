"""The messages that are JSON-RPC 2.0: alone, of MCP servers and of language servers."""

from __future__ import annotations

from ._envelope import (INVALID_PARAMS, METHOD_NOT_FOUND, Bridge, Refused, Request, is_id,
                        parse_object, refused_id, to_json)

MCP_REVISION = "2025-06-18"


class JsonRpc(Bridge):
    says_success = ("result", "error")

    def read_request(self, payload, number):
        request = Request(number)
        message = parse_object(payload, request)
        if message is None:
            return request
        given_id, method = message.get("id"), message.get("method")
        if is_id(given_id) or isinstance(given_id, str):
            request.id = given_id
        else:
            request.refused_id = refused_id(message, payload)
        if isinstance(method, str):
            request.command = method
        # An answer to what a worker asked has no answer either.
        answers = "result" in message or "error" in message
        request.notification = answers if request.command is None else "id" not in message
        if request.notification:
            return request
        if request.id is None:
            return request.refuse("the request has no id that is an integer or a text")
        if request.command is None:
            return request.refuse("the request has no method")
        params = message.get("params", {})
        if not isinstance(params, dict):
            return request.refuse("bad params: not an object", INVALID_PARAMS)
        self.take_params(request, params)
        return request

    def take_params(self, request, params):
        request.args = params

    def members(self, reply):
        if not reply.success and not reply.of_tool:
            error = f'{{"code":{reply.code},"message":{reply.body}}}'
            return [("error", error), ("id", reply.id), ("jsonrpc", '"2.0"')]
        result = _tool_result(reply) if reply.of_tool else reply.body
        return [("id", reply.id), ("jsonrpc", '"2.0"'), ("result", result)]

    def server_info(self):
        return {"name": f"{self.name} {self.worker_id}", "version": "1"}


class Mcp(JsonRpc):
    """Commands are tools. Methods are those that every server of the protocol has."""

    def take_params(self, request, params):
        request.tool_call = request.command == "tools/call"
        if not request.tool_call:
            request.args = params
            return
        name, args = params.get("name"), params.get("arguments", {})
        if not isinstance(name, str):
            request.refuse("the call of a tool has no name", INVALID_PARAMS)
            return
        request.command = name
        if not isinstance(args, dict):
            request.refuse("bad arguments: not an object", INVALID_PARAMS)
            return
        request.args = args

    def find(self, server, request):
        if request.tool_call:
            function = server.commands.get(request.command)
            if function is None:
                raise Refused(f"Unknown command: {request.command}", INVALID_PARAMS)
            return function
        methods = {"initialize": self.initialize, "ping": lambda _args: {},
                   "tools/list": lambda _args: {"tools": server.tools}}
        if request.command not in methods:
            raise Refused(f"Method not found: {request.command}", METHOD_NOT_FOUND)
        return methods[request.command]

    def initialize(self, _args):
        return {"protocolVersion": MCP_REVISION, "capabilities": {"tools": {}},
                "serverInfo": self.server_info()}

    def on_answered(self, server, request):
        if request.tool_call:
            super().on_answered(server, request)


class Lsp(JsonRpc):
    """Commands are methods. `exit` behind the answer to `shutdown` ends the worker with code 0,
    and without it with code 1."""

    def __init__(self, name, worker_id):
        super().__init__(name, worker_id)
        self.told_to_leave = False

    def take_params(self, request, params):
        super().take_params(request, params)
        if self.told_to_leave:
            request.refuse("a request behind shutdown")

    def builtins(self, server):
        return {**super().builtins(server), "initialize": self.initialize,
                "shutdown": lambda _args: None}

    def initialize(self, _args):
        return {"capabilities": {}, "serverInfo": self.server_info()}

    def on_notification(self, server, request):
        if request.command == "exit":
            server.leave_as_asked(0 if self.told_to_leave else 1)

    def on_answered(self, server, request):
        if request.command == "shutdown" and not request.problem:
            self.told_to_leave = True


def _tool_result(reply):
    """What a tool gives back, be it an error: its text, and an object as JSON, too."""
    # A text stands for itself; anything else is told as JSON.
    text = to_json(reply.body) if reply.success and not reply.body.startswith('"') else reply.body
    result = f'{{"content":[{{"text":{text},"type":"text"}}]'
    if not reply.success:
        return result + ',"isError":true}'
    return result + (f',"structuredContent":{reply.body}}}' if reply.is_object else "}")
