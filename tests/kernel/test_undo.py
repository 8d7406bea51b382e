#!/usr/bin/env python3
"""Undo: the earliest of a chain wins, and the owner gets the account."""

from typing import Any, Dict, List

import pytest
from sqlalchemy import event as sqlalchemy_event

from tests.support.builders import (
    EMAIL, PASSWORD, erase, everything, letters, make_user, refusing,
    token_in)
from tests.support.clock import SetClock
from tests.support.recovery import (
    DESK, change_password, change_token, delivered, events_of, fresh,
    make_verification, make_verified, move, refuse_spending, what_happened)
from vestibule.base.errors import (
    IdentifierTaken, InvalidToken, SessionRequired)
from vestibule.base.origin import LIBRARY
from vestibule.kernel.auth import Auth
from vestibule.kernel.one_time_tokens import (
    CHANGE_EMAIL, RESET, UNDO, VERIFY)
from vestibule.kernel.outbox import (
    CHANGE_EMAIL_LETTER, PASSWORD_CHANGED_LETTER, RESET_LETTER)
from vestibule.kernel.undo import Undo
from vestibule.kernel.users import Users
from vestibule.kernel.verification import Claim
from vestibule.store.db import User
from vestibule.store.letter import QUEUED

THIEF, SECOND = "thief@example.com", "second@example.com"
STOLEN = "the password of a thief"


@pytest.fixture
def bob(auth: Auth) -> User:
    """Return Bob, whose address is proved."""
    return make_verified(auth, EMAIL)


@pytest.fixture
def undo(auth: Auth) -> Undo:
    """Return the undo of an empty database."""
    return Undo(auth.db, auth)


def assert_refused(undo: Undo, secret: str) -> None:
    """See that an undo is refused and changes nothing."""
    before = everything(undo._db)
    with pytest.raises(InvalidToken) as refusal:
        undo.by_token(secret, LIBRARY)
    assert refusal.value.message == InvalidToken.default_message
    assert everything(undo._db) == before


def assert_owned(auth: Auth, bob: User) -> None:
    """See that Bob alone can come in, by a letter to his own address."""
    assert fresh(auth.db, bob).email == EMAIL
    message, = delivered(auth)
    assert message.to == EMAIL
    assert "/reset?token=" in message.text
    auth.update_password(token_in(message), "chosen by the owner")
    assert auth.valid_login(EMAIL, "chosen by the owner")


def test_an_undo_of_an_address_puts_the_old_one_back(
        auth: Auth, bob: User, undo: Undo) -> None:
    """Issue 4: as proved, and once; a password of before stays good."""
    token = move(auth, bob, THIEF)
    owner = undo.by_token(token, DESK)
    assert (owner.id, owner.email) == (bob.id, EMAIL)
    assert owner.email_verified_at is not None
    assert owner.email_verified_at > bob.updated_at
    assert owner.hashed_password == bob.hashed_password
    assert auth.valid_login(EMAIL, PASSWORD)
    assert not auth.valid_login(THIEF, PASSWORD)
    assert_refused(undo, token)
    happened = events_of(auth.db, bob)
    assert [each.request_id for each in happened
            if each.what == "change.undone"] == [DESK.request_id]
    assert_owned(auth, bob)


def test_an_undo_of_a_password_disables_it(
        auth: Auth, bob: User, undo: Undo) -> None:
    """Issue 4: no old hash is kept, so nobody logs in but by the letter."""
    token = change_password(auth, bob, STOLEN)
    old_hash = str(bob.hashed_password)
    assert old_hash not in everything(auth.db)
    owner = undo.by_token(token, DESK)
    assert owner.hashed_password is None
    assert owner.email_verified_at is not None
    for password in (PASSWORD, STOLEN, "None"):
        assert not auth.valid_login(EMAIL, password)
    assert what_happened(auth.db, bob).count("change.undone") == 1
    assert_refused(undo, token)
    assert_owned(auth, bob)


