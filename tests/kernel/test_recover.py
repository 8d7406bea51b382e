#!/usr/bin/env python3
"""Recovery: a reset token is spent on a new password, all in one."""

from typing import Any, List

import pytest

from tests.support.builders import (
    EMAIL, PASSWORD, Postbox, everything, letters, make_delivery, make_user,
    refusing, token_in)
from tests.support.clock import SetClock
from vestibule.base.errors import InvalidInput, InvalidToken
from vestibule.base.origin import Origin
from vestibule.kernel.auth import Auth, Rules
from vestibule.kernel.outbox import PASSWORD_CHANGED_LETTER
from vestibule.kernel.password_policy import PasswordPolicy
from vestibule.kernel.passwords import Passwords
from vestibule.kernel.users import Users
from vestibule.store.db import DB, User
from vestibule.store.event import EventStore

NEW = "another password"


def mailed_token(auth: Auth, email: str = EMAIL) -> str:
    """Return the token of a reset link that was mailed just now."""
    auth.request_reset(email)
    postbox = Postbox()
    make_delivery(auth, postbox).send_due()
    return token_in(postbox.taken[-1])


def test_recovery_sets_the_password_and_ends_the_rest(
        auth: Auth, bob: User) -> None:
    """Task 18, R035, R059: sessions, other tokens, and the old password."""
    sessions = [auth.create_session(EMAIL) for _ in range(3)]
    other = auth.get_reset_password_token(EMAIL)
    token = auth.get_reset_password_token(EMAIL)
    user = auth.recover(token, NEW)
    assert (user.id, user.email) == (bob.id, EMAIL)
    assert auth.valid_login(EMAIL, NEW)
    assert not auth.valid_login(EMAIL, PASSWORD)
    assert [auth.get_user_from_session_id(each) for each in sessions] == [
        None] * 3
    for spent in (token, other):
        with pytest.raises(InvalidToken):
            auth.recover(spent, "a third password")
    assert auth.valid_login(EMAIL, NEW)


def test_the_owner_comes_back_as_stored(auth: Auth, bob: User) -> None:
    """Task 18: the user that is returned has the new password, not the old.
    """
    user = auth.recover(mailed_token(auth), NEW)
    stored = auth.db.find_user_by(id=bob.id)
    for column in User.__mapper__.column_attrs:
        assert getattr(user, column.key) == getattr(stored, column.key)


def test_recovery_leaves_everybody_else_alone(
        auth: Auth, bob: User) -> None:
    """R035: what is Eve's is untouched by what happens to Bob."""
    eve = make_user(auth, "eve@example.com")
    session = auth.create_session(eve.email)
    token = auth.get_reset_password_token(eve.email)
    auth.update_password(auth.get_reset_password_token(EMAIL), NEW)
    assert auth.get_user_from_session_id(session) is not None
    assert auth.valid_login(eve.email, PASSWORD)
    auth.update_password(token, NEW)


def test_the_owner_is_told_by_mail_without_the_password(
        auth: Auth, bob: User) -> None:
    """R063: one letter to the stored address, and no session is begun."""
    auth.update_password(auth.get_reset_password_token(EMAIL), NEW)
    letter, = letters(auth.db)
    assert letter.kind == PASSWORD_CHANGED_LETTER
    assert (letter.recipient, letter.user_id) == (EMAIL, bob.id)
    postbox = Postbox()
    make_delivery(auth, postbox).send_due()
    message, = postbox.taken
    assert message.to == EMAIL
    assert NEW not in message.text + message.html + message.subject
    assert "sessions " not in everything(auth.db)


def test_recovery_is_written_down_with_its_origin(
        auth: Auth, bob: User) -> None:
    """R118: once, and the sessions that it ended with it."""
    auth.create_session(EMAIL)
    auth.recover(auth.get_reset_password_token(EMAIL), NEW,
                 origin=Origin("192.0.2.7", "Browser", "req-1"))
    events = EventStore(auth.db).of_user(bob.id)
    assert [each.what for each in events] == [
        "user.registered", "session.started", "session.all_revoked",
        "password.reset"]
    for each in events[2:]:
        assert (each.ip, each.user_agent, each.request_id) == (
            "192.0.2.7", "Browser", "req-1")


@pytest.mark.parametrize("event, table", [
    ("INSERT", "letters"), ("INSERT", "events"), ("DELETE", "sessions"),
    ("DELETE", "one_time_tokens"), ("UPDATE", "one_time_tokens"),
    ("UPDATE", "users")])
def test_where_one_step_fails_nothing_has_happened(
        auth: Auth, bob: User, event: str, table: str) -> None:
    """R058, R120: the token, the password, the sessions stay as they were.

    The database itself refuses the step; afterwards the token is good.
    """
    session = auth.create_session(EMAIL)
    token = auth.get_reset_password_token(EMAIL)
    before = everything(auth.db)
    with refusing(auth.db, event, table):
        with pytest.raises(Exception, match="refused by a test"):
            auth.update_password(token, NEW)
    assert everything(auth.db) == before
    assert auth.valid_login(EMAIL, PASSWORD)
    assert auth.get_user_from_session_id(session) is not None
    auth.update_password(token, NEW)
    assert auth.valid_login(EMAIL, NEW)


