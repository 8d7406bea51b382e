#!/usr/bin/env python3
"""Users in the database: tasks 1 to 4, and what an operator needs."""

import re
from datetime import datetime, timedelta, timezone
from typing import Any, Dict, List

import pytest

from tests.support.builders import EMAIL, HASH, everything, run_sql
from tests.support.clock import SetClock
from vestibule.base.clock import Clock
from vestibule.store.db import (
    DB, IntegrityError, InvalidRequestError, NoResultFound, User)
from vestibule.store.tables import new_id

UUID4 = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


class Still(Clock):
    """Stands still for ever."""

    def now(self) -> datetime:
        """Return the same instant each time."""
        return datetime(2026, 3, 1, tzinfo=timezone.utc)


def test_a_user_is_a_row_of_users() -> None:
    """Task 1: the model, and the attributes that the task names."""
    assert User.__tablename__ == "users"
    columns = User.__table__.columns
    assert columns["id"].primary_key
    assert columns["email"].unique and not columns["email"].nullable
    assert "hashed_password" in columns


def test_a_user_in_a_log_shows_neither_address_nor_hash(db: DB) -> None:
    """R117: the id is enough to find the rest."""
    user = db.add_user(EMAIL, HASH)
    assert repr(user) == f"<User {user.id}>"


def test_adding_a_user_returns_it_as_it_is_stored(
        db: DB, clock: SetClock) -> None:
    """Task 2: with a random id, and usable after its transaction."""
    before = clock.now()
    user = db.add_user(EMAIL, HASH)
    assert UUID4.fullmatch(user.id)
    assert (user.email, user.hashed_password) == (EMAIL, HASH)
    assert before < user.created_at < clock.now()
    assert user.updated_at == user.password_changed_at == user.created_at
    assert user.version == 1
    assert user.disabled_at is user.email_verified_at is None
    stored = db.find_user_by(id=user.id)
    for column in User.__mapper__.column_attrs:
        assert getattr(stored, column.key) == getattr(user, column.key)


@pytest.mark.parametrize("given, stored", [
    (HASH, HASH), (HASH.encode(), HASH), (None, None)])
def test_a_hash_is_stored_as_text(db: DB, given: Any, stored: Any) -> None:
    """Task 2: bytes as task 5 returns them, text, or no password at all."""
    user = db.add_user(EMAIL, given)
    assert db.find_user_by(id=user.id).hashed_password == stored


def test_an_address_that_is_taken_is_refused(db: DB) -> None:
    """R002: by the database's own unique index."""
    db.add_user(EMAIL, HASH)
    before = everything(db)
    with pytest.raises(IntegrityError):
        db.add_user(EMAIL, HASH)
    assert everything(db) == before


def test_a_user_is_found_by_any_column(db: DB) -> None:
    """Task 3: by address, id, and whatever else a user has."""
    bob = db.add_user(EMAIL, HASH)
    db.add_user("eve@example.com", None)
    db.update_user(bob.id, name="Bob", app_metadata={"b": 1, "a": [2]})
    found = db.find_user_by(id=bob.id)
    several: List[Dict[str, Any]] = [
        {"email": EMAIL}, {"hashed_password": HASH}, {"name": "Bob"},
        {"created_at": bob.created_at}, {"version": 2},
        {"app_metadata": {"a": [2], "b": 1}},
        {"email": EMAIL, "name": "Bob", "disabled_at": None}]
    for by in several:
        assert db.find_user_by(**by).id == found.id


def test_of_several_users_the_oldest_is_found(db: DB) -> None:
    """Task 3: the answer does not depend on how a database reads."""
    first = db.add_user("z@example.com", HASH)
    for letter in "ybxa":
        db.add_user(f"{letter}@example.com", HASH)
    assert db.find_user_by(hashed_password=HASH).id == first.id


