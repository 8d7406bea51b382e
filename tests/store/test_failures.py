#!/usr/bin/env python3
"""The table of failures: what is counted, given back, and taken away."""

from datetime import timedelta
from functools import partial
from typing import Any, List, Tuple

import pytest

from tests.support.builders import HASH, count
from tests.support.clock import SetClock
from tests.support.processes import Processes, errors_of
from vestibule.store.db import DB
from vestibule.store.failure import (
    UNKNOWN_DEVICES, FailureStore, Holder)

NOBODY = Holder("nobody 0a1b2")
YEAR = timedelta(days=365)
RACERS = 6


@pytest.fixture
def failures(db: DB) -> FailureStore:
    """Return the store of an empty table."""
    return FailureStore(db)


@pytest.fixture(name="ada")
def fixture_ada(db: DB) -> Holder:
    """Return a user whose failures can be counted."""
    user = db.add_user("ada@example.com", HASH)
    return Holder(user.id, user.id)


def counted(failures: FailureStore, holder: Holder
            ) -> List[Tuple[str, int]]:
    """Return what is counted of somebody, by device."""
    return [(failure.device, failure.count)
            for failure in failures.of_user(holder.name)]


def test_failures_are_counted_up_to_a_bound(
        failures: FailureStore, ada: Holder) -> None:
    """R072: by holder and by device, and not one more."""
    for holder in (ada, NOBODY):
        said = [failures.add(holder, UNKNOWN_DEVICES, 3) for _ in range(5)]
        assert said == [True, True, True, False, False]
        assert failures.add(holder, "phone", 3)
        assert counted(failures, holder) == [
            (UNKNOWN_DEVICES, 3), ("phone", 1)]


def test_a_failure_is_given_back(failures: FailureStore,
                                 ada: Holder) -> None:
    """There is room for another one, and never for more than there was."""
    failures.give_back(ada, "phone")
    failures.add(ada, "phone", 1)
    failures.add(ada, "laptop", 1)
    for _ in range(3):
        failures.give_back(ada, "phone")
    assert counted(failures, ada) == [("laptop", 1), ("phone", 0)]
    assert failures.add(ada, "phone", 1) and not failures.add(
        ada, "phone", 1)


def test_failures_are_forgotten_by_device_or_all(
        failures: FailureStore, ada: Holder) -> None:
    """Those of others stay."""
    for device in (UNKNOWN_DEVICES, "laptop", "phone"):
        failures.add(ada, device, 9)
    failures.add(NOBODY, "phone", 9)
    failures.forget(ada.name, "phone")
    failures.forget(ada.name, UNKNOWN_DEVICES)
    assert counted(failures, ada) == [("laptop", 1)]
    failures.forget(ada.name)
    assert counted(failures, ada) == []
    assert counted(failures, NOBODY) == [("phone", 1)]


def test_what_nobody_touches_is_removed(
        failures: FailureStore, ada: Holder, clock: SetClock) -> None:
    """R082: of devices and of nobody; what strangers failed at users stays.
    """
    for holder in (ada, NOBODY):
        failures.add(holder, UNKNOWN_DEVICES, 9)
    for device in ("laptop", "phone"):
        failures.add(ada, device, 9)
    begin = clock.now()
    clock.advance(days=1)
    failures.add(ada, "phone", 9)
    assert failures.purge(begin - timedelta(minutes=1), 9) == 0
    assert failures.purge(begin, 1) == 1
    assert failures.purge(begin, 9) == 1
    assert failures.purge(begin, 9) == 0
    assert counted(failures, NOBODY) == []
    assert counted(failures, ada) == [(UNKNOWN_DEVICES, 1), ("phone", 2)]
    assert failures.purge(clock.now() + YEAR, 9) == 1
    assert counted(failures, ada) == [(UNKNOWN_DEVICES, 1)]


def test_of_many_devices_the_last_are_kept(
        failures: FailureStore, ada: Holder, clock: SetClock,
        db: DB) -> None:
    """R082: whoever signs in again and again fills no table."""
    other = db.add_user("eve@example.com", HASH)
    eve = Holder(other.id, other.id)
    failures.add(ada, UNKNOWN_DEVICES, 9)
    for number in range(5):
        clock.advance(seconds=1)
        failures.add(ada, f"device {number}", 9)
    for number in range(2):
        failures.add(eve, f"device {number}", 9)
    clock.advance(seconds=1)
    failures.add(ada, "device 0", 9)
    since = clock.now() - timedelta(seconds=1)
    assert failures.trim(2, clock.now(), 9) == 0
    assert failures.trim(2, since, 1) == 1
    assert failures.trim(2, since, 9) == 2
    assert failures.trim(2, since, 9) == 0
    assert counted(failures, ada) == [
        (UNKNOWN_DEVICES, 1), ("device 0", 2), ("device 4", 1)]
    assert count(db, "failures") == 5


def add_one(failures: FailureStore, most: Any) -> bool:
    """Count a failure of nobody."""
    return failures.add(NOBODY, UNKNOWN_DEVICES, most)


def open_store(database_url: str) -> FailureStore:
    """Return the store of a process of its own."""
    return FailureStore(DB(database_url))


def test_failures_at_one_instant_are_counted_exactly(
        database_url: str) -> None:
    """R072: also where all of them find no row."""
    DB(database_url).close()
    with Processes(partial(open_store, database_url),
                   [add_one] * RACERS) as racers:
        for _ in range(5):
            outcomes = racers.run(RACERS - 2)
            assert errors_of(outcomes) == []
            assert sum(each.value for each in outcomes) == RACERS - 2
            db = DB(database_url)
            FailureStore(db).forget(NOBODY.name)
            db.close()
