#!/usr/bin/env python3
"""A change of address: proved first, told to the old one, bound exactly."""

from datetime import timedelta
from typing import Any, List

import pytest

from tests.support.builders import (
    EMAIL, PASSWORD, erase, everything, letters, make_user, refusing,
    token_in)
from tests.support.clock import SetClock
from tests.support.recovery import (
    DESK, change_address, change_password, change_token, delivered, events_of,
    fresh, mailed_in, make_verification, make_verified, move, refuse_spending,
    typed, what_happened)
from vestibule.base.errors import (
    InvalidInput, InvalidToken, SessionRequired)
from vestibule.base.limits import MOST_AN_HOUR
from vestibule.base.origin import LIBRARY
from vestibule.kernel.address_change import AddressChange
from vestibule.kernel.auth import Auth
from vestibule.kernel.one_time_tokens import (
    CHANGE_EMAIL, RESET, UNDO, VERIFY, Presented)
from vestibule.kernel.outbox import (
    CHANGE_EMAIL_LETTER, EMAIL_CHANGED_LETTER)
from vestibule.kernel.verification import Claim, Verification
from vestibule.store.db import User
from vestibule.store.letter import DROPPED, QUEUED
from vestibule.store.reservation import ReservationStore

NEW, THIRD = "new@example.com", "third@example.com"


@pytest.fixture
def bob(auth: Auth) -> User:
    """Return Bob, whose address is proved."""
    return make_verified(auth, EMAIL)


@pytest.fixture
def change(auth: Auth) -> AddressChange:
    """Return the changes of address of an empty database."""
    return AddressChange(auth.db, auth)


@pytest.fixture
def verification(auth: Auth) -> Verification:
    """Return what takes the tokens of changes."""
    return make_verification(auth)


def address_of(auth: Auth, user: User) -> str:
    """Return the address that a user has now."""
    return fresh(auth.db, user).email


def test_nothing_changes_before_the_new_address_is_proved(
        auth: Auth, bob: User, change: AddressChange) -> None:
    """R067: the letter goes there and nowhere else, in one spelling."""
    before = fresh(auth.db, bob)
    assert change.request(bob.id, " New@EXAMPLE.com ", DESK) == NEW
    message, = delivered(auth)
    assert message.to == NEW
    after = fresh(auth.db, bob)
    assert (after.email, after.version) == (EMAIL, before.version)
    assert auth.valid_login(EMAIL, PASSWORD)
    assert not auth.valid_login(NEW, PASSWORD)
    happened = events_of(auth.db, bob)[-1]
    assert (happened.what, happened.request_id) == (
        "email_change.requested", DESK.request_id)
    assert happened.target == auth.audit.masked(NEW)


@pytest.mark.parametrize("by_code", [False, True])
def test_the_token_moves_the_user_to_where_it_was_mailed(
        auth: Auth, bob: User, change: AddressChange,
        verification: Verification, by_code: bool) -> None:
    """R067: by itself, once, as proved; sessions go on."""
    session = auth.create_session(EMAIL)
    change.request(bob.id, NEW, LIBRARY)
    mailed = mailed_in(delivered(auth)[0])
    keys: List[Presented] = [mailed.secret, typed(NEW, mailed.code)]
    moved = verification.confirm(keys[by_code], Claim(), DESK)
    assert (moved.id, moved.email) == (bob.id, NEW)
    assert moved.email_verified_at is not None
    assert moved.email_verified_at > bob.updated_at
    assert auth.valid_login(NEW, PASSWORD)
    assert not auth.valid_login(EMAIL, PASSWORD)
    assert auth.get_user_from_session_id(session) is not None
    happened = [each for each in events_of(auth.db, bob)
                if each.what == "email.changed"]
    assert [each.ip for each in happened] == [DESK.ip]
    for again in keys + [typed(EMAIL, mailed.code)]:
        with pytest.raises(InvalidToken):
            verification.confirm(again, Claim(), LIBRARY)


