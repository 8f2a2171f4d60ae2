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

CALLS = ("--wire", "lines", "--speech", "json_rpc")

# What is said to the probe, the script, and what must be in the diagnosis; "" for a worker that a
# pool can use.
WORKERS = {
    # ---- sound ones, whatever they say unasked and however it arrives
    "a notification in two pieces": (LINES, """
def on_call(reply):
    text = line(note("x" * 300))
    write(line(reply), text[:150]); time.sleep(0.03); write(text[150:])
serve(read_line, line, on_call)""", ""),
    "a notification behind a greeting of one read": (LINES, """
def greet(request):
    if request["method"] != "initialize": return False
    reply = answer(request)
    reply["result"] = {**MCP, "instructions": ""}
    reply["result"]["instructions"] = "x" * (16384 - len(line(reply)))
    write(line(reply), line(note("ready")))
    return True
serve(read_line, line, before=greet)""", ""),
    **{f"headers in pieces: {name}": (HEADERS, f"""
def say(message):
    head, body = headed(message).split(b"\\r\\n\\r\\n", 1)
    write({head} + b"\\r\\n\\r\\n"); time.sleep(0.01); write(body)
def on_call(reply): say(reply); time.sleep(0.05); say(note("hi"))
serve(read_headed, headed, on_call)""", "")
       for name, head in (("lower case", "head.lower()"), ("upper case", "head.upper()"),
                          ("another first", 'b"X-Trace: 7\\r\\n" + head'))},
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
    "a code of its own for what it does not know": ((), """
def refuse(request):
    if request["method"] in ("echo", "ping"): return False
    write(line({"jsonrpc": "2.0", "id": request["id"],
                "error": {"code": -32000, "message": "what is " + request["method"] + "?"}}))
    return True
serve(read_line, line, before=refuse)""", "wire lines, speech json_rpc"),
    "a greeting that fails": ((), """
def refuse(request):
    if request["method"] != "initialize": return False
    write(line({"jsonrpc": "2.0", "id": request["id"],
                "error": {"code": -32603, "message": "TOKEN is not set"}}))
    return True
serve(read_line, line, before=refuse)""",
                              'it answered its initialize with an error: "TOKEN is not set (code -32603)"'),
    "replies in a batch": ((), "serve(read_line, lambda message: line([message]))",
                           "answered its initialize with what is no reply to it: a batch"),
    "messages that are no JSON": ((), """
while read_varint() and write(bytes([4, 18, 2, 111, 107])) is None: pass""", "wire varint, speech opaque"),
    "frames of broken JSON": ((), """
bridge(read_packed(">I"), lambda message: packed(">I")(message)[:-1] + b"\\xe9")""",
                              "answered its ping with what is no reply to it"),
    "little-endian characters": ((), """
def say(message):
    text = json.dumps({**message, "é": 1}, ensure_ascii=False)
    return struct.pack("<I", len(text)) + text.encode()
bridge(read_packed("<I"), say)""", "a length that counts characters, not bytes"),
    "no empty line behind its header": (HEADERS, """
serve(read_headed, lambda message: headed(message).replace(b"\\r\\n\\r\\n", b"\\r\\n"))""",
                                        "a header without the empty line (CR LF) that ends it"),
    "slow at first, and quick to refuse": ((), """
def read():
    text = I.readline()
    if text.startswith(b"{") and not begun: begun.append(1); time.sleep(1.2)
    return text
begun = []
def refuse(request):
    if request["method"] != "initialize": return False
    write(line({"jsonrpc": "2.0", "id": request["id"], "error": {"code": -32601, "message": "?"}}))
    return True
serve(read, line, before=refuse)""", "wire lines, speech json_rpc"),
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
                          "more than one reply to a call; of the second one: expected id 3, got 99"),
    "part of a message": (LINES, """
serve(read_line, line, lambda reply: write(line(reply), b'{"jsonrpc": "2.0", '))""",
                          "part of a message behind its reply to a call, and no more of it"),
    # ---- what is no answer is told as that
    "a method in its greeting": (LINES, "serve(read_line, lambda m: line({**m, 'method': 'x'}))",
                                 'a message with both "method" and "result"'),
    "a method in its replies": (LINES, """
serve(read_line, line, lambda reply: write(line({**reply, "method": "x"})))""",
                                'answers a call with what is no reply: a message with both "method"'),
    "notifications for its greeting": (LINES, """
serve(read_line, line, before=lambda request: write(line(note("loading")) * 2) or True)""",
                                       "bytes of sound messages, of which none is an answer"),
    "notifications for its replies": (HEADERS, """
serve(read_headed, headed, lambda reply: write(headed(note("loading")) * 2))""",
                                      "it has written 2 messages that are no answer, and the process"),
    "numbers of its own": (CALLS, """
import itertools
numbers = itertools.count(1)
serve(read_line, lambda m: line({**m, "id": next(numbers)}))""", "expected id 3, got 1"),
    "dead at start, and greeted by nobody": (CALLS, "sys.exit('no config')",
                                             "ends before it is asked anything (exited with code 1): "
                                             "dead at start; its stderr ends: no config"),
    # ---- what breaks a rule is told by that rule
    "UTF-16": (LINES, "serve(read_line, lambda m: line(m).decode().encode('utf-16-le'))",
               "text in UTF-16 (every other byte is a NUL), where UTF-8 is agreed"),
    "NULs for line breaks": (LINES, "serve(read_line, lambda m: line(m).rstrip() + b'\\0')",
                             "a NUL behind a JSON text, where a line break ends a message"),
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
    # ---- who gives back what it is sent answers nothing
    **{f"cat on {form}": ((*options, "--speech", "json_rpc"), """
while data := os.read(0, 65536): write(data)""", "it gives back what it is sent, as cat does")
       for form, options in {"lines": ("--wire", "lines"), "headers": ("--wire", "headers"),
                             "lengths": ("--byte-order", "little")}.items()},
    "cat that reads JSON": (CALLS, "while text := I.readline(): write(line(json.loads(text)))",
                            "it gives back what it is sent, as cat does"),
    "a terminal in front of it": (CALLS, """
def read():
    text = I.readline()
    if text: write(text.rstrip() + b"\\r\\n"); time.sleep(0.3)
    return text
serve(read, line)""", "gives back what it is sent before it answers, as a terminal (pty) does"),
    "a terminal at its greeting": (LINES, """
def read():
    text = I.readline()
    write(text.rstrip() + b"\\r\\n" if text else b"")
    return text
serve(read, line)""", "gives back what it is sent before it answers, as a terminal (pty) does"),
    # ---- JSON that is no message, and text that is no JSON
    "a log line of JSON": ((), """
write(b'{"level":30,"msg":"server up"}\\n')
serve(read_line, line)""", 'writes JSON that is no JSON-RPC message (a log line) before its reply to the '
                           'greeting: {"level":30,"msg":"server up"} [bad_frame]'),
    "a log line of JSON, and headers": ((), """
write(b'{"level":30,"msg":"server up"}\\n')
serve(read_headed, headed)""", '(a banner or a stray print): "{"level":30,"msg":"server up"}\\nContent-Le'),
    "a log line of JSON in a call": (LINES, """
serve(read_line, line, lambda reply: write(b'{"level":30,"msg":"called"}\\n' + line(reply)))""",
                                     "a log line) before its reply to a call: {"),
    "a log line in brackets": (LINES, """
write(b"[2026-01-01 12:00:00] INFO up\\n")
serve(read_line, line)""", '(a banner or a stray print): "[2026-01-01 12:00:00] INFO up'),
    "a log line in brackets in a call": (LINES, """
serve(read_line, line, lambda reply: write(b"[Info] called\\n" + line(reply)))""",
                                         '14 bytes of text (a banner or a stray print), and a sound '),
    "log lines in brackets while idle": (HEADERS, """
busy_until = [float("inf")]
def log():
    while True:
        time.sleep(0.05)
        if time.monotonic() > busy_until[0]: write(b"[Info] idle\\n"); rest()
def rest(): busy_until[0] = time.monotonic() + 0.25
threading.Thread(target=log, daemon=True).start()
serve(read_headed, lambda reply: (rest(), headed(reply))[1])
os._exit(0)""", 'text (a banner or a stray print): "[Info] idle'),
    "two replies in one line": (LINES, """
data = b""
while got := os.read(0, 1 << 20):
    *texts, data = (data + got).split(b"\\n")
    try: asked = [one for text in texts if "id" in (one := json.loads(text))]
    except ValueError: asked = []
    if asked: write(b"".join(line(answer(one)).rstrip() for one in asked) + b"\\n")
""", "two requests that come in one piece with more than one JSON text in one line"),
    "a batch of two replies": (LINES, """
data = b""
while got := os.read(0, 1 << 20):
    *texts, data = (data + got).split(b"\\n")
    try: asked = [answer(one) for text in texts if "id" in (one := json.loads(text))]
    except ValueError: asked = []
    if asked: write(line(asked if len(asked) > 1 else asked[0]))
""", "two requests that come in one piece with what is no reply: a batch (a JSON array)"),
    # ---- what is said where nothing is to be said, or not as it is to be said
    **{f"answers a notification, with {wire[1]}": (wire, f"""
def answers(request):
    if "id" in request: return False
    write({form}({{"jsonrpc": "2.0", "id": None,
                   "error": {{"code": -32601, "message": "Unhandled " + request["method"]}}}}))
    return True
serve(read_{"line" if form == "line" else "headed"}, {form}, before=answers)""",
       f'it answers the notification {name}, which has no answer: {{"jsonrpc": "2.0", "id": null')
       for wire, form, name in ((LINES, "line", "notifications/initialized"),
                                (HEADERS, "headed", "initialized"))},
    "a number for its protocol": (LINES, """
MCP["protocolVersion"] = 20250618
serve(read_line, line)""", 'initialize has 20250618 as "protocolVersion", not a text; it begins'),
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

