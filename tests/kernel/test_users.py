#!/usr/bin/env python3
"""What an operator does with users, and that all of it is written down."""

from typing import Any, List

import pytest

from tests.support.builders import (
    EMAIL, PASSWORD, erase, everything, letters, make_user, refusing)
from tests.support.recovery import (
    change_password, change_token, delivered, make_verified, move,
    refuse_spending)
from vestibule.base.errors import (
    Forbidden, IdentifierTaken, InvalidCredentials, InvalidInput,
    InvalidToken, NotFound)
from vestibule.base.origin import Origin
from vestibule.kernel.auth import Auth, Rules
from vestibule.kernel.one_time_tokens import (
    CHANGE_EMAIL, RESET, UNDO, VERIFY)
from vestibule.kernel.outbox import DISABLED_LETTER
from vestibule.kernel.password_policy import PasswordPolicy
from vestibule.kernel.passwords import Passwords
from vestibule.kernel.users import Users
from vestibule.store.db import DB, NoResultFound, User
from vestibule.store.event import EventStore
from vestibule.store.tables import new_id

DESK = Origin("127.0.0.1", "vestibule", "req-1")


@pytest.fixture
def users(auth: Auth) -> Users:
    """Return the operator's verbs."""
    return Users(auth.db, auth)


def events(db: DB, user: User) -> List[str]:
    """Return what was written down about a user, in order."""
    return [each.what for each in EventStore(db).of_user(user.id)]


def test_a_user_is_found_by_address_or_id(
        users: Users, bob: User) -> None:
    """R149: the address in any spelling."""
    for what in (EMAIL, " BOB@Example.com", bob.id):
        assert users.find(what).id == bob.id


@pytest.mark.parametrize("what", [
    "eve@example.com", new_id(), "bob", "", "%", "\0", "\udcff", "b" * 9999])
def test_nobody_else_is_found(users: Users, bob: User, what: str) -> None:
    """R149, R089: ``NotFound``, also for what no id and no argument can be.
    """
    with pytest.raises(NotFound):
        users.find(what)


def test_what_is_no_address_is_said_to_be_none(
        users: Users, bob: User) -> None:
    """R149: a typing error is told from somebody who is not there."""
    with pytest.raises(InvalidInput):
        users.find("bob@")


def test_a_user_made_by_an_operator_is_verified(users: Users) -> None:
    """R149: the operator vouches for the address."""
    user = users.create(" Bob@example.com", PASSWORD)
    assert (user.email, user.email_verified_at is None) == (EMAIL, False)
    assert events(users._db, user) == ["user.registered", "email.verified"]


def test_an_operator_is_bound_to_the_rules_for_passwords(db: DB) -> None:
    """R018: policy holds for whoever registers somebody."""
    users = Users(db, Auth(
        db, Passwords(4), rules=Rules(PasswordPolicy(15))))
    with pytest.raises(InvalidInput):
        users.create(EMAIL, "short")
    assert everything(db) == ""


def test_a_taken_address_is_refused_to_operators_too(
        auth: Auth, users: Users, bob: User) -> None:
    """R002: made, invited or moved to, it is one user's."""
    eve = make_user(auth, "eve@example.com")
    before = everything(auth.db)
    verbs: List[Any] = [
        lambda: users.create(EMAIL, PASSWORD),
        lambda: users.invite(EMAIL.upper()),
        lambda: users.set_email(eve, EMAIL)]
    for refused in verbs:
        with pytest.raises(IdentifierTaken):
            refused()
    assert everything(auth.db) == before


def test_an_invited_user_has_no_password(
        auth: Auth, users: Users) -> None:
    """R006, R149: nobody gets in before the link was used."""
    user = users.invite(EMAIL, DESK)
    assert user.hashed_password is None
    assert user.email_verified_at is not None
    assert not auth.valid_login(EMAIL, "")
    found = EventStore(auth.db).of_user(user.id)
    assert [each.what for each in found][:2] == [
        "user.registered", "email.verified"]
    assert [each.request_id for each in found][:2] == ["req-1", "req-1"]


def test_another_address_voids_links_to_the_old_one(
        auth: Auth, users: Users, bob: User) -> None:
    """R059, R054: the user signs in by the new one from then on."""
    token = auth.get_reset_password_token(EMAIL)
    session = auth.create_session(EMAIL)
    users.set_email(bob, " NEW@Example.com", DESK)
    assert users.find(bob.id).email == "new@example.com"
    assert users.find(bob.id).email_verified_at is not None
    with pytest.raises(InvalidToken):
        auth.update_password(token, "another")
    assert auth.valid_login("new@example.com", PASSWORD)
    assert not auth.valid_login(EMAIL, PASSWORD)
    assert auth.get_user_from_session_id(session) is not None
    assert "email.changed" in events(auth.db, bob)


