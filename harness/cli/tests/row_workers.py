"""Workers that answer well at first: what each row of probe's table is to find, and whom not."""

# A whole worker: it echoes, sleeps, refuses what it does not know, and leaves when it should.
PRELUDE = r"""
import json, os, signal, struct, sys, threading, time
I, O = sys.stdin.buffer, sys.stdout.buffer
LIMIT = 16 << 20
lock = threading.Lock()
def write(payload):
    with lock: O.write(struct.pack(">I", len(payload)) + payload); O.flush()
def say(message): write(json.dumps(message).encode())
def refuse(why): say({"id": None, "success": False, "error": why})
def on_length(size): return 0 < size <= LIMIT  # false: it leaves
def frames():
    while len(head := I.read(4)) == 4:
        size, = struct.unpack(">I", head)
        if size is None or (takes := on_length(size)) is False: return
        if takes is None: continue
        if len(payload := I.read(size)) < size: return
        yield payload
def answer(r):
    command, args = r["command"], r.get("args") or {}
    if command == "sleep": time.sleep(args["ms"] / 1000)
    if command in ("ping", "echo", "sleep"):
        return {"id": r["id"], "success": True, "result": args}
    return {"id": r["id"], "success": False, "error": "unknown: " + command}
def H(r): say(answer(r))
def on_bad(why): refuse("no request")
def serve(handle=H):
    for payload in frames():
        try: r = json.loads(payload); r["command"]
        except Exception as why: on_bad(why); continue
        handle(r)
def counting(handle):
    count = [0]
    def counted(r): count[0] += 1; handle(r, count[0])
    return counted
"""

