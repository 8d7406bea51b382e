#!/usr/bin/env python3
"""The table of letters: claimed by one, settled by whoever holds it."""

from datetime import timedelta
from typing import List, Optional

import pytest

from tests.support.builders import EMAIL
from tests.support.clock import SetClock
from vestibule.store.db import DB
from vestibule.store.letter import (
    DEAD, DROPPED, QUEUED, SENT, STATES, Letter, LetterStore, Outcome)
from vestibule.store.tables import EPOCH, new_id

BOB, EVE = new_id(), new_id()
MINUTE = timedelta(minutes=1)


@pytest.fixture
def store(db: DB) -> LetterStore:
    """Return the table."""
    return LetterStore(db)


def add(store: LetterStore, clock: SetClock, user_id: Optional[str] = BOB,
        kind: str = "reset", state: str = QUEUED) -> Letter:
    """Put a letter in the table, and return it as it is found there."""
    now = clock.now()
    store.add(Letter(recipient=EMAIL, kind=kind, user_id=user_id,
                     state=state, next_try_at=now, created_at=now))
    return store.newest(1)[0]


def states(store: LetterStore) -> List[str]:
    """Return the states of all letters, the oldest first."""
    return [each.state for each in reversed(store.newest(99))]


def found(store: LetterStore, letter: Letter) -> Letter:
    """Return a letter as it is stored now."""
    return next(each for each in store.newest(99) if each.id == letter.id)


def test_who_claimed_a_letter_settles_it(
        store: LetterStore, clock: SetClock) -> None:
    """R134: with the ticket, which is the number of attempts before."""
    letter = add(store, clock)
    assert store.claim(letter, clock.now() + MINUTE)
    assert not store.claim(letter, clock.now() + MINUTE)
    store.settle(letter, Outcome(SENT, clock.now()), clock.now())
    settled = found(store, letter)
    assert (settled.state, settled.attempts) == (SENT, 1)
    assert settled.settled_at is not None


def test_who_claimed_nothing_settles_nothing(
        store: LetterStore, clock: SetClock) -> None:
    """R134: a letter that nobody took is still to be sent."""
    letter = add(store, clock)
    store.settle(letter, Outcome(SENT, clock.now()), clock.now())
    assert states(store) == [QUEUED]


def test_who_took_longer_than_the_lease_changes_nothing(
        store: LetterStore, clock: SetClock) -> None:
    """R134: whoever claimed it since says what became of it."""
    slow = add(store, clock)
    assert store.claim(slow, clock.now())
    quick = found(store, slow)
    assert store.claim(quick, clock.now())
    store.settle(slow, Outcome(DEAD, clock.now(), "late"), clock.now())
    assert (found(store, slow).state, found(store, slow).last_error) == (
        QUEUED, None)
    store.settle(quick, Outcome(SENT, clock.now()), clock.now())
    store.settle(slow, Outcome(QUEUED, clock.now(), "late"), clock.now())
    assert states(store) == [SENT]


def test_a_withdrawn_letter_stays_so(
        store: LetterStore, clock: SetClock) -> None:
    """Issue 4: whatever the worker that was sending it says."""
    letter = add(store, clock)
    store.claim(letter, clock.now())
    store.withdraw(BOB, "reset", EPOCH, clock.now())
    for state in (QUEUED, SENT, DEAD):
        store.settle(letter, Outcome(state, clock.now()), clock.now())
    assert states(store) == [DROPPED]


def test_settling_touches_no_other_letter(
        store: LetterStore, clock: SetClock) -> None:
    """R134: those that were claimed at the same time."""
    one, other = add(store, clock), add(store, clock)
    for letter in (one, other):
        store.claim(letter, clock.now())
    store.settle(one, Outcome(SENT, clock.now()), clock.now())
    assert states(store) == [SENT, QUEUED]
    assert found(store, other).settled_at is None


def test_a_letter_that_is_tried_again_is_not_settled(
        store: LetterStore, clock: SetClock) -> None:
    """R134: it waits, with what went wrong."""
    letter = add(store, clock)
    store.claim(letter, clock.now())
    again = clock.now() + MINUTE
    store.settle(letter, Outcome(QUEUED, again, "away"), clock.now())
    kept = found(store, letter)
    assert (kept.state, kept.next_try_at, kept.last_error) == (
        QUEUED, again, "away")
    assert kept.settled_at is None


