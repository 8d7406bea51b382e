#!/usr/bin/env python3
"""Registration: a letter for who is new, and quiet about who is not."""

from typing import Any, List, Tuple

import bcrypt
import pytest
from sqlalchemy import event as sqlalchemy_event

from tests.support.builders import (
    EMAIL, PASSWORD, count, everything, letters, make_user, refusing,
    token_in)
from tests.support.clock import SetClock
from tests.support.recovery import (
    DESK, KEY, delivered, fresh, make_verification, make_verified, move,
    what_happened)
from vestibule.base.errors import (
    Forbidden, IdentifierTaken, InvalidInput)
from vestibule.base.limits import MOST_AN_HOUR
from vestibule.base.origin import LIBRARY
from vestibule.kernel.auth import Auth, Rules
from vestibule.kernel.outbox import (
    ALREADY_REGISTERED_LETTER, VERIFY_LETTER)
from vestibule.kernel.password_policy import PasswordPolicy
from vestibule.kernel.passwords import Passwords
from vestibule.kernel.registration import Registration
from vestibule.kernel.verification import Claim
from vestibule.store.db import DB
from vestibule.store.event import Event
from vestibule.store.letter import QUEUED

OTHER = "another password"


@pytest.fixture
def auth(db: DB) -> Auth:
    """Return an API with a secret key and a policy for passwords."""
    return Auth(db, Passwords(4), KEY, rules=Rules(PasswordPolicy(8)))


@pytest.fixture
def telling(auth: Auth) -> Registration:
    """Return a registration that refuses a taken address as such."""
    return Registration(auth.db, auth, KEY, tells_taken=True)


@pytest.fixture
def quiet(auth: Auth) -> Registration:
    """Return a registration that answers alike for taken addresses."""
    return Registration(auth.db, auth, KEY, tells_taken=False)


def waiting(auth: Auth) -> List[Tuple[str, str]]:
    """Return kind and recipient of the letters that wait, oldest first."""
    return [(each.kind, each.recipient) for each in reversed(
        letters(auth.db)) if each.state == QUEUED]


def refused_events(auth: Auth) -> List[Event]:
    """Return the events of refused registrations."""
    with auth.db.reading() as work:
        found: List[Event] = (
            work.query(Event).filter_by(what="registration.refused").all())
    return found


@pytest.mark.parametrize("tells_taken", [True, False])
def test_a_newcomer_gets_the_letter_that_proves_the_address(
        auth: Auth, tells_taken: bool) -> None:
    """R005: with a proof that is good together with it."""
    registration = Registration(auth.db, auth, KEY, tells_taken)
    registered = registration.register(" BOB@Example.com", PASSWORD, DESK)
    assert registered.email == EMAIL
    user = auth.db.find_user_by(email=EMAIL)
    assert user.email_verified_at is None
    assert auth.valid_login(EMAIL, PASSWORD)
    assert what_happened(auth.db, user) == ["user.registered"]
    letter, = letters(auth.db)
    assert (letter.kind, letter.user_id) == (VERIFY_LETTER, user.id)
    message, = delivered(auth)
    assert message.to == EMAIL
    make_verification(auth).confirm(
        token_in(message), Claim(registration=registered.proof), LIBRARY)
    assert fresh(auth.db, user).email_verified_at is not None


@pytest.mark.parametrize("verified", [True, False])
def test_a_taken_address_is_refused_where_that_is_told(
        auth: Auth, telling: Registration, verified: bool) -> None:
    """R002: and nobody is written to."""
    if verified:
        make_verified(auth, EMAIL)
    else:
        make_user(auth)
    before = everything(auth.db)
    with pytest.raises(IdentifierTaken):
        telling.register(EMAIL.upper(), OTHER, LIBRARY)
    assert everything(auth.db) == before


def test_a_taken_address_is_answered_as_a_new_one(
        auth: Auth, quiet: Registration, clock: SetClock) -> None:
    """R004: its owner alone learns of it, by mail, and nothing changes."""
    bob = make_verified(auth, EMAIL)
    taken = quiet.register(" BOB@Example.com", OTHER, DESK)
    new = quiet.register("new@example.com", OTHER, DESK)
    assert (taken.email, new.email) == (EMAIL, "new@example.com")
    assert len(taken.proof) == len(new.proof)
    assert taken.proof[:10] == new.proof[:10]
    assert auth.valid_login(EMAIL, PASSWORD)
    assert not auth.valid_login(EMAIL, OTHER)
    assert fresh(auth.db, bob).version == bob.version
    assert waiting(auth) == [(ALREADY_REGISTERED_LETTER, EMAIL),
                             (VERIFY_LETTER, "new@example.com")]
    message = delivered(auth)[0]
    assert message.to == EMAIL
    assert "token=" not in message.text


def test_the_refusal_is_written_down_under_a_mask(
        auth: Auth, quiet: Registration) -> None:
    """R123: each time, without the address, for its owner to see; so it
    goes when the owner is erased.
    """
    owner = make_verified(auth, EMAIL)
    for _ in range(3):
        quiet.register(EMAIL, OTHER, DESK)
    found = refused_events(auth)
    assert [each.target for each in found] == [
        auth.audit.masked(EMAIL)] * 3
    assert {(each.user_id, each.ip) for each in found} == {
        (owner.id, DESK.ip)}


