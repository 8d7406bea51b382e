#!/usr/bin/env python3
"""Tries are counted alike in the database and in Redis."""

from datetime import datetime, timedelta
from typing import Dict, Iterator, List, Optional

import pytest

from tests.support.builders import count
from tests.support.clock import SetClock
from tests.support.redis_server import RedisServer
from vestibule.base.limits import Budget
from vestibule.store.attempt import (
    LIFTED, AttemptStore, DatabaseAttempts, Exhausted, Wanted)
from vestibule.store.attempt_redis import RedisAttempts
from vestibule.store.db import DB

SHORT, LONG = timedelta(minutes=15), timedelta(hours=1)
ONE, OTHER = "password_address:00001", "password_identifier:00002"


@pytest.fixture(params=["database", "redis"])
def attempts(request: pytest.FixtureRequest,
             db: DB) -> Iterator[AttemptStore]:
    """Return each place in which tries can be counted, empty."""
    if request.param == "database":
        yield DatabaseAttempts(db)
        return
    server: RedisServer = request.getfixturevalue("redis_server")
    made = RedisAttempts(server.url)
    yield made
    made.close()


def take(attempts: AttemptStore, clock: SetClock, **most: int
         ) -> Optional[Exhausted]:
    """Count a try under ``one``, ``other`` or both; return the refusal."""
    windows = {"one": (ONE, SHORT), "other": (OTHER, LONG)}
    wanted = [Wanted(windows[name][0], Budget(count, windows[name][1]))
              for name, count in most.items()]
    try:
        attempts.reserve(wanted, clock.now())
    except Exhausted as refusal:
        return refusal
    return None


def withdraw(attempts: AttemptStore, clock: SetClock,
             counted: Optional[datetime] = None) -> None:
    """Forget a try under ``one`` that was counted just now, or then."""
    attempts.withdraw([Wanted(ONE, Budget(9, SHORT))],
                      counted or clock.now())


def used(attempts: AttemptStore, clock: SetClock) -> Dict[str, int]:
    """Return how much is counted under both keys now."""
    windows = attempts.windows([ONE, OTHER], clock.now())
    return {key: windows[key].used for key in windows}


def taken(attempts: AttemptStore, clock: SetClock, most: int,
          tries: int) -> List[bool]:
    """Make several tries under one key; return which were counted."""
    return [take(attempts, clock, one=most) is None for _ in range(tries)]


def test_a_budget_is_used_up_by_as_many_tries(
        attempts: AttemptStore, clock: SetClock) -> None:
    """R072: not one more, and a refused one is not counted."""
    assert taken(attempts, clock, 3, 5) == [True, True, True, False, False]
    assert used(attempts, clock) == {ONE: 3}


def test_a_window_begins_with_the_first_try(
        attempts: AttemptStore, clock: SetClock) -> None:
    """Its end does not move, to the microsecond, and a new one begins."""
    begun = clock.now()
    attempts.reserve([Wanted(ONE, Budget(2, SHORT))], begun)
    clock.advance(minutes=14)
    assert take(attempts, clock, one=2) is None
    refusal = take(attempts, clock, one=2)
    assert refusal is not None
    assert (refusal.key, refusal.ends_at) == (ONE, begun + SHORT)
    late = begun + SHORT - timedelta(microseconds=1)
    with pytest.raises(Exhausted):
        attempts.reserve([Wanted(ONE, Budget(2, SHORT))], late)
    attempts.reserve([Wanted(ONE, Budget(2, SHORT))], begun + SHORT)
    window = attempts.windows([ONE], begun + SHORT)[ONE]
    assert (window.used, window.ends_at) == (1, begun + SHORT + SHORT)


def test_a_try_is_counted_under_all_keys_or_none(
        attempts: AttemptStore, clock: SetClock) -> None:
    """What is refused under one key costs nothing under another."""
    assert take(attempts, clock, one=1) is None
    refusal = take(attempts, clock, one=1, other=5)
    assert refusal is not None and refusal.key == ONE
    assert take(attempts, clock, other=5) is None
    assert used(attempts, clock) == {ONE: 1, OTHER: 1}