def test_disabling_shuts_the_user_out_at_once(
        auth: Auth, users: Users, bob: User) -> None:
    """R034, R013: sessions, links, logins, and asking for a new link."""
    session = auth.create_session(EMAIL)
    token = auth.get_reset_password_token(EMAIL)
    users.disable(bob, DESK)
    assert auth.get_user_from_session_id(session) is None
    assert auth.create_session(EMAIL) is None
    with pytest.raises(InvalidCredentials):
        auth.authenticate(EMAIL, PASSWORD)
    with pytest.raises(InvalidToken):
        auth.update_password(token, "another")
    verbs: List[Any] = [
        lambda: auth.get_reset_password_token(EMAIL),
        lambda: users.reset_link(bob)]
    for refused in verbs:
        with pytest.raises(Forbidden):
            refused()
    assert events(auth.db, bob)[2:] == [
        "session.all_revoked", "user.disabled", "login.refused"]


def test_enabling_lets_the_user_in_and_nothing_old_with_it(
        auth: Auth, users: Users, bob: User) -> None:
    """R034: sessions and links from before stay void."""
    session = auth.create_session(EMAIL)
    token = auth.get_reset_password_token(EMAIL)
    users.disable(bob)
    users.enable(bob)
    assert auth.valid_login(EMAIL, PASSWORD)
    assert auth.get_user_from_session_id(session) is None
    with pytest.raises(InvalidToken):
        auth.update_password(token, "another")
    assert events(auth.db, bob)[-1] == "user.enabled"


def test_revoking_ends_all_sessions_of_the_user(
        auth: Auth, users: Users, bob: User) -> None:
    """R149: and says how many there were; none is no event."""
    sessions = [auth.create_session(EMAIL) for _ in range(3)]
    assert len(users.sessions_of(bob)) == 3
    assert users.revoke_sessions(bob) == 3
    assert users.sessions_of(bob) == []
    assert users.revoke_sessions(bob) == 0
    assert [auth.get_user_from_session_id(each) for each in sessions] == [
        None] * 3
    assert events(auth.db, bob).count("session.all_revoked") == 1


def test_sessions_are_listed_newest_first(
        auth: Auth, users: Users, bob: User) -> None:
    """R036: metadata, by the id that one needs to revoke it."""
    ids = [str(auth.create_session(EMAIL))[:36] for _ in range(3)]
    listed = [session.id for session in users.sessions_of(bob)]
    assert listed == list(reversed(ids))


def test_a_link_for_the_support_desk_works_without_mail(
        auth: Auth, users: Users, bob: User) -> None:
    """R149: it is written down, no letter is sent, no mailbox is proved."""
    token = users.reset_link(bob, DESK)
    assert letters(auth.db) == []
    assert events(auth.db, bob)[-1] == "reset.issued"
    auth.update_password(token, "another")
    assert auth.valid_login(EMAIL, "another")
    assert users.find(bob.id).email_verified_at is None


def test_users_come_a_page_at_a_time(auth: Auth, users: Users) -> None:
    """R149: by address, from where the page before ended."""
    for letter in "cab":
        make_user(auth, f"{letter}@example.com")
    assert [user.email[0] for user in users.page(2)] == ["a", "b"]
    assert [user.email[0] for user in users.page(2, "b@example.com")] == ["c"]


VERBS: List[Any] = [
    Users.verify, Users.disable, Users.enable,
    lambda users, user: users.set_email(user, "new@example.com"),
    Users.reset_link]


@pytest.mark.parametrize("verb", VERBS)
def test_no_verb_takes_effect_without_its_event(
        auth: Auth, users: Users, bob: User, verb: Any) -> None:
    """R120: both in one transaction, so a refused event undoes the rest."""
    before = everything(auth.db)
    with refusing(auth.db, "INSERT", "events"):
        with pytest.raises(Exception, match="refused by a test"):
            verb(users, bob)
    assert everything(auth.db) == before


@pytest.mark.parametrize("verb", [
    Users.verify, Users.disable, Users.enable])
