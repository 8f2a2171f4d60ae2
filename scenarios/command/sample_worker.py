"""A small worker of these scenarios, in plain Python: frames of JSON on stdin and stdout."""

import json
import struct
import subprocess
import sys
import time


def read_frame():
    header = sys.stdin.buffer.read(4)
    return sys.stdin.buffer.read(struct.unpack(">I", header)[0]) if len(header) == 4 else None


def write_frame(payload):
    sys.stdout.buffer.write(struct.pack(">I", len(payload)) + payload)
    sys.stdout.buffer.flush()


def leave_daemon(args):
    """What it leaves behind has neither its session, nor its environment, nor its pipes."""
    subprocess.Popen(["/bin/sleep", "60"], start_new_session=True, env={},
                     stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                     stderr=subprocess.DEVNULL)
    return args


def wait_for_lock(args):
    print("waiting for the lock of the data base", file=sys.stderr, flush=True)
    time.sleep(60)
    return args


COMMANDS = {
    "ping": lambda args: {"status": "ok"},
    "echo": lambda args: args,
    "double": lambda args: {"n": 2 * args["n"]},
    "leave_daemon": leave_daemon,
    "wait_for_lock": wait_for_lock,
}


def main():
    while (payload := read_frame()) is not None:
        request = json.loads(payload)
        reply = {"id": request["id"], "success": True, "result": {}}
        if request["command"] in COMMANDS:
            reply["result"] = COMMANDS[request["command"]](request["args"])
        elif request["command"] != "shutdown":
            reply = {"id": request["id"], "success": False, "error": "no such command"}
        write_frame(json.dumps(reply).encode())
        if request["command"] == "shutdown":
            return


main()
