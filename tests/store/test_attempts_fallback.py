#!/usr/bin/env python3
"""Which of two places is asked, and told, while the first comes and goes."""

from datetime import datetime, timedelta
from typing import Dict, Iterator, List, Sequence

import pytest

from tests.support.clock import SetClock
from vestibule.base.limits import Budget
from vestibule.store.attempt import (
    AttemptsAway, AttemptStore, DatabaseAttempts, Exhausted, Wanted, Window)
from vestibule.store.attempt_fallback import FallbackAttempts
from vestibule.store.db import DB

KEY = "password_identifier:00001"
QUARTER = timedelta(minutes=15)
NO_PAUSE, LONG_PAUSE = timedelta(0), timedelta(hours=1)


class Place(AttemptStore):
    """A place that can be away, and says what was asked of it."""

    def __init__(self, attempts: AttemptStore) -> None:
        """Count there while it is not away."""
        self._attempts = attempts
        self.is_away = False
        self.asked: List[str] = []

    def reserve(self, wanted: Sequence[Wanted], now: datetime) -> None:
        """Count a try."""
        self._note("reserve")
        self._attempts.reserve(wanted, now)

    def settle(self, keys: Sequence[str]) -> None:
        """Note that a try was wrong."""
        self._note("settle")
        self._attempts.settle(keys)

    def clear(self, keys: Sequence[str]) -> None:
        """Note that a try was right."""
        self._note("clear")
        self._attempts.clear(keys)

    def withdraw(self, wanted: Sequence[Wanted],
                 counted_at: datetime) -> None:
        """Forget a try that was counted then."""
        self._note("withdraw")
        self._attempts.withdraw(wanted, counted_at)

    def windows(self, keys: Sequence[str],
                now: datetime) -> Dict[str, Window]:
        """Return what is counted."""
        self._note("windows")
        return self._attempts.windows(keys, now)

    def forget(self, keys: Sequence[str]) -> None:
        """Forget what is counted."""
        self._note("forget")
        self._attempts.forget(keys)

    def lift(self, keys: Sequence[str], ends_at: datetime) -> None:
        """Let everything through until then."""
        self._note("lift")
        self._attempts.lift(keys, ends_at)

    def _note(self, verb: str) -> None:
        """Note what was asked, and fail while it is away."""
        self.asked.append(verb)
        if self.is_away:
            raise AttemptsAway("it is away")


@pytest.fixture(name="second")
def fixture_second(db: DB) -> DatabaseAttempts:
    """Return the place that stands in."""
    return DatabaseAttempts(db)


@pytest.fixture(name="first")
def fixture_first() -> Iterator[Place]:
    """Return the place that is asked first, with a table of its own."""
    db = DB("sqlite://")
    yield Place(DatabaseAttempts(db))
    db.close()


def take(attempts: AttemptStore, clock: SetClock, most: int = 9) -> bool:
    """Make a try; say whether there was room."""
    try:
        attempts.reserve([Wanted(KEY, Budget(most, QUARTER))], clock.now())
    except Exhausted:
        return False
    return True


def test_while_it_is_away_the_first_is_let_alone(
        first: Place, second: DatabaseAttempts, clock: SetClock) -> None:
    """R080: nobody waits for what does not answer, whatever is asked."""
    attempts = FallbackAttempts(first, second, LONG_PAUSE)
    first.is_away = True
    assert [take(attempts, clock, 3) for _ in range(5)] == [
        True, True, True, False, False]
    attempts.settle([KEY])
    assert attempts.windows([KEY], clock.now())[KEY].used == 3
    assert first.asked == ["reserve"]


def test_after_the_pause_the_first_is_asked_again(
        first: Place, second: DatabaseAttempts, clock: SetClock) -> None:
    """R139: and counts from then on."""
    attempts = FallbackAttempts(first, second, NO_PAUSE)
    first.is_away = True
    assert take(attempts, clock) and take(attempts, clock)
    assert first.asked == ["reserve", "reserve"]
    first.is_away = False
    assert take(attempts, clock)
    assert attempts.windows([KEY], clock.now())[KEY].used == 1
    assert second.windows([KEY], clock.now())[KEY].used == 2


def test_an_operator_reaches_both_places(
        first: Place, second: DatabaseAttempts, clock: SetClock) -> None:
    """What is lifted, or forgotten, is so wherever is counted next."""
    attempts = FallbackAttempts(first, second, NO_PAUSE)
    places = (first, second)
    attempts.lift([KEY], clock.now() + QUARTER)
    assert all(place.windows([KEY], clock.now())[KEY].lifted
               for place in places)
    attempts.forget([KEY])
    assert not any(place.windows([KEY], clock.now()) for place in places)


@pytest.mark.parametrize("verb", ["settle", "clear", "withdraw"])
def test_a_try_is_closed_in_the_place_that_counted_it(
        first: Place, second: DatabaseAttempts, clock: SetClock,
        verb: str) -> None:
    """Once there, and then in the other for one that was counted there."""
    attempts = FallbackAttempts(first, second, NO_PAUSE)
    assert take(attempts, clock)
    first.is_away = True
    assert take(attempts, clock)
    first.is_away = False
    closed: List[List[str]] = []
    for _ in range(2):
        before = len(first.asked)
        if verb == "withdraw":
            attempts.withdraw([Wanted(KEY, Budget(9, QUARTER))],
                              clock.now())
        else:
            getattr(attempts, verb)([KEY])
        closed.append(first.asked[before:])
    assert closed == [[], [verb]]
    used = 1 if verb == "settle" else 0
    for place in (first, second):
        assert place.windows([KEY], clock.now())[KEY].used == used
