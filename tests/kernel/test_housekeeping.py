#!/usr/bin/env python3
"""What the service does by itself."""

import threading
from datetime import timedelta
from typing import Any, List

import pytest
from sqlalchemy import event

from tests.support.clock import SetClock
from vestibule.base.limits import DEFAULTS
from vestibule.base.origin import Origin
from vestibule.kernel.auth import Auth
from vestibule.kernel.housekeeping import (
    LETTERS_KEPT, MOST_DEVICES, Housekeeping)
from vestibule.kernel.one_time_tokens import RESET
from vestibule.kernel.throttle import Throttle
from vestibule.store.db import DB
from vestibule.store.failure import (
    UNKNOWN_DEVICES, FailureStore, Holder)
from vestibule.store.letter import SENT, LetterStore, Outcome
from vestibule.store.one_time_token import (
    OneTimeToken, OneTimeTokenStore)
from vestibule.store.session import SessionStore


@pytest.fixture
def keeping(db: DB, auth: Auth) -> Housekeeping:
    """Return the housekeeping of an empty database."""
    auth.register_user("bob@example.com", "pw")
    return Housekeeping(db, auth.sessions.last_seen)


def _writes(db: DB) -> List[str]:
    """Return a list that collects the UPDATEs from now on."""
    seen: List[str] = []

    def note(connection: Any, cursor: Any, statement: str,
             *others: Any) -> None:
        """Keep the statement if it is an UPDATE."""
        if statement.startswith("UPDATE"):
            seen.append(statement)
    event.listen(db.engine, "before_cursor_execute", note)
    return seen


def test_expired_rows_of_every_table_are_removed(
        db: DB, auth: Auth, keeping: Housekeeping, clock: SetClock) -> None:
    """R042: and what still counts stays."""
    auth.create_session("bob@example.com")
    auth.get_reset_password_token("bob@example.com")
    auth.request_reset("bob@example.com")
    letters = LetterStore(db)
    letter = letters.newest(1)[0]
    letters.claim(letter, clock.now())
    letters.settle(letter, Outcome(SENT, clock.now()), clock.now())
    assert keeping.purge(threading.Event()) == 0
    clock.advance(hours=1)
    assert keeping.purge(threading.Event()) == 1
    clock.advance(days=LETTERS_KEPT.days)
    fresh = str(auth.create_session("bob@example.com"))
    assert keeping.purge(threading.Event()) == 2
    assert auth.get_user_from_session_id(fresh) is not None
    assert letters.newest(9) == []


def test_an_address_is_kept_no_longer_than_it_is_said_to_be(
        db: DB, auth: Auth, keeping: Housekeeping, clock: SetClock) -> None:
    """R042: the row goes with its time, and not before."""
    user = db.find_user_by(email="bob@example.com")
    for days in (7, 8):
        auth.addresses.keep(f"left{days}@example.com", user.id,
                            clock.now() + timedelta(days=days))
    assert keeping.purge(threading.Event()) == 0
    clock.advance(days=7)
    assert keeping.purge(threading.Event()) == 1
    assert auth.addresses.is_kept("left8@example.com", user.id)


def test_a_purge_goes_on_in_batches(
        db: DB, auth: Auth, keeping: Housekeeping, clock: SetClock,
        monkeypatch: pytest.MonkeyPatch) -> None:
    """R042: until nothing that has expired is left."""
    monkeypatch.setattr("vestibule.kernel.housekeeping.BATCH", 2)
    user = db.find_user_by(email="bob@example.com")
    for _ in range(5):
        auth.tokens.issue(user.id, RESET)
    clock.advance(hours=1)
    assert keeping.purge(threading.Event()) == 5
    assert OneTimeTokenStore(db).purge(clock.now(), 9) == 0


def test_checks_write_at_most_once_a_minute(
        db: DB, auth: Auth, clock: SetClock, keeping: Housekeeping) -> None:
    """R039: however often a session is used."""
    token = auth.create_session("bob@example.com")
    writes = _writes(db)
    for _ in range(60):
        clock.advance(seconds=5)
        assert auth.sessions.resume(token)
    assert 4 <= len(writes) <= 5


@pytest.mark.uncached
def test_a_deferred_note_is_written_by_the_flush(
        db: DB, auth: Auth, clock: SetClock, keeping: Housekeeping) -> None:
    """R039: no check writes, and a session is written once a flush."""
    token = auth.create_session("bob@example.com")
    auth.sessions.last_seen.defer()
    writes = _writes(db)
    clock.advance(minutes=2)
    for _ in range(10):
        auth.sessions.resume(token)
    assert writes == []
    auth.sessions.last_seen.flush()
    assert len(writes) == 1
    found = auth.sessions.resume(token)
    assert found.last_seen_at > found.created_at


def test_two_workers_note_one_use_once(
        db: DB, auth: Auth, clock: SetClock, keeping: Housekeeping) -> None:
    """R039: over all workers; the second finds it noted."""
    token = auth.create_session("bob@example.com")
    other = Auth(db)
    for each in (auth, other):
        each.sessions.last_seen.defer()
    clock.advance(minutes=2)
    for each in (auth, other):
        each.sessions.resume(token)
    auth.sessions.last_seen.flush()
    first = SessionStore(db).find(str(token).split(".")[0])
    clock.advance(seconds=1)
    other.sessions.last_seen.flush()
    assert SessionStore(db).find(str(token).split(".")[0]) == first


