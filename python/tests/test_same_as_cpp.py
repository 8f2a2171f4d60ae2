"""The Python and the C++ worker: the same bytes on the pipe, the same exit, the same journal.

POOLPROOF_FAKE_WORKER names the C++ program."""

import json
import os
import subprocess
import sys
import tempfile
import unittest

from driving import FAULTY, ROOT, SOUND, frame, request
from test_commands import COMMANDS, ERRORS, MALFORMED

FAKE_WORKER = os.environ.get("POOLPROOF_FAKE_WORKER", "")
SHORT = ["--delay-ms", "--gap-ms", "--lifetime-ms"]
SESSION = (request(0, "ping") + request(1, "echo", {"nonce": "a:1", "x": [1.5, "ü"]}) +
           request(2, "stats") + request(3, "shutdown"))


def run(program, data, options):
    """(exit code, stdout, the journal without its times and pids)"""
    with tempfile.NamedTemporaryFile() as journal:
        done = subprocess.run([*program, *options, "--timestamp", "7", "--journal", journal.name],
                              input=data, capture_output=True, check=False, timeout=60,
                              env={"PYTHONPATH": ROOT})
        records = [json.loads(line) for line in journal.read().splitlines()]
    for record in records:
        for key in ("at_ms", "pid", "child_pid"):
            record.pop(key, None)
    return done.returncode, done.stdout, records