def test_the_refusal_is_of_the_window_that_ends_last(
        attempts: AttemptStore, clock: SetClock) -> None:
    """So that Retry-After is true."""
    assert take(attempts, clock, one=1, other=1) is None
    for names in (("one", "other"), ("other", "one")):
        refusal = take(attempts, clock, **{name: 1 for name in names})
        assert refusal is not None and refusal.key == OTHER


def test_a_wrong_try_stays_counted(
        attempts: AttemptStore, clock: SetClock) -> None:
    """Settling closes it and changes no count."""
    taken(attempts, clock, 5, 2)
    attempts.settle([ONE, OTHER])
    assert used(attempts, clock) == {ONE: 2}


def test_no_more_tries_are_closed_than_are_open(
        attempts: AttemptStore, clock: SetClock) -> None:
    """Closing twice changes nothing, nor does closing what is not there."""
    for verb in (attempts.settle, attempts.clear):
        verb([ONE])
    withdraw(attempts, clock)
    assert used(attempts, clock) == {}
    taken(attempts, clock, 5, 2)
    for _ in range(3):
        attempts.settle([ONE])
    attempts.clear([ONE])
    withdraw(attempts, clock)
    assert used(attempts, clock) == {ONE: 2}


def test_a_try_that_was_closed_twice_opens_no_other(
        attempts: AttemptStore, clock: SetClock) -> None:
    """The next one comes by itself, and a right one forgets what was."""
    taken(attempts, clock, 5, 2)
    for _ in range(3):
        attempts.settle([ONE])
    take(attempts, clock, one=5)
    attempts.clear([ONE])
    assert used(attempts, clock) == {ONE: 0}


def test_of_two_at_once_the_right_one_forgets_neither(
        attempts: AttemptStore, clock: SetClock) -> None:
    """R073: many are two already."""
    taken(attempts, clock, 5, 2)
    attempts.settle([ONE])
    attempts.clear([ONE])
    assert used(attempts, clock) == {ONE: 2}


def test_a_withdrawn_try_was_never_counted(
        attempts: AttemptStore, clock: SetClock) -> None:
    """There is room for another one in the same window."""
    assert taken(attempts, clock, 2, 3) == [True, True, False]
    withdraw(attempts, clock)
    assert used(attempts, clock) == {ONE: 1}
    assert taken(attempts, clock, 2, 2) == [True, False]
    withdraw(attempts, clock)
    withdraw(attempts, clock)
    assert used(attempts, clock) == {ONE: 0}


def test_a_try_of_a_window_that_is_over_is_withdrawn_from_none(
        attempts: AttemptStore, clock: SetClock) -> None:
    """R073: what the next one has counted stays, also after a reset."""
    counted = clock.now()
    assert taken(attempts, clock, 9, 2) == [True, True]
    clock.advance(minutes=15)
    assert taken(attempts, clock, 9, 2) == [True, True]
    for _ in range(3):
        withdraw(attempts, clock, counted)
    assert used(attempts, clock) == {ONE: 2}
    counted = clock.now()
    take(attempts, clock, one=9)
    attempts.forget([ONE])
    take(attempts, clock, one=9)
    withdraw(attempts, clock, counted)
    assert used(attempts, clock) == {ONE: 1}


def test_a_try_that_is_counted_late_is_withdrawn(
        attempts: AttemptStore, clock: SetClock) -> None:
    """R075: another was made after it, and began the window before it."""
    earlier = clock.now()
    clock.advance(seconds=1)
    take(attempts, clock, one=9)
    attempts.reserve([Wanted(ONE, Budget(9, SHORT))], earlier)
    assert used(attempts, clock) == {ONE: 2}
    withdraw(attempts, clock, earlier)
    assert used(attempts, clock) == {ONE: 1}
    withdraw(attempts, clock)
    assert used(attempts, clock) == {ONE: 0}


def test_a_withdrawn_try_of_many_at_once_is_of_no_burst(
        attempts: AttemptStore, clock: SetClock) -> None:
    """The right one that is left alone forgets what came before it."""
    taken(attempts, clock, 9, 3)
    for _ in range(3):
        attempts.settle([ONE])
    taken(attempts, clock, 9, 2)
    withdraw(attempts, clock)
    attempts.clear([ONE])
    assert used(attempts, clock) == {ONE: 0}


