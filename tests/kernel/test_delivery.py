#!/usr/bin/env python3
"""The outbox and its delivery: once, again, at last, or not at all."""

import re
import threading
from datetime import timedelta
from typing import Any, List

import pytest

from tests.support.builders import (
    BASE_URL, EMAIL, PASSWORD, Postbox, everything, letters, make_delivery,
    make_user, token_in)
from tests.support.clock import SetClock
from vestibule.base.errors import InvalidInput, InvalidToken
from vestibule.kernel.auth import Auth
from vestibule.kernel.delivery import (
    BATCH, FIRST_PAUSE, LEASE, LONGEST_PAUSE, MAXIMUM_ATTEMPTS, pause_after)
from vestibule.kernel.outbox import (
    DELETED_LETTER, DISABLED_LETTER, PASSWORD_CHANGED_LETTER, RESET_LETTER)
from vestibule.kernel.users import Users
from vestibule.mail.message import MailRefused, MailUnavailable, Message
from vestibule.store.db import User
from vestibule.store.letter import DEAD, DROPPED, QUEUED, SENT, Letter

AWAY = MailUnavailable("the mail server does not answer")
SECOND = timedelta(seconds=1)


class Forgetful(Postbox):
    """Takes a letter, and loses the connection before it can say so."""

    def send(self, message: Message) -> None:
        """Take the letter; who sent it cannot know."""
        super().send(message)
        raise MailUnavailable("the connection was lost")


class Stopping(Postbox):
    """Takes a letter while the service is told to stop."""

    def __init__(self, stop: threading.Event) -> None:
        """Set this event as soon as a letter comes."""
        super().__init__()
        self._stop = stop

    def send(self, message: Message) -> None:
        """Take the letter."""
        super().send(message)
        self._stop.set()


def send(auth: Auth, *refusals: Exception) -> List[Message]:
    """Try what is due now once; return what the mail server took."""
    postbox = Postbox(*refusals)
    make_delivery(auth, postbox).send_due()
    return postbox.taken


def only_letter(auth: Auth) -> Letter:
    """Return the one letter that there is."""
    letter, = letters(auth.db)
    return letter


def assert_void(auth: Auth, token: str) -> None:
    """See that a reset token is good no more."""
    with pytest.raises(InvalidToken):
        auth.tokens.look_at(token, "reset")


def test_asking_writes_one_letter_for_known_and_unknown(
        auth: Auth, bob: User) -> None:
    """R053: the same row, so that the request's work tells nothing."""
    for email in (EMAIL, "nobody@example.com"):
        before = everything(auth.db)
        auth.request_reset(email)
        assert everything(auth.db).count("\n") == before.count("\n") + 1
    known, unknown = reversed(letters(auth.db))
    for letter in (known, unknown):
        assert (letter.kind, letter.state) == (RESET_LETTER, QUEUED)
        assert letter.user_id is letter.last_error is None
        assert letter.attempts == 0
        assert letter.next_try_at == letter.created_at
    with pytest.raises(InvalidInput):
        auth.request_reset("no address")


def test_a_letter_is_sent_once(auth: Auth, bob: User) -> None:
    """R134: and its row says when."""
    auth.request_reset(EMAIL)
    assert len(send(auth)) == 1
    letter = only_letter(auth)
    assert (letter.state, letter.attempts) == (SENT, 1)
    assert letter.settled_at is not None and letter.last_error is None
    assert send(auth) == []


def test_the_link_leads_home_and_works(auth: Auth, bob: User) -> None:
    """R055, R054: from the settings, to the one address that is stored."""
    auth.request_reset(" BOB@Example.com")
    message, = send(auth)
    assert message.to == EMAIL
    token = token_in(message)
    assert f"{BASE_URL}/reset?token={token}" in message.text
    assert re.findall(r"https?://[^\s/]+", message.text) == [
        "https://example.com"] * message.text.count("https://")
    assert message.message_id == f"<{only_letter(auth).id}@example.com>"
    auth.update_password(token, "another")
    assert auth.valid_login(EMAIL, "another")


