#!/usr/bin/env python3
"""Refusals are noted at once and written in batches; a flood costs little."""

import logging
import threading
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, Iterator, Type

import pytest
from sqlalchemy import event
from sqlalchemy.exc import DataError, DBAPIError, OperationalError

from tests.support.builders import count, overheard
from tests.support.clock import SetClock
from vestibule.kernel.auth import Auth
from vestibule.kernel.housekeeping import Housekeeping
from vestibule.kernel.refusals import MOST_WAITING, Asked, Refusals
from vestibule.store.db import DB
from vestibule.store.refusal import (
    CODE_LENGTH, METHOD_LENGTH, PATH_LENGTH, RULE_LENGTH)

ASKED = Asked("request-1", "POST", "/sessions")
FLOOD = 5000


@pytest.fixture
def refusals(db: DB) -> Refusals:
    """Return the refusals of an empty database, as a service has them."""
    made = Refusals(db)
    made.defer()
    return made


@contextmanager
def failing(db: DB, kind: Type[DBAPIError]) -> Iterator[None]:
    """Have every INSERT fail with a kind of the driver's errors."""
    def fail(connection: Any, cursor: Any, statement: str,
             *others: Any) -> None:
        """Raise the error instead of an INSERT."""
        if statement.startswith("INSERT"):
            raise kind(statement, {}, Exception("of a test"))
    event.listen(db.engine, "before_cursor_execute", fail)
    try:
        yield
    finally:
        event.remove(db.engine, "before_cursor_execute", fail)


def note_many(refusals: Refusals, number: int, start: int = 0) -> None:
    """Note so many refusals, each of a request of its own."""
    for each in range(start, start + number):
        refusals.note(ASKED._replace(request_id=f"request-{each}"), 403,
                      "forbidden", "a rule")


def test_by_itself_a_refusal_is_written_at_once(
        db: DB, clock: SetClock) -> None:
    """R122: a program without a service has nobody who flushes."""
    before = clock.now()
    Refusals(db).note(ASKED, 403, "forbidden", "a rule")
    found, = Refusals(db).of_request("request-1", 9)
    assert found[2:] == (403, "forbidden", "a rule", "POST", "/sessions")
    assert before < found.at < clock.now()


def test_a_deferred_refusal_waits_for_the_flush(
        db: DB, refusals: Refusals) -> None:
    """R122: no request waits for a write, not for one statement."""
    with overheard(db.engine) as statements:
        refusals.note(ASKED, 403, "forbidden")
        assert statements == []
    refusals.flush()
    refusals.flush()
    assert [each.rule for each in refusals.of_request("request-1", 9)] == [
        None]


def test_a_flood_costs_a_thousand_rows_a_flush(
        db: DB, refusals: Refusals, caplog: pytest.LogCaptureFixture) -> None:
    """R124: by one statement; the first of it are kept, the rest counted."""
    note_many(refusals, FLOOD)
    with overheard(db.engine) as statements:
        refusals.flush()
    inserts = [each for each in statements if each.startswith("INSERT")]
    assert len(inserts) == 1
    assert count(db, "refusals") == MOST_WAITING
    assert refusals.of_request("request-999", 9)
    assert not refusals.of_request("request-1000", 9)
    logged, = [record for record in caplog.records
               if record.levelno == logging.WARNING]
    assert logged.getMessage().startswith("4000 refusals are not written")
    with overheard(db.engine) as statements:
        refusals.flush()
    assert statements == [] and len(caplog.records) == 1