@pytest.mark.parametrize("change", [move, change_password])
def test_an_undo_ends_all_sessions_and_tokens(
        auth: Auth, bob: User, undo: Undo, change: Any) -> None:
    """Issue 4: and the letters that would bring more of them."""
    token = change(auth, bob, THIEF)
    session = auth.create_session(fresh(auth.db, bob).email)
    kept = [(auth.tokens.issue(bob.id, purpose), purpose)
            for purpose in (RESET, VERIFY)]
    kept.append((change_token(auth, bob, SECOND), CHANGE_EMAIL))
    auth.outbox.write(CHANGE_EMAIL_LETTER, SECOND, bob.id)
    undo.by_token(token, DESK)
    with pytest.raises(SessionRequired):
        auth.sessions.resume(session)
    assert auth.sessions.live(bob.id) == []
    for secret, purpose in kept:
        refuse_spending(auth, secret, purpose)
    waiting = [(each.kind, each.recipient) for each in letters(auth.db)
               if each.state == QUEUED]
    assert waiting == [(RESET_LETTER, EMAIL)]
    assert "session.all_revoked" in what_happened(auth.db, bob)


def test_an_undo_leaves_everybody_else_alone(
        auth: Auth, bob: User, undo: Undo) -> None:
    """Issue 4: their sessions, tokens, undos and addresses."""
    eve = make_verified(auth, "eve@example.com")
    of_eve = move(auth, eve, "eve2@example.com")
    session = auth.create_session("eve2@example.com")
    reset = auth.tokens.issue(eve.id, RESET)
    undo.by_token(move(auth, bob, THIEF), LIBRARY)
    assert auth.get_user_from_session_id(session) is not None
    assert auth.tokens.look_at(reset, RESET)
    assert undo.by_token(of_eve, LIBRARY).email == "eve@example.com"


THIEVES: Dict[str, List[Any]] = {
    "password, address": [(change_password, STOLEN), (move, THIEF)],
    "address, password": [(move, THIEF), (change_password, STOLEN)],
    "address, address": [(move, THIEF), (move, SECOND)],
    "address and back": [(move, THIEF), (move, EMAIL)],
    "password, password": [(change_password, "1"), (change_password, "2")],
    "three of a kind": [(move, THIEF), (move, SECOND), (move, "c@d.com")],
    "everything": [(move, THIEF), (change_password, STOLEN), (move, SECOND),
                   (change_password, "another")],
}


@pytest.mark.parametrize("story", sorted(THIEVES))
def test_the_earliest_undo_of_a_chain_wins(
        auth: Auth, bob: User, undo: Undo, story: str) -> None:
    """Issue 4: it takes back all of it, and voids every later undo."""
    first, *later = [change(auth, bob, to) for change, to in THIEVES[story]]
    owner = undo.by_token(first, LIBRARY)
    changed = any(change is change_password for change, _ in THIEVES[story])
    assert (owner.email, owner.hashed_password is None) == (EMAIL, changed)
    for secret in later:
        assert_refused(undo, secret)
    assert not auth.valid_login(THIEF, STOLEN)
    assert_owned(auth, bob)


@pytest.mark.parametrize("story", sorted(THIEVES))
def test_a_later_undo_leaves_the_earlier_ones_good(
        auth: Auth, bob: User, undo: Undo, story: str) -> None:
    """Issue 4: a thief who undoes what came after cannot keep the account.
    """
    first, *later = [change(auth, bob, to) for change, to in THIEVES[story]]
    for secret in reversed(later):
        undo.by_token(secret, LIBRARY)
    assert_refused(undo, later[-1])
    assert undo.by_token(first, LIBRARY).email == EMAIL
    delivered(auth)
    assert fresh(auth.db, bob).email == EMAIL


def test_an_undo_between_restores_what_was_then(
        auth: Auth, bob: User, undo: Undo) -> None:
    """Issue 4: of A, B and C the second undo goes back to B, then to A."""
    first = move(auth, bob, SECOND)
    second = move(auth, bob, THIEF)
    assert undo.by_token(second, LIBRARY).email == SECOND
    assert undo.by_token(first, LIBRARY).email == EMAIL


def test_a_password_from_before_the_change_stays(
        auth: Auth, bob: User, undo: Undo) -> None:
    """Issue 4: only what came with the change or after it is disabled."""
    earlier = change_password(auth, bob, "my own")
    token = move(auth, bob, THIEF)
    undo.by_token(token, LIBRARY)
    assert auth.valid_login(EMAIL, "my own")
    undo.by_token(earlier, LIBRARY)
    assert not auth.valid_login(EMAIL, "my own")