def test_no_row_ever_holds_the_secret(auth: Auth, bob: User) -> None:
    """R113: the token is made as the letter is sent, and then forgotten."""
    auth.request_reset(EMAIL)
    token = token_in(send(auth)[0])
    assert token not in everything(auth.db)


def test_a_letter_for_nobody_is_dropped(auth: Auth, bob: User) -> None:
    """R053: for an unknown address and for a disabled user, who is sent
    nothing but the notice of that.
    """
    Users(auth.db, auth).disable(bob)
    auth.request_reset("nobody@example.com")
    auth.request_reset(EMAIL)
    notice, = send(auth)
    assert "disabled" in notice.subject and "token=" not in notice.text
    *dropped, sent = letters(auth.db)
    assert (sent.kind, sent.state) == (DISABLED_LETTER, SENT)
    assert len(dropped) == 2
    for letter in dropped:
        assert (letter.state, letter.last_error) == (DROPPED, None)
        assert letter.settled_at is not None
    assert "one_time_tokens" not in everything(auth.db)


def test_a_letter_that_is_not_taken_is_tried_again_later(
        auth: Auth, bob: User, clock: SetClock) -> None:
    """R134: with a pause that doubles, up to an hour."""
    auth.request_reset(EMAIL)
    pauses = []
    for attempt in range(1, 10):
        assert send(auth, AWAY) == []
        letter = only_letter(auth)
        assert (letter.state, letter.attempts) == (QUEUED, attempt)
        assert letter.last_error == str(AWAY)
        assert letter.settled_at is None
        pause = letter.next_try_at - clock.now()
        pauses.append(round(pause.total_seconds()))
        clock.advance(seconds=(pause - SECOND).total_seconds())
        assert send(auth) == []
        clock.advance(seconds=1)
    assert pauses == [30, 60, 120, 240, 480, 960, 1920, 3600, 3600]
    assert len(send(auth)) == 1
    assert only_letter(auth).last_error is None


def test_the_pauses_have_a_beginning_and_an_end() -> None:
    """R134: no number of tries makes them overflow."""
    assert pause_after(1) == FIRST_PAUSE == timedelta(seconds=30)
    assert pause_after(1000) == LONGEST_PAUSE == timedelta(hours=1)


def test_after_the_last_try_a_letter_is_dead(
        auth: Auth, bob: User, clock: SetClock) -> None:
    """R134: for an operator to see, and never tried again."""
    auth.request_reset(EMAIL)
    for _ in range(MAXIMUM_ATTEMPTS):
        assert only_letter(auth).state == QUEUED
        send(auth, AWAY)
        clock.advance(hours=2)
    letter = only_letter(auth)
    assert (letter.state, letter.attempts) == (DEAD, MAXIMUM_ATTEMPTS)
    assert letter.last_error == str(AWAY)
    assert letter.settled_at is not None
    assert send(auth) == []


def test_a_letter_that_is_refused_is_dead_at_once(
        auth: Auth, bob: User, clock: SetClock) -> None:
    """R134: no later try can succeed, so none is made."""
    auth.request_reset(EMAIL)
    send(auth, MailRefused("no such mailbox"))
    letter = only_letter(auth)
    assert (letter.state, letter.last_error) == (DEAD, "no such mailbox")
    clock.advance(days=1)
    assert send(auth) == []


def test_each_try_has_the_same_message_id_and_another_token(
        auth: Auth, bob: User, clock: SetClock) -> None:
    """R134, R059: a retry voids the token of the try before."""
    auth.request_reset(EMAIL)
    postbox = Forgetful()
    make_delivery(auth, postbox).send_due()
    first, = postbox.taken
    clock.advance(minutes=1)
    message, = send(auth)
    assert message.message_id == first.message_id
    assert_void(auth, token_in(first))
    auth.update_password(token_in(message), "another")


def test_of_several_letters_the_newest_is_sent(
        auth: Auth, bob: User) -> None:
    """R065: whoever asks five times gets one mail, and it works."""
    for _ in range(5):
        auth.request_reset(EMAIL)
    message, = send(auth)
    states = [letter.state for letter in letters(auth.db)]
    assert states == [SENT] + [DROPPED] * 4
    auth.update_password(token_in(message), "another")


