#!/usr/bin/env python3
"""What is to follow a commit follows it, once, and never without it."""

from typing import Any, Callable, List

import pytest
from sqlalchemy.orm import Session as OrmSession

from tests.support.builders import EMAIL, HASH, count
from tests.store.test_transactions import Interrupted, in_thread
from vestibule.store.db import DB


@pytest.fixture
def seen(db: DB) -> List[int]:
    """Return a list of how many users others saw as actions ran."""
    return []


@pytest.fixture
def look(db: DB, seen: List[int]) -> Callable[[], None]:
    """Return an action: it notes what another thread can see by now."""
    return lambda: seen.append(in_thread(lambda: count(db, "users")))


def test_it_follows_the_outermost_commit(
        db: DB, seen: List[int], look: Callable[[], None]) -> None:
    """R120: once, when everybody can see what it is about."""
    with db.transaction():
        with db.transaction():
            db.add_user(EMAIL, HASH)
            db.after_commit(look)
        assert seen == []
        db.after_commit(look)
        assert seen == []
    assert seen == [1, 1]
    with db.transaction():
        pass
    assert seen == [1, 1]


@pytest.mark.parametrize("error", [Interrupted, KeyboardInterrupt])
def test_it_never_follows_a_rollback(
        db: DB, seen: List[int], look: Callable[[], None],
        error: Any) -> None:
    """R120: not at once, and not behind the next commit either."""
    with pytest.raises(error):
        with db.transaction():
            db.add_user(EMAIL, HASH)
            db.after_commit(look)
            raise error()
    with db.transaction():
        db.add_user(EMAIL, HASH)
    assert seen == []


def test_a_commit_that_fails_is_followed_by_nothing(
        db: DB, seen: List[int], look: Callable[[], None],
        monkeypatch: pytest.MonkeyPatch) -> None:
    """R120: whether the database refuses or the line to it breaks."""
    def refuse(session: OrmSession) -> None:
        """Fail as a commit fails."""
        raise Interrupted()

    with monkeypatch.context() as patch:
        patch.setattr(OrmSession, "commit", refuse)
        with pytest.raises(Interrupted):
            with db.transaction():
                db.add_user(EMAIL, HASH)
                db.after_commit(look)
    assert (seen, count(db, "users")) == ([], 0)


def test_without_a_transaction_it_runs_at_once(
        db: DB, seen: List[int], look: Callable[[], None]) -> None:
    """R120: there is nothing to wait for, nor in another thread's."""
    db.after_commit(look)
    with db.reading():
        db.after_commit(look)
    with db.transaction():
        in_thread(lambda: db.after_commit(look))
        assert seen == [0, 0, 0]


def test_an_action_that_fails_undoes_nothing(
        db: DB, seen: List[int], look: Callable[[], None],
        caplog: pytest.LogCaptureFixture) -> None:
    """R120: it goes to the log; the actions behind it run all the same."""
    def fail() -> None:
        """Fail behind the commit."""
        raise Interrupted()

    with db.transaction():
        db.add_user(EMAIL, HASH)
        db.after_commit(fail)
        db.after_commit(look)
    assert seen == [1]
    assert caplog.messages == ["An action after a commit failed."]
    db.after_commit(fail)
    assert len(caplog.messages) == 2


def test_an_action_may_use_the_database(
        db: DB, seen: List[int], look: Callable[[], None]) -> None:
    """R120: in a transaction of its own, with actions of its own."""
    def act() -> None:
        """Write, and have something follow that."""
        with db.transaction():
            db.add_user("eve@example.com", HASH)
            db.after_commit(look)

    with db.transaction():
        db.add_user(EMAIL, HASH)
        db.after_commit(act)
    assert seen == [2]
