#!/usr/bin/env python3
"""The letter writer: what was true is looked at again as a letter is sent."""

from datetime import timedelta
from typing import Any, Dict, List, Optional

import pytest

from tests.support.builders import (
    BASE_URL, EMAIL, erase, everything, letters, make_user, refusing)
from tests.support.clock import SetClock
from tests.support.recovery import (
    delivered, fresh, make_verified, refuse_spending, typed)
from vestibule.base.digest import digest_of
from vestibule.kernel.auth import Auth
from vestibule.kernel.letter_writer import Letterhead, LetterWriter
from vestibule.kernel.one_time_tokens import (
    CHANGE_EMAIL, RESET, UNDO, VERIFY)
from vestibule.kernel.outbox import (
    ALREADY_REGISTERED_LETTER, CHANGE_EMAIL_LETTER, DELETED_LETTER,
    DISABLED_LETTER, EMAIL_CHANGED_LETTER, PASSWORD_CHANGED_LETTER,
    RESET_LETTER, SUPERSEDING, VERIFY_LETTER)
from vestibule.kernel.users import Users
from vestibule.mail.letters import LetterContext, compose
from vestibule.store.db import DB, User
from vestibule.store.letter import DROPPED, SENT
from vestibule.store.one_time_token import OneTimeToken

NEW = "new@example.com"
HOME = Letterhead("Example", BASE_URL, "help@example.com")
PURPOSES = {RESET_LETTER: RESET, VERIFY_LETTER: VERIFY,
            CHANGE_EMAIL_LETTER: CHANGE_EMAIL, EMAIL_CHANGED_LETTER: UNDO,
            PASSWORD_CHANGED_LETTER: UNDO}
# To which page the link of a letter leads, and for how long it is good.
WITH_CODE: Dict[str, Any] = {
    RESET_LETTER: ("reset", {"minutes": 30}),
    VERIFY_LETTER: ("verify", {"hours": 24}),
    CHANGE_EMAIL_LETTER: ("verify", {"hours": 24})}
PLAIN = (ALREADY_REGISTERED_LETTER, DISABLED_LETTER, DELETED_LETTER)


@pytest.fixture
def writer(auth: Auth) -> LetterWriter:
    """Return who writes the letters."""
    return LetterWriter(auth.db, auth.tokens, HOME)


def written(writer: LetterWriter, auth: Auth, kind: str, user: User,
            recipient: str = EMAIL) -> Optional[LetterContext]:
    """Put a letter in the outbox and have it filled in."""
    auth.outbox.write(kind, recipient, user.id)
    return writer.write(letters(auth.db)[0])


def tokens_of(db: DB, user: User) -> List[OneTimeToken]:
    """Return the rows of a user's tokens."""
    with db.reading() as work:
        found: List[OneTimeToken] = (
            work.query(OneTimeToken).filter_by(user_id=user.id).all())
    return found


def secret_of(context: Optional[LetterContext]) -> str:
    """Return the secret of the link in a letter."""
    assert context is not None and context.link is not None
    return context.link.partition("?token=")[2]


def recipient_of(kind: str) -> str:
    """Return where a letter of a kind goes."""
    return NEW if kind == CHANGE_EMAIL_LETTER else EMAIL


@pytest.mark.parametrize("kind", sorted(WITH_CODE))
def test_a_letter_with_link_and_code(
        auth: Auth, bob: User, writer: LetterWriter, kind: str) -> None:
    """R055, R056: both of one token, and what it says of them is true."""
    to = recipient_of(kind)
    page, lasts = WITH_CODE[kind]
    context = written(writer, auth, kind, bob, to)
    assert context is not None
    assert str(context.link).startswith(f"{BASE_URL}/{page}?token=")
    assert (context.to, context.code_minutes) == (to, 10)
    for name in ("minutes", "hours", "days"):
        assert getattr(context, name) == lasts.get(name)
    token, = tokens_of(auth.db, bob)
    assert token.digest == digest_of(secret_of(context))
    assert (token.purpose, token.sent_to) == (PURPOSES[kind], to)
    found = auth.tokens.look_at(
        typed(to, str(context.code)), PURPOSES[kind])
    assert found.digest == token.digest
    assert secret_of(context) not in everything(auth.db)
    assert compose(kind, context).to == to


