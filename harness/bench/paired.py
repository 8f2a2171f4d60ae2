"""Has something changed? Judged from pairs of times, each taken before and after the change.

The times of a pair are taken right after one another, and which comes first is drawn. So if there
is no change, each pair's ratio is as likely as its inverse, whatever the machine does. The interval
counts on nothing else: it is that of the median, from the sign test, so that the pairs between whose
times the machine changed its speed do not outvote the rest, however far off they are. (Signed ranks
need fewer pairs on a quiet machine, where there are few to take anyhow, and more on a busy one.)
"""

import dataclasses
import functools
import math
import statistics

# The interval holds the true ratio but in so many of all cases. Both measures of a row are judged:
# one of 200 rows without a change is called changed.
CHANCE = 0.0025
# Less than that is nothing that anybody would act on.
LEAST_CHANGE = 0.03
# An interval of so much to either side tells a change of a tenth from none.
NARROW = 0.04
# One that is still so wide after a third of the passes will not become narrow.
HOPELESS = 5 * NARROW
FEWEST_PAIRS = 16  # of fewer even the clearest change is not that unlikely
# The worst news first.
VERDICTS = ("slower", "unclear", "faster", "same")


@dataclasses.dataclass(frozen=True)
class Change:
    """The ratio new / base, as logarithms: its median, and the bounds of the interval."""

    middle: float
    low: float
    high: float

    @property
    def reach(self):
        return (self.high - self.low) / 2

    def verdict(self):
        least = math.log(1 + LEAST_CHANGE)
        if self.low > 0 and self.middle >= least:
            return "slower"
        if self.high < 0 and self.middle <= -least:
            return "faster"
        return "same" if self.reach <= NARROW else "unclear"

    def __str__(self):
        if math.isinf(self.reach):
            return f"{math.exp(self.middle):.3f} +-  ?  "
        return f"{math.exp(self.middle):.3f} +- {self.reach:.3f}"


def change(pairs):
    """Of pairs (base, new) of times above 0, at least one."""
    logs = sorted(math.log(new / base) for base, new in pairs)
    middle, outside = statistics.median(logs), beyond(len(logs))
    if outside == 0:
        return Change(middle, -math.inf, math.inf)
    return Change(middle, logs[outside - 1], logs[-outside])


@functools.cache
def beyond(count):
    """Which of so many, counted from either end, bounds the interval; 0: there are too few."""
    bound, ways = 0, 1
    while 2 * ways <= CHANCE * 2**count:
        ways += math.comb(count, bound + 1)
        bound += 1
    return bound


def is_done(pairs, most):
    """Whether more pairs, up to so many, would tell nothing new: it is clear, or will not become so.

    Looks at the width alone: who stops as soon as there is a change finds one at last.
    """
    if len(pairs) < FEWEST_PAIRS:
        return False
    reach = change(pairs).reach
    return reach <= NARROW or (reach > HOPELESS and 3 * len(pairs) >= most)


def worst(verdicts):
    return min(verdicts, key=VERDICTS.index)
