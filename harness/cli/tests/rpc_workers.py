"""Workers that speak JSON-RPC, and others on wires that are not our own: one script each."""

PRELUDE = r"""
import json, os, struct, sys, threading, time
I = os.fdopen(0, "rb")
def write(*messages): # all in one write
    data = b"".join(messages)
    while data: data = data[os.write(1, data):]
def line(message): return json.dumps(message).encode() + b"\n"
def headed(message, size=None, header="Content-Length: %d\r\n\r\n"):
    text = json.dumps(message).encode()
    return header.encode() % (len(text) if size is None else size(len(text))) + text
def packed(form):
    def pack(message):
        text = json.dumps(message).encode()
        return struct.pack(form, len(text)) + text
    return pack
def varint(message):
    text = json.dumps(message).encode()
    return bytes([len(text) & 127 | 128, len(text) >> 7]) + text
def read_line(): return I.readline()
def read_headed():
    size = 0
    while (head := I.readline()).strip() or (head and not size):
        name, _, value = head.partition(b":")
        if name == b"Content-Length": size = int(value)
    return I.read(size) if head else b""
def read_packed(form): # waits for the rest, however long it is said to be
    def take(size):
        data = b""
        while len(data) < size:
            chunk = os.read(0, min(size - len(data), 65536))
            if not chunk: return b""
            data += chunk
        return data
    def read():
        head = take(struct.calcsize(form))
        return head and take(struct.unpack(form, head)[0])
    return read
def read_varint():
    size = shift = 0
    while byte := I.read(1):
        size |= (byte[0] & 127) << shift
        shift += 7
        if byte[0] < 128: return I.read(size)
    return b""
MCP = {"protocolVersion": "2025-06-18", "capabilities": {}, "serverInfo": {"name": "x", "version": "1"}}
def answer(request):
    method, params = request["method"], request.get("params") or {}
    if method == "initialize":
        result = MCP if "protocolVersion" in params else {"capabilities": {}}
    elif method == "tools/call" and params["name"] == "echo":
        result = {"content": [{"type": "text", "text": json.dumps(params["arguments"])}]}
    elif method in ("echo", "ping", "shutdown"): result = params
    else: return {"jsonrpc": "2.0", "id": request["id"],
                  "error": {"code": -32601, "message": "no method " + method}}
    return {"jsonrpc": "2.0", "id": request["id"], "result": result}
def is_call(request): return request["method"] in ("tools/call", "echo")
def note(text): return {"jsonrpc": "2.0", "method": "notifications/message", "params": {"data": text}}
def serve(read, form, on_call=None, before=lambda request: False):
    while text := read():
        try: request = json.loads(text)
        except ValueError:
            write(form({"jsonrpc": "2.0", "id": None, "error": {"code": -32700, "message": "?"}}))
            continue
        if request.get("method") == "exit": break
        if "method" not in request or before(request) or "id" not in request: continue
        if on_call and is_call(request): on_call(answer(request))
        else: write(form(answer(request)))
def bridge(read, form):
    while text := read():
        try: request = json.loads(text)
        except ValueError: request = {"id": None, "command": "?"}
        if request.get("command") == "shutdown": break
        good = request.get("command") in ("ping", "echo")
        write(form({"id": request.get("id"), "success": good, "error": "unknown command",
                    "result": request.get("args")}))
"""

LINES = ("--wire", "lines", "--speech", "mcp")
HEADERS = ("--wire", "headers", "--speech", "lsp")
VARINT = ("--wire", "varint", "--speech", "bridge")
BYTE = ("--wire", "prefix", "--prefix-bytes", "1", "--speech", "bridge")