def test_a_late_note_revives_nothing(
        db: DB, auth: Auth, clock: SetClock, keeping: Housekeeping) -> None:
    """R039, R106: a session that ended meanwhile stays ended."""
    token = auth.create_session("bob@example.com")
    auth.sessions.last_seen.defer()
    clock.advance(minutes=2)
    found = auth.sessions.resume(token)
    auth.destroy_session(found.user_id)
    auth.sessions.last_seen.flush()
    assert auth.get_user_from_session_id(token) is None


def test_a_flush_waits_for_nobody_who_holds_a_session(
        db: DB, auth: Auth, clock: SetClock, keeping: Housekeeping) -> None:
    """R034: who ends many sessions and who notes many never block for good.

    What is held is left out, so that the flush, which holds some, waits for
    none.
    """
    if db.is_sqlite:
        pytest.skip("SQLite has one writer at a time, so nobody holds a part")
    ids = []
    auth.sessions.last_seen.defer()
    tokens = [auth.create_session("bob@example.com") for _ in range(9)]
    clock.advance(minutes=2)
    for token in tokens:
        ids.append(auth.sessions.resume(token).id)
    held = sorted(ids)[4]
    with db.transaction():
        assert SessionStore(db).hold([held]) == {held}
        flush = threading.Thread(target=auth.sessions.last_seen.flush)
        flush.start()
        flush.join(10)
        assert not flush.is_alive()
    noted = {each.id for each in auth.sessions.live(
        db.find_user_by(email="bob@example.com").id)
        if each.last_seen_at > each.created_at}
    assert noted == set(ids) - {held}


def test_a_purge_waits_for_nobody_either(
        db: DB, auth: Auth, clock: SetClock, keeping: Housekeeping) -> None:
    """R042: what somebody else is about to end is theirs."""
    if db.is_sqlite:
        pytest.skip("SQLite has one writer at a time, so nobody holds a part")
    for _ in range(5):
        auth.create_session("bob@example.com")
        auth.get_reset_password_token("bob@example.com")
    user = db.find_user_by(email="bob@example.com")
    held = sorted(each.id for each in auth.sessions.live(user.id))[2]
    clock.advance(days=40)
    with db.transaction() as work:
        SessionStore(db).hold([held])
        work.query(OneTimeToken).with_for_update().limit(1).all()
        removed: List[int] = []
        purge = threading.Thread(
            target=lambda: removed.append(keeping.purge(threading.Event())))
        purge.start()
        purge.join(10)
        assert removed == [4 + 4]
    assert keeping.purge(threading.Event()) == 2


def test_the_loop_stops_when_told(keeping: Housekeeping) -> None:
    """It writes what it still holds, and ends."""
    stop = threading.Event()
    thread = threading.Thread(target=keeping.run, args=(stop,))
    thread.start()
    stop.set()
    thread.join(10)
    assert not thread.is_alive()


def test_failures_of_devices_come_to_an_end(
        db: DB, auth: Auth, keeping: Housekeeping, clock: SetClock) -> None:
    """R082: of those no longer used, and of more than anybody has.

    What strangers failed in a row stays counted, as no time takes it away.
    """
    user = db.find_user_by(email="bob@example.com")
    holder, failures = Holder(user.id, user.id), FailureStore(db)
    failures.add(holder, UNKNOWN_DEVICES, 100)
    for number in range(MOST_DEVICES + 3):
        failures.add(holder, f"device {number}", 100)
    assert keeping.purge(threading.Event()) == 3
    clock.advance(days=399)
    assert keeping.purge(threading.Event()) == 0
    clock.advance(days=1)
    assert keeping.purge(threading.Event()) == MOST_DEVICES
    assert [each.device for each in failures.of_user(user.id)] == [
        UNKNOWN_DEVICES]


def test_devices_are_counted_of_whoever_failed_since_the_last_look(
        db: DB, auth: Auth, keeping: Housekeeping, clock: SetClock) -> None:
    """R082: not of all there are, each minute; the first look goes a day back.
    """
    user = db.find_user_by(email="bob@example.com")
    holder, failures = Holder(user.id, user.id), FailureStore(db)
    for number in range(MOST_DEVICES + 1):
        failures.add(holder, f"device {number}", 100)
    clock.advance(days=2)
    assert keeping.purge(threading.Event()) == 0
    for minutes in range(9):
        clock.advance(minutes=minutes)
        assert keeping.purge(threading.Event()) == 0
    failures.add(holder, "device 0", 100)
    clock.advance(minutes=1)
    assert keeping.purge(threading.Event()) == 1


def test_tries_whose_window_is_over_are_removed(
        db: DB, keeping: Housekeeping, clock: SetClock) -> None:
    """R082: and not before, so that nobody gains a try."""
    throttle = Throttle(db, "a key for tests", DEFAULTS)
    throttle.count_code("bob@example.com", Origin(None, None, "a-request"))
    clock.advance(minutes=14)
    assert keeping.purge(threading.Event()) == 0
    clock.advance(minutes=1)
    assert keeping.purge(threading.Event()) == 2
