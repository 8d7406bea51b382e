#!/usr/bin/env python3
"""A hash that is outdated is made anew at a login, and harms none."""

from typing import Any, Callable, List

import bcrypt
import pytest

from tests.support.builders import (
    EMAIL, PASSWORD, make_user, refusing, run_sql)
from vestibule.kernel.auth import Auth
from vestibule.kernel.passwords import Passwords
from vestibule.store.db import DB

COST = 5


@pytest.fixture
def dearer(db: DB) -> Auth:
    """Return an API that hashes dearer than Bob's hash was made."""
    make_user(Auth(db, Passwords(4)))
    return Auth(db, Passwords(COST))


def stored_hash(db: DB) -> str:
    """Return Bob's hash as it is stored now."""
    return str(db.find_user_by(email=EMAIL).hashed_password)


def test_a_login_upgrades_the_hash_once(dearer: Auth) -> None:
    """R016: to today's cost, for the same password, and then no more."""
    old = stored_hash(dearer.db)
    assert dearer.valid_login(EMAIL, PASSWORD)
    upgraded = stored_hash(dearer.db)
    assert old.startswith("$2b$04$") and upgraded.startswith("$2b$05$")
    assert dearer.valid_login(EMAIL, PASSWORD)
    assert stored_hash(dearer.db) == upgraded


def test_a_refused_login_upgrades_nothing(dearer: Auth) -> None:
    """R016: a wrong password must never become the stored one."""
    old = stored_hash(dearer.db)
    assert not dearer.valid_login(EMAIL, "wrong")
    run_sql(dearer.db, "UPDATE users SET disabled_at = 1")
    assert not dearer.valid_login(EMAIL, PASSWORD)
    assert stored_hash(dearer.db) == old


def test_a_dearer_hash_is_left_alone(db: DB) -> None:
    """R016: a lower cost in the settings weakens nobody."""
    make_user(Auth(db, Passwords(6)))
    cheaper = Auth(db, Passwords(4))
    old = stored_hash(db)
    assert cheaper.valid_login(EMAIL, PASSWORD)
    assert stored_hash(db) == old


def test_an_upgrade_ends_no_session(dearer: Auth) -> None:
    """R105: it is the same password, so whoever is signed in stays so."""
    session_id = dearer.create_session(EMAIL)
    changed_at = dearer.db.find_user_by(email=EMAIL).password_changed_at
    user = dearer.authenticate(EMAIL, PASSWORD)
    assert dearer.sessions.start(user, ("pwd",))
    assert dearer.get_user_from_session_id(session_id) is not None
    stored = dearer.db.find_user_by(email=EMAIL)
    assert stored.password_changed_at == changed_at


def test_a_long_password_keeps_its_form(db: DB) -> None:
    """R021: digested before, digested after."""
    make_user(Auth(db, Passwords(4)), password="x" * 100)
    dearer = Auth(db, Passwords(COST))
    assert dearer.valid_login(EMAIL, "x" * 100)
    assert stored_hash(db).startswith("{v1}$2b$05$")
    assert dearer.valid_login(EMAIL, "x" * 100)
    assert not dearer.valid_login(EMAIL, "x" * 99)


def after_each_check(patch: pytest.MonkeyPatch,
                     action: Callable[[], Any]) -> None:
    """Do something at the instant at which a password was verified."""
    checkpw: Callable[[bytes, bytes], bool] = bcrypt.checkpw

    def check(password: bytes, hashed: bytes) -> bool:
        """Verify, and let the world go on before that is known."""
        right = checkpw(password, hashed)
        action()
        return right

    patch.setattr(bcrypt, "checkpw", check)


def test_a_password_changed_meanwhile_is_not_overwritten(
        dearer: Auth, monkeypatch: pytest.MonkeyPatch) -> None:
    """R016: the new password wins over the better hash of the old one."""
    user = dearer.db.find_user_by(email=EMAIL)
    newest: List[str] = []

    def change() -> None:
        """Set another password, as its owner does elsewhere."""
        newest.append(Passwords(4).hash("another").decode())
        dearer.db.update_user(user.id, hashed_password=newest[-1])

    after_each_check(monkeypatch, change)
    proved = dearer.authenticate(EMAIL, PASSWORD)
    assert stored_hash(dearer.db) == newest[-1]
    with pytest.raises(ValueError):
        dearer.sessions.start(proved, ("pwd",))


def test_a_login_goes_on_where_the_upgrade_fails(dearer: Auth) -> None:
    """R016: the database itself refuses the UPDATE, and nobody notices."""
    old = stored_hash(dearer.db)
    with refusing(dearer.db, "UPDATE OF hashed_password", "users"):
        user = dearer.authenticate(EMAIL, PASSWORD)
        assert dearer.sessions.start(user, ("pwd",))
    assert stored_hash(dearer.db) == old
    assert dearer.valid_login(EMAIL, PASSWORD)
    assert stored_hash(dearer.db) != old


def test_a_login_goes_on_where_no_connection_is_free(
        dearer: Auth, monkeypatch: pytest.MonkeyPatch) -> None:
    """R016: the pool is empty just then, which is no error of the login."""
    old = stored_hash(dearer.db)
    held: List[Any] = []
    pool: Any = dearer.db.engine.pool
    # No more than are kept, and no longer a wait than a test's.
    monkeypatch.setattr(pool, "_max_overflow", 0)
    monkeypatch.setattr(pool, "_timeout", 0.01)
    after_each_check(monkeypatch, lambda: held.extend(
        dearer.db.engine.connect() for _ in range(pool.size())))
    try:
        assert dearer.authenticate(EMAIL, PASSWORD).email == EMAIL
    finally:
        for connection in held:
            connection.close()
    assert len(held) == pool.size()
    assert stored_hash(dearer.db) == old
