"""What against.py calls a change: chance alone does not, a slow-down of 10 % does.

The times come from a machine that is made up. No real time is measured here.
"""

import contextlib
import io
import math
import os
import pathlib
import random
import tempfile
import unittest

import against
import paired

SPEEDS = 1.6  # the machine has two, so far apart


class Machine:
    """Changes its speed now and then, and grows slower all the while.

    `noise` is the deviation of a single time's logarithm; one run in ten is disturbed on top, and
    the second run of a pair always takes longer by `second`.
    """

    def __init__(self, seed, noise, second=0.0):
        self.dice = random.Random(seed)
        self.noise, self.second = noise, second
        self.slow, self.runs = False, 0

    def time(self, cost):
        self.runs += 1
        if self.dice.random() < 0.05:
            self.slow = not self.slow
        log = self.dice.gauss(0, self.noise) + 1e-5 * self.runs
        if self.dice.random() < 0.1:
            log += self.dice.expovariate(2)
        if self.runs % 2 == 0:
            log += self.second
        return cost * (SPEEDS if self.slow else 1) * math.exp(log)

    def run(self, cost):
        return {"wall": self.time(cost), "cpu": cost}


def compared(time_base, time_new, names=("row",), passes=80):
    with contextlib.redirect_stderr(io.StringIO()):
        return against.measure(list(names), [time_base, time_new], passes, random.Random(1))


def verdicts(machine, change, rows):
    """Of so many rows that cost `change` times as much in the new build."""
    found = compared(lambda _: machine.run(1), lambda _: machine.run(change), range(rows))
    return [paired.change(row.wall).verdict() for row in found.values()]


def told(rows):
    """What is printed, and how many are slower or in error."""
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        bad = against.report(rows)
    return printed.getvalue(), bad


class Judged(unittest.TestCase):
    def test_chance_alone_is_called_a_change_in_at_most_one_row_of_two_hundred(self):
        found = [one for noise in (0.01, 0.05, 0.3) for one in verdicts(Machine(1, noise), 1, 600)]
        changed = found.count("slower") + found.count("faster")
        self.assertLessEqual(changed, len(found) / 200)

    def test_a_slow_down_of_ten_percent_is_found(self):
        for noise, share in ((0.02, 1), (0.05, 1), (0.1, 0.9)):
            found = verdicts(Machine(2, noise), 1.1, 200)
            self.assertGreaterEqual(found.count("slower"), share * 200, f"with noise {noise}")

    def test_a_gain_is_no_slow_down(self):
        found = verdicts(Machine(3, 0.03), 1 / 1.1, 100)
        self.assertEqual(found.count("faster"), 100)

    def test_what_nobody_would_act_on_is_no_change(self):
        change = paired.change([(1, 1.01 + 0.0001 * i) for i in range(20)])
        self.assertEqual(change.verdict(), "same")
        self.assertGreater(change.low, 0)

    def test_with_too_much_noise_none_is_called_the_same(self):
        found = verdicts(Machine(4, 0.5), 1, 100)
        self.assertEqual(found.count("same"), 0)
        self.assertGreaterEqual(found.count("unclear"), 98)

    def test_the_interval_is_that_of_the_sign_test(self):
        # A coin shows heads at most once of 16 times in 17 of 65536 cases, at most twice in 137.
        change = paired.change([(1, math.exp(i)) for i in range(16)])
        for found, right in ((change.middle, 7.5), (change.low, 1), (change.high, 14)):
            self.assertAlmostEqual(found, right)
        self.assertEqual([paired.beyond(count) for count in (9, 10, 16, 60)], [0, 1, 2, 18])

    def test_a_few_pairs_that_are_far_off_do_not_outvote_the_rest(self):
        change = paired.change([(1, 1.1 + 0.001 * i) for i in range(20)] + [(1, 0.1)] * 2)
        self.assertEqual(change.verdict(), "slower")

    def test_few_pairs_tell_nothing(self):
        change = paired.change([(1, 2)] * 5)
        self.assertEqual((change.verdict(), change.low, change.high),
                         ("unclear", -math.inf, math.inf))
        self.assertIn("?", str(change))