# name: (script, what the diagnosis says, exit code)
FAULTY = {
    # An answer is looked at, not just awaited.
    "success on no JSON": ("""
def on_bad(why): say({"id": 2, "success": True, "result": {}})
serve()""", "answers a request that is no JSON with success.", 0),
    "no error on no JSON": ("""
def on_bad(why): say({"id": 2})
serve()""", "answers a request that is no JSON with what is no error.", 0),
    "success on nothing": ("""
def on_length(n): return (say({"id": 8, "success": True, "result": {}}) if n == 0 else n <= LIMIT)
serve()""", "answers a frame of no bytes with success.", 0),
    "success on too much": ("""
def on_length(n): return (say({"id": 8, "success": True, "result": {}}) if n > LIMIT else n > 0)
serve()""", "answers an oversized frame with success.", 0),
    "poisoned by no JSON": ("""
bad = []
def on_bad(why): bad.append(why); refuse("no request")
serve(lambda r: say({"id": r["id"], "success": False, "error": "in a bad state"}) if bad else H(r))
""", 'the call after a request that is no JSON with an error: "in a bad state"', 0),
    "hangs on no JSON": ("""
def on_bad(why): time.sleep(1000)
serve()""", "answers nothing any more after a request that is no JSON: the request", 0),
    "ignores no JSON": ("""
def on_bad(why): pass
serve()""", "leaves a request that is no JSON unanswered, and answers the call after it.", 0),
    "second with the first one's id": ("""
def handle(r):
    if (r.get("args") or {}).get("text") == "two": r["id"] -= 1
    H(r)
serve(handle)""", "answers the second of two requests that come in one piece with what is no reply", 1),
    "second with the first one's result": ("""
last = [{}]
def handle(r):
    a = answer(r)
    if r["args"].get("text") == "two": a["result"] = last[0]
    last[0] = r["args"]
    say(a)
serve(handle)""", "gives the second of two requests that come in one piece the answer of the other", 1),
    "swaps two": ("""
held = []
def handle(r):
    a = answer(r)
    if r["args"].get("text") == "one": held.append(a); return
    if r["args"].get("text") == "two":
        a["result"], held[0]["result"] = held[0]["result"], a["result"]
        say(held.pop())
    say(a)
serve(handle)""", "gives the first of two requests that come in one piece the answer of the other", 1),
    "busy": ("""
def handle(r):
    if r["args"].get("text") != "two": H(r)
    else: say({"id": r["id"], "success": False, "error": "busy"})
serve(handle)""", 'the second of two requests that come in one piece with an error: "busy".', 0),
    "off by one, wrapped": ("""
last = [{}]
def handle(r):
    a = answer(r)
    a["result"] = {"echo": last[0], "pid": os.getpid()}
    last[0] = r["args"]
    say(a)
serve(handle)""", "gives a caller the answer that belongs to the caller before.", 1),
    # A rest hides nothing.
    "one read is one frame, and it rests": ("""
while chunk := os.read(0, 1 << 21):
    if len(chunk) < 4: sys.exit("short read")
    while chunk:
        n, = struct.unpack(">I", chunk[:4])
        if not 0 < n <= LIMIT: sys.exit(0)
        while len(chunk) < 4 + n and n > 100000: chunk += os.read(0, 1 << 21)
        try: r = json.loads(chunk[4:4 + n]); r["command"]; H(r)
        except Exception: refuse("no request")
        chunk = chunk[4 + n:]
    time.sleep(0.5)
""", "ends on a request that comes in pieces (exited with code 1); its stderr ends: short", 1),
    # In mid-call.
    "dies of sleep": ("""
def handle(r):
    if r["command"] == "sleep": r["args"]["seconds"]
    H(r)
serve(handle)""", 'ends in a call of "sleep" (exited with code 1); its stderr ends: ', 0),
    "hangs in mid-call at the end of its input": ("""
import select
def handle(r):
    if r["command"] == "sleep":
        if select.select([0], [], [], r["args"]["ms"] / 1000)[0]: time.sleep(1000)
        r["args"] = {"ms": 0}
    H(r)
serve(handle)""", "ms when its input ends in mid-call: it needs TERM at the end of input", 1),
    # What requests before have left is no fault of the row.
    "dies of its fifth request": ("""
def handle(r, n):
    if n == 5: raise RuntimeError("the fifth")
    H(r)
serve(counting(handle))""", "pool: it ends in call 4 of the same process (exited with code 1); its std", 1),
    "leaves after seven": ("""
def handle(r, n):
    H(r)
    if n == 7: sys.exit(0)
serve(counting(handle))""", "pool: it ends after 6 calls (exited with code 0).", 1),
    "leaves after six, slowly": ("""
def handle(r, n):
    if n > 1: time.sleep(0.4)
    H(r)
    if n == 6: sys.exit(0)
serve(counting(handle))""", "(exited with code 0), after 5 requests; a fresh process takes a request that", 1),
    "warns in its seventh": ("""
def handle(r, n):
    if n == 7: os.write(1, b"WARNING: cache evicted\\n")
    H(r)
serve(counting(handle))""", "pool: it writes in call 6 of the same process 23 bytes of text", 1),
    "adds what it knows": ("""
known = {}
def handle(r):
    if r["command"] == "echo": known.update(r["args"]); r["args"] = dict(known)
    H(r)
serve(handle)""", "pool: it gives back what it was not sent in call 2 of the same process.", 1),
    "warns a while after its fourth": ("""
def warn():
    with lock: os.write(1, b"INFO cache full\\n")
def handle(r, n):
    H(r)
    if n == 4: threading.Timer(0.3, warn).start()
serve(counting(handle))""", '"INFO cache full', 1),
    "fails after eight": ("""
def handle(r, n):
    H(r) if n < 9 else say({"id": r["id"], "success": False, "error": "quota"})
serve(counting(handle))""", 'pool: it fails in call 8 of the same process: "quota".', 1),
    # Idle, and at its end.
    "stops itself": ("""
# However slow a call is, it stops only while nothing is asked of it.
signal.signal(signal.SIGALRM, lambda *_: os.kill(os.getpid(), signal.SIGSTOP))
def on_length(n): signal.setitimer(signal.ITIMER_REAL, 0); return 0 < n <= LIMIT
def handle(r): H(r); signal.setitimer(signal.ITIMER_REAL, 0.6)
serve(handle)""", "pool: it stops while it is idle (as by SIGSTOP)", 1),
    "closes its stdin": ("""
for payload in frames():
    r = json.loads(payload)
    if r["id"] == 3: os.close(0)
    H(r)
    if r["id"] == 3: time.sleep(1000)
""", "pool: it closes its stdin after its first call and lives on", 1),
    "closes its stdout": ("""
def handle(r, n):
    H(r)
    if n == 3: os.close(1); time.sleep(1000)
serve(counting(handle))""", "pool: it closes its stdout after 2 calls and lives on", 1),
    # A fault is told with its circumstance.
    "takes each read for a request": ("""
while data := os.read(0, 65536):
    try: H(json.loads(data[4:]))
    except ValueError: refuse("no JSON")
""", "its error says: no JSON (in a call of 1000000 bytes)", 1),
    "closes its stdin while idle": ("""
import select
def handle(r):
    H(r)
    if r["id"] > 8 and not select.select([0], [], [], 0.6)[0]: os.close(0); time.sleep(1000)
serve(handle)""", "closes its stdin while it is idle, after ", 1),
    "spins at the end of its input": ("""
serve()
while True: pass""", "it needs TERM at the end of input; the process runs at ", 1),
    "crashes at its end": ("serve(); os.kill(os.getpid(), signal.SIGSEGV)",
                           "though it crashes at the end of input (was ended by signal 11 (SEGV)).",
                           0),
    "crashes at TERM": ("""
signal.signal(signal.SIGTERM, lambda *_: os.kill(os.getpid(), signal.SIGSEGV))
serve()""", "though it crashes at TERM while idle (was ended by signal 11 (SEGV)).", 0),
    "fails at its end": ("serve(); raise RuntimeError('end of input')",
                         "though it fails at the end of its input (exited with code 1); its stderr",
                         0),
    "crashes on nothing": ("""
def on_length(n): return n > 0 and n <= LIMIT or os.kill(os.getpid(), signal.SIGABRT)
serve()""", "though it crashes on a frame of no bytes (was ended by signal 6 (ABRT)).", 0),
    "reads on": ("""
def on_length(n): return n > 0
serve()""", "though it reads on behind the header of an oversized frame (all 262148 bytes", 0),
}

