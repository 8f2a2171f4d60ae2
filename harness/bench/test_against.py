"""What against.py calls a change: chance alone does not, a slow-down of 10 % does."""

import random
import unittest

import against

PASSES = 21


def pairs(dice, change, noise):
    """Ratios of pairs on a machine that changes its speed by 1.6 between some two runs."""
    ratios = []
    for _ in range(PASSES):
        base, new = (dice.lognormvariate(0, noise) for _ in range(2))
        if dice.random() < 0.1:
            base, new = (base, new * 1.6) if dice.random() < 0.5 else (base * 1.6, new)
        ratios.append(change * new / base)
    return ratios


class Judged(unittest.TestCase):
    def test_chance_alone_is_called_a_change_in_at_most_one_row_of_a_hundred(self):
        dice = random.Random(1)
        for noise in (0.01, 0.05, 0.3):
            flagged = sum(against.judged(pairs(dice, 1, noise)) != "same" for _ in range(2000))
            self.assertLessEqual(flagged, 20, f"with noise {noise}")

    def test_a_slow_down_of_ten_percent_is_found(self):
        dice = random.Random(2)
        found = sum(against.judged(pairs(dice, 1.1, 0.03)) == "slower" for _ in range(500))
        self.assertGreaterEqual(found, 450)

    def test_a_gain_is_no_slow_down(self):
        self.assertEqual(against.judged([0.9 + 0.001 * i for i in range(PASSES)]), "faster")

    def test_what_nobody_would_act_on_is_no_change(self):
        self.assertEqual(against.judged([1.01 + 0.0001 * i for i in range(PASSES)]), "same")

    def test_the_chance_is_exact(self):
        self.assertEqual(against.chance([1.1, 1.2, 1.3]), 2 / 8)
        self.assertEqual(against.chance([1.0, 1.0]), 1)
        self.assertEqual(against.chance([1.1, 1.2, 1.3, 1.4, 1 / 1.05]), 4 / 32)

    def test_one_pair_that_is_far_off_does_not_outvote_the_rest(self):
        self.assertLess(against.chance([1.1 + 0.001 * i for i in range(16)] + [0.5]), 0.005)

    def test_ties_share_their_rank(self):
        self.assertEqual(against.chance([2, 2, 0.5, 0.5]), 1)


class Usage(unittest.TestCase):
    def test_too_few_passes_are_refused(self):
        self.assertEqual(against.main(["HEAD", "--passes", "5"]), 64)

    def test_an_unknown_revision_is_refused(self):
        self.assertEqual(against.main(["no-such-revision"]), 64)

    def test_an_unknown_argument_is_refused(self):
        self.assertEqual(against.main(["HEAD", "--pases", "20"]), 64)


if __name__ == "__main__":
    unittest.main()
