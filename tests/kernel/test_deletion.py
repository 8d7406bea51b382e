#!/usr/bin/env python3
"""A deletion is announced, can be taken back, and shuts everybody out."""

from datetime import timedelta
from typing import Any, List

import pytest

from tests.support.builders import (
    EMAIL, PASSWORD, Postbox, count, everything, letters, make_deletion,
    make_delivery, make_user, refusing, token_in)
from tests.support.clock import SetClock
from vestibule.base.errors import (
    DeletionPending, Forbidden, IdentifierTaken, InvalidCredentials,
    InvalidInput, InvalidToken, NotFound, SessionRequired)
from vestibule.base.origin import LIBRARY, Origin
from vestibule.kernel.address_change import AddressChange
from vestibule.kernel.auth import Auth
from vestibule.kernel.deletion import Deletion
from vestibule.kernel.registration import Registration
from vestibule.kernel.sign_in import SignIn
from vestibule.kernel.undo import Undo
from vestibule.kernel.users import Users
from vestibule.kernel.verification import Verification
from vestibule.store.db import DB, User
from vestibule.store.event import EventStore

WEB = Origin("192.0.2.7", "Browser/1.0", "req-1")
THIEF = "thief@example.org"


@pytest.fixture
def deletion(auth: Auth) -> Deletion:
    """Return what deletes users, with 14 days of grace."""
    return make_deletion(auth)


@pytest.fixture
def bob(auth: Auth) -> User:
    """Return Bob, whose address is verified."""
    user = make_user(auth)
    Users(auth.db, auth).verify(user)
    return auth.db.find_user_by(id=user.id)


def events(db: DB, user: User) -> List[str]:
    """Return what was written down about a user, in order."""
    return [each.what for each in EventStore(db).of_user(user.id)]


def sent(auth: Auth) -> List[Any]:
    """Send what waits in the outbox and return it."""
    postbox = Postbox()
    make_delivery(auth, postbox).send_due()
    return postbox.taken


def change_address(auth: Auth, user: User, email: str) -> str:
    """Change a user's address; return the undo token its old one got."""
    change = AddressChange(auth.db, auth)
    change.request(user.id, email, WEB)
    token = auth.tokens.look_at(token_in(sent(auth)[0]), "change_email")
    change.confirm(token, WEB)
    return token_in(sent(auth)[0])


def test_a_deletion_is_announced_by_date(
        auth: Auth, deletion: Deletion, bob: User, clock: SetClock) -> None:
    """R034, R118: sessions end, one event, one letter, the very date."""
    session = auth.create_session(EMAIL)
    found = auth.sessions.resume(session)
    before = clock.now()
    leaving = deletion.by_session(found, WEB)
    date = leaving.delete_after
    assert date is not None and date.microsecond == 0
    assert abs(date - before - timedelta(days=14)) < timedelta(seconds=1)
    assert auth.get_user_from_session_id(session) is None
    assert events(auth.db, bob)[-2:] == [
        "session.all_revoked", "user.deletion_announced"]
    [letter] = sent(auth)
    assert letter.to == EMAIL
    assert f"deleted after {date:%Y-%m-%d %H:%M} UTC" in letter.text


def test_announcing_twice_tells_the_same_date(
        auth: Auth, deletion: Deletion, bob: User, clock: SetClock) -> None:
    """R110: a request repeated after a lost answer changes nothing."""
    first = deletion.by_operator(bob)
    clock.advance(days=1)
    assert deletion.by_operator(bob).delete_after == first.delete_after
    assert events(auth.db, bob).count("user.deletion_announced") == 1
    assert len(letters(auth.db)) == 1


def test_a_session_that_ended_meanwhile_deletes_nobody(
        auth: Auth, deletion: Deletion, bob: User) -> None:
    """R034: whoever was shut out between look-up and lock stays out."""
    found = auth.sessions.resume(auth.create_session(EMAIL))
    auth.destroy_session(bob.id)
    with pytest.raises(SessionRequired):
        deletion.by_session(found, WEB)
    assert auth.valid_login(EMAIL, PASSWORD)


def test_a_right_password_learns_the_date_and_a_wrong_one_nothing(
        auth: Auth, deletion: Deletion, bob: User) -> None:
    """R009: only who knows the password is told, and gets no session."""
    leaving = deletion.by_operator(bob)
    sign_in = SignIn(auth.db, auth)
    with pytest.raises(DeletionPending) as refusal:
        sign_in.with_password(EMAIL, PASSWORD, WEB)
    assert refusal.value.code == "deletion_pending"
    date = f"{leaving.delete_after:%Y-%m-%dT%H:%M:%SZ}"
    assert refusal.value.members == {"delete_after": date}
    assert date in refusal.value.message
    with pytest.raises(InvalidCredentials):
        sign_in.with_password(EMAIL, "wrong", WEB)
    last = EventStore(auth.db).of_user(bob.id)[-2]
    assert (last.what, last.detail) == (
        "login.refused", {"reason": "deletion_pending"})
    assert count(auth.db, "sessions") == 0