@pytest.mark.parametrize("attributes", [
    {"email": "eve@example.com"}, {"email": None}, {"email": ""},
    {"email": EMAIL.upper()}, {"email": "%"}, {"email": "b_b@example.com"},
    {"id": "' OR 1=1 --"}, {"email": EMAIL, "version": 9}])
def test_nobody_is_found_for_what_nobody_has(
        db: DB, attributes: Dict[str, Any]) -> None:
    """Task 3, R095: ``NoResultFound``; nothing in a value has a meaning."""
    db.add_user(EMAIL, HASH)
    with pytest.raises(NoResultFound):
        db.find_user_by(**attributes)


@pytest.mark.parametrize("attributes", [
    {}, {"no_email": "test"}, {"email": EMAIL, "age": 7},
    {"metadata": None}, {"registry": None}, {"__tablename__": "users"},
    {"__class__": 1}, {"__mapper__": None}, {"_sa_registry": None}])
def test_a_column_that_does_not_exist_is_refused(
        db: DB, attributes: Dict[str, Any]) -> None:
    """Task 3: ``InvalidRequestError``, also for what SQLAlchemy calls so.

    ``__tablename__="users"`` must not mean "whoever is the oldest".
    """
    db.add_user(EMAIL, HASH)
    with pytest.raises(InvalidRequestError):
        db.find_user_by(**attributes)


def test_updating_a_user_sets_what_was_named(
        db: DB, clock: SetClock) -> None:
    """Task 4: these attributes, the version and the time of the change."""
    user = db.add_user(EMAIL, HASH)
    db.update_user(user.id, email="new@example.com", name="Bob")
    changed = db.find_user_by(id=user.id)
    assert (changed.email, changed.name) == ("new@example.com", "Bob")
    assert changed.version == user.version + 1
    assert user.updated_at < changed.updated_at < clock.now()
    assert changed.created_at == user.created_at
    assert changed.password_changed_at == user.password_changed_at
    assert changed.hashed_password == HASH


@pytest.mark.parametrize("given, stored", [
    ("new", "new"), (b"new", "new"), (None, None)])
def test_another_hash_is_dated(db: DB, given: Any, stored: Any) -> None:
    """R105: sessions begun by the old password are told by this date."""
    user = db.add_user(EMAIL, HASH)
    db.update_user(user.id, hashed_password=given)
    changed = db.find_user_by(id=user.id)
    assert changed.hashed_password == stored
    assert changed.password_changed_at == changed.updated_at
    assert user.password_changed_at is not None
    assert changed.password_changed_at > user.password_changed_at


@pytest.mark.parametrize("attributes", [
    {"no_attribute": 1}, {"id": new_id()}, {"created_at": None},
    {"updated_at": None}, {"version": 7}, {"metadata": {}},
    {"__tablename__": "users"}, {"email": "new@example.com", "age": 7}])
def test_what_is_not_for_setting_is_refused(
        db: DB, attributes: Dict[str, Any]) -> None:
    """Task 4: ``ValueError``, and nothing is changed, not even a part."""
    user = db.add_user(EMAIL, HASH)
    before = everything(db)
    with pytest.raises(ValueError):
        db.update_user(user.id, **attributes)
    assert everything(db) == before


def test_updating_nobody_is_refused(db: DB) -> None:
    """Task 4: ``NoResultFound`` for an id that no user has."""
    db.add_user(EMAIL, HASH)
    before = everything(db)
    with pytest.raises(NoResultFound):
        db.update_user(new_id(), name="Nobody")
    assert everything(db) == before


def test_a_user_cannot_take_anothers_address(db: DB) -> None:
    """R002: as an update, too, and nothing is changed then."""
    db.add_user(EMAIL, HASH)
    eve = db.add_user("eve@example.com", HASH)
    before = everything(db)
    with pytest.raises(IntegrityError):
        db.update_user(eve.id, email=EMAIL, name="Eve")
    assert everything(db) == before