def test_a_verb_on_somebody_who_is_gone_is_refused(
        auth: Auth, users: Users, bob: User, verb: Any) -> None:
    """R149: nothing is written about a user who is not there any more."""
    auth.db.delete_user(bob.id)
    before = everything(auth.db)
    with pytest.raises(NoResultFound):
        verb(users, bob)
    assert everything(auth.db) == before


def everything_pending(auth: Auth, user: User) -> List[Any]:
    """Give a user a token of every purpose, and letters that bring more."""
    tokens = [(change_password(auth, user, PASSWORD), UNDO),
              (change_token(auth, user, "next@example.com"), CHANGE_EMAIL)]
    tokens += [(auth.tokens.issue(user.id, purpose, user.email), purpose)
               for purpose in (RESET, VERIFY)]
    for kind in ("change_email", "email_changed", "password_changed"):
        auth.outbox.write(kind, user.email, user.id)
    return tokens


def test_disabling_voids_everything_and_tells_the_user(
        auth: Auth, users: Users, bob: User) -> None:
    """R034: nothing that was mailed, or waits to be, is good any more."""
    tokens = everything_pending(auth, bob)
    users.disable(bob, DESK)
    for secret, purpose in tokens:
        refuse_spending(auth, secret, purpose)
    letter = letters(auth.db)[0]
    assert (letter.kind, letter.recipient) == (DISABLED_LETTER, EMAIL)
    message, = delivered(auth)
    assert message.to == EMAIL
    assert "token=" not in message.text
    users.enable(bob)
    for secret, purpose in tokens:
        refuse_spending(auth, secret, purpose)
    assert delivered(auth) == []


def test_an_address_set_by_an_operator_is_final(
        auth: Auth, users: Users, bob: User) -> None:
    """R149: undos end too, nobody is told, and what was left is free."""
    eve = make_verified(auth, "eve@example.com")
    first = move(auth, eve, "eve2@example.com")
    tokens = [(first, UNDO)] + everything_pending(auth, eve)
    users.set_email(eve, "eve3@example.com", DESK)
    for secret, purpose in tokens:
        refuse_spending(auth, secret, purpose)
    assert delivered(auth) == []
    for email in ("eve@example.com", "eve2@example.com"):
        make_user(auth, email)


def test_an_address_set_by_an_operator_is_the_users_once(
        auth: Auth, users: Users, bob: User) -> None:
    """R149, R120: an address in use is no reason for half a change."""
    make_user(auth, "eve@example.com")
    tokens = everything_pending(auth, bob)
    before = everything(auth.db)
    with pytest.raises(IdentifierTaken):
        users.set_email(bob, "eve@example.com")
    with pytest.raises(InvalidInput):
        users.set_email(bob, "no address")
    assert everything(auth.db) == before
    for secret, purpose in tokens:
        assert auth.tokens.look_at(secret, purpose)


def test_an_address_cannot_be_set_of_somebody_who_is_gone(
        auth: Auth, users: Users, bob: User) -> None:
    """R149: ``NotFound``, as for everybody who is not there."""
    auth.db.delete_user(bob.id)
    before = everything(auth.db)
    with pytest.raises(NotFound):
        users.set_email(bob, "new@example.com")
    assert everything(auth.db) == before


def test_an_operators_word_voids_the_letter_that_asks_for_proof(
        auth: Auth, users: Users, bob: User) -> None:
    """R059: what was proved needs no token; others stay good."""
    tokens = everything_pending(auth, bob)
    users.verify(bob)
    for secret, purpose in tokens:
        if purpose == VERIFY:
            refuse_spending(auth, secret, purpose)
        else:
            assert auth.tokens.look_at(secret, purpose)


@pytest.mark.parametrize("verb", [
    Users.disable, lambda users, user: erase(users._auth, user)])
def test_no_verb_takes_effect_without_its_letter(
        auth: Auth, users: Users, bob: User, verb: Any) -> None:
    """R120: the user is told, or it did not happen."""
    before = everything(auth.db)
    with refusing(auth.db, "INSERT", "letters"):
        with pytest.raises(Exception, match="refused by a test"):
            verb(users, bob)
    assert everything(auth.db) == before


def test_a_letter_goes_to_where_the_user_is_now(
        auth: Auth, users: Users, bob: User) -> None:
    """R054: not to where they were when the operator looked them up."""
    users.set_email(bob, "new@example.com")
    users.disable(bob)
    assert [each.to for each in delivered(auth)] == ["new@example.com"]
    erase(auth, bob)
    assert [each.to for each in delivered(auth)] == ["new@example.com"]
