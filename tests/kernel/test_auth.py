#!/usr/bin/env python3
"""Auth as a library: tasks 5, 7 to 10, 12, 13, 16 and 18."""

import re
from pathlib import Path
from typing import Any

import bcrypt
import pytest

from tests.support.builders import (
    EMAIL, PASSWORD, count, everything, make_user, run_sql)
from tests.support.clock import SetClock
from vestibule.base.errors import (
    Forbidden, IdentifierTaken, InvalidCredentials, InvalidInput,
    InvalidToken)
from vestibule.kernel.auth import (
    Auth, Rules, _generate_uuid, _hash_password)
from vestibule.kernel.passwords import Passwords
from vestibule.kernel.users import Users
from vestibule.store.db import DB, NoResultFound
from vestibule.store.tables import new_id

UUID4 = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


def test_a_program_needs_a_database_and_nothing_else(tmp_path: Path) -> None:
    """Tasks 7 to 18: ``Auth(DB(url))`` suffices, with the usual cost."""
    db = DB(f"sqlite:///{tmp_path / 'my.db'}")
    auth = Auth(db)
    user = auth.register_user("me@localhost", "pwd")
    assert user.hashed_password is not None
    assert user.hashed_password.startswith("$2b$12$")
    session_id = auth.create_session("me@localhost")
    found = auth.get_user_from_session_id(session_id)
    assert found is not None and found.email == "me@localhost"
    db.close()


def test_a_password_is_hashed_by_bcrypt() -> None:
    """Task 5: salted bytes which bcrypt itself verifies."""
    hashed = _hash_password("Hello Holberton")
    assert isinstance(hashed, bytes)
    assert hashed.startswith(b"$2b$12$")
    assert bcrypt.checkpw(b"Hello Holberton", hashed)


def test_ids_of_task_nine_are_random_uuids() -> None:
    """Task 9: as text, a new one each time."""
    made = {_generate_uuid() for _ in range(100)}
    assert len(made) == 100
    assert all(UUID4.fullmatch(each) for each in made)


def test_registering_stores_a_user_with_a_hash(auth: Auth) -> None:
    """Task 7: the canonical address, and nothing of the password."""
    user = auth.register_user(" Bob@Example.com", PASSWORD)
    stored = auth.db.find_user_by(id=user.id)
    assert stored.email == user.email == EMAIL
    assert bcrypt.checkpw(
        PASSWORD.encode(), str(stored.hashed_password).encode())
    assert PASSWORD not in everything(auth.db)


@pytest.mark.parametrize("email", [
    EMAIL, EMAIL.upper(), f"  {EMAIL} ", "Bob@example.com"])
def test_a_registered_address_is_a_value_error(
        auth: Auth, email: str) -> None:
    """Task 7, R002: in any spelling, and nothing is written."""
    make_user(auth)
    before = everything(auth.db)
    with pytest.raises(ValueError) as refusal:
        auth.register_user(email, "another password")
    assert isinstance(refusal.value, IdentifierTaken)
    assert refusal.value.code == "email_taken"
    assert everything(auth.db) == before


@pytest.mark.parametrize("email, password, errors", [
    ("bob", PASSWORD, {"email": ["malformed"]}),
    (EMAIL, "", {"password": ["required"]}),
    ("b" * 300, "x" * 257, {"email": ["too_long"],
                            "password": ["too_long"]}),
    ("\ud800@x.com", "a\0b", {"email": ["malformed"],
                              "password": ["unusable_characters"]})])
def test_unfit_values_are_named_at_once(
        auth: Auth, email: str, password: str, errors: Any) -> None:
    """R088: each field with its reason, and no row is written."""
    with pytest.raises(ValueError) as refusal:
        auth.register_user(email, password)
    assert isinstance(refusal.value, InvalidInput)
    assert refusal.value.errors == errors
    assert everything(auth.db) == ""


def test_only_who_wants_local_names_registers_them(db: DB) -> None:
    """R003: in production such an address leads nowhere."""
    auth = Auth(db, Passwords(4), rules=Rules(local_names=False))
    with pytest.raises(InvalidInput):
        auth.register_user("me@localhost", PASSWORD)
    assert not auth.valid_login("me@localhost", PASSWORD)


@pytest.mark.parametrize("email, password, right", [
    (EMAIL, PASSWORD, True), ("BOB@example.com ", PASSWORD, True),
    (EMAIL, "wrong", False), (EMAIL, "", False),
    (EMAIL, PASSWORD + "\0", False), (EMAIL, "\0" + PASSWORD, False),
    (EMAIL, "x" * 5000, False), (EMAIL, "\ud800", False),
    ("eve@example.com", PASSWORD, False), ("no address", PASSWORD, False),
    ("", "", False), ("\ud800", PASSWORD, False),
    ("b\0b@example.com", PASSWORD, False), ("x" * 9999, PASSWORD, False)])
def test_credentials_are_right_or_not(
        auth: Auth, email: str, password: str, right: bool) -> None:
    """Task 8: a question, so it is answered and never raises."""
    make_user(auth)
    assert auth.valid_login(email, password) is right


def test_credentials_of_a_disabled_user_are_not_right(auth: Auth) -> None:
    """R009: the same answer and the same refusal as for anybody else."""
    user = make_user(auth)
    Users(auth.db, auth).disable(user)
    assert not auth.valid_login(EMAIL, PASSWORD)
    with pytest.raises(InvalidCredentials) as refusal:
        auth.authenticate(EMAIL, PASSWORD)
    with pytest.raises(InvalidCredentials) as other:
        auth.authenticate("eve@example.com", PASSWORD)
    assert (refusal.value.code, str(refusal.value)) == (
        other.value.code, str(other.value))


