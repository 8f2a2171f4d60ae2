"""poolproof sweep as a batch system runs it: asked to stop, killed, without room, as pid 1."""

import json
import os
import re
import resource
import shutil
import signal
import subprocess

from program import HANG, POOLPROOF, ProgramTest, wait_until

AGAIN = 75
ENDLESS = ("--count", "100000000", "--seed", "7", "--no-host")
ONE = ("--jobs", "1")  # where it is all the same how many work, the other processor is left alone


def children_of(pid):
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as listed:
            return [int(word) for word in listed.read().split()]
    except FileNotFoundError:
        return []


def ignore_and_limit_files():
    # A write beyond the limit is then an error, as on a full disk.
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200, 200))


def busy_child_of(pid):
    """One that has had 50 ms of a processor at least, if there is one."""
    least = os.sysconf("SC_CLK_TCK") // 20
    for child in children_of(pid):
        try:
            with open(f"/proc/{child}/stat", encoding="utf-8") as file:
                fields = file.read().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if int(fields[11]) + int(fields[12]) >= least:
            return child
    return None


class Cluster(ProgramTest):
    def begin(self, *words, before=(), out="sweep", **options):
        command = [*before, POOLPROOF, "sweep", "--out", self.folder / out, *words]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                   **options)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def said(self, process):
        return process.communicate(timeout=HANG)[0].decode()

    def state(self, out="sweep"):
        return json.loads((self.folder / out / "sweep.json").read_text())

    def goes_on(self, done, out="sweep"):
        """The same sweep, to a count that is near, comes to what a sweep in one go comes to."""
        count = str(done + 2000)
        for folder in (out, "whole"):
            end = self.program("sweep", "--out", self.folder / folder, "--count", count, "--seed",
                               "7", "--no-host")
            self.assertEqual(end.returncode, 0, end.stdout + end.stderr)
        for key in ("done", "traces", "coverage", "repeated", "parts"):
            self.assertEqual(self.state(out)[key], self.state("whole")[key], key)

    def test_asked_to_stop_it_saves_and_says_how_far(self):
        for asked in (signal.SIGTERM, signal.SIGINT):
            with self.subTest(signal=asked):
                shutil.rmtree(self.folder / "whole", ignore_errors=True)
                out = asked.name
                process = self.begin(*ENDLESS, *ONE, out=out)
                process.stdout.readline()  # it tells progress: it has begun
                process.send_signal(asked)
                text = self.said(process)
                self.assertEqual(process.returncode, AGAIN, text)
                self.assertRegex(text, r"\nstopped after [1-9]\d* of 100000000 scenarios: it was "
                                       r"asked to; all of it is saved, and the same command goes on"
                                       r"\nnot done\n\Z")
                state = self.state(out)
                self.assertEqual(state["parts"][0]["end"], "asked")
                self.assertIn(f"stopped after {state['done']} of", text)
                self.goes_on(max([state["parts"][0]["next"],
                                  *(to for _, to in state["parts"][0]["apart"])]), out)

    def test_asked_as_a_whole_group_it_stops_as_well(self):
        # A terminal and Slurm ask all processes at once.
        process = self.begin(*ENDLESS, start_new_session=True)
        process.stdout.readline()
        os.killpg(process.pid, signal.SIGTERM)
        text = self.said(process)
        self.assertEqual(process.returncode, AGAIN, text)
        self.assertNotIn("kind(s) of failure so far", text)
        self.assertEqual(self.state()["failures"], [])

    def test_as_the_first_process_of_a_container_it_can_be_asked(self):
        unshare = ["unshare", "--pid", "--fork", "--kill-child"]
        if subprocess.run([*unshare, "true"], stderr=subprocess.DEVNULL, check=False).returncode:
            unshare.insert(1, "--map-root-user")
        if subprocess.run([*unshare, "true"], stderr=subprocess.DEVNULL, check=False).returncode:
            self.skipTest("no namespaces here")
        process = self.begin(*ENDLESS, *ONE, before=unshare)
        process.stdout.readline()
        (inner,) = children_of(process.pid)
        os.kill(inner, signal.SIGTERM)
        text = self.said(process)
        self.assertEqual(process.returncode, AGAIN, text)
        self.assertEqual(self.state()["parts"][0]["end"], "asked")

    def test_a_time_that_is_over_before_the_count_is_no_success(self):
        done = self.program("sweep", "--out", self.folder / "sweep", *ENDLESS, *ONE, "--time", "1")
        self.assertEqual(done.returncode, AGAIN, done.stdout + done.stderr)
        text = done.stdout.decode()
        self.assertIn("of 100000000 scenarios: its time was over; all of it is saved, and the same "
                      "command goes on\nnot done\n", text)
        self.assertNotIn("no failure", text)
        self.assertEqual(self.state()["parts"][0]["end"], "time")
        done = self.program("sweep", "--out", self.folder / "timed", "--time", "1", "--no-host",
                            *ONE)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertEqual(self.state("timed")["parts"][0]["end"], "finished")

    def test_a_folder_that_is_taken_may_be_free_later(self):
        process = self.begin(*ENDLESS, *ONE)
        process.stdout.readline()
        done = self.program("sweep", "--out", self.folder / "sweep", *ENDLESS)
        self.assertEqual(done.returncode, AGAIN, done.stdout + done.stderr)
        self.assertIn(b"another sweep is writing there", done.stderr)
        process.send_signal(signal.SIGTERM)
        self.said(process)

    def test_a_full_disk_ends_it_and_leaves_the_older_state(self):
        first = self.program("sweep", "--out", self.folder / "sweep", "--count", "300", "--seed",
                             "7", "--no-host")
        self.assertEqual(first.returncode, 0, first.stdout + first.stderr)
        before = (self.folder / "sweep" / "sweep.json").read_bytes()
        self.assertGreater(len(before), 200)
        done = self.program("sweep", "--out", self.folder / "sweep", "--count", "600", "--seed",
                            "7", "--no-host", preexec_fn=ignore_and_limit_files)
        self.assertEqual(done.returncode, 70, done.stdout + done.stderr)
        self.assertRegex(done.stderr.decode(),
                         r"^poolproof: sweep: cannot write .*sweep\.json: File too large\n\Z")
        self.assertNotIn(b"no failure", done.stdout)
        self.assertEqual((self.folder / "sweep" / "sweep.json").read_bytes(), before)
        self.assertEqual(sorted(p.name for p in (self.folder / "sweep").iterdir()),
                         ["failures", "sweep.json"])

    def test_a_state_that_can_be_saved_no_more_ends_it(self):
        process = self.begin(*ENDLESS, *ONE)
        process.stdout.readline()
        wait_until(lambda: self.state()["done"] > 0, "a state")
        # In the place of the file that is to be renamed.
        self.take_name(self.folder / "sweep" / f".sweep.json.{process.pid}.tmp")
        text = self.said(process)
        self.assertEqual(process.returncode, 70, text)
        self.assertRegex(text, r"poolproof: sweep: cannot write .*sweep\.json: ")
        self.assertRegex(text, r"\n[1-9]\d* scenarios in ")
        for words in ("no failure", "not done", "is saved"):
            self.assertNotIn(words, text)
        self.assertEqual(self.state()["parts"][0]["end"], "running")

    @staticmethod
    def take_name(folder):
        def taken():
            try:
                folder.mkdir()
            except FileExistsError:
                return folder.is_dir()
            return True
        wait_until(taken, "the name")

    def test_a_process_of_it_that_is_killed_is_no_failure(self):
        process = self.begin("--count", "12000", "--seed", "7", "--no-host", "--jobs", "2")
        for _ in range(3):
            # Three that come to the same case would make it a failure: each is far beyond its first.
            victim = wait_until(lambda: busy_child_of(process.pid), "a process at work")
            os.kill(victim, signal.SIGKILL)
            wait_until(lambda: victim not in children_of(process.pid), "its end")
        text = self.said(process)
        self.assertEqual(process.returncode, 0, text)
        self.assertIn("3 time(s) a process was killed from outside (SIGKILL: out of memory?); its "
                      "scenarios were carried out again\n", text)
        self.assertEqual(self.state()["killed"], 3)
        self.assertEqual(self.state()["done"], 12000)

    def test_it_takes_no_more_processors_than_it_may_use(self):
        one = {min(os.sched_getaffinity(0))}
        process = self.begin(*ENDLESS, preexec_fn=lambda: os.sched_setaffinity(0, one))
        process.stdout.readline()
        self.assertEqual(len(children_of(process.pid)), 1)
        process.send_signal(signal.SIGTERM)
        self.said(process)

    def test_progress_in_a_file_is_told_at_most_once_a_minute(self):
        done = self.program("sweep", "--out", self.folder / "sweep", "--time", "4", "--no-host",
                            *ONE)
        told = re.findall(r"^\d+ scenarios, \d+/s, ", done.stdout.decode(), re.MULTILINE)
        self.assertEqual(len(told), 1, done.stdout)

    def test_a_state_that_is_wrong_is_refused_in_one_line(self):
        self.assertEqual(self.program("sweep", "--out", "sweep", "--count", "50").returncode, 0)
        good = (self.folder / "sweep" / "sweep.json").read_text()
        for change, says in ((("\"done\": 50", "\"done\": -1"), "sweep.json#/done: is -1; a whole"),
                             (("\"done\": 50", "\"done\": 49"), "its parts have done: 50"),
                             (("{", ""), "sweep.json: "), ((good, ""), "sweep.json: ")):
            (self.folder / "sweep" / "sweep.json").write_text(good.replace(*change, 1))
            for words in (("sweep", "--out", "sweep", "--count", "60"), ("merge", "sweep")):
                done = self.program(*words)
                self.assertEqual(done.returncode, 64, done.stdout)
                self.assertIn(says, done.stderr.decode())
                self.assertEqual(done.stderr.count(b"\n"), 1)


