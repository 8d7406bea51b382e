#!/usr/bin/env python3
"""The table of reservations: one holder an address, until an instant."""

from datetime import timedelta

import pytest

from tests.support.builders import EMAIL, HASH, count
from tests.support.clock import SetClock
from vestibule.store.db import DB, IntegrityError, User
from vestibule.store.reservation import Reservation, ReservationStore

LEFT = "left@example.com"
WEEK = timedelta(days=7)


@pytest.fixture
def bob(db: DB) -> User:
    """Return Bob, who left addresses."""
    return db.add_user(EMAIL, HASH)


@pytest.fixture
def store(db: DB) -> ReservationStore:
    """Return the table."""
    return ReservationStore(db)


def keep(store: ReservationStore, user: User, clock: SetClock,
         email: str = LEFT) -> Reservation:
    """Keep an address for a user for a week."""
    made = Reservation(
        email=email, user_id=user.id, expires_at=clock.now() + WEEK)
    store.add(made)
    return made


def test_an_address_has_its_holder_until_the_instant(
        store: ReservationStore, bob: User, clock: SetClock) -> None:
    """Issue 4: no longer, and no other address has."""
    until = keep(store, bob, clock).expires_at
    assert store.holder(LEFT, clock.now()) == bob.id
    assert store.holder(LEFT, until - timedelta(microseconds=1)) == bob.id
    assert store.holder(LEFT, until) is None
    assert store.holder("other@example.com", clock.now()) is None
    assert store.holder(LEFT.upper(), clock.now()) is None


def test_an_address_is_kept_for_one_user(
        db: DB, store: ReservationStore, bob: User, clock: SetClock) -> None:
    """R002: the table itself refuses a second holder."""
    eve = db.add_user("eve@example.com", HASH)
    keep(store, bob, clock)
    with pytest.raises(IntegrityError):
        keep(store, eve, clock)
    assert store.holder(LEFT, clock.now()) == bob.id


def test_nothing_is_kept_for_nobody(
        store: ReservationStore, clock: SetClock) -> None:
    """R034: a holder is a user who is there."""
    with pytest.raises(IntegrityError):
        keep(store, User(id="nobody"), clock)


def test_removing_lets_go_of_one_address(
        store: ReservationStore, bob: User, clock: SetClock) -> None:
    """Issue 4: once or twice, and of no other."""
    for email in (LEFT, "other@example.com"):
        keep(store, bob, clock, email)
    store.remove(LEFT)
    store.remove(LEFT)
    assert store.holder(LEFT, clock.now()) is None
    assert store.holder("other@example.com", clock.now()) == bob.id


def test_a_user_lets_go_of_all_of_their_own(
        db: DB, store: ReservationStore, bob: User, clock: SetClock) -> None:
    """Issue 4: and of nobody else's."""
    eve = db.add_user("eve@example.com", HASH)
    for number in range(3):
        keep(store, bob, clock, f"b{number}@example.com")
    keep(store, eve, clock)
    store.remove_of_user(bob.id)
    assert count(db, "reservations") == 1
    assert store.holder(LEFT, clock.now()) == eve.id


def test_expired_ones_are_swept_out_a_few_at_a_time(
        db: DB, store: ReservationStore, bob: User, clock: SetClock) -> None:
    """R042: and never one that is still good."""
    for number in range(3):
        last = keep(store, bob, clock, f"b{number}@example.com")
    clock.advance(seconds=1)
    keep(store, bob, clock)
    assert store.purge(last.expires_at - timedelta(seconds=1), 9) == 0
    assert [store.purge(last.expires_at, 2) for _ in range(3)] == [2, 1, 0]
    assert store.holder(LEFT, last.expires_at) == bob.id
