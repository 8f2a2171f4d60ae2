"""poolproof probe: each row says what is so, of the faulty and of the sound."""

import os
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor

import row_workers
from program import HANG, POOLPROOF, PYTHON, ProgramTest

# Longer than whatever a sound worker here takes, and not much.
LIMIT_MS = "3000"
AT_ONCE = 12  # they wait, mostly


def probe(command, *options):
    done = subprocess.run([POOLPROOF, "probe", "--timeout-ms", LIMIT_MS, *options, "--", *command],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=HANG, check=False)
    return done.stdout.decode(), done.returncode


def diagnosis(said):
    return said.splitlines()[-1]


class ProbeRows(ProgramTest):
    def test_faults_are_told_by_their_cause_and_the_sound_are_left_alone(self):
        with ThreadPoolExecutor(AT_ONCE) as pool:
            def begin(script, *options):
                return pool.submit(probe, row_workers.command(script, PYTHON), *options)
            faulty = {n: begin(row[0]) for n, row in row_workers.FAULTY.items()}
            not_tried = {n: begin(row[0]) for n, row in row_workers.NOT_TRIED.items()}
            sound = {n: begin(s) for n, s in row_workers.SOUND.items()}
            opaque = {n: pool.submit(probe, row_workers.opaque_command(*row[:2], PYTHON),
                                     "--speech", "opaque")
                      for n, row in row_workers.OPAQUE.items()}
        for name, (_, words, code) in row_workers.FAULTY.items():
            with self.subTest(faulty=name):
                said, returned = faulty[name].result()
                self.assertIn(words, diagnosis(said), said)
                self.assertEqual(returned, code, said)
        for name, (_, words) in row_workers.NOT_TRIED.items():
            with self.subTest(not_tried=name):
                self.assertIn(words, not_tried[name].result()[0])
        for name, job in sound.items():
            with self.subTest(sound=name):
                said, returned = job.result()
                self.assertEqual((diagnosis(said), returned), ("diagnosis: a sound worker.", 0),
                                 said)
        for name, (_, _, words, code) in row_workers.OPAQUE.items():
            with self.subTest(opaque=name):
                said, returned = opaque[name].result()
                self.assertIn(words, diagnosis(said), said)
                self.assertEqual(returned, code, said)

    def test_a_crash_at_each_end_is_named_once(self):
        script = row_workers.FAULTY["crashes at its end"][0]
        said, _ = probe(row_workers.command(script, PYTHON))
        for row in ("eof_idle", "eof_in_frame", "zero_length", "oversized"):
            self.assertRegex(said, rf"(?m)^remark    {row} +crashes ")
        self.assertEqual(diagnosis(said).count("crashes"), 1, said)

    def test_what_is_idle_is_so_for_as_long_as_is_said(self):
        said, _ = probe(row_workers.command(row_workers.SOUND["plain"], PYTHON))
        self.assertRegex(said, r"(?m)^held      idle            is quiet for a second of idleness")
        said, _ = probe(row_workers.command(row_workers.SOUND["says something at its end"], PYTHON))
        self.assertIn("ends on a frame of no bytes (exited with code 0), and writes on its way out "
                      "text", said)

    def test_what_can_not_be_written_is_known_before(self):
        mark = os.path.join(self.folder, "started")
        worker = ["/bin/sh", "-c", f"touch {mark}"]
        for option in ("--json", "--junit"):
            for file in ("/no/such/folder/x", str(self.folder)):
                done = self.program("probe", option, file, "--", *worker)
                self.assertEqual(done.returncode, 64, done)
                self.assertIn(option.encode(), done.stderr)
                self.assertEqual(done.stderr.count(b"\n"), 1, done.stderr)
        self.assertFalse(os.path.exists(mark), "no worker is started for nothing")

    def test_a_length_is_said_of_the_wire_prefix_alone(self):
        for words in (["--prefix-bytes", "2"], ["--prefix-bytes", "4"], ["--byte-order", "big"]):
            done = self.program("probe", "--wire", "lines", *words, "--", "/bin/cat")
            self.assertEqual(done.returncode, 64, done)
            self.assertIn(f"{words[0]}: is said of the wire lines".encode(), done.stderr)
        with tempfile.TemporaryDirectory() as folder:
            done = self.program("probe", "--wire", "prefix", "--prefix-bytes", "4", "--json",
                                os.path.join(folder, "t.json"), "--", "/bin/true")
        self.assertEqual(done.returncode, 1, done)
