"""Workers that our own packages know nothing of, good and bad: one script each."""

PRELUDE = r"""
import json, os, signal, struct, sys, time
I, O = sys.stdin.buffer, sys.stdout.buffer
def read(form=">I"):
    head = I.read(struct.calcsize(form))
    if len(head) < struct.calcsize(form): return None
    return json.loads(I.read(struct.unpack(form, head)[0]))
def reply(request, **more):
    return json.dumps({"id": request["id"], "success": True, "result": {}, **more}).encode()
def write(payload, form=">I", flush=True):
    O.write(struct.pack(form, len(payload)) + payload)
    if flush: O.flush()
def serve(read_as=">I", **options):
    while (request := read(read_as)) is not None: write(reply(request), **options)
"""

SCRIPTS = {
    "plain": "serve()",
    # As DSPex's bridge: leaves without a word on what it can't read, ignores what has no id.
    "bridge": """
while True:
    try: request = read()
    except Exception as error: print(error, file=sys.stderr); break
    if request is None: break
    if request.get("id") is None: continue
    write(reply(request) if request["command"] == "ping" else
          json.dumps({"id": request["id"], "success": False, "error": "Unknown command"}).encode())
""",
    "banner": 'print("Hello! Loading model...", flush=True); serve()',
    "short banner": 'O.write(b"hi!"); O.flush(); serve()',
    "banner and exit": 'print("usage: worker MODE", flush=True); sys.exit(2)',
    "unframed": "while (r := read()) is not None: O.write(reply(r) + b'\\n'); O.flush()",
    "unframed, unflushed": "while (r := read()) is not None: O.write(reply(r) + b'\\n')",
    "lines": "for line in sys.stdin: print(json.loads(line)['id'], flush=True)",
    "lenient lines": """
for line in sys.stdin:
    O.write(reply(json.loads(line[line.index('{'):])))
    O.flush()
""",
    "little-endian": "serve('<I', form='<I')",
    "little-endian replies": "serve(form='<I')",
    "short prefix": "while len(h := I.read(2)) == 2: I.read(struct.unpack('>H', h)[0])",
    "unflushed": "serve(flush=False)",
    "exit 3": 'print("No module named dspy", file=sys.stderr); sys.exit(3)',
    "segfault": "os.kill(os.getpid(), signal.SIGSEGV)",
    "slow import": "time.sleep(60); serve()",
    "outlives its input": "serve(); time.sleep(1000)",
    "closes stdout": "os.close(1); time.sleep(1000)",
    "zeros": "while True: os.write(1, bytes(65536))",
    "much text": """
for i in range(1600): os.write(1, b'spam and eggs\\n' * 4600)
time.sleep(1000)
""",
    "much stderr": "for i in range(300): os.write(2, b'a warning\\n' * 6000)\nserve()",
    "escapes": """
os.write(1, b'\\x1b[31mRED\\x1b[2J\\x07')
os.write(2, b'\\x1b[31mERR\\x07')
serve()
""",
    "escapes in its error": "write(reply(read(), success=False, error='\\x1b[31mbad\\u202e'))",
    "never reads": "time.sleep(1000)",
    "half a header": "read(); O.write(b'\\0\\0'); O.flush(); time.sleep(1000)",
    "half a reply": """
payload = reply(read())
O.write(struct.pack('>I', len(payload)) + payload[:9])
O.flush()
time.sleep(1000)
""",
    "4 GiB header": "read(); O.write(b'\\xff' * 4); O.flush(); time.sleep(1000)",
    "refuses": "write(reply(read(), success=False, error='no API key')); serve()",
    "dies on its call": "write(reply(read())); read(); sys.exit(5)",
    "wrong id": "while (r := read()) is not None: r['id'] = r['id'] and 77; write(reply(r))",
    "twice": "while (r := read()) is not None: write(reply(r)); r['id'] and write(reply(r))",
    "text in a call": """
write(reply(read()))
read()
print('Traceback: oh no', flush=True)
time.sleep(1000)
""",
    # Sound until its first call.
    "hangs in a call": "write(reply(read())); read(); time.sleep(1000)",
    "hangs with a reason": """
write(reply(read()))
read()
print("waiting for the lock", file=sys.stderr, flush=True)
time.sleep(1000)
""",
    "stops itself": "write(reply(read())); read(); os.kill(os.getpid(), signal.SIGSTOP)",
    "spins in a call": "write(reply(read())); read()\nwhile True: pass",
    "one call only": "write(reply(read())); write(reply(read()))",
    "off by one": """
last = {}
while (r := read()) is not None:
    write(reply(r, result=last))
    last = r["args"]
""",
    "newline after": "while (r := read()) is not None: write(reply(r), flush=False); print(flush=True)",
    "prints in a call": """
while (r := read()) is not None:
    write(reply(r))
    if r["id"]: print("done", flush=True)
""",
    "interleaved": """
while (r := read()) is not None:
    p, q = reply(r), b'{"event": "progress"}'
    both = [struct.pack('>I', len(x)) + x for x in (p, q)]
    O.write(both[0][:12] + (both[1] if r["id"] else b"") + both[0][12:])
    O.flush()
""",
    "counts characters": """
while (r := read()) is not None:
    text = json.dumps({"id": r["id"], "success": True, "result": r["args"]}, ensure_ascii=False)
    O.write(struct.pack(">I", len(text)) + text.encode())
    O.flush()
""",
    "counts its header": """
while (r := read()) is not None:
    p = reply(r)
    O.write(struct.pack(">I", len(p) + (4 if r["id"] else 0)) + p)
    O.flush()
""",
    "speaks Latin-1": """
while (r := read()) is not None:
    write(reply(r, result=json.loads(json.dumps(r["args"], ensure_ascii=False)
                                     .encode().decode("latin-1"))))
""",
    # One read is one request.
    "reads once": """
while (chunk := os.read(0, 65536)):
    if len(chunk) < 4: sys.exit("short read")
    write(reply(json.loads(chunk[4:])))
""",
    "reads a tenth": """
while (chunk := os.read(0, 4096)):
    need = struct.unpack(">I", chunk[:4])[0] + 4
    while len(chunk) < min(need, 100000): chunk += os.read(0, 4096)
    if need > 100000: time.sleep(1000)
    write(reply(json.loads(chunk[4:need])))
""",
    "noise while idle": """
import threading
def tick():
    while True: time.sleep(0.25); os.write(1, b"tick\\n")
threading.Thread(target=tick, daemon=True).start()
serve()
""",
    "floods": """
import threading
def flood():
    time.sleep(0.3)
    while True: os.write(1, b"x" * 65536)
threading.Thread(target=flood, daemon=True).start()
serve()
""",
    "busy while idle": """
import threading
def spin():
    while True: pass
threading.Thread(target=spin, daemon=True).start()
serve()
""",
    "ends while idle": """
import select
while select.select([0], [], [], 0.6)[0] and (r := read()) is not None: write(reply(r))
""",
    "ignores TERM": "signal.signal(signal.SIGTERM, signal.SIG_IGN); serve()",
    "needs KILL": "signal.signal(signal.SIGTERM, signal.SIG_IGN); serve(); time.sleep(1000)",
    "hides a daemon": """
import subprocess
while (r := read()) is not None:
    if r["id"]:
        subprocess.Popen(["sleep", "1001"], start_new_session=True, env={}, stdin=subprocess.DEVNULL,
                         stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    write(reply(r))
""",
    "launcher": """
if os.fork() == 0:
    os.setpgid(0, 0)
    time.sleep(1); serve(); os._exit(0)
os._exit(0)
""",
    "varint": """
n = I.read(1)[0]
try: json.loads(I.read(n))
except Exception as error: sys.exit("unparseable WorkRequest: %s" % error)
""",
    # Sound ones, each in a way of its own.
    "echo": """
while (r := read()) is not None:
    try: write(reply(r, result=r["args"]))
    except BrokenPipeError: break
""",
    "errors only": """
while (r := read()) is not None:
    write(reply(r) if r["command"] == "ping" else
          reply(r, success=False, error="unknown: " + r["command"]))
""",
    "helper that ends with it": """
a, b = os.pipe()
if os.fork() == 0:
    for fd in (0, 1, 2, b): os.close(fd)
    os.read(a, 1); time.sleep(0.1); os._exit(0)
os.close(a)
serve()
""",
    "answers in threads": """
import threading
lock = threading.Lock()
def work(r):
    with lock: write(reply(r, result=r["args"]))
while (r := read()) is not None: threading.Thread(target=work, args=(r,)).start()
""",
    "escapes its group": """
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.close(0); os.close(1); os.close(2)
        time.sleep(1000)
    os._exit(0)
serve()
""",
}


def command(name, python):
    # -E: what the caller's PYTHONUNBUFFERED would change is what some of these are about.
    return [python, "-E", "-S", "-c", PRELUDE + SCRIPTS[name]]