@pytest.mark.parametrize("kind", [
    EMAIL_CHANGED_LETTER, PASSWORD_CHANGED_LETTER])
def test_a_letter_with_an_undo(
        auth: Auth, bob: User, writer: LetterWriter, kind: str) -> None:
    """Issue 4: of the change at whose instant the letter was written."""
    about = auth.db.clock.now() - timedelta(hours=3)
    auth.outbox.write(kind, EMAIL, bob.id, about)
    context = writer.write(letters(auth.db)[0])
    assert context is not None
    assert str(context.link).startswith(f"{BASE_URL}/undo?token=")
    assert (context.days, context.code) == (7, None)
    token = auth.tokens.look_at(secret_of(context), UNDO)
    assert (token.changed_at, token.sent_to) == (about, EMAIL)
    assert (token.user_id, token.code_digest) == (bob.id, None)


@pytest.mark.parametrize("kind", PLAIN)
def test_a_letter_without_a_token(
        auth: Auth, bob: User, writer: LetterWriter, kind: str) -> None:
    """Issue 4: it tells something, and opens nothing."""
    context = written(writer, auth, kind, bob)
    assert context is not None
    assert (context.link, context.code) == (None, None)
    assert Letterhead(
        context.service_name, context.base_url, context.support) == HOME
    assert tokens_of(auth.db, bob) == []
    assert compose(kind, context).to == EMAIL


@pytest.mark.parametrize("kind", sorted(PURPOSES) + [
    ALREADY_REGISTERED_LETTER])
@pytest.mark.parametrize("change", [
    "disabled", "deleted", "withdrawn", "moved"])
def test_what_is_not_so_any_more_is_not_written(
        auth: Auth, bob: User, writer: LetterWriter, kind: str,
        change: str) -> None:
    """R054, R034: looked at under the user's lock, as a token is issued."""
    auth.outbox.write(kind, recipient_of(kind), bob.id)
    letter = letters(auth.db)[0]
    if change == "disabled":
        auth.db.update_user(bob.id, disabled_at=auth.db.clock.now())
    elif change == "deleted":
        auth.db.delete_user(bob.id)
    elif change == "withdrawn":
        auth.outbox.withdraw(bob.id, kind)
    else:
        auth.db.update_user(bob.id, email="other@example.com")
        if kind == CHANGE_EMAIL_LETTER:
            make_user(auth, NEW)
    assert writer.write(letter) is None
    assert tokens_of(auth.db, bob) == []


@pytest.mark.parametrize("kind", [RESET_LETTER, VERIFY_LETTER])
def test_a_letter_for_an_address_finds_its_owner(
        auth: Auth, bob: User, writer: LetterWriter, kind: str) -> None:
    """R053: as it is sent; for nobody there is none."""
    for email in (EMAIL, "nobody@example.com"):
        auth.outbox.write(kind, email)
    of_nobody, of_bob = letters(auth.db)
    assert writer.write(of_nobody) is None
    assert secret_of(writer.write(of_bob))


def test_a_proved_address_is_not_proved_again(
        auth: Auth, bob: User, writer: LetterWriter) -> None:
    """R085: whoever asks, no letter goes out."""
    auth.db.update_user(bob.id, email_verified_at=auth.db.clock.now())
    assert written(writer, auth, VERIFY_LETTER, bob) is None


def test_an_address_taken_or_kept_gets_no_change(
        auth: Auth, bob: User, writer: LetterWriter) -> None:
    """R067: nobody gets mail for something that cannot be."""
    eve = make_verified(auth, "eve@example.com")
    assert written(
        writer, auth, CHANGE_EMAIL_LETTER, bob, eve.email) is None
    auth.addresses.keep(NEW, eve.id, auth.db.clock.now() + timedelta(days=1))
    assert written(writer, auth, CHANGE_EMAIL_LETTER, bob, NEW) is None
    assert written(writer, auth, CHANGE_EMAIL_LETTER, eve, NEW) is not None


@pytest.mark.parametrize("kind", [
    RESET_LETTER, VERIFY_LETTER, CHANGE_EMAIL_LETTER])
