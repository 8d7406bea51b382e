#!/usr/bin/env python3
"""How many examples hypothesis tries: few in the suite, many in a fuzz run.
"""

from hypothesis import settings

QUICK, FUZZ = "quick", "fuzz"
FACTOR = 40
# What hypothesis takes for many by itself.
USUAL = 100


def register() -> None:
    """Make the two profiles known.

    How long an example takes is no matter in either: machines are busy.
    """
    settings.register_profile(QUICK, deadline=None, max_examples=USUAL)
    settings.register_profile(
        FUZZ, deadline=None, max_examples=USUAL * FACTOR, print_blob=True)


def factor() -> int:
    """Return how many times as many examples as in the suite are wanted."""
    return int(settings().max_examples) // USUAL


def examples(few: int) -> settings:
    """Return the settings of a test for which a few will do in the suite."""
    return settings(max_examples=few * factor())