class Measuring(unittest.TestCase):
    def test_a_second_run_that_is_always_slower_is_no_change(self):
        machine = Machine(5, 0.01, second=0.08)
        rows = compared(lambda _: machine.run(1), lambda _: machine.run(1), map(str, range(100)))
        printed, bad = told(rows)
        self.assertEqual(bad, 0, printed)

    def test_a_slow_down_of_ten_percent_is_found_row_by_row(self):
        machine = Machine(6, 0.03)
        rows = compared(lambda _: machine.run(1),
                        lambda name: machine.run(1.1 if name == "b" else 1), "abc")
        printed, bad = told(rows)
        self.assertEqual(bad, 1, printed)
        self.assertIn("\nslower  b ", printed)

    def test_the_builds_take_turns_and_which_comes_first_is_drawn(self):
        asked = []
        compared(lambda _: asked.append("A") or {"wall": 1.0, "cpu": 1.0},
                 lambda _: asked.append("B") or {"wall": 1.0, "cpu": 1.0})
        passes = ["".join(asked[at:at + 4]) for at in range(0, len(asked), 4)]
        self.assertEqual(set(passes), {"ABBA", "BAAB"})

    def test_either_measure_can_tell_it(self):
        for measure in against.MEASURES:
            new = {"wall": 1.0, "cpu": 1.0, measure: 1.1}
            _, bad = told(compared(lambda _: {"wall": 1.0, "cpu": 1.0}, lambda _, new=new: new))
            self.assertEqual(bad, 1, measure)

    def test_a_row_that_is_clear_is_done_and_one_that_is_not_goes_on(self):
        noisy = Machine(7, 0.5)
        middling = Machine(8, 0.08)
        time = {"noisy": lambda: noisy.run(1), "middling": lambda: middling.run(1),
                "calm": lambda: {"wall": 1.0, "cpu": 2.0}}
        rows = compared(*[lambda name: time[name]()] * 2, names=list(time))
        self.assertEqual({name: len(row.wall) for name, row in rows.items()},
                         {"calm": paired.FEWEST_PAIRS, "middling": 80, "noisy": 27})
        printed, bad = told(rows)
        self.assertEqual(bad, 0)
        self.assertIn("3 compared, 0 slower or in error, 2 unclear", printed)

    def test_a_row_that_fails_is_told_and_not_run_again(self):
        asked = []
        rows = compared(lambda name: asked.append(name), lambda _: {"wall": 1.0, "cpu": 1.0})
        printed, bad = told(rows)
        self.assertEqual((bad, len(asked)), (1, 2))
        self.assertIn("ERROR", printed)

    def test_what_runs_is_a_fresh_copy(self):
        with tempfile.TemporaryDirectory() as folder:
            program = pathlib.Path(folder) / "program"
            program.write_text("#!/bin/sh\n", "utf-8")
            program.chmod(0o755)
            copy = against.copied(program)
            with copy.open("rb") as old:  # open, or its number may be given again
                again = against.copied(program)
                self.assertNotEqual(again.stat().st_ino, os.fstat(old.fileno()).st_ino)
            self.assertNotEqual(copy, program)
            self.assertTrue(os.access(again, os.X_OK))
            self.assertEqual(again.read_bytes(), program.read_bytes())

    def test_a_run_is_read(self):
        runs = [{"run_type": "iteration", "real_time": wall, "cpu_time": cpu}
                for wall, cpu in ((3, 9), (1, 7), (2, 8))]
        aggregate = {"run_type": "aggregate", "real_time": 0, "cpu_time": 0}
        self.assertEqual(against.read_times(against.json.dumps({"benchmarks": [*runs, aggregate]})),
                         {"wall": 2, "cpu": 7})
        runs[1]["error_occurred"] = True
        for out in (against.json.dumps({"benchmarks": runs}), '{"benchmarks": []}', ""):
            self.assertIsNone(against.read_times(out))


class Usage(unittest.TestCase):
    def test_bad_words_are_refused_in_one_line(self):
        for words in (["HEAD", "--passes", "5"], ["no-such-revision"], ["HEAD", "--pases", "20"],
                      []):
            with contextlib.redirect_stderr(io.StringIO()) as said:
                self.assertEqual(against.main(words), 64, words)
            self.assertEqual(said.getvalue().count("\n"), 1, said.getvalue())


if __name__ == "__main__":
    unittest.main()