# What is said to the probe, the script, and what must be in the diagnosis; "" for a worker that a
# pool can use.
WORKERS = {
    # ---- sound ones, whatever they say unasked and however it arrives
    "a notification in two pieces": (LINES, """
def on_call(reply):
    text = line(note("x" * 300))
    write(line(reply), text[:150]); time.sleep(0.03); write(text[150:])
serve(read_line, line, on_call)""", ""),
    "large notifications": (HEADERS, """
serve(read_headed, headed, lambda reply: write(headed(note("y" * 200000)), headed(reply),
                                               headed(note("x" * 200000))))""", ""),
    "many notifications": (LINES, """
serve(read_line, line, lambda reply: write(line(note("x" * 150)) * 400, line(reply),
                                           line(note("x" * 150)) * 400))""", ""),
    "thirty questions": (HEADERS, """
def on_call(reply):
    for key in range(30):
        write(headed({"jsonrpc": "2.0", "id": key, "method": "workspace/configuration"}))
    write(headed(reply))
serve(read_headed, headed, on_call)""", ""),
    "questions beyond a pipe": (HEADERS, """
def on_call(reply):
    for key in range(1500):
        write(headed({"jsonrpc": "2.0", "id": key, "method": "workspace/configuration"}))
    write(headed(reply))
serve(read_headed, headed, on_call)""", ""),
    # ---- and those whose wire or speech must be found
    "no greeting": ((), """
def refuse(request):
    if request["method"] != "initialize": return False
    write(line({"jsonrpc": "2.0", "id": request["id"],
                "error": {"code": -32601, "message": "no method"}}))
    return True
serve(read_line, line, before=refuse)""", "wire lines, speech json_rpc"),
    "little-endian": ((), 'bridge(read_packed("<I"), packed("<I"))',
                      "wire prefix of 4 bytes, little-endian, speech bridge"),
    "eight bytes": ((), 'serve(read_packed("<Q"), packed("<Q"))',
                    "wire prefix of 8 bytes, little-endian, speech mcp"),
    # ---- more than one reply, or noise, in the same read
    "a trace in one write": (LINES, """
serve(read_line, line, lambda reply: write(line(reply), b"call took 3 ms\\n"))""",
                             'text behind it (a stray print): "call took 3 ms'),
    "twice in one write": (LINES, "serve(read_line, line, lambda reply: write(line(reply) * 2))",
                           "it writes more than one reply to a call."),
    "twice with headers": (HEADERS, """
serve(read_headed, headed, lambda reply: write(headed(reply) * 2))""",
                           "it writes more than one reply to a call."),
    "another id behind": (HEADERS, """
serve(read_headed, headed, lambda reply: write(headed(reply), headed({**reply, "id": 99})))""",
                          "more than one reply to a call; of the second one: expected id 1, got 99"),
    "part of a message": (LINES, """
serve(read_line, line, lambda reply: write(line(reply), b'{"jsonrpc": "2.0", '))""",
                          "part of a message behind its reply to a call, and no more of it"),
    # ---- what breaks a rule is told by that rule
    "not a number": (LINES, """
serve(read_line, line, lambda reply: write(line({**reply, "result": float("nan")})))""",
                     "that begins as JSON and is not JSON: bare NaN at byte"),
    "two texts in a line": (LINES, """
serve(read_line, line, lambda reply: write(line(note("x")).rstrip(), line(reply)))""",
                            "more than one JSON text in one line"),
    "byte order marks": (LINES, "serve(read_line, lambda m: b'\\xef\\xbb\\xbf' + line(m))",
                         "JSON that begins with a byte order mark (ef bb bf)"),
    "no line break": (LINES, "serve(read_line, lambda m: line(m).rstrip())",
                      "a whole JSON text without the line break that ends a message"),
    "a negative length in a call": (HEADERS, """
serve(read_headed, headed, lambda reply: write(headed(reply, lambda size: -1)))""",
                                    "a Content-Length that is not a whole number of bytes"),
    "two lengths in a call": (HEADERS, """
serve(read_headed, headed, lambda reply: write(b"Content-Length: 7\\r\\n", headed(reply)))""",
                              "headers with more than one Content-Length"),
    "too long in a call": (HEADERS, """
serve(read_headed, headed, lambda reply: write(headed(reply, lambda size: size + 2)))""",
                           "where the JSON text behind it has"),
    "a banner before varints": (VARINT, "print('worker ready', flush=True); "
                                "bridge(read_varint, varint)", "it wrote text on stdout where a"),
    "a log line among varints": (VARINT, """
bridge(read_varint, lambda m: (b"" if m["id"] == 0 else b"INFO\\n") + varint(m))""",
                                 'text (a banner or a stray print), and a sound frame only behind'),
    "a banner before a byte": (BYTE, """
print('ready', flush=True); bridge(read_packed("B"), packed("B"))""",
                               "it wrote text on stdout where a frame should be"),
    # ---- the same where nobody said the wire
    "pretty": ((), "serve(read_line, lambda m: json.dumps(m, indent=1).encode() + b'\\n')",
               "one JSON text over several lines (pretty-printed)"),
    "ids as texts": ((), "serve(read_line, lambda m: line({**m, 'id': str(m['id'])}))",
                     'expected id 0, got the text "0"'),
    "no answer to its greeting": ((), """
serve(read_line, line, before=lambda request: request["method"] == "initialize")""",
                                  "wire lines, speech mcp"),
    "no length": ((), "serve(read_headed, lambda m: headed(m, header='Content-Size: %d\\r\\n\\r\\n'))",
                  "headers without Content-Length"),
    "lines instead": ((), "serve(read_headed, line)", "answered in JSON without a Content-Length"),
    "lines for varints": (("--speech", "bridge"), "bridge(read_varint, line)",
                          "it answered in JSON without a varint length"),
    "a byte behind all": (("--speech", "bridge"), """
bridge(read_packed("<I"), lambda m: write(packed("<I")(m)) or time.sleep(0.02) or b"\\0")""",
                          'behind its answer to the greeting: 00 ("\\x00")'),
    "answers in the other order": ((), 'bridge(read_packed("<I"), packed(">I"))',
                                   "a length in big-endian order"),
    "counts eight bytes more": ((), """
bridge(read_packed(">Q"), lambda m: struct.pack(">Q", len(json.dumps(m)) + 8) +
       json.dumps(m).encode())""", "a length that counts its own header"),
}

# Nobody greets them: what they do at first is their start.
OPAQUE = """
import sys, time
begun = time.process_time()
while time.process_time() - begun < 0.25: pass
for line in sys.stdin.buffer:
    sys.stdout.buffer.write(line)
    sys.stdout.buffer.flush()
"""