def test_a_lifted_try_is_withdrawn_and_stays_lifted(
        attempts: AttemptStore, clock: SetClock) -> None:
    """However much longer it is lifted than its window is."""
    ends_at = clock.now() + timedelta(hours=8)
    attempts.lift([ONE], ends_at)
    assert take(attempts, clock, one=1) is None
    withdraw(attempts, clock)
    withdraw(attempts, clock)
    assert attempts.windows([ONE], clock.now())[ONE] == (LIFTED, ends_at)


def test_what_is_over_is_not_shown(
        attempts: AttemptStore, clock: SetClock) -> None:
    """A window is shown until it ends."""
    take(attempts, clock, one=5, other=5)
    clock.advance(minutes=15)
    assert used(attempts, clock) == {OTHER: 1}
    assert attempts.windows([], clock.now()) == {}


def test_forgotten_keys_begin_anew(
        attempts: AttemptStore, clock: SetClock) -> None:
    """Others are left alone, and forgetting what is not there is fine."""
    take(attempts, clock, one=1, other=1)
    attempts.forget([ONE, "password_device:none"])
    attempts.forget([])
    assert used(attempts, clock) == {OTHER: 1}
    assert take(attempts, clock, one=1) is None


def test_a_smaller_budget_holds_at_once(
        attempts: AttemptStore, clock: SetClock) -> None:
    """The budget is that of the one who tries, not of the window."""
    taken(attempts, clock, 5, 4)
    assert take(attempts, clock, one=3) is not None
    assert take(attempts, clock, one=5) is None


def test_a_refused_try_of_a_transaction_leaves_it_usable(
        attempts: AttemptStore, clock: SetClock, db: DB) -> None:
    """As the throttle uses it: with a row of its own beside."""
    with db.transaction():
        assert taken(attempts, clock, 1, 2) == [True, False]
        db.add_user("a@example.com", b"hash")
    assert db.find_user_by(email="a@example.com")
    assert used(attempts, clock) == {ONE: 1}


def test_a_right_one_forgets_nothing_that_came_at_once(
        attempts: AttemptStore, clock: SetClock) -> None:
    """R073: decided or not; what came before them all is forgotten."""
    assert taken(attempts, clock, 9, 2) == [True, True]
    attempts.settle([ONE])
    attempts.settle([ONE])
    assert taken(attempts, clock, 9, 3) == [True] * 3
    attempts.settle([ONE])
    attempts.clear([ONE])
    assert used(attempts, clock) == {ONE: 3}


def test_a_lifted_key_lets_all_through_until_its_end(
        attempts: AttemptStore, clock: SetClock) -> None:
    """Whether something was counted before or not, and past a right one."""
    assert taken(attempts, clock, 1, 2) == [True, False]
    attempts.lift([ONE, OTHER], clock.now() + timedelta(hours=8))
    for name in ("one", "other"):
        assert take(attempts, clock, **{name: 1}) is None
    attempts.clear([ONE])
    assert take(attempts, clock, one=1) is None
    clock.advance(hours=8)
    assert taken(attempts, clock, 1, 2) == [True, False]


def test_windows_that_are_over_are_removed(db: DB, clock: SetClock) -> None:
    """R082: in batches; what still counts, or is lifted, stays."""
    attempts = DatabaseAttempts(db)
    for number in range(3):
        attempts.reserve(
            [Wanted(f"code_address:{number}", Budget(9, SHORT))],
            clock.now())
    take(attempts, clock, other=9)
    attempts.lift([ONE], clock.now() + timedelta(hours=8))
    assert attempts.purge(clock.now(), 9) == 0
    clock.advance(minutes=15)
    assert [attempts.purge(clock.now(), 2) for _ in range(3)] == [2, 1, 0]
    assert used(attempts, clock)[OTHER] == 1
    clock.advance(hours=8)
    assert attempts.purge(clock.now(), 9) == 2
    assert count(db, "attempts") == 0
