#!/usr/bin/env python3
"""Transactions: joined, rolled back, and usable after a refusal."""

import threading
from typing import Any, Callable, Dict, List

import pytest
from sqlalchemy import text

from tests.support.builders import EMAIL, HASH, count, everything
from vestibule.store.db import DB, IntegrityError, NoResultFound
from vestibule.store.tables import new_id

EVE = "eve@example.com"


class Interrupted(Exception):
    """What a test raises in the middle of a transaction."""


def in_thread(action: Callable[[], Any]) -> Any:
    """Return what an action returns in a thread of its own."""
    found: List[Any] = []
    thread = threading.Thread(target=lambda: found.append(action()))
    thread.start()
    thread.join()
    return found[0]


def test_methods_join_the_open_transaction(db: DB) -> None:
    """Task 2: what is in it is seen in it, and by others after it."""
    with db.transaction():
        user = db.add_user(EMAIL, HASH)
        db.update_user(user.id, name="Bob")
        assert db.find_user_by(name="Bob").id == user.id
        assert db.list_users(9)[0].name == "Bob"
        assert in_thread(lambda: db.list_users(9)) == []
    assert in_thread(lambda: len(db.list_users(9))) == 1


def test_without_a_transaction_each_method_commits_its_own(db: DB) -> None:
    """Task 2: at its return, for every other connection to see."""
    user = db.add_user(EMAIL, HASH)
    assert in_thread(lambda: len(db.list_users(9))) == 1
    db.update_user(user.id, name="Bob")
    assert in_thread(lambda: db.find_user_by(name="Bob").id) == user.id
    db.delete_user(user.id)
    assert in_thread(lambda: db.list_users(9)) == []


@pytest.mark.parametrize("error", [Interrupted, KeyboardInterrupt])
def test_after_an_exception_nothing_has_happened(db: DB, error: Any) -> None:
    """DESIGN section 1: all of a transaction takes effect, or nothing."""
    user = db.add_user(EMAIL, HASH)
    before = everything(db)
    with pytest.raises(error):
        with db.transaction():
            db.update_user(user.id, name="Bob")
            db.add_user(EVE, HASH)
            db.swap_hash(user.id, HASH, "better")
            raise error()
    assert everything(db) == before
    db.update_user(user.id, name="again")
    assert db.find_user_by(id=user.id).name == "again"


def test_an_inner_transaction_is_part_of_the_outer(db: DB) -> None:
    """DESIGN section 1: who opens the outer one decides about both."""
    with pytest.raises(Interrupted):
        with db.transaction() as outer:
            with db.transaction() as inner:
                assert inner is outer
                db.add_user(EMAIL, HASH)
            with db.reading() as reader:
                assert reader is outer
            raise Interrupted()
    assert count(db, "users") == 0


def test_each_thread_has_a_transaction_of_its_own(db: DB) -> None:
    """R120: nobody's work is committed by somebody else."""
    with pytest.raises(Interrupted):
        with db.transaction():
            assert in_thread(lambda: db.list_users(9)) == []
            if not db.is_sqlite:
                in_thread(lambda: db.add_user(EVE, HASH))
            db.add_user(EMAIL, HASH)
            raise Interrupted()
    assert count(db, "users") == (0 if db.is_sqlite else 1)


def test_a_taken_address_leaves_the_transaction_usable(db: DB) -> None:
    """R103: a savepoint, so that PostgreSQL goes on as SQLite does."""
    bob = db.add_user(EMAIL, HASH)
    with db.transaction():
        eve = db.add_user(EVE, HASH)
        with pytest.raises(IntegrityError):
            db.add_user(EMAIL, HASH)
        with pytest.raises(IntegrityError):
            db.update_user(eve.id, email=EMAIL)
        db.update_user(bob.id, name="Bob")
        assert db.find_user_by(id=eve.id).email == EVE
    assert [user.name for user in db.list_users(9)] == ["Bob", None]


def test_an_unknown_user_leaves_the_transaction_usable(db: DB) -> None:
    """Task 4: a refusal of one method is no end of the others."""
    with db.transaction():
        with pytest.raises(NoResultFound):
            db.update_user(new_id(), name="Nobody")
        with pytest.raises(ValueError):
            db.update_user(new_id(), age=7)
        with pytest.raises(NoResultFound):
            db.find_user_by(email=EMAIL)
        db.add_user(EMAIL, HASH)
    assert count(db, "users") == 1


def test_users_are_usable_after_their_transaction(db: DB) -> None:
    """DESIGN section 1: every attribute, detached, without a database."""
    with db.transaction():
        added = db.add_user(EMAIL, HASH)
        found = db.find_user_by(email=EMAIL)
        locked = db.lock_user(added.id)
    listed = db.list_users(9)[0]
    again = db.find_user_by(email=EMAIL)
    assert locked is not None
    db.close()
    attributes: List[Dict[str, Any]] = [
        {column.key: getattr(user, column.key)
         for column in type(user).__mapper__.column_attrs}
        for user in (added, found, locked, listed, again)]
    assert attributes == attributes[:1] * 5


def test_a_user_that_was_read_before_is_read_anew(db: DB) -> None:
    """R105: in one transaction, too, the row counts and no memory of it."""
    user = db.add_user(EMAIL, HASH)
    with db.transaction():
        # Kept, since SQLAlchemy remembers only what somebody still holds.
        held = db.find_user_by(id=user.id)
        assert held.name is None
        db.update_user(user.id, name="Bob")
        assert db.find_user_by(id=user.id).name == "Bob"
        db.update_user(user.id, name="Robert")
        locked = db.lock_user(user.id)
        assert locked is held and held.name == "Robert"
    assert user.name is None


def test_locking_nobody_finds_nobody(db: DB) -> None:
    """R015: a user who was deleted meanwhile is ``None``, no error."""
    user = db.add_user(EMAIL, HASH)
    db.delete_user(user.id)
    assert db.lock_user(user.id) is None


def test_who_locks_a_user_makes_others_wait(db: DB) -> None:
    """R105: the row is held until the transaction ends, and read after it.
    """
    user = db.add_user(EMAIL, HASH)
    locked = threading.Event()
    seen: List[Any] = []

    def look() -> None:
        """Lock the user as soon as the other one has."""
        locked.wait()
        other = db.lock_user(user.id)
        seen.append(other and other.name)

    thread = threading.Thread(target=look)
    thread.start()
    with db.transaction():
        db.lock_user(user.id)
        locked.set()
        thread.join(0.2)
        assert seen == []
        db.update_user(user.id, name="Bob")
    thread.join(5)
    assert seen == ["Bob"]


def test_a_reader_needs_no_transaction(db: DB) -> None:
    """A session to read is given back, and its connection with it."""
    pool: Any = db.engine.pool
    with db.reading() as work:
        work.execute(text("SELECT 1"))
        assert pool.checkedout() == 1
    assert pool.checkedout() == 0
    with pytest.raises(Interrupted):
        with db.reading() as work:
            work.execute(text("SELECT 1"))
            raise Interrupted()
    assert pool.checkedout() == 0