# A pool can use them, though it is told of how they say that something failed.
REMARKED = {
    "no answer to its goodbye": (HEADERS, """
serve(read_headed, headed, before=lambda request: request["method"] == "shutdown")""",
                                 "hangs when it is asked to shut down: it has read the request"),
    "fails at its goodbye": (HEADERS, """
serve(read_headed, headed)
raise SystemExit(3)""", "fails when it is asked to leave (exited with code 3)"),
    "stays after its goodbye": (HEADERS, """
def read():
    text = read_headed()
    if b'"exit"' in text: I.read()
    return text
serve(read, headed)""", "does not end within 6000 ms of being told to exit"),
    "hangs in sleep": (CALLS, """
serve(read_line, line, before=lambda request: request["method"] == "sleep")""",
                       'hangs in a call of "sleep": it has read the request'),
    **{f"{error} in {options[-1]}": (options, f"""
write_as, read = {"(headed, read_headed)" if options == HEADERS else "(line, read_line)"}
def flawed(message):
    return write_as({{**message, "error": {error}}} if "error" in message and message["id"] else message)
serve(read, flawed)""", words)
    for options, error, words in (
        (LINES, '{"message": "nope"}', 'an unknown command with an error without a "code".'),
        (HEADERS, '{"code": "ENOENT", "message": "nope"}',
         'an error whose "code" is the text "ENOENT", not a whole number'),
        (CALLS, '"nope"', 'an error that is the text "nope", not an object with a code and a message.'),
        (CALLS, "None", 'an unknown command with what is no reply: a reply whose "error" is null, '
                        'and that has no "result".'))},
    "refuses what is too large, without an id": (LINES, """
def read():
    text = I.readline(65536)
    if not text or text.endswith(b"\\n"): return text
    while text and not text.endswith(b"\\n"): text = I.readline(65536)
    return b"too large"
serve(read, line)""", "and takes one of 62500: if it has such a limit, say so (--max-frame-bytes)"),
    "an error that is an object": (("--speech", "bridge"), """
bridge(read_line, lambda m: line({**m, "error": {"type": "KeyError"}}))""",
                                   "an unknown command with an error that is an object, not a text."),
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