def test_the_old_address_is_told_with_an_undo(
        auth: Auth, bob: User) -> None:
    """R067: one letter, to the old address, about this instant."""
    message, = change_address(auth, bob, NEW)
    assert message.to == EMAIL
    assert "/undo?token=" in message.text
    token = auth.tokens.look_at(token_in(message), UNDO)
    assert token.sent_to == EMAIL
    assert token.changed_at == fresh(auth.db, bob).updated_at


def test_a_second_request_voids_the_first(
        auth: Auth, bob: User, change: AddressChange,
        verification: Verification) -> None:
    """R059: its token, and its letter where that waits still."""
    first = change_token(auth, bob, NEW)
    change.request(bob.id, THIRD, LIBRARY)
    with pytest.raises(InvalidToken):
        verification.confirm(first, Claim(), LIBRARY)
    change.request(bob.id, "fourth@example.com", LIBRARY)
    message, = delivered(auth)
    assert message.to == "fourth@example.com"
    states = {each.recipient: each.state for each in letters(auth.db)}
    assert states[THIRD] == DROPPED
    verification.confirm(token_in(message), Claim(), LIBRARY)
    assert address_of(auth, bob) == "fourth@example.com"


def test_one_users_request_leaves_anothers_alone(
        auth: Auth, bob: User, verification: Verification) -> None:
    """R067: two may ask for one address, and the first to prove it has it.
    """
    eve = make_verified(auth, "eve@example.com")
    of_eve = change_token(auth, eve, NEW)
    of_bob = change_token(auth, bob, NEW)
    verification.confirm(of_eve, Claim(), LIBRARY)
    before = everything(auth.db)
    with pytest.raises(InvalidToken):
        verification.confirm(of_bob, Claim(), LIBRARY)
    assert everything(auth.db) == before
    assert (address_of(auth, eve), address_of(auth, bob)) == (NEW, EMAIL)


def test_the_last_letter_alone_holds_a_good_token(
        auth: Auth, bob: User) -> None:
    """R059: a letter sent again voids the token of its first try."""
    first = change_token(auth, bob, NEW)
    auth.outbox.write(CHANGE_EMAIL_LETTER, NEW, bob.id)
    second = token_in(delivered(auth)[0])
    refuse_spending(auth, first, CHANGE_EMAIL)
    assert auth.tokens.look_at(second, CHANGE_EMAIL).sent_to == NEW


def test_a_taken_address_is_answered_the_same(
        auth: Auth, bob: User, change: AddressChange) -> None:
    """R085: the same rows are written; nobody gets a letter."""
    make_user(auth, "eve@example.com")
    for email in ("eve@example.com", NEW):
        before = everything(auth.db).count("\n")
        assert change.request(bob.id, email, LIBRARY) == email
        assert everything(auth.db).count("\n") == before + 2
        sent = delivered(auth)
        assert [each.to for each in sent] == [NEW] * (email == NEW)


def test_an_address_taken_since_the_letter_is_refused(
        auth: Auth, bob: User, verification: Verification) -> None:
    """R067: and nothing at all has changed then."""
    token = change_token(auth, bob, NEW)
    make_user(auth, NEW)
    before = everything(auth.db)
    with pytest.raises(InvalidToken):
        verification.confirm(token, Claim(), LIBRARY)
    assert everything(auth.db) == before


def test_an_address_kept_for_somebody_is_as_good_as_taken(
        auth: Auth, bob: User, change: AddressChange,
        verification: Verification) -> None:
    """R067: no letter goes there, and an older token is refused."""
    eve = make_verified(auth, "eve@example.com")
    token = change_token(auth, bob, NEW)
    auth.addresses.keep(NEW, eve.id, auth.db.clock.now() + timedelta(days=7))
    before = everything(auth.db)
    with pytest.raises(InvalidToken):
        verification.confirm(token, Claim(), LIBRARY)
    assert everything(auth.db) == before
    change.request(bob.id, NEW, LIBRARY)
    assert delivered(auth) == []
    move(auth, eve, NEW)
    assert address_of(auth, eve) == NEW


