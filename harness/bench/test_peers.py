"""What peers.py makes of its drivers: with false ones, and once with those that are there.

Of the second part the environment names the program: POOLPROOF_BENCH. No time is judged.
"""

import contextlib
import dataclasses
import io
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time
import unittest

import peers
import peers_catalogue
import peers_report
from programs import Failed, run

# A program that starts another one, writes its number into a file and never ends.
HANGS = """
import pathlib, subprocess, sys
child = subprocess.Popen(["sleep", "1000"])
pathlib.Path(sys.argv[1]).write_text(str(child.pid), "utf-8")
child.wait()
"""
CELL = peers.Cell("echo", 4, 16)
ALONE = peers.Cell("checkout", 1, 1)


def quietly(call, *arguments):
    """The result, and what was said on stderr."""
    with contextlib.redirect_stderr(io.StringIO()) as said:
        return call(*arguments), said.getvalue()


def peer(script, **changed):
    """A peer whose driver is this line of Python."""
    fields = {"name": "false", "needs": (), "command": [sys.executable, "-c", script],
              "version": lambda: "1.0", "note": "It is no pool.", **changed}
    return peers_catalogue.Peer(**fields)


def driven(script, **changed):
    return peers.Driven(peer(script, **changed), "/echo_worker")


def becomes_true(condition):
    """Asks again and again, for a minute at most."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.01)
    return False


def is_gone(pid):
    """No such process, or one that only waits to be collected by whoever inherited it."""
    try:
        stat = pathlib.Path("/proc", pid, "stat").read_text("utf-8")
    except FileNotFoundError:
        return True
    return stat.rsplit(")", 1)[1].split()[0] == "Z"


@dataclasses.dataclass
class Told:
    """A subject that tells what it is given, run by run, and in which order it was asked."""

    name: str
    rates: list
    asked: list

    def measures(self, _):
        return True

    def measure(self, cell, _):
        self.asked.append((self.name, cell))
        rate = self.rates.pop(0)
        if rate is None:
            raise Failed("is broken")
        return peers.Measured(rate, 1e6 / rate)


class Drivers(unittest.TestCase):
    def test_a_driver_is_told_the_cell_and_read(self):
        script = ("import json, sys; assert sys.argv[1:] == ['echo', '4', '16', '0.5', "
                  "'/echo_worker'], sys.argv; print('warm'); "
                  "print(json.dumps({'operations': 100, 'seconds': 0.5, 'longest_us': 7}))")
        self.assertEqual(driven(script).measure(CELL, 0.5), peers.Measured(200, 7))

    def test_a_wait_need_not_be_told(self):
        self.assertEqual(peers.read_driver('{"operations": 10, "seconds": 2}'),
                         peers.Measured(5, None))

    def test_other_words_are_refused(self):
        for out in ("", "12", "[]", "nonsense", '{"operations": 1}', '{"operations": 1, '
                    '"seconds": 0}', '{"operations": "x", "seconds": 1}'):
            with self.assertRaises(Failed, msg=out):
                peers.read_driver(out)

    def test_a_driver_that_fails_is_told_with_its_last_words(self):
        with self.assertRaisesRegex(Failed, "no such pool"):
            driven("import sys; sys.exit('no such pool')").measure(CELL, 0.1)

    def test_a_driver_that_hangs_ends_with_all_that_it_started(self):
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder) / "pid"
            with self.assertRaisesRegex(Failed, "not done within 2 s"):
                run([sys.executable, "-c", HANGS, str(file)], seconds=2)
            self.assertTrue(becomes_true(lambda: is_gone(file.read_text("utf-8"))))

    def test_a_bench_that_is_told_to_end_ends_all_that_it_started(self):
        script = ("import programs, sys; programs.end_on_term(); "
                  "programs.run([sys.executable, '-c', *sys.argv[1:]])")
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder) / "pid"
            with subprocess.Popen([sys.executable, "-B", "-c", script, HANGS, str(file)],
                                  cwd=pathlib.Path(__file__).parent) as bench:
                begun = becomes_true(lambda: file.exists() and file.read_text("utf-8"))
                bench.terminate()
            self.assertTrue(begun)
            self.assertEqual(bench.returncode, 128 + signal.SIGTERM)
            self.assertTrue(becomes_true(lambda: is_gone(file.read_text("utf-8"))))

    def test_a_row_of_our_own_is_read(self):
        out = '{"benchmarks": [{"items_per_second": 5.0, "longest_us": 3.0}]}'
        self.assertEqual(peers.read_own(out), peers.Measured(5, 3))
        with self.assertRaisesRegex(Failed, "a call failed"):
            peers.read_own('{"benchmarks": [{"error_occurred": true, '
                           '"error_message": "a call failed"}]}')
        for none in ("", '{"benchmarks": []}'):
            with self.assertRaisesRegex(Failed, "0 rows"):
                peers.read_own(none)


class Skipping(unittest.TestCase):
    def test_what_is_not_there_is_named_with_its_package(self):
        needs = (peers_catalogue.Need("sh", "dash"),
                 peers_catalogue.Need("no-such-program", "no-package"),
                 peers_catalogue.Need("/no/such/*.jar", "no-jar"))
        (there, skipped), said = quietly(peers.ready, [peer("", needs=needs), peer("", name="b")],
                                         True)
        self.assertEqual([one.name for one in there], ["b"])
        self.assertEqual(skipped, ["false: no-such-program (Debian: no-package), /no/such/*.jar "
                                   "(Debian: no-jar)"])
        self.assertIn(skipped[0], said)

    def test_a_driver_that_cannot_be_prepared_is_skipped(self):
        def broken(_):
            raise Failed("javac: no")
        (there, skipped), _ = quietly(peers.ready, [peer("", prepare=broken)], True)
        self.assertEqual((there, skipped), ([], ["false: javac: no"]))

    def test_every_need_names_a_package(self):
        for one in peers_catalogue.PEERS:
            self.assertTrue(one.needs, one.name)
            for need in one.needs:
                self.assertRegex(need.package, r"^[a-z0-9.+-]+$")


class Interleaving(unittest.TestCase):
    def test_all_take_turns_in_each_cell_and_each_pass_begins_with_another(self):
        asked = []
        told = [Told(name, [1.0] * 4, asked) for name in "ab"]
        (runs, failures), _ = quietly(peers.measure, told, [CELL, ALONE], 2, 0.1)
        self.assertEqual(asked, [("a", CELL), ("b", CELL), ("a", ALONE), ("b", ALONE),
                                 ("b", CELL), ("a", CELL), ("b", ALONE), ("a", ALONE)])
        self.assertEqual([len(found) for found in runs.values()], [2] * 4)
        self.assertEqual(failures, [])

    def test_who_failed_is_not_tried_there_again(self):
        asked = []
        told = [Told("a", [1.0, None], asked), Told("b", [1.0] * 3, asked)]
        (runs, failures), said = quietly(peers.measure, told, [CELL], 3, 0.1)
        self.assertEqual(len(asked), 5)
        self.assertIsNone(runs["a", CELL][-1])
        self.assertEqual(failures, ["a: echo/4x16: is broken"])
        self.assertIn("is broken", said)

    def test_who_does_not_do_it_is_not_asked(self):
        hikari = driven("", workloads=("checkout",))
        (runs, failures), _ = quietly(peers.measure, [hikari], [CELL], 1, 0.1)
        self.assertEqual((runs, failures), ({}, []))


class Page(unittest.TestCase):
    def page(self, runs, **changed):
        fields = {"how": [("date", "today")], "peers": [("poolboy", "1.5", "It monitors.")],
                  "runs": runs, "cells": [CELL, ALONE], "skipped": [], "failures": [], **changed}
        return peers_report.page(**fields)

    def test_ratios_are_taken_within_a_pass(self):
        # The machine is four times faster in the second pass; poolboy has half of fifo in each.
        runs = {("fifo", CELL): [peers.Measured(rate, 1e3) for rate in (1e3, 4e3, 2e3)],
                ("poolboy", CELL): [peers.Measured(rate, 2e3) for rate in (500, 2e3, 1e3)]}
        page = self.page(runs)
        self.assertIn("| fifo | 2 k (1.00) |", page)
        self.assertIn("| poolboy | 1 k (0.50) |", page)
        self.assertIn("| poolboy | 2 (2) |", page)
        self.assertIn("poolboy: It monitors.", page)

    def test_what_was_not_measured_stays_empty_and_what_failed_says_so(self):
        runs = {("fifo", ALONE): [peers.Measured(2e6, None)], ("raw", CELL): [None]}
        page = self.page(runs, skipped=["HikariCP: java"], failures=["raw: no"])
        self.assertIn("| fifo | 2 M (1.00) |", page)
        self.assertIn("| raw | failed |", page)
        self.assertIn("## Skipped\n\n- HikariCP: java\n", page)
        self.assertIn("## Failed\n\n- raw: no\n", page)

    def test_numbers_have_three_digits(self):
        for number, text in ((0.1234, "0.123"), (5, "5"), (999.6, "1 k"), (1234, "1.23 k"),
                             (999_900, "1 M"), (12_345_678, "12.3 M")):
            self.assertEqual(peers_report.short(number), text)

    def test_few_passes_are_called_a_trial(self):
        facts = dict(peers_report.facts(["--only", "a|b"], 3, 0.1, "release", peers.ROOT))
        self.assertIn("trial", facts["passes"])
        self.assertEqual(facts["command"], r"`./dev bench --peers --only 'a\|b'`")

    def test_a_page_that_cannot_be_written_leaves_the_old_one(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "b.md"
            peers_report.write(path, "old")
            with self.assertRaises(UnicodeEncodeError):
                peers_report.write(path, "\udc80")
            self.assertEqual((path.read_text("utf-8"), os.listdir(folder)), ("old", ["b.md"]))


class Usage(unittest.TestCase):
    def test_bad_words_are_refused_in_one_line(self):
        for words in (["--passes", "0"], ["--passes", "x"], ["--seconds", "-1"],
                      ["--seconds", "nan"], ["--only", "("], ["--cells", "3x3"], ["--pases", "1"],
                      ["--program", "/no/such/program"], ["--out", "/no/such/folder/b.md"]):
            code, said = quietly(peers.main, words)
            self.assertEqual(code, 64, words)
            self.assertEqual(said.count("\n"), 1, said)


@unittest.skipUnless("POOLPROOF_BENCH" in os.environ, "no program is named")
class Smoke(unittest.TestCase):
    def test_whoever_is_there_does_a_few(self):
        with tempfile.TemporaryDirectory() as folder:
            out = pathlib.Path(folder) / "b.md"
            script = pathlib.Path(__file__).with_name("peers.py")
            done = subprocess.run(
                [sys.executable, "-B", script, "--passes", "1", "--seconds", "0.001", "--cells",
                 "4x16", "--no-install", "--program", os.environ["POOLPROOF_BENCH"], "--out", out],
                capture_output=True, text=True, check=False)
            self.assertEqual(done.returncode, 0, done.stderr)
            page = out.read_text("utf-8")
            for name in ("**Poolproof**", "fifo", "ThreadPoolExecutor", "ProcessPoolExecutor"):
                self.assertRegex(page, rf"\n\| {re.escape(name)} \| [0-9.]+( [kM])? \([0-9.]+\)")


if __name__ == "__main__":
    unittest.main()