def test_no_way_starts_a_session(
        auth: Auth, deletion: Deletion, bob: User) -> None:
    """R034: with the user of before, with that of now, and from Python."""
    leaving = deletion.by_operator(bob)
    for user in (bob, leaving):
        with pytest.raises(InvalidCredentials):
            auth.sessions.start(user, ("pwd",))
    with pytest.raises(InvalidCredentials):
        SignIn(auth.db, auth).finish(bob, ("pwd",), WEB)
    assert auth.create_session(EMAIL) is None
    assert not auth.valid_login(EMAIL, PASSWORD)
    assert count(auth.db, "sessions") == 0


def test_a_session_that_is_left_does_not_resume(
        auth: Auth, bob: User) -> None:
    """R034: also one that a version before this one might have started."""
    session = auth.create_session(EMAIL)
    auth.db.update_user(bob.id, delete_after=auth.db.clock.now())
    with pytest.raises(SessionRequired):
        auth.sessions.resume(session)


def test_the_address_stays_taken(
        auth: Auth, deletion: Deletion, bob: User) -> None:
    """R103: for registering as for moving to it."""
    deletion.by_operator(bob)
    with pytest.raises(IdentifierTaken):
        make_user(auth)
    eve = make_user(auth, "eve@example.com")
    with pytest.raises(IdentifierTaken):
        Users(auth.db, auth).set_email(eve, EMAIL)


def test_the_password_brings_everything_back(
        auth: Auth, deletion: Deletion, bob: User) -> None:
    """R118: signed in, one event, and the letter is not sent any more."""
    auth.db.update_user(bob.id, name="Bob")
    deletion.by_operator(bob)
    signed_in = deletion.restore(EMAIL, PASSWORD, WEB)
    found = auth.get_user_from_session_id(signed_in.session_token)
    assert found is not None
    assert (found.id, found.name, found.delete_after) == (
        bob.id, "Bob", None)
    assert events(auth.db, bob)[-2:] == ["user.restored", "session.started"]
    assert sent(auth) == []


def test_restoring_refuses_as_a_login_does(
        auth: Auth, deletion: Deletion, bob: User) -> None:
    """R009: unknown, wrong and disabled alike; unfit as everywhere."""
    deletion.by_operator(bob)
    for email, password in ((EMAIL, "wrong"), ("no@example.com", PASSWORD)):
        with pytest.raises(InvalidCredentials):
            deletion.restore(email, password, WEB)
    with pytest.raises(InvalidInput):
        deletion.restore(EMAIL, "x" * 300, WEB)
    Users(auth.db, auth).disable(bob)
    with pytest.raises(InvalidCredentials):
        deletion.restore(EMAIL, PASSWORD, WEB)
    assert auth.db.find_user_by(id=bob.id).delete_after is not None


def test_restoring_who_is_not_leaving_signs_in(
        auth: Auth, deletion: Deletion, bob: User) -> None:
    """R110: repeated after a lost answer it ends where it would have."""
    deletion.by_operator(bob)
    for _ in range(2):
        token = deletion.restore(EMAIL, PASSWORD, WEB).session_token
        assert auth.get_user_from_session_id(token) is not None
    assert events(auth.db, bob).count("user.restored") == 1


def test_who_has_to_verify_first_is_restored_nevertheless(
        auth: Auth) -> None:
    """R009: and is told to, by the letter of every such login."""
    deletion = Deletion(auth.db, auth, SignIn(auth.db, auth, True))
    user = make_user(auth)
    deletion.by_operator(user)
    with pytest.raises(Forbidden) as refusal:
        deletion.restore(EMAIL, PASSWORD, WEB)
    assert refusal.value.code == "email_not_verified"
    assert auth.db.find_user_by(id=user.id).delete_after is None
    assert [letter.subject for letter in sent(auth)] == [
        "Welcome to Example: please confirm your address"]


def test_from_the_date_on_the_user_is_unknown(
        auth: Auth, deletion: Deletion, bob: User, clock: SetClock) -> None:
    """R009: to logins, restoring, and resets, erased already or not."""
    token = auth.get_reset_password_token(EMAIL)
    leaving = deletion.by_operator(bob)
    token = auth.get_reset_password_token(EMAIL)
    assert leaving.delete_after is not None
    clock.advance(days=14)
    refused: List[Any] = [
        lambda: deletion.restore(EMAIL, PASSWORD, WEB),
        lambda: SignIn(auth.db, auth).with_password(EMAIL, PASSWORD, WEB)]
    for each in refused:
        with pytest.raises(InvalidCredentials):
            each()
    with pytest.raises(InvalidToken):
        auth.update_password(token, "another")
    with pytest.raises(Forbidden):
        auth.get_reset_password_token(EMAIL)
    with pytest.raises(NotFound):
        deletion.restore_by_operator(bob)
    last = EventStore(auth.db).of_user(bob.id)[-1]
    assert last.what == "user.deletion_announced"
    auth.request_reset(EMAIL)
    assert sent(auth) == []


