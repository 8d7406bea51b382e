#!/usr/bin/env python3
"""SignIn: how every login ends."""

import pytest

from tests.support.builders import (
    EMAIL, PASSWORD, count, everything, letters, make_user, refusing,
    token_in)
from tests.support.recovery import (
    DESK, delivered, events_of, make_verification, make_verified,
    what_happened)
from vestibule.base.errors import (
    Forbidden, InvalidCredentials, SessionRequired)
from vestibule.base.limits import MOST_AN_HOUR
from vestibule.base.origin import LIBRARY, Origin
from vestibule.kernel.auth import Auth
from vestibule.kernel.outbox import VERIFY_LETTER
from vestibule.kernel.sign_in import SignIn
from vestibule.kernel.users import Users
from vestibule.kernel.verification import Claim
from vestibule.store.db import User
from vestibule.store.event import EventStore


@pytest.fixture
def sign_in(auth: Auth) -> SignIn:
    """Return the one door."""
    return SignIn(auth.db, auth)


def test_a_login_gives_a_session_that_knows_what_was_proved(
        auth: Auth, sign_in: SignIn, bob: User) -> None:
    """Task 11: by password, and that is what the session says."""
    signed_in = sign_in.with_password(
        " BOB@example.com", PASSWORD, Origin("192.0.2.7", "Browser", "r-1"))
    assert signed_in.user.id == bob.id
    found = auth.sessions.resume(signed_in.session_token)
    assert (found.user_id, found.amr) == (bob.id, "pwd")
    started = EventStore(auth.db).of_user(bob.id)[-1]
    assert (started.what, started.target, started.ip) == (
        "session.started", found.id, "192.0.2.7")


def test_the_session_that_was_presented_ends(
        auth: Auth, sign_in: SignIn, bob: User) -> None:
    """R010: a login never goes on with an id from before, one's own or not.
    """
    eve = make_user(auth, "eve@example.com")
    for owner in (bob, eve):
        presented = auth.create_session(owner.email)
        token = sign_in.with_password(
            EMAIL, PASSWORD, LIBRARY, presented).session_token
        assert token != presented
        with pytest.raises(SessionRequired) as refusal:
            auth.sessions.resume(presented)
        assert refusal.value.ended
        assert auth.sessions.resume(token).user_id == bob.id


def test_a_presented_id_with_a_wrong_secret_ends_nothing(
        auth: Auth, sign_in: SignIn, bob: User) -> None:
    """R010: or else whoever knows an id could sign its owner out."""
    victim = auth.create_session(EMAIL)
    assert victim is not None
    for presented in (None, "", "x", victim[:36], f"{victim[:36]}.{'A' * 43}",
                      victim + "A"):
        sign_in.with_password(EMAIL, PASSWORD, LIBRARY, presented)
    assert auth.sessions.resume(victim).user_id == bob.id
    assert count(auth.db, "sessions") == 7


@pytest.mark.parametrize("email, password", [
    (EMAIL, "wrong"), ("nobody@example.com", PASSWORD)])
def test_a_refused_login_leaves_the_presented_session_alone(
        auth: Auth, sign_in: SignIn, bob: User, email: str,
        password: str) -> None:
    """R011: a slip of the fingers signs nobody out."""
    presented = auth.create_session(EMAIL)
    with pytest.raises(InvalidCredentials):
        sign_in.with_password(email, password, LIBRARY, presented)
    assert auth.sessions.resume(presented).user_id == bob.id
    assert count(auth.db, "sessions") == 1


def test_a_user_changed_since_the_proof_does_not_get_in(
        auth: Auth, sign_in: SignIn, bob: User) -> None:
    """R015, R105: and keeps the session that was presented."""
    proved = auth.authenticate(EMAIL, PASSWORD)
    presented = auth.create_session(EMAIL)
    auth.db.update_user(bob.id, hashed_password="another")
    with pytest.raises(InvalidCredentials):
        sign_in.finish(proved, ("pwd",), LIBRARY, presented)
    assert auth.sessions.resume(presented).user_id == bob.id


@pytest.mark.parametrize("event, table", [
    ("INSERT", "events"), ("DELETE", "sessions")])