def test_ones_own_address_is_no_change(
        auth: Auth, bob: User, change: AddressChange) -> None:
    """R067: in any spelling, and it voids no request before."""
    token = change_token(auth, bob, NEW)
    before = everything(auth.db)
    for email in (EMAIL, " BOB@Example.com", "no address", ""):
        with pytest.raises(InvalidInput) as refusal:
            change.request(bob.id, email, LIBRARY)
        assert list(refusal.value.errors) == ["email"]
    assert everything(auth.db) == before
    assert auth.tokens.look_at(token, CHANGE_EMAIL)


def test_somebody_who_is_gone_changes_nothing(
        auth: Auth, bob: User, change: AddressChange) -> None:
    """R034: the session ended with its user."""
    auth.db.delete_user(bob.id)
    before = everything(auth.db)
    with pytest.raises(SessionRequired) as refusal:
        change.request(bob.id, NEW, LIBRARY)
    assert refusal.value.ended
    assert everything(auth.db) == before


def test_a_user_disabled_behind_our_back_does_not_move(
        auth: Auth, bob: User, verification: Verification) -> None:
    """R034: and the token is not spent by the attempt."""
    token = change_token(auth, bob, NEW)
    auth.db.update_user(bob.id, disabled_at=auth.db.clock.now())
    with pytest.raises(InvalidToken):
        verification.confirm(token, Claim(), LIBRARY)
    assert auth.tokens.look_at(token, CHANGE_EMAIL)
    assert address_of(auth, bob) == EMAIL


def test_a_deleted_users_token_is_unknown(
        auth: Auth, bob: User, verification: Verification) -> None:
    """R038: whoever registers next is somebody else."""
    token = change_token(auth, bob, NEW)
    erase(auth, bob)
    eve = make_user(auth, EMAIL)
    with pytest.raises(InvalidToken):
        verification.confirm(token, Claim(), LIBRARY)
    assert address_of(auth, eve) == EMAIL


def test_a_token_lasts_a_day(
        auth: Auth, bob: User, verification: Verification,
        clock: SetClock) -> None:
    """R056: to the second."""
    token = change_token(auth, bob, NEW)
    clock.advance(hours=24)
    with pytest.raises(InvalidToken):
        verification.confirm(token, Claim(), LIBRARY)
    assert address_of(auth, bob) == EMAIL


def test_moving_voids_what_went_to_the_old_address(
        auth: Auth, bob: User) -> None:
    """R059: resets, verifications and changes; undos of before stay."""
    undo = change_password(auth, bob, PASSWORD)
    token = change_token(auth, bob, NEW)
    void = [(auth.tokens.issue(bob.id, purpose, EMAIL), purpose)
            for purpose in (RESET, VERIFY)]
    void.append((auth.tokens.issue(bob.id, RESET), RESET))
    void.append((auth.tokens.issue(bob.id, CHANGE_EMAIL, THIRD),
                 CHANGE_EMAIL))
    auth.outbox.write(CHANGE_EMAIL_LETTER, THIRD, bob.id)
    auth.request_reset(EMAIL)
    make_verification(auth).confirm(token, Claim(), LIBRARY)
    for secret, purpose in void:
        refuse_spending(auth, secret, purpose)
    assert [(each.to, "/undo?" in each.text) for each in delivered(auth)
            ] == [(EMAIL, True)]
    assert auth.tokens.look_at(undo, UNDO)


def test_a_new_password_voids_a_change_that_waits(
        auth: Auth, bob: User, change: AddressChange) -> None:
    """R059: whoever asked under the old one does not get their way."""
    token = change_token(auth, bob, NEW)
    change_password(auth, bob, "another")
    refuse_spending(auth, token, CHANGE_EMAIL)
    change.request(bob.id, THIRD, LIBRARY)
    auth.update_password(auth.get_reset_password_token(EMAIL), PASSWORD)
    assert [each.to for each in delivered(auth)] == [EMAIL]