def test_a_hash_is_swapped_only_while_it_is_the_old_one(db: DB) -> None:
    """R016: a password that was changed meanwhile is never overwritten."""
    user = db.add_user(EMAIL, "old")
    assert db.swap_hash(user.id, "old", "better")
    assert not db.swap_hash(user.id, "old", "late")
    assert not db.swap_hash(new_id(), "better", "stray")
    stored = db.find_user_by(id=user.id)
    assert stored.hashed_password == "better"
    assert stored.password_changed_at == user.password_changed_at


def test_users_are_listed_by_address_page_by_page(db: DB) -> None:
    """R149: an operator sees all of them, each once."""
    addresses = [f"{letter}@example.com" for letter in "dbeac"]
    for address in addresses:
        db.add_user(address, None)
    seen = []
    page = db.list_users(2)
    while page:
        seen.append([user.email for user in page])
        page = db.list_users(2, page[-1].email)
    assert [len(each) for each in seen] == [2, 2, 1]
    assert sum(seen, []) == sorted(addresses)


def test_deleting_a_user_takes_all_that_hangs_on_it(db: DB) -> None:
    """R034: sessions and tokens go with their user, others stay."""
    users = [db.add_user(f"{name}@example.com", HASH) for name in "ab"]
    for number, user in enumerate(users):
        values = {"id": f"id{number}", "user": user.id}
        run_sql(db, "INSERT INTO sessions (id, secret_digest, user_id, amr, "
                "created_at, authenticated_at, last_seen_at, "
                "idle_expires_at, expires_at) "
                "VALUES (:id, 'd', :user, '', 1, 1, 1, 1, 1)", **values)
        run_sql(db, "INSERT INTO one_time_tokens (digest, purpose, user_id, "
                "created_at, expires_at) "
                "VALUES (:id, 'reset', :user, 1, 1)", **values)
    assert db.delete_user(users[0].id)
    assert not db.delete_user(users[0].id)
    left = everything(db)
    assert users[0].id not in left and "id0" not in left
    assert left.count("id1") == 2
    with pytest.raises(NoResultFound):
        db.find_user_by(id=users[0].id)


def test_an_id_is_never_given_again(db: DB) -> None:
    """R038: SQLite would reuse the number of the newest row; a UUID is new.
    """
    seen = set()
    for _ in range(20):
        user = db.add_user(EMAIL, None)
        seen.add(user.id)
        assert db.delete_user(user.id)
    assert len(seen) == 20


def test_a_change_is_later_than_the_one_before_whatever_the_clock_says(
        db: DB, clock: SetClock) -> None:
    """Issue 4: clocks of several machines differ, the order does not."""
    user = db.add_user(EMAIL, HASH)
    instants = [(user.updated_at, user.password_changed_at)]
    for step in ({"minutes": -9}, {"hours": -2}, {"seconds": 1},
                 {"days": -3}):
        clock.advance(**step)
        db.update_user(user.id, hashed_password=HASH)
        user = db.find_user_by(id=user.id)
        assert user.updated_at == user.password_changed_at
        instants.append((user.updated_at, user.password_changed_at))
    assert instants == sorted(set(instants))
    clock.advance(days=9)
    db.update_user(user.id, name="Bob")
    now = clock.now()
    user = db.find_user_by(id=user.id)
    assert (now - user.updated_at).total_seconds() < 1
    assert user.password_changed_at == instants[-1][1]


def test_changes_at_one_instant_are_told_apart(database_url: str) -> None:
    """Issue 4: by a microsecond, so that a chain has an order."""
    still = Still()
    frozen = DB(database_url, still)
    user = frozen.add_user(EMAIL, HASH)
    instants = []
    for _ in range(3):
        frozen.update_user(user.id, hashed_password=HASH)
        instants.append(frozen.find_user_by(id=user.id).updated_at)
    frozen.close()
    assert instants == [still.now() + timedelta(microseconds=number)
                        for number in (1, 2, 3)]