def test_many_threads_note_within_the_bound(
        db: DB, refusals: Refusals) -> None:
    """R124: whoever notes meanwhile; what is dropped is counted exactly."""
    threads = [threading.Thread(target=note_many, args=(refusals, 500))
               for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(refusals._waiting) == MOST_WAITING
    assert refusals._dropped == 8 * 500 - MOST_WAITING


def test_while_the_database_is_away_refusals_wait(
        db: DB, refusals: Refusals, caplog: pytest.LogCaptureFixture) -> None:
    """R122: those of its own absence are explained once it is back."""
    note_many(refusals, 3)
    with failing(db, OperationalError):
        refusals.flush()
        note_many(refusals, MOST_WAITING, start=3)
        refusals.flush()
    refusals.flush()
    assert count(db, "refusals") == MOST_WAITING
    assert refusals.of_request("request-2", 9)
    assert "3 refusals wait to be written down" in caplog.text


def test_what_the_database_will_never_have_is_forgotten(
        db: DB, refusals: Refusals, caplog: pytest.LogCaptureFixture) -> None:
    """R122: one unfit row must not keep all others out for ever."""
    note_many(refusals, 3)
    with failing(db, DataError):
        refusals.flush()
    note_many(refusals, 1, start=3)
    refusals.flush()
    assert count(db, "refusals") == 1
    assert "3 refusals are not written down: DataError" in caplog.text


@pytest.mark.parametrize("kind", [OperationalError, DataError])
def test_a_note_raises_nothing(db: DB, kind: Type[DBAPIError]) -> None:
    """R121: a refusal that cannot be written is answered all the same."""
    with failing(db, kind):
        Refusals(db).note(ASKED, 403, "forbidden")


def test_long_words_are_cut_to_their_columns(db: DB) -> None:
    """R122: PostgreSQL would refuse them, and the rows beside them."""
    long = "x" * 999
    Refusals(db).note(Asked("request-1", long, long), 403, long, long)
    found, = Refusals(db).of_request("request-1", 9)
    assert [len(str(each)) for each in found[3:]] == [
        CODE_LENGTH, RULE_LENGTH, METHOD_LENGTH, PATH_LENGTH]


def test_refusals_are_kept_for_a_week(
        db: DB, clock: SetClock, refusals: Refusals) -> None:
    """R042: to the second, and longer than that not."""
    note_many(refusals, 3)
    refusals.flush()
    clock.advance(days=6, hours=23, minutes=59)
    assert refusals.purge(9) == 0
    note_many(refusals, 1, start=3)
    refusals.flush()
    clock.advance(minutes=2)
    assert (refusals.purge(2), refusals.purge(2)) == (2, 1)
    assert refusals.purge(9) == 0
    assert refusals.of_request("request-3", 9)


def test_no_more_than_the_newest_are_kept(
        db: DB, refusals: Refusals, monkeypatch: pytest.MonkeyPatch) -> None:
    """R042: in batches, whatever came in meanwhile."""
    monkeypatch.setattr("vestibule.kernel.refusals.MOST_KEPT", 5)
    note_many(refusals, 12)
    refusals.flush()
    assert (refusals.purge(4), refusals.purge(4)) == (4, 3)
    assert refusals.purge(4) == 0
    assert not refusals.of_request("request-6", 9)
    assert refusals.of_request("request-7", 9)


def test_the_housekeeping_removes_old_refusals(
        db: DB, auth: Auth, clock: SetClock, refusals: Refusals) -> None:
    """R042: all of them, beside everything else that is old."""
    keeping = Housekeeping(db, auth.sessions.last_seen, refusals=refusals)
    note_many(refusals, 700)
    refusals.flush()
    clock.advance(days=8)
    assert keeping.purge(threading.Event()) == 700
    assert count(db, "refusals") == 0


def test_the_housekeeping_writes_as_it_stops(
        db: DB, auth: Auth) -> None:
    """R122: the end of a process in good order loses no refusal."""
    refusals = Refusals(db)
    keeping = Housekeeping(db, auth.sessions.last_seen, refusals=refusals)
    stop = threading.Event()
    thread = threading.Thread(target=keeping.run, args=(stop,))
    thread.start()
    while not refusals._deferred:
        pass
    note_many(refusals, 2)
    assert count(db, "refusals") == 0
    stop.set()
    thread.join(10)
    assert count(db, "refusals") == 2


def test_as_many_as_are_asked_for_are_read(
        db: DB, refusals: Refusals) -> None:
    """A client may send one request id again and again."""
    for status in (400, 401, 403):
        refusals.note(ASKED, status, "forbidden")
    refusals.flush()
    assert [each.status for each in refusals.of_request("request-1", 2)] == [
        400, 401]
    assert refusals.of_request("request-2", 2) == []


def test_what_waits_is_older_than_what_comes(
        db: DB, clock: SetClock, refusals: Refusals) -> None:
    """Read in the order in which it happened, not in that of the writes."""
    refusals.note(ASKED, 401, "first")
    with failing(db, OperationalError):
        refusals.flush()
    clock.advance(seconds=1)
    Refusals(db).note(ASKED, 403, "second")
    refusals.flush()
    first, second = refusals.of_request("request-1", 9)
    assert (first.code, second.code) == ("first", "second")
    assert second.at - first.at >= timedelta(seconds=1)
