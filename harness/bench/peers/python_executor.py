"""Python's executors, driven as peers.py says.

usage: python_executor.py thread|process checkout|echo WORKERS CLIENTS SECONDS ECHO_WORKER

`thread` runs jobs in a ThreadPoolExecutor, each of whose threads has an echo worker of its own.
`process` runs them in a ProcessPoolExecutor: its workers are Python and answer by themselves.
`checkout` is a job that does nothing: an executor lends no worker.
"""

import concurrent.futures
import json
import struct
import subprocess
import sys
import threading
import time

PAYLOAD = b'{"text":"' + b"x" * 89 + b'"}'
FRAME = struct.pack(">I", len(PAYLOAD)) + PAYLOAD

own = threading.local()  # of each thread of the pool: its worker
started = []


def start(program):
    own.worker = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                  bufsize=0)
    started.append(own.worker)


def echo_by_worker(payload):
    own.worker.stdin.write(struct.pack(">I", len(payload)) + payload)
    reply = b""
    while len(reply) < len(FRAME):
        reply += own.worker.stdout.read(len(FRAME) - len(reply))
    return reply[4:]


def echo_here(payload):
    return payload


def nothing(payload):
    return payload


def clients_round(pool, job, clients, each, timed):
    """Seconds in which each client has had so many jobs done, and the longest of them in them."""
    longest = [0.0] * clients
    start_line = threading.Barrier(clients + 1)

    def client(number):
        start_line.wait()
        for _ in range(each):
            begun = time.perf_counter() if timed else 0.0
            if pool.submit(job, PAYLOAD).result() != PAYLOAD:
                raise ValueError("another reply")
            if timed:
                longest[number] = max(longest[number], time.perf_counter() - begun)

    with concurrent.futures.ThreadPoolExecutor(clients) as threads:
        done = [threads.submit(client, number) for number in range(clients)]
        start_line.wait()
        begun = time.perf_counter()
        for one in done:
            one.result()
        return time.perf_counter() - begun, max(longest)


def main(kind, workload, workers, clients, seconds, echo_worker):
    workers, clients = int(workers), int(clients)
    timed = workload == "echo" or clients > workers
    if kind == "process":
        pool, job = concurrent.futures.ProcessPoolExecutor(workers), echo_here
    elif workload == "echo":
        pool = concurrent.futures.ThreadPoolExecutor(workers, initializer=start,
                                                     initargs=(echo_worker,))
        job = echo_by_worker
    else:
        pool, job = concurrent.futures.ThreadPoolExecutor(workers), nothing
    with pool:
        # Rounds of twice the length, until two in a row last so long: all but the last warm up.
        each, before = 1, 0.0
        while True:
            took, longest = clients_round(pool, job, clients, each, timed)
            if min(before, took) >= float(seconds):
                break
            each, before = 2 * each, took
    for worker in started:
        worker.stdin.close()
        worker.wait()
    told = {"operations": each * clients, "seconds": took}
    if timed:
        told["longest_us"] = longest * 1e6
    print(json.dumps(told))


if __name__ == "__main__":
    main(*sys.argv[1:])