def test_a_chain_is_in_order_though_the_clock_goes_back(
        auth: Auth, bob: User, undo: Undo, clock: SetClock) -> None:
    """Issue 4: of two changes the later is later, whatever the clocks say.
    """
    first = move(auth, bob, THIEF)
    clock.advance(minutes=-10)
    second = change_password(auth, bob, STOLEN)
    clock.advance(minutes=-10)
    third = move(auth, bob, SECOND)
    owner = undo.by_token(first, LIBRARY)
    assert (owner.email, owner.hashed_password) == (EMAIL, None)
    for secret in (second, third):
        assert_refused(undo, secret)


def test_an_undo_lasts_seven_days(
        auth: Auth, bob: User, undo: Undo, clock: SetClock) -> None:
    """Issue 4: to the second, and the address is free after it."""
    token = move(auth, bob, THIEF)
    clock.advance(days=7, seconds=-1)
    with pytest.raises(IdentifierTaken):
        make_user(auth, EMAIL)
    auth.tokens.look_at(token, UNDO)
    clock.advance(seconds=1)
    assert_refused(undo, token)
    assert make_user(auth, EMAIL).id != bob.id


def test_a_late_letter_still_holds_an_undo_of_seven_days(
        auth: Auth, bob: User, undo: Undo, clock: SetClock) -> None:
    """Issue 4: the address is kept from when the letter went out."""
    token = change_token(auth, bob, THIEF)
    make_verification(auth).confirm(token, Claim(), LIBRARY)
    clock.advance(hours=11)
    message, = delivered(auth)
    clock.advance(days=7, seconds=-1)
    assert undo.by_token(token_in(message), LIBRARY).email == EMAIL


def test_after_seven_days_the_letter_says_nothing(
        auth: Auth, bob: User, clock: SetClock) -> None:
    """Issue 4: what cannot be put back is not promised."""
    token = change_token(auth, bob, THIEF)
    make_verification(auth).confirm(token, Claim(), LIBRARY)
    clock.advance(days=7)
    assert delivered(auth) == []


def test_each_letter_about_a_change_holds_a_good_undo(
        auth: Auth, bob: User, undo: Undo) -> None:
    """R134: one that was sent twice, after a crash, works from both."""
    first = change_password(auth, bob, STOLEN)
    changed_at = fresh(auth.db, bob).password_changed_at
    auth.outbox.write(PASSWORD_CHANGED_LETTER, EMAIL, bob.id, changed_at)
    second = token_in(delivered(auth)[0])
    undo.by_token(second, LIBRARY)
    assert_refused(undo, first)


def test_notices_that_wait_are_withdrawn_with_what_they_tell(
        auth: Auth, bob: User, undo: Undo) -> None:
    """Issue 4: those of later changes; earlier ones still go out."""
    auth.outbox.write(PASSWORD_CHANGED_LETTER, EMAIL, bob.id)
    first = auth.db.clock.now()
    token = auth.tokens.issue(bob.id, UNDO, EMAIL, first)
    auth.outbox.write(PASSWORD_CHANGED_LETTER, EMAIL, bob.id, first)
    auth.update_password(auth.get_reset_password_token(EMAIL), STOLEN)
    undo.by_token(token, LIBRARY)
    sent = delivered(auth)
    assert ["/undo?" in each.text for each in sent].count(True) == 1
    assert len(sent) == 2


@pytest.mark.parametrize("purpose", [RESET, VERIFY, CHANGE_EMAIL])
def test_a_token_for_something_else_undoes_nothing(
        auth: Auth, bob: User, undo: Undo, purpose: str) -> None:
    """R061: and it stays good for what it is."""
    secret = auth.tokens.issue(bob.id, purpose, EMAIL, auth.db.clock.now())
    assert_refused(undo, secret)
    assert auth.tokens.look_at(secret, purpose)
    for unknown in ("", "A" * 43, "\ud800"):
        assert_refused(undo, unknown)