def test_each_new_token_takes_the_place_of_the_one_before(
        auth: Auth, bob: User, writer: LetterWriter, kind: str) -> None:
    """R059: of the same purpose and user, and of no other."""
    eve = make_user(auth, "eve@example.com")
    other = auth.tokens.issue(eve.id, PURPOSES[kind], eve.email)
    undo = auth.tokens.issue(bob.id, UNDO, EMAIL)
    to = recipient_of(kind)
    first = secret_of(written(writer, auth, kind, bob, to))
    second = secret_of(written(writer, auth, kind, bob, to))
    refuse_spending(auth, first, PURPOSES[kind])
    assert auth.tokens.look_at(second, PURPOSES[kind]).user_id == bob.id
    assert auth.tokens.look_at(other, PURPOSES[kind]).user_id == eve.id
    assert auth.tokens.look_at(undo, UNDO)


def test_undos_stand_beside_each_other(
        auth: Auth, bob: User, writer: LetterWriter) -> None:
    """Issue 4: each of its own change, so none voids another."""
    secrets = [secret_of(written(writer, auth, kind, bob)) for kind in (
        PASSWORD_CHANGED_LETTER, PASSWORD_CHANGED_LETTER)]
    for secret in secrets:
        assert auth.tokens.look_at(secret, UNDO)


@pytest.mark.parametrize("kind", sorted(SUPERSEDING))
def test_only_the_newest_of_a_kind_is_sent(
        auth: Auth, bob: User, kind: str) -> None:
    """R059: where it waits still, or went out already."""
    assert SUPERSEDING == {RESET_LETTER, VERIFY_LETTER}
    for _ in range(3):
        auth.outbox.write(kind, EMAIL)
    assert len(delivered(auth)) == 1
    assert [each.state for each in letters(auth.db)] == [
        SENT, DROPPED, DROPPED]


def test_an_address_that_is_not_kept_gets_no_undo(
        auth: Auth, bob: User, writer: LetterWriter) -> None:
    """Issue 4: neither for somebody else nor too late."""
    eve = make_verified(auth, "eve@example.com")
    for kind in (EMAIL_CHANGED_LETTER, PASSWORD_CHANGED_LETTER):
        assert written(writer, auth, kind, bob, NEW) is None
        auth.addresses.keep(
            NEW, eve.id, auth.db.clock.now() + timedelta(days=1))
        assert written(writer, auth, kind, bob, NEW) is None
        auth.addresses.let_go(eve.id)


def test_a_letter_keeps_the_address_for_as_long_as_its_undo(
        auth: Auth, bob: User, writer: LetterWriter,
        clock: SetClock) -> None:
    """Issue 4: seven days from when it is sent, though it was late."""
    auth.addresses.keep(NEW, bob.id, clock.now() + timedelta(seconds=9))
    secret = secret_of(
        written(writer, auth, EMAIL_CHANGED_LETTER, bob, NEW))
    clock.advance(days=7, seconds=-1)
    assert auth.addresses.is_kept(NEW, bob.id)
    assert auth.tokens.look_at(secret, UNDO)
    clock.advance(seconds=1)
    assert not auth.addresses.is_kept(NEW, bob.id)
    refuse_spending(auth, secret, UNDO)


def test_ones_own_address_needs_not_be_kept(
        auth: Auth, bob: User, writer: LetterWriter) -> None:
    """Issue 4: a changed password is told to where the user is."""
    assert written(writer, auth, PASSWORD_CHANGED_LETTER, bob) is not None
    assert not auth.addresses.is_kept(EMAIL, bob.id)


def test_a_deleted_user_is_told_so(auth: Auth, bob: User) -> None:
    """Issue 4: though there is nobody to lock and nothing to look up."""
    users = Users(auth.db, auth)
    users.disable(bob)
    assert [each.to for each in delivered(auth)] == [EMAIL]
    erase(auth, fresh(auth.db, bob))
    assert [each.to for each in delivered(auth)] == [EMAIL]


def test_a_token_that_cannot_be_stored_is_not_mailed(
        auth: Auth, bob: User, writer: LetterWriter) -> None:
    """R058: and the one before it stays good: both or neither."""
    first = secret_of(written(writer, auth, VERIFY_LETTER, bob))
    auth.outbox.write(VERIFY_LETTER, EMAIL, bob.id)
    with refusing(auth.db, "INSERT", "one_time_tokens"):
        with pytest.raises(Exception, match="refused by a test"):
            writer.write(letters(auth.db)[0])
    assert auth.tokens.look_at(first, VERIFY)