def test_a_reset_by_mail_restores_nobody_but_gives_the_key_to(
        auth: Auth, deletion: Deletion, bob: User) -> None:
    """R034: a thief deleted the account, and its owner gets it back."""
    deletion.by_operator(bob)
    auth.request_reset(EMAIL)
    [reset] = [letter for letter in sent(auth) if "reset?" in letter.text]
    auth.update_password(token_in(reset), "known to me alone")
    assert auth.db.find_user_by(id=bob.id).delete_after is not None
    with pytest.raises(DeletionPending):
        SignIn(auth.db, auth).with_password(EMAIL, "known to me alone", WEB)
    with pytest.raises(InvalidCredentials):
        deletion.restore(EMAIL, PASSWORD, WEB)
    assert deletion.restore(EMAIL, "known to me alone", WEB).session_token


def test_an_owner_whose_address_was_changed_gets_all_back(
        auth: Auth, deletion: Deletion, bob: User) -> None:
    """R034: by the undo, which outlives the thief's deletion."""
    undo = change_address(auth, bob, THIEF)
    deletion.by_operator(bob)
    restored = Undo(auth.db, auth).by_token(undo, WEB)
    assert (restored.email, restored.delete_after is None) == (EMAIL, False)
    found = sent(auth)
    assert {letter.to for letter in found} == {EMAIL}
    assert any("will be deleted" in letter.subject for letter in found)
    [reset] = [letter for letter in found if "reset?" in letter.text]
    auth.update_password(token_in(reset), "known to me alone")
    assert deletion.restore(EMAIL, "known to me alone", WEB).session_token


def test_what_was_mailed_before_is_void_and_nothing_else_is_mailed(
        auth: Auth, deletion: Deletion) -> None:
    """R059: resets, verifications and changes of address, asked for before
    or after.
    """
    user = make_user(auth)
    verification = Verification(
        auth.db, auth, "", AddressChange(auth.db, auth))
    verification.request(EMAIL)
    AddressChange(auth.db, auth).request(user.id, "new@example.com", WEB)
    auth.request_reset(EMAIL)
    tokens = [token_in(letter) for letter in sent(auth)]
    assert len(tokens) == 3
    deletion.by_operator(user)
    for token in tokens:
        with pytest.raises(InvalidToken):
            auth.tokens.look_at(token, "reset", "verify", "change_email")
    verification.request(EMAIL)
    with pytest.raises(SessionRequired):
        AddressChange(auth.db, auth).request(user.id, "b@example.com", WEB)
    assert ["will be deleted" in letter.subject
            for letter in sent(auth)] == [True]


def test_who_registers_meanwhile_is_led_to_a_new_password(
        auth: Auth, deletion: Deletion) -> None:
    """R009: also where the address was never proved: it may be their own."""
    deletion.by_operator(make_user(auth))
    Registration(auth.db, auth, "", tells_taken=False).register(
        EMAIL, "another password", WEB)
    assert [letter.subject for letter in sent(auth)] == [
        "Your account at Example will be deleted",
        "You already have an account at Example"]


def test_operators_bring_back_who_they_deleted(
        auth: Auth, deletion: Deletion, bob: User) -> None:
    """R149: twice is as good as once, and nobody is signed in by it."""
    deletion.by_operator(bob, WEB)
    for _ in range(2):
        deletion.restore_by_operator(bob, WEB)
    assert events(auth.db, bob).count("user.restored") == 1
    assert count(auth.db, "sessions") == 0
    assert auth.valid_login(EMAIL, PASSWORD)
    auth.db.delete_user(bob.id)
    for verb in (deletion.by_operator, deletion.restore_by_operator):
        with pytest.raises(NotFound):
            verb(bob)


def test_neither_takes_effect_without_its_event(
        auth: Auth, deletion: Deletion, bob: User) -> None:
    """R120: a refused event leaves all as it was."""
    auth.create_session(EMAIL)
    for verb in (deletion.by_operator, deletion.restore_by_operator):
        before = everything(auth.db)
        with refusing(auth.db, "INSERT", "events"):
            with pytest.raises(Exception, match="refused by a test"):
                verb(bob)
        assert everything(auth.db) == before
        deletion.by_operator(bob)


def test_a_password_changed_meanwhile_restores_nobody(
        auth: Auth, bob: User) -> None:
    """R105: the proof is looked at again under the lock."""
    stale = auth.authenticate(EMAIL, PASSWORD, LIBRARY)
    deletion = make_deletion(auth)
    deletion.by_operator(bob)
    auth.update_password(auth.get_reset_password_token(EMAIL), "another")
    with pytest.raises(InvalidCredentials):
        deletion._restore_proved(stale, WEB)
    assert auth.db.find_user_by(id=bob.id).delete_after is not None
