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
    return [python, "-E", "-c", PRELUDE + SCRIPTS[name]]
