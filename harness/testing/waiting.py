"""Waiting for what another process does."""

import time


def wait_until(condition, what, limit_s, gap_s=0.005):
    """The first true value of `condition`; the limit is one that only a hang reaches."""
    end = time.monotonic() + limit_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError("waited in vain for " + what)
        time.sleep(gap_s)
