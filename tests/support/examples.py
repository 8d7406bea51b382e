#!/usr/bin/env python3
"""How many examples hypothesis tries: few in the suite, many in a fuzz run.
"""

from typing import Any, Dict

from hypothesis import HealthCheck, settings

QUICK, FUZZ = "quick", "fuzz"
FACTOR = 60
# What hypothesis takes for many by itself.
USUAL = 100


def register() -> None:
    """Make the two profiles known.

    How long an example takes is no matter in either, nor how many are drawn
    in vain: machines are busy, and a suite must not be red by chance.
    """
    patient: Dict[str, Any] = {
        "deadline": None, "suppress_health_check": [
            HealthCheck.too_slow, HealthCheck.data_too_large]}
    settings.register_profile(QUICK, max_examples=USUAL, **patient)
    settings.register_profile(
        FUZZ, max_examples=USUAL * FACTOR, print_blob=True, **patient)


def factor() -> int:
    """Return how many times as many examples as in the suite are wanted."""
    return int(settings().max_examples) // USUAL


def examples(few: int) -> settings:
    """Return the settings of a test for which a few will do in the suite."""
    return settings(max_examples=few * factor())
