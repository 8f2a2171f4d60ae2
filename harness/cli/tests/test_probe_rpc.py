"""poolproof probe and other people's wires: who is sound is not blamed, and who is not is told why."""

import resource
import subprocess
from concurrent.futures import ThreadPoolExecutor

import rpc_workers
from program import HANG, POOLPROOF, PYTHON, ProgramTest

LARGEST_MEMORY_KIB = 512 << 10


def probe(options, script, limit_ms=6000):
    words = [POOLPROOF, "probe", "--timeout-ms", str(limit_ms), *options, "--", PYTHON, "-E", "-S", "-c",
             script]
    done = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=HANG, check=False)
    return done.stdout.decode(), done.returncode


class ProbeRpc(ProgramTest):
    def test_each_worker_is_told_what_it_does(self):
        workers = rpc_workers.WORKERS | rpc_workers.REMARKED
        with ThreadPoolExecutor(16) as pool:
            jobs = {name: pool.submit(probe, options, rpc_workers.PRELUDE + script)
                    for name, (options, script, _) in workers.items()}
        for name, (_, _, words) in rpc_workers.WORKERS.items():
            with self.subTest(worker=name):
                said, code = jobs[name].result()
                diagnosis = [line for line in said.splitlines() if line.startswith("diagnosis: ")]
                self.assertEqual(len(diagnosis), 1, said)
                if words.startswith("wire "):
                    self.assertIn(words + " (", said.splitlines()[0], diagnosis)
                if not words or (words.startswith("wire ") and name != "no answer to its greeting"):
                    self.assertEqual(code, 0, diagnosis)
                else:
                    self.assertEqual(code, 1, diagnosis)
                if words and not words.startswith("wire "):
                    self.assertIn(words, diagnosis[0])
        for name, (_, _, words) in rpc_workers.REMARKED.items():
            with self.subTest(worker=name):
                said, code = jobs[name].result()
                self.assertIn(words, said.splitlines()[-1])
                self.assertEqual(code, 0, said)
        self.assertLess(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, LARGEST_MEMORY_KIB)

    def test_who_is_never_greeted_may_take_its_time_to_start(self):
        said, code = probe(("--wire", "lines", "--speech", "opaque"), rpc_workers.OPAQUE, 12000)
        self.assertRegex(said, r"is quiet (for a second|in the last of [0-9]+ s) of idleness")
        self.assertEqual(code, 0)