def test_a_login_happens_as_a_whole_or_not(
        auth: Auth, sign_in: SignIn, bob: User, event: str,
        table: str) -> None:
    """R010, R120: no new session beside the old one, none without event."""
    presented = auth.create_session(EMAIL)
    before = everything(auth.db)
    with refusing(auth.db, event, table):
        with pytest.raises(Exception, match="refused by a test"):
            sign_in.with_password(EMAIL, PASSWORD, LIBRARY, presented)
    assert everything(auth.db) == before
    assert auth.sessions.resume(presented).user_id == bob.id


@pytest.fixture
def strict(auth: Auth) -> SignIn:
    """Return the door where an address has to be proved first."""
    return SignIn(auth.db, auth, wants_verified=True)


def test_an_unproved_address_signs_nobody_in_where_one_is_wanted(
        auth: Auth, strict: SignIn, bob: User) -> None:
    """R009: the right password is told what is missing, and has a letter.
    """
    presented = auth.create_session(EMAIL)
    with pytest.raises(Forbidden) as refusal:
        strict.with_password(EMAIL, PASSWORD, DESK, presented)
    assert refusal.value.code == "email_not_verified"
    assert count(auth.db, "sessions") == 1
    assert auth.get_user_from_session_id(presented) is not None
    happened = events_of(auth.db, bob)[-1]
    assert (happened.what, happened.detail, happened.ip) == (
        "login.refused", {"reason": "email_not_verified"}, DESK.ip)
    letter, = letters(auth.db)
    assert (letter.kind, letter.recipient, letter.user_id) == (
        VERIFY_LETTER, EMAIL, bob.id)
    message, = delivered(auth)
    make_verification(auth).confirm(
        token_in(message), Claim(password=PASSWORD), LIBRARY)
    assert strict.with_password(EMAIL, PASSWORD, LIBRARY).session_token


def test_other_ways_in_want_a_proved_address_too(
        auth: Auth, strict: SignIn, bob: User) -> None:
    """R009: every way in ends here, whatever was shown."""
    with pytest.raises(Forbidden):
        strict.finish(bob, ("passkey",), LIBRARY)
    assert count(auth.db, "sessions") == 0


def test_a_wrong_password_learns_nothing_of_that(
        auth: Auth, strict: SignIn, bob: User) -> None:
    """R009: it is refused as ever, and no letter is written."""
    with pytest.raises(InvalidCredentials):
        strict.with_password(EMAIL, "wrong", LIBRARY)
    Users(auth.db, auth).disable(bob)
    written = count(auth.db, "letters")
    with pytest.raises(InvalidCredentials):
        strict.with_password(EMAIL, PASSWORD, LIBRARY)
    assert count(auth.db, "letters") == written


def test_signing_in_writes_so_many_letters_an_hour(
        auth: Auth, strict: SignIn, bob: User) -> None:
    """R065: and every refusal is written down."""
    for _ in range(MOST_AN_HOUR + 3):
        with pytest.raises(Forbidden):
            strict.with_password(EMAIL, PASSWORD, LIBRARY)
    assert count(auth.db, "letters") == MOST_AN_HOUR
    assert what_happened(auth.db, bob).count(
        "login.refused") == MOST_AN_HOUR + 3


def test_a_proved_address_signs_in_without_a_letter(
        auth: Auth, strict: SignIn, sign_in: SignIn, bob: User) -> None:
    """R009: and where none is wanted, so does an unproved one."""
    make_verified(auth, "eve@example.com")
    assert strict.with_password("eve@example.com", PASSWORD, LIBRARY)
    assert sign_in.with_password(EMAIL, PASSWORD, LIBRARY)
    assert letters(auth.db) == []


@pytest.mark.parametrize("table", ["events", "letters"])
def test_that_refusal_and_its_letter_are_one(
        auth: Auth, strict: SignIn, bob: User, table: str) -> None:
    """R120: neither is there without the other."""
    before = everything(auth.db)
    with refusing(auth.db, "INSERT", table):
        with pytest.raises(Exception, match="refused by a test"):
            strict.with_password(EMAIL, PASSWORD, LIBRARY)
    assert everything(auth.db) == before