def test_an_older_letter_does_not_come_after_a_newer_one(
        auth: Auth, bob: User, clock: SetClock) -> None:
    """R059: its retry would void the token of the newer, which works."""
    auth.request_reset(EMAIL)
    send(auth, AWAY)
    auth.request_reset(EMAIL)
    message, = send(auth)
    clock.advance(minutes=1)
    assert send(auth) == []
    assert [letter.state for letter in letters(auth.db)] == [SENT, DROPPED]
    auth.update_password(token_in(message), "another")


def test_letters_to_others_and_of_other_kinds_do_not_count(
        auth: Auth, bob: User) -> None:
    """R134: only the same kind to the same address is superseded."""
    eve = make_user(auth, "eve@example.com")
    auth.request_reset(EMAIL)
    auth.outbox.write(PASSWORD_CHANGED_LETTER, EMAIL, bob.id)
    auth.request_reset(eve.email)
    sent = send(auth)
    assert [message.to for message in sent] == [EMAIL, EMAIL, eve.email]
    assert {letter.state for letter in letters(auth.db)} == {SENT}


def test_a_mailed_token_voids_those_from_before(
        auth: Auth, bob: User) -> None:
    """R059: mailed or handed out before this request was made."""
    handed = auth.get_reset_password_token(EMAIL)
    auth.request_reset(EMAIL)
    mailed = token_in(send(auth)[0])
    auth.request_reset(EMAIL)
    newest = token_in(send(auth)[0])
    assert_void(auth, handed)
    assert_void(auth, mailed)
    auth.update_password(newest, "another")


def test_a_token_handed_out_with_the_request_stays_good(
        auth: Auth, bob: User) -> None:
    """Task 17: in development the caller gets one too, and both work."""
    auth.request_reset(EMAIL)
    handed = auth.get_reset_password_token(EMAIL)
    mailed = token_in(send(auth)[0])
    assert auth.tokens.look_at(mailed, "reset").user_id == bob.id
    auth.update_password(handed, "another")
    assert_void(auth, mailed)


def test_nothing_is_voided_for_somebody_who_only_remembers(
        auth: Auth, bob: User) -> None:
    """R064: a request leaves the old password good, sent or not."""
    auth.request_reset(EMAIL)
    send(auth)
    assert auth.valid_login(EMAIL, PASSWORD)


def test_a_claim_is_good_for_its_lease(
        auth: Auth, bob: User, clock: SetClock) -> None:
    """R134: a worker that died while sending leaves the letter to others.

    They wait until no try can still be under way, and say the same
    Message-ID: at most one duplicate for each crash.
    """
    auth.request_reset(EMAIL)
    died: Any = SystemExit("killed while sending")
    with pytest.raises(SystemExit):
        send(auth, died)
    letter = only_letter(auth)
    assert (letter.state, letter.attempts) == (QUEUED, 1)
    clock.advance(seconds=(LEASE - SECOND).total_seconds())
    assert send(auth) == []
    clock.advance(seconds=2)
    message, = send(auth)
    assert message.message_id == f"<{letter.id}@example.com>"
    assert (only_letter(auth).state, only_letter(auth).attempts) == (SENT, 2)


def test_letters_are_sent_a_batch_at_a_time(auth: Auth) -> None:
    """R134: the oldest first, and none is left behind."""
    for number in range(BATCH + 5):
        auth.outbox.write(DELETED_LETTER, f"u{number:02}@x.com")
    postbox = Postbox()
    delivery = make_delivery(auth, postbox)
    assert [delivery.send_due() for _ in range(3)] == [BATCH, 5, 0]
    assert [message.to for message in postbox.taken] == [
        f"u{number:02}@x.com" for number in range(BATCH + 5)]


def test_told_to_stop_the_letter_at_hand_is_finished(auth: Auth) -> None:
    """R134: the rest waits, unclaimed, for the next worker."""
    for number in range(3):
        auth.outbox.write(DELETED_LETTER, f"u{number}@x.com")
    stop = threading.Event()
    assert make_delivery(auth, Stopping(stop)).send_due(stop) == 1
    assert sorted((letter.state, letter.attempts)
                  for letter in letters(auth.db)) == [
        (QUEUED, 0), (QUEUED, 0), (SENT, 1)]