def test_an_undo_of_nothing_is_none(
        auth: Auth, bob: User, undo: Undo) -> None:
    """Issue 4: without an instant there is no telling what came since."""
    assert_refused(undo, auth.tokens.issue(bob.id, UNDO, EMAIL))


def test_a_user_who_is_disabled_stays_so(
        auth: Auth, bob: User, undo: Undo) -> None:
    """R034: an undo is no way around an operator."""
    token = move(auth, bob, THIEF)
    auth.db.update_user(bob.id, disabled_at=auth.db.clock.now())
    assert_refused(undo, token)
    auth.db.update_user(bob.id, disabled_at=None)
    Users(auth.db, auth).disable(bob)
    Users(auth.db, auth).enable(bob)
    assert_refused(undo, token)


def test_an_operators_address_is_final(
        auth: Auth, bob: User, undo: Undo) -> None:
    """R149: undos of before are void, and the old address is free."""
    tokens = [change_password(auth, bob, STOLEN), move(auth, bob, THIEF)]
    Users(auth.db, auth).set_email(bob, SECOND)
    for secret in tokens:
        assert_refused(undo, secret)
    assert make_user(auth, EMAIL).id != bob.id


def test_a_deleted_user_has_nothing_to_undo(
        auth: Auth, bob: User, undo: Undo) -> None:
    """R038: the address is free at once, and the token is unknown."""
    token = move(auth, bob, THIEF)
    erase(auth, bob)
    assert_refused(undo, token)
    assert make_user(auth, EMAIL).id != bob.id


def test_an_address_that_somebody_has_is_not_taken_from_them(
        auth: Auth, bob: User, undo: Undo) -> None:
    """R002: were it not kept free, there would be nothing to put back."""
    token = move(auth, bob, THIEF)
    auth.addresses.let_go(bob.id)
    make_user(auth, EMAIL)
    assert_refused(undo, token)


def test_what_was_put_back_can_be_changed_again(
        auth: Auth, bob: User, undo: Undo) -> None:
    """Issue 4: the thief's address is nobody's, and nothing is left over.
    """
    undo.by_token(move(auth, bob, THIEF), LIBRARY)
    assert_owned(auth, bob)
    make_user(auth, THIEF)
    delivered(auth)
    again = move(auth, bob, SECOND)
    assert undo.by_token(again, LIBRARY).email == EMAIL


@pytest.mark.parametrize("event, table", [
    ("INSERT", "events"), ("INSERT", "letters"), ("DELETE", "sessions"),
    ("DELETE", "one_time_tokens"), ("DELETE", "reservations")])
def test_an_undo_happens_as_a_whole_or_not(
        auth: Auth, bob: User, undo: Undo, event: str, table: str) -> None:
    """R120: and the token stays good for another try."""
    change_password(auth, bob, STOLEN)
    token = move(auth, bob, THIEF)
    auth.create_session(THIEF)
    auth.tokens.issue(bob.id, RESET)
    before = everything(auth.db)
    with refusing(auth.db, event, table):
        with pytest.raises(Exception, match="refused by a test"):
            undo.by_token(token, LIBRARY)
    assert everything(auth.db) == before
    assert undo.by_token(token, LIBRARY).email == EMAIL


def test_of_two_who_looked_at_one_undo_one_spends_it(
        auth: Auth, bob: User, undo: Undo) -> None:
    """R058: the second has seen it good, and comes too late."""
    token = change_password(auth, bob, STOLEN)
    kept: List[str] = []

    def overtake(connection: Any, cursor: Any, statement: str,
                 *ignored: Any) -> None:
        """Let somebody else spend the token that was just looked at."""
        if "FROM one_time_tokens" in statement and not kept:
            kept.append("one undo, and what is there after it")
            undo.by_token(token, LIBRARY)
            kept.append(everything(auth.db))

    sqlalchemy_event.listen(
        auth.db.engine, "after_cursor_execute", overtake)
    try:
        with pytest.raises(InvalidToken):
            undo.by_token(token, LIBRARY)
    finally:
        sqlalchemy_event.remove(
            auth.db.engine, "after_cursor_execute", overtake)
    assert everything(auth.db) == kept[-1]
