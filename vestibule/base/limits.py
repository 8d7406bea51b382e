#!/usr/bin/env python3
"""How often things may be tried: the budgets, and how they are written.

The defaults are for people: somebody who forgot a password tries a handful
of times, and of an office behind one address only what is wrong counts.
"""

from datetime import timedelta
from typing import Any, Dict, NamedTuple, Optional

OFF = "off"
MOST_TRIES = 1000000
WINDOW_UNITS = {
    "s": timedelta(seconds=1), "m": timedelta(minutes=1),
    "h": timedelta(hours=1), "d": timedelta(days=1)}
LONGEST_WINDOW = timedelta(days=1)
# NIST SP 800-63B-4 3.2.2 allows no more than 100 failures in a row.
FEWEST_FAILURES, MOST_FAILURES = 10, 100
MOST_AN_HOUR = 5
QUARTER = timedelta(minutes=15)
HOUR = timedelta(hours=1)


class Budget(NamedTuple):
    """So many tries in a window, which begins with the first of them."""

    most: int
    window: timedelta

    def __str__(self) -> str:
        """Spell it as one would write it: ``10/15m``."""
        for unit in ("d", "h", "m"):
            count, rest = divmod(self.window, WINDOW_UNITS[unit])
            if not rest:
                return f"{self.most}/{count}{unit}"
        return f"{self.most}/{int(self.window.total_seconds())}s"


class Limits(NamedTuple):
    """The budget of everything that can be tried, ``None`` for no limit.

    ``…_address`` counts by the client's network, ``…_identifier`` by what is
    typed, known or not, ``password_device`` by user and known device or
    session, ``register_all`` all registrations there are. ``failures`` is
    how many wrong passwords in a row are taken from devices that are not
    known, and from each one that is, before no password is; it has no
    window.
    """

    password_address: Optional[Budget] = Budget(50, QUARTER)
    password_identifier: Optional[Budget] = Budget(10, QUARTER)
    password_device: Optional[Budget] = Budget(10, QUARTER)
    code_address: Optional[Budget] = Budget(30, QUARTER)
    code_identifier: Optional[Budget] = Budget(10, QUARTER)
    reset_address: Optional[Budget] = Budget(30, QUARTER)
    register_address: Optional[Budget] = Budget(20, HOUR)
    register_all: Optional[Budget] = Budget(1000, HOUR)
    mail_address: Optional[Budget] = Budget(30, HOUR)
    mail_box: Optional[Budget] = Budget(MOST_AN_HOUR, HOUR)
    failures: Optional[int] = MOST_FAILURES

    def budget(self, name: str) -> Optional[Budget]:
        """Return the budget of this name."""
        found: Optional[Budget] = getattr(self, name)
        return found


DEFAULTS = Limits()
# For programs that use Vestibule as a library: nothing but letters.
UNLIMITED = Limits(*[None] * len(Limits._fields))._replace(
    mail_box=DEFAULTS.mail_box)


def limits(text: str) -> Limits:
    """Take limits by name, as in ``register_all=off,failures=50``.

    What is not named keeps its default.
    """
    values: Dict[str, Any] = {}
    for each in text.split(","):
        name, equals, value = (part.strip() for part in each.partition("="))
        if name not in Limits._fields or not equals:
            raise ValueError(
                f"names no limit with {each.strip()!r}: it must be like "
                f"password_address=100/15m, of {', '.join(Limits._fields)}")
        if name in values:
            raise ValueError(f"names {name} twice")
        values[name] = (_failures(value) if name == "failures"
                        else _budget(name, value))
    return DEFAULTS._replace(**values)


def _budget(name: str, text: str) -> Optional[Budget]:
    """Take ``10/15m``, or ``off``."""
    if text == OFF:
        return None
    most, slash, window = text.partition("/")
    unit = WINDOW_UNITS.get(window[-1:])
    if (not slash or unit is None or not _is_number(most)
            or not _is_number(window[:-1])):
        raise ValueError(f"must have {name} like 10/15m or off, not {text!r}")
    length = min(int(window[:-1]), 100000) * unit
    if int(most) > MOST_TRIES or length > LONGEST_WINDOW:
        raise ValueError(f"must have {name} of at most {MOST_TRIES} tries "
                         "and one day")
    return Budget(int(most), length)


def _failures(text: str) -> int:
    """Take how many failures in a row there may be."""
    if (not _is_number(text)
            or not FEWEST_FAILURES <= int(text) <= MOST_FAILURES):
        raise ValueError(
            f"must have failures from {FEWEST_FAILURES} to {MOST_FAILURES} "
            f"(NIST SP 800-63B-4 3.2.2), not {text!r}")
    return int(text)


def _is_number(text: str) -> bool:
    """Say whether a text is a whole number from 1 on, and no long one."""
    return (text.isascii() and text.isdecimal() and len(text) <= 9
            and int(text) > 0)