def test_an_unproved_old_address_gets_no_power(auth: Auth) -> None:
    """R005: it may be a stranger's, so it is not told, and not kept."""
    bob = make_user(auth)
    undo = change_password(auth, bob, PASSWORD)
    auth.outbox.write("password_changed", EMAIL, bob.id)
    assert change_address(auth, bob, NEW) == []
    refuse_spending(auth, undo, UNDO)
    kinds = {each.kind for each in letters(auth.db)}
    assert EMAIL_CHANGED_LETTER not in kinds
    assert QUEUED not in {each.state for each in letters(auth.db)}
    assert ReservationStore(auth.db).holder(
        EMAIL, auth.db.clock.now()) is None
    assert make_user(auth, EMAIL).id != bob.id
    assert fresh(auth.db, bob).email_verified_at is not None


def test_the_old_address_is_kept_for_seven_days(
        auth: Auth, bob: User, clock: SetClock) -> None:
    """R067: for its user alone, to the second, from the letter about it."""
    move(auth, bob, NEW)
    store = ReservationStore(auth.db)
    clock.advance(days=7, seconds=-1)
    assert store.holder(EMAIL, clock.now()) == bob.id
    clock.advance(seconds=1)
    assert store.holder(EMAIL, clock.now()) is None


def test_it_is_kept_before_the_letter_is_sent(
        auth: Auth, bob: User, clock: SetClock) -> None:
    """R067: from the change on, for as long, though no mail gets out."""
    token = change_token(auth, bob, NEW)
    make_verification(auth).confirm(token, Claim(), LIBRARY)
    store = ReservationStore(auth.db)
    clock.advance(days=7, seconds=-1)
    assert store.holder(EMAIL, clock.now()) == bob.id
    clock.advance(seconds=1)
    assert store.holder(EMAIL, clock.now()) is None


@pytest.mark.parametrize("event, table", [
    ("INSERT", "events"), ("INSERT", "letters"),
    ("INSERT", "reservations"), ("DELETE", "one_time_tokens")])
def test_a_move_happens_as_a_whole_or_not(
        auth: Auth, bob: User, verification: Verification, event: str,
        table: str) -> None:
    """R120: no move without its notice, and the token stays good."""
    token = change_token(auth, bob, NEW)
    before = everything(auth.db)
    with refusing(auth.db, event, table):
        with pytest.raises(Exception, match="refused by a test"):
            verification.confirm(token, Claim(), LIBRARY)
    assert everything(auth.db) == before
    assert verification.confirm(token, Claim(), LIBRARY).email == NEW


@pytest.mark.parametrize("claim", [
    Claim(user_id="somebody"), Claim(password="wrong"),
    Claim(registration="1.x"), Claim(new_password="unwanted")])
def test_a_change_asks_for_no_further_sign(
        auth: Auth, bob: User, verification: Verification,
        claim: Any) -> None:
    """R067: it was asked for with a fresh proof; the rest is not read."""
    token = change_token(auth, bob, NEW)
    assert verification.confirm(token, claim, LIBRARY).email == NEW
    assert auth.valid_login(NEW, PASSWORD)
    assert "password.refused" not in what_happened(auth.db, bob)


def test_a_token_that_was_looked_at_in_time_is_spent_once(
        auth: Auth, bob: User, change: AddressChange) -> None:
    """R058: of two who looked at it before either spent it, one moves."""
    token = auth.tokens.look_at(
        change_token(auth, bob, NEW), CHANGE_EMAIL)
    change.confirm(token, LIBRARY)
    before = everything(auth.db)
    with pytest.raises(InvalidToken):
        change.confirm(token, LIBRARY)
    assert everything(auth.db) == before


def test_one_box_gets_so_many_letters_an_hour(
        auth: Auth, bob: User, change: AddressChange) -> None:
    """R065: whoever asks, so that nobody can be bombed by asking anew."""
    eve = make_verified(auth, "eve@example.com")
    for user in (bob, eve, bob, eve, bob, eve, bob, eve):
        change.request(user.id, NEW, LIBRARY)
    assert len(letters(auth.db)) == MOST_AN_HOUR == 5