@unittest.skipUnless(FAKE_WORKER, "POOLPROOF_FAKE_WORKER is not set")
class Same(unittest.TestCase):
    maxDiff = None

    def same(self, data, *options):
        mine = run([sys.executable, *FAULTY], data, options)
        theirs = run([FAKE_WORKER], data, options)
        self.assertEqual(mine, theirs)
        return mine

    def test_the_fault_tables_are_the_same_text(self):
        mine = subprocess.run([sys.executable, *FAULTY, "--list"], capture_output=True, check=True,
                              env={"PYTHONPATH": ROOT})
        theirs = subprocess.run([FAKE_WORKER, "--list"], capture_output=True, check=True)
        self.assertEqual(mine.stdout, theirs.stdout)

    def test_sound_answers_are_the_same(self):
        for prefix in (1, 2, 4):
            self.same(request(0, "ping", {}, prefix), "--prefix-bytes", str(prefix))
        calls = [(command, args) for command, args, _ in COMMANDS + ERRORS]
        self.same(b"".join(request(i, *call) for i, call in enumerate(calls)) +
                  request(99, "stats"))

    def test_answers_to_what_is_no_request_are_the_same(self):
        self.same(b"".join(frame(payload) for payload, _, _ in MALFORMED) + bytes(4) +
                  request(99, "stats"))

    def test_broken_streams_end_the_same(self):
        for data in (b"", b"\0", b"\0\0\0\5ab", b"Warning"):
            with self.subTest(data):
                self.same(request(0, "ping") + data)

    def test_every_fault_is_the_same_at_every_request(self):
        rows = json.loads(subprocess.run([FAKE_WORKER, "--list"], capture_output=True,
                                         check=True).stdout)
        for row in rows:
            if row["name"] in ("reading_stopped", "stdin_closed", "stdin_end_ignored"):
                continue  # only TERM ends those: test_faulty_lives
            if row["moment"] == "launch" or row["name"] == "header_malformed":
                continue  # a worker that runs can't show it, or not on this wire
            options = ["--fault", row["name"]]
            for param in row["params"]:
                option = "--" + param["name"].replace("_", "-")
                if option in SHORT:
                    options += [option, "1"]
            by_request = row["moment"] not in ("start", "shutdown")
            for aim in (["--at", "client=a,call=1"], ["--at", "request=0"], []) \
                    if by_request else ([],):
                with self.subTest(fault=row["name"], aim=aim):
                    _, _, journal = self.same(SESSION, *options, *aim)
                    ascii_only = row["name"] == "length_in_characters" and "request=0" in aim
                    if row["name"] != "term_ignored" and not ascii_only:
                        self.assertIn("receipt", [record["kind"] for record in journal])

    def test_other_parameters_are_the_same(self):
        for options in (["length_too_short", "--missing-bytes", "1000000"],
                        ["length_too_long", "--extra-bytes", "1000000"],
                        ["length_over_limit", "--over-bytes", "1000000"],
                        ["reply_padded", "--payload-bytes", "1000000"],
                        ["reply_truncated", "--keep-bytes", "50", "--code", "255"],
                        ["id_wrong", "--offset", "-1000000"], ["json_deep", "--depth", "3"],
                        ["reply_reshaped", "--shape", "no_result"],
                        ["reply_reshaped", "--shape", "result_list"],
                        ["reply_reshaped", "--shape", "null_id_error"],
                        ["reply_reshaped", "--shape", "batch"],
                        ["frames_before_reply", "--shape", "request", "--frames", "2"],
                        ["frames_before_reply", "--shape", "previous_reply"],
                        ["frame_inside_reply", "--keep-bytes", "1"],
                        ["text_while_idle", "--text", "\u00fc"],
                        ["killed_mid_call", "--signal", "17"],
                        ["killed_at_start", "--signal", "15"],
                        ["reply_trickled", "--gap-ms", "0", "--chunk-bytes", "7"],
                        ["error_reply", "--message", "\u00fc\n\"\\\x01\x7f"]):
            with self.subTest(options):
                self.same(SESSION, "--fault", *options)

    def test_who_is_given_no_number_draws_the_next_ticket(self):
        with tempfile.TemporaryDirectory() as folder:
            tickets, journal = os.path.join(folder, "tickets"), os.path.join(folder, "journal")
            environment = {"PYTHONPATH": ROOT, "POOLPROOF_TICKETS": tickets,
                           "POOLPROOF_JOURNAL": journal}
            drawn = []
            for options in ([], [], ["--slot", "4"], ["--generation", "7"], ["--worker-id", "w"],
                            ["--tickets", tickets]):
                for program in ([sys.executable, *FAULTY], [FAKE_WORKER],
                                [sys.executable, *SOUND]):
                    done = subprocess.run([*program, *options], input=request(0, "ping"),
                                          capture_output=True, check=True, env=environment,
                                          timeout=60)
                    drawn.append(json.loads(done.stdout[4:])["result"]["worker_id"])
            with open(journal, encoding="utf-8") as file:
                lines = [json.loads(line) for line in file]
        self.assertEqual(drawn, ["0.0", "0.1", "0.2", "0.3", "0.4", "0.5", *["4.0"] * 3,
                                 *["0.7"] * 3, *["w"] * 3, "0.9", "0.10", "0.11"])
        self.assertEqual([(line["slot"], line["generation"]) for line in lines
                          if line["kind"] == "started"],
                         [(0, 0), (0, 1), (0, 3), (0, 4), (4, 0), (4, 0), (0, 7), (0, 7), (0, 6),
                          (0, 7), (0, 9), (0, 10)])

    def test_tickets_that_can_not_be_drawn_are_one_line(self):
        for program in ([sys.executable, *FAULTY], [FAKE_WORKER], [sys.executable, *SOUND]):
            done = subprocess.run([*program, "--tickets", "/nowhere/tickets"], input=b"",
                                  capture_output=True, check=False, timeout=60,
                                  env={"PYTHONPATH": ROOT})
            self.assertEqual(done.returncode, 64)
            self.assertEqual(done.stderr.decode().count("\n"), 1)
            self.assertIn("/nowhere/tickets: No such file or directory; a file for tickets that "
                          "can be written", done.stderr.decode())

    def test_pairs_of_faults_compose_the_same(self):
        names = ["reply_dropped", "reply_twice", "reply_unframed", "text_after_reply", "id_text",
                 "length_zero", "length_too_long", "json_invalid", "utf8_invalid", "nan_result",
                 "success_missing", "reply_reshaped", "id_wrong", "error_reply",
                 "reply_truncated", "reply_fragmented",
                 "length_over_limit", "reply_padded",
                 "reply_unflushed", "text_while_idle", "exit_while_idle", "stdout_closed",
                 "shutdown_not_obeyed", "exit_code_at_shutdown"]
        for i, first in enumerate(names):
            second = names[(i * 7 + 3) % len(names)]
            third = names[(i * 3 + 8) % len(names)]
            with self.subTest(first=first, second=second, third=third):
                self.same(SESSION, "--fault", first, "--fault", second, "--fault", third)


if __name__ == "__main__":
    unittest.main()