def test_withdrawing_drops_what_could_still_be_sent(
        store: LetterStore, clock: SetClock) -> None:
    """Issue 4: dead ones too, which an operator may have tried anew."""
    for state in STATES:
        add(store, clock, state=state)
    store.withdraw(BOB, "reset", EPOCH, clock.now())
    assert STATES == (QUEUED, SENT, DROPPED, DEAD)
    assert states(store) == [DROPPED, SENT, DROPPED, DROPPED]
    assert [each.settled_at is not None for each in reversed(
        store.newest(9))] == [True, False, False, True]
    assert not any(store.requeue(each.id, clock.now())
                   for each in store.newest(9))


def test_withdrawing_is_of_one_user_and_kind(
        store: LetterStore, clock: SetClock) -> None:
    """Issue 4: others' letters, those of nobody, and other kinds go out."""
    add(store, clock)
    add(store, clock, EVE)
    add(store, clock, None)
    add(store, clock, BOB, "verify")
    store.withdraw(BOB, "reset", EPOCH, clock.now())
    assert states(store) == [DROPPED, QUEUED, QUEUED, QUEUED]


def test_withdrawing_begins_at_an_instant(
        store: LetterStore, clock: SetClock) -> None:
    """Issue 4: what was written then counts, what was before does not."""
    add(store, clock)
    since = add(store, clock).created_at
    add(store, clock)
    store.withdraw(BOB, "reset", since, clock.now())
    assert states(store) == [QUEUED, DROPPED, DROPPED]


def test_a_letter_is_queued_until_it_is_settled(
        store: LetterStore, clock: SetClock) -> None:
    """Issue 4: claimed it still is; unknown ones are not."""
    letter = add(store, clock)
    assert store.is_queued(letter.id)
    store.claim(letter, clock.now())
    assert store.is_queued(letter.id)
    store.withdraw(BOB, "reset", EPOCH, clock.now())
    assert not store.is_queued(letter.id)
    assert not store.is_queued(new_id())


@pytest.mark.parametrize("state, takes", [
    (QUEUED, True), (SENT, True), (DROPPED, False), (DEAD, False)])
def test_a_newer_letter_takes_the_place_while_it_counts(
        store: LetterStore, clock: SetClock, state: str,
        takes: bool) -> None:
    """R059: not one that went nowhere."""
    older = add(store, clock)
    newer = add(store, clock, None, state=state)
    assert store.has_newer(older) is takes
    assert not store.has_newer(newer)
    other = add(store, clock, kind="verify")
    assert not store.has_newer(newer) and not store.has_newer(other)


def test_letters_are_counted_by_box_kind_and_time(
        store: LetterStore, clock: SetClock) -> None:
    """R065: in whatever state, for a limit that cannot be gone round."""
    since = clock.now()
    for state in STATES:
        add(store, clock, state=state)
    add(store, clock, kind="verify")
    assert store.count_since("reset", EMAIL, since) == 4
    assert store.count_since("reset", "b@example.com", since) == 0
    last = store.newest(9)[1].created_at
    assert store.count_since("reset", EMAIL, last) == 0


def test_what_a_box_was_written_is_found_by_kind(
        store: LetterStore, clock: SetClock) -> None:
    """R065: how many, and when the last of each."""
    since = clock.now()
    for kind in ("verify", "reset", "reset"):
        add(store, clock, kind=kind)
    last = {letter.kind: letter.created_at
            for letter in reversed(store.newest(9))}
    assert store.written_since(EMAIL, since) == [
        ("reset", 2, last["reset"]), ("verify", 1, last["verify"])]
    assert store.written_since(EMAIL, last["verify"]) == [
        ("reset", 2, last["reset"])]
    assert store.written_since("b@example.com", since) == []


def test_what_is_over_cannot_be_claimed(
        store: LetterStore, clock: SetClock) -> None:
    """Issue 4: by whoever saw the letter before it was withdrawn, say."""
    for state in (SENT, DROPPED, DEAD):
        letter = add(store, clock, state=state)
        assert not store.claim(letter, clock.now() + MINUTE)
        assert found(store, letter).attempts == 0