def test_the_proof_of_a_taken_address_proves_nothing(
        auth: Auth, quiet: Registration) -> None:
    """R005: whoever tried to register it did not choose its password."""
    make_user(auth)
    taken = quiet.register(EMAIL, OTHER, LIBRARY)
    message, = delivered(auth)
    with pytest.raises(Forbidden):
        make_verification(auth).confirm(
            token_in(message), Claim(registration=taken.proof), LIBRARY)


def test_the_owner_is_warned_once_an_hour(
        auth: Auth, quiet: Registration, clock: SetClock) -> None:
    """R065: nobody can fill a box by trying to register it."""
    make_verified(auth, EMAIL)
    for _ in range(9):
        quiet.register(EMAIL, OTHER, LIBRARY)
    assert waiting(auth) == [(ALREADY_REGISTERED_LETTER, EMAIL)]
    clock.advance(hours=1)
    quiet.register(EMAIL, OTHER, LIBRARY)
    assert len(waiting(auth)) == 2


def test_who_never_proved_the_address_gets_the_letter_once_more(
        auth: Auth, quiet: Registration) -> None:
    """R005: it may be the person who tries, or a squatter's victim."""
    bob = make_user(auth)
    for _ in range(9):
        quiet.register(EMAIL, OTHER, LIBRARY)
    assert waiting(auth) == [(VERIFY_LETTER, EMAIL)] * MOST_AN_HOUR
    assert {each.user_id for each in letters(auth.db)} == {bob.id}
    message, = delivered(auth)
    mine = make_verification(auth).confirm(
        token_in(message), Claim(new_password=OTHER), LIBRARY)
    assert mine.id == bob.id
    assert auth.valid_login(EMAIL, OTHER)
    assert not auth.valid_login(EMAIL, PASSWORD)


def test_a_kept_address_is_answered_as_a_new_one_too(
        auth: Auth, quiet: Registration) -> None:
    """R004: it has no owner to be written to, and gets no user."""
    bob = make_verified(auth, EMAIL)
    move(auth, bob, "new@example.com")
    before = count(auth.db, "letters")
    taken = quiet.register(EMAIL, OTHER, LIBRARY)
    assert taken.email == EMAIL
    assert not auth.valid_login(EMAIL, OTHER)
    assert count(auth.db, "users") == 1
    assert count(auth.db, "letters") == before
    assert len(refused_events(auth)) == 1


@pytest.mark.parametrize("email, password, field", [
    ("no address", PASSWORD, "email"), (EMAIL, "short", "password"),
    ("", PASSWORD, "email"), (EMAIL, "x" * 257, "password")])
def test_unfit_values_are_told_before_anything_else(
        auth: Auth, email: str, password: str, field: str) -> None:
    """R018, R004: the same for a taken address as for a new one."""
    for taken in (False, True):
        if taken:
            make_verified(auth, EMAIL)
        before = everything(auth.db)
        for tells in (True, False):
            with pytest.raises(InvalidInput) as refusal:
                Registration(auth.db, auth, KEY, tells).register(
                    email, password, LIBRARY)
            assert list(refusal.value.errors) == [field]
        assert everything(auth.db) == before


def test_a_taken_address_costs_the_same_hash(
        auth: Auth, quiet: Registration,
        monkeypatch: pytest.MonkeyPatch) -> None:
    """R004, R083: one each, or time would tell."""
    hashed: List[bytes] = []
    original = bcrypt.hashpw

    def counted(password: bytes, salt: bytes) -> bytes:
        """Count a hash and make it."""
        hashed.append(password)
        made: bytes = original(password, salt)
        return made

    make_verified(auth, EMAIL)
    monkeypatch.setattr(bcrypt, "hashpw", counted)
    quiet.register(EMAIL, "for a taken one", LIBRARY)
    quiet.register("new@example.com", "for a new one", LIBRARY)
    assert hashed == [b"for a taken one", b"for a new one"]


def commits_of(auth: Auth, registration: Registration, email: str) -> int:
    """Return how many transactions a registration commits."""
    commits: List[int] = []

    def note(connection: Any) -> None:
        """Count one of them."""
        commits.append(1)

    sqlalchemy_event.listen(auth.db.engine, "commit", note)
    try:
        registration.register(email, OTHER, LIBRARY)
    finally:
        sqlalchemy_event.remove(auth.db.engine, "commit", note)
    return len(commits)


def test_a_taken_address_costs_one_commit_too(
        auth: Auth, quiet: Registration) -> None:
    """R085: what is slow is to make a write last; there is one each."""
    make_verified(auth, EMAIL)
    make_user(auth, "unproved@example.com")
    costs = [commits_of(auth, quiet, email) for email in (
        "new@example.com", EMAIL, "unproved@example.com")]
    assert costs == [1, 1, 1]


@pytest.mark.parametrize("table", ["letters", "events"])
def test_registering_happens_as_a_whole_or_not(
        auth: Auth, quiet: Registration, table: str) -> None:
    """R120: no user without the letter, no letter without its event."""
    make_verified(auth, "taken@example.com")
    before = everything(auth.db)
    for email in (EMAIL, "taken@example.com"):
        with refusing(auth.db, "INSERT", table):
            with pytest.raises(Exception, match="refused by a test"):
                quiet.register(email, PASSWORD, LIBRARY)
        assert everything(auth.db) == before