# Nobody is to say a word against them.
SOUND = {
    "plain": "serve()",
    "slow in every call": "serve(lambda r: (r['id'] and time.sleep(1.2), H(r)))",
    "slow to say that it is no JSON": """
def on_bad(why): time.sleep(1.3); refuse("no request")
serve()""",
    "says that it is no JSON behind the next answer": """
bad = []
def on_bad(why): bad.append(why)
def handle(r):
    said = [json.dumps(m).encode() for m in
            [answer(r)] + [{"id": None, "success": False, "error": why} for why in map(str, bad)]]
    bad.clear()
    with lock: O.write(b"".join(struct.pack(">I", len(m)) + m for m in said)); O.flush()
serve(handle)""",
    "slow to say that it does not know": """
def handle(r):
    if r["command"] not in ("ping", "echo", "sleep"): time.sleep(1.3)
    H(r)
serve(handle)""",
    "slow to leave": "serve(); time.sleep(1.3)",
    "serves in a session of its own": """
if child := os.fork(): os.waitpid(child, 0); os._exit(0)
os.setsid()
def handle(r):
    if r["command"] == "sleep": r["args"]["ms"] = min(r["args"]["ms"], 700)
    H(r)
serve(handle)""",
    "warms up": """
def warm():
    end = time.monotonic() + 1.8
    while time.monotonic() < end: pass
threading.Thread(target=warm, daemon=True).start()
serve()""",
    "rests after each reply": "serve(lambda r: (H(r), time.sleep(0.3)))",
    "says something at its end": """
import atexit
atexit.register(lambda: print("bye", flush=True))
serve()""",
    "exits with 1 at TERM": """
signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
serve()""",
    "answers at its end": """
threads = []
def handle(r):
    threads.append(threading.Thread(target=H, args=(r,)))
    threads[-1].start()
serve(handle)
for thread in threads: thread.join()""",
    "wraps what it echoes": """
def handle(r):
    a = answer(r)
    a["result"] = {"echo": r["args"], "pid": os.getpid()}
    say(a)
serve(handle)""",
    "a helper that flushes": """
a, b = os.pipe()
if os.fork() == 0:
    for fd in (0, 1, 2, b): os.close(fd)
    os.read(a, 1); time.sleep(1.3); os._exit(0)
os.close(a)
serve()""",
    "refuses what is too much": """
def on_length(n): return refuse("too large") if n > LIMIT else n > 0
serve()""",
}

# What the table says of the rows that are about what such a one can't show.
NOT_TRIED = {
    "knows no sleep": ("""
def handle(r):
    if r["command"] == "sleep": r["command"] = "nap"
    H(r)
serve(handle)""", 'not tried eof_in_call, term_in_call: it has no command "sleep" that takes time'),
    "leaves what it does not know unanswered": ("""
def handle(r):
    if r["command"] in ("ping", "echo"): H(r)
serve(handle)""", 'eof_in_call, term_in_call: it leaves the command "sleep" unanswered, so nothing'),
    "ends while it is idle": ("""
def handle(r):
    H(r)
    if r["id"] == 0: threading.Timer(0.4, lambda: os._exit(3)).start()
serve(handle)""", "not tried goodbye, eof_idle: it ends by itself while it is idle"),
    "prints a moment after": ("""
def handle(r):
    H(r)
    if r["id"]: threading.Timer(0.05, lambda: os.write(1, b"done\\n")).start()
serve(handle)""", "term_in_call: it does not answer three calls in a row"),
    "reads whole frames alone": ("""
import fcntl, select, termios
stream = b""
while select.select([0], [], [])[0]:
    have, = struct.unpack("i", fcntl.ioctl(0, termios.FIONREAD, b"0000"))
    if have == 0: break
    if have < 60 and not stream: time.sleep(0.01); continue
    stream += os.read(0, 1 << 21)
    while len(stream) > 3 and len(stream) >= 4 + (n := struct.unpack(">I", stream[:4])[0]):
        payload, stream = stream[4:4 + n], stream[4 + n:]
        try: r = json.loads(payload); r["command"]; H(r)
        except Exception as why: on_bad(why)
""", "torn_request: it read no piece of a request alone within "),
}

# Who takes any bytes, as --speech opaque judges it: what comes before it serves, and its answer.
OPAQUE = {
    "rests after a long start": ("""
end = time.monotonic() + 0.4
while time.monotonic() < end: pass
""", "lambda p: p", "diagnosis: a sound worker.", 0),
    "slow": ("", "lambda p: (time.sleep(1.2), p)[1]", "diagnosis: a sound worker.", 0),
    "off by one, in capitals": ("last = [b'']", "lambda p: (last.append(p.upper()), last[-2])[1]",
                                "gives a caller the answer that belongs to the caller before", 1),
}


def command(script, python):
    return [python, "-E", "-S", "-c", PRELUDE + script]


def opaque_command(before, makes, python):
    return command(f"{before}\nfor payload in frames(): write(({makes})(payload) or b'?')", python)
