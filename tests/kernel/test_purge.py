#!/usr/bin/env python3
"""The purge of much at once: others get in, and nothing waits for its end."""

import threading
from typing import Any, Callable, Iterator, List, Optional

import pytest
from sqlalchemy import event

from tests.support.builders import count
from tests.support.clock import SetClock
from vestibule.kernel import housekeeping
from vestibule.kernel.auth import Auth
from vestibule.kernel.housekeeping import Housekeeping
from vestibule.store.db import DB

EMAIL = "bob@example.com"
EXPIRED = 7
FEW = 2


class Neighbour(threading.Event):
    """Is told of each pause of a purge, and does something in it.

    No purge is ever told to stop by it.
    """

    def __init__(self, action: Callable[[int], Any]) -> None:
        """Do this in each pause, which has a number."""
        super().__init__()
        self.pauses: List[Optional[float]] = []
        self._action = action

    def wait(self, timeout: Optional[float] = None) -> bool:
        """Do it, instead of letting time go by."""
        self.pauses.append(timeout)
        self._action(len(self.pauses))
        return False


@pytest.fixture(name="keeping")
def fixture_keeping(db: DB, auth: Auth, clock: SetClock,
                    monkeypatch: pytest.MonkeyPatch) -> Housekeeping:
    """Return the housekeeping of a database with sessions that are over.

    It removes two at a time.
    """
    monkeypatch.setattr(housekeeping, "BATCH", FEW)
    auth.register_user(EMAIL, "pw")
    for _ in range(EXPIRED):
        auth.create_session(EMAIL)
    clock.advance(days=100)
    return Housekeeping(db, auth.sessions.last_seen)


@pytest.fixture(name="deleted")
def fixture_deleted(db: DB) -> Iterator[List[int]]:
    """Return how many sessions each transaction deletes, from now on."""
    transactions = [0]

    def look(connection: Any, cursor: Any, statement: str,
             *others: Any) -> None:
        """Count the rows of a statement that has run."""
        if statement.startswith("DELETE FROM sessions"):
            transactions[-1] += cursor.rowcount

    def end(connection: Any) -> None:
        """Begin to count anew with each commit."""
        transactions.append(0)

    event.listen(db.engine, "after_cursor_execute", look)
    event.listen(db.engine, "commit", end)
    yield transactions
    event.remove(db.engine, "after_cursor_execute", look)
    event.remove(db.engine, "commit", end)


def test_others_write_in_each_pause_of_a_purge(
        database_url: str, db: DB, auth: Auth, keeping: Housekeeping,
        clock: SetClock) -> None:
    """R042: no lock is held then, and no session check waits."""
    token = auth.create_session(EMAIL)
    other = DB(database_url, clock)
    neighbour = Neighbour(lambda number: (
        other.add_user(f"user{number}@example.com", None),
        auth.sessions.resume(token)))
    assert keeping.purge(neighbour) == EXPIRED
    other.close()
    assert neighbour.pauses == [housekeeping.PAUSE_SECONDS] * 4
    assert count(db, "users") == 5 and count(db, "sessions") == 1


def test_each_batch_is_a_transaction_of_its_own(
        keeping: Housekeeping, deleted: List[int]) -> None:
    """R042: so that the one write lock of SQLite is held for a batch."""
    assert keeping.purge(Neighbour(lambda number: None)) == EXPIRED
    assert [each for each in deleted if each] == [FEW, FEW, FEW, 1]


@pytest.mark.uncached
def test_what_is_noted_is_written_down_during_a_purge(
        auth: Auth, keeping: Housekeeping, clock: SetClock,
        monkeypatch: pytest.MonkeyPatch) -> None:
    """R042, R039: a million rows take minutes, and no use waits for that."""
    monkeypatch.setattr(housekeeping, "BATCHES_A_FLUSH", 2)
    token = auth.create_session(EMAIL)
    auth.sessions.last_seen.defer()
    clock.advance(minutes=2)
    noted = auth.sessions.resume(token).last_seen_at
    seen: List[bool] = []
    keeping.purge(Neighbour(lambda number: seen.append(
        auth.sessions.resume(token).last_seen_at > noted)))
    assert seen == [False, False, True, True]