def test_a_session_leads_to_its_user(auth: Auth) -> None:
    """Tasks 10 and 12: the whole cookie value goes out and comes back in."""
    user = make_user(auth)
    session_id = auth.create_session(EMAIL)
    assert session_id is not None and len(session_id) == 36 + 1 + 43
    found = auth.get_user_from_session_id(session_id)
    assert found is not None and found.id == user.id
    assert auth.create_session(EMAIL) != session_id


def test_nobody_has_no_session(auth: Auth) -> None:
    """Task 10: ``None`` for an unknown, malformed or disabled user."""
    user = make_user(auth)
    Users(auth.db, auth).disable(user)
    for email in ("eve@example.com", "no address", "", EMAIL):
        assert auth.create_session(email) is None
    assert count(auth.db, "sessions") == 0


@pytest.mark.parametrize("session_id", [
    None, "", "x", new_id(), f"{new_id()}.{'A' * 43}", "\ud800", "\0",
    f"{new_id()}.{'A' * 42}\n"])
def test_a_wrong_session_leads_to_nobody(
        auth: Auth, session_id: Any) -> None:
    """Task 12: ``None``, whatever comes instead of a session."""
    make_user(auth)
    auth.create_session(EMAIL)
    assert auth.get_user_from_session_id(session_id) is None


def test_destroying_ends_every_session_of_the_user(auth: Auth) -> None:
    """Task 13: all of theirs, nobody else's, and ``None`` comes back."""
    bob, eve = make_user(auth), make_user(auth, "eve@example.com")
    of_bob = [auth.create_session(bob.email) for _ in range(3)]
    of_eve = auth.create_session(eve.email)
    auth.destroy_session(bob.id)
    assert [auth.get_user_from_session_id(each) for each in of_bob] == [
        None] * 3
    found = auth.get_user_from_session_id(of_eve)
    assert found is not None and found.id == eve.id
    auth.destroy_session(bob.id)
    auth.destroy_session(new_id())


def test_a_reset_token_sets_the_password_once(auth: Auth) -> None:
    """Tasks 16 and 18: then the old password is wrong, the new one right."""
    make_user(auth)
    token = auth.get_reset_password_token("BOB@example.com")
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", token)
    auth.update_password(token, "another password")
    assert not auth.valid_login(EMAIL, PASSWORD)
    assert auth.valid_login(EMAIL, "another password")
    with pytest.raises(ValueError):
        auth.update_password(token, "a third password")
    assert auth.valid_login(EMAIL, "another password")


@pytest.mark.parametrize("email", ["eve@example.com", "no address", ""])
def test_nobody_is_given_a_reset_token(auth: Auth, email: str) -> None:
    """Task 16: ``ValueError`` for who is not there, or not any more."""
    make_user(auth)
    with pytest.raises(ValueError) as refusal:
        auth.get_reset_password_token(email)
    assert isinstance(refusal.value, Forbidden)
    assert refusal.value.code == "unknown_email"
    assert count(auth.db, "one_time_tokens") == 0


@pytest.mark.parametrize("token", ["", "x", "A" * 43, "\ud800", "\0"])
def test_a_wrong_reset_token_is_a_value_error(
        auth: Auth, token: str) -> None:
    """Task 18, R060: and the password stays what it was."""
    make_user(auth)
    auth.get_reset_password_token(EMAIL)
    with pytest.raises(ValueError) as refusal:
        auth.update_password(token, "another password")
    assert isinstance(refusal.value, InvalidToken)
    assert auth.valid_login(EMAIL, PASSWORD)


def test_asking_for_a_reset_changes_nothing(auth: Auth) -> None:
    """R064: ten requests later the old password and session still work."""
    user = make_user(auth)
    session_id = auth.create_session(EMAIL)
    before = auth.db.find_user_by(id=user.id).version
    for _ in range(10):
        auth.get_reset_password_token(EMAIL)
        auth.request_reset(EMAIL)
    assert auth.valid_login(EMAIL, PASSWORD)
    assert auth.get_user_from_session_id(session_id) is not None
    assert auth.db.find_user_by(id=user.id).version == before


def test_what_a_deleted_user_held_leads_to_nobody(
        auth: Auth, clock: SetClock) -> None:
    """R038: not even where the next user takes the place of the newest."""
    make_user(auth, "first@example.com")
    bob = make_user(auth)
    session_id = auth.create_session(EMAIL)
    token = auth.get_reset_password_token(EMAIL)
    assert auth.db.delete_user(bob.id)
    again = make_user(auth)
    assert again.id != bob.id
    assert auth.get_user_from_session_id(session_id) is None
    with pytest.raises(InvalidToken):
        auth.update_password(token, "another password")
    with pytest.raises(NoResultFound):
        auth.db.find_user_by(id=bob.id)
    assert auth.valid_login(EMAIL, PASSWORD)


def test_nobody_is_there_before_somebody_registers(auth: Auth) -> None:
    """R006: a fresh database holds no row, and no pair gets in."""
    assert everything(auth.db) == ""
    for pair in (("admin@localhost", "admin"), ("root@localhost", "root"),
                 ("admin@example.com", "changeme"), ("", "")):
        assert not auth.valid_login(*pair)


def test_a_user_without_a_password_cannot_log_in(auth: Auth) -> None:
    """R017: not with an empty one either, nor with the word None."""
    Users(auth.db, auth).invite(EMAIL)
    for password in ("", "None", "null", "!"):
        assert not auth.valid_login(EMAIL, password)
    run_sql(auth.db, "UPDATE users SET hashed_password = ''")
    assert not auth.valid_login(EMAIL, "")