@pytest.mark.parametrize("password", [
    "", "short", "x" * 257, "x" * 20 + "\0", "x" * 20 + "\ud800"])
def test_an_unfit_password_spends_no_token(
        db: DB, password: str) -> None:
    """R018: policy first, for the field as it is called there."""
    auth = Auth(db, Passwords(4), rules=Rules(PasswordPolicy(15)))
    make_user(auth)
    token = auth.get_reset_password_token(EMAIL)
    before = everything(db)
    with pytest.raises(InvalidInput) as refusal:
        auth.update_password(token, password)
    assert list(refusal.value.errors) == ["new_password"]
    assert everything(db) == before
    auth.update_password(token, "x" * 15)


def test_policy_comes_first_for_every_token(auth: Auth, bob: User) -> None:
    """R084: a bad password is refused alike by good and by bad tokens."""
    good = auth.get_reset_password_token(EMAIL)
    for token in (good, "A" * 43, ""):
        with pytest.raises(InvalidInput):
            auth.update_password(token, "")


def test_an_address_that_comes_along_must_be_the_owners(
        auth: Auth, bob: User) -> None:
    """Task 19: in any spelling; another one is refused without a trace."""
    make_user(auth, "eve@example.com")
    token = auth.get_reset_password_token(EMAIL)
    before = everything(auth.db)
    for email in ("eve@example.com", "nobody@example.com"):
        with pytest.raises(InvalidToken):
            auth.recover(token, NEW, email)
    with pytest.raises(InvalidInput):
        auth.recover(token, NEW, "no address")
    assert everything(auth.db) == before
    assert auth.recover(token, NEW, " BOB@Example.com").id == bob.id


def test_a_disabled_owner_cannot_recover(auth: Auth, bob: User) -> None:
    """R013: not by a token from before, nor by one that survived."""
    token = auth.get_reset_password_token(EMAIL)
    auth.db.update_user(bob.id, disabled_at=auth.db.clock.now())
    before = everything(auth.db)
    with pytest.raises(InvalidToken):
        auth.update_password(token, NEW)
    assert everything(auth.db) == before


def test_a_token_of_a_deleted_owner_is_unknown(
        auth: Auth, bob: User) -> None:
    """R038: it went with its user."""
    token = auth.get_reset_password_token(EMAIL)
    auth.db.delete_user(bob.id)
    with pytest.raises(InvalidToken):
        auth.update_password(token, NEW)


def test_a_mailed_token_proves_the_mailbox(auth: Auth, bob: User) -> None:
    """R005: it came by mail to the very address that the user has."""
    assert bob.email_verified_at is None
    token = mailed_token(auth)
    auth.update_password(token, NEW)
    user = auth.db.find_user_by(id=bob.id)
    assert user.email_verified_at is not None
    first = user.email_verified_at
    auth.update_password(mailed_token(auth), PASSWORD)
    again = auth.db.find_user_by(id=bob.id)
    assert again.email_verified_at == first


def test_a_token_that_was_handed_out_proves_no_mailbox(
        auth: Auth, bob: User) -> None:
    """R005: whoever asked for it has not shown to read the mail."""
    auth.update_password(auth.get_reset_password_token(EMAIL), NEW)
    assert auth.db.find_user_by(id=bob.id).email_verified_at is None


def test_a_token_mailed_to_an_older_address_proves_no_mailbox(
        auth: Auth, bob: User) -> None:
    """R054: only the address that it went to was shown to be theirs."""
    token = mailed_token(auth)
    auth.db.update_user(bob.id, email="new@example.com")
    auth.update_password(token, NEW)
    user = auth.db.find_user_by(id=bob.id)
    assert user.email_verified_at is None


def test_whoever_proves_the_mailbox_drives_a_squatter_out(
        auth: Auth, bob: User) -> None:
    """R005: the password and sessions set before are worth nothing."""
    squatted = auth.create_session(EMAIL)
    auth.update_password(mailed_token(auth), NEW)
    assert not auth.valid_login(EMAIL, PASSWORD)
    assert auth.get_user_from_session_id(squatted) is None


def test_somebody_without_a_password_gets_one(auth: Auth) -> None:
    """R149: an invited user chooses it by the link."""
    users = Users(auth.db, auth)
    user = users.invite(EMAIL)
    assert user.hashed_password is None
    auth.update_password(users.reset_link(user), NEW)
    assert auth.valid_login(EMAIL, NEW)


def test_each_token_is_good_for_its_time(
        auth: Auth, bob: User, clock: SetClock) -> None:
    """R056: the time of the attempt counts, hashing included."""
    tokens: List[Any] = []
    for _ in range(2):
        tokens.append(auth.get_reset_password_token(EMAIL))
        clock.advance(minutes=29, seconds=59)
    with pytest.raises(InvalidToken):
        auth.update_password(tokens[0], NEW)
    auth.update_password(tokens[1], NEW)
