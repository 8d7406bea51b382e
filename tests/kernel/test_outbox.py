#!/usr/bin/env python3
"""The outbox: what is written to it, and how much of it at most."""

from typing import Any, Set

import pytest

from tests.support.builders import (
    EMAIL, Postbox, letters, make_delivery, make_user)
from tests.support.clock import SetClock
from tests.support.processes import errors_of, racers
from tests.support.recovery import refuse_spending
from vestibule.base.limits import MOST_AN_HOUR
from vestibule.kernel.auth import Auth
from vestibule.kernel.one_time_tokens import (
    CHANGE_EMAIL, RESET, UNDO, VERIFY)
from vestibule.kernel.outbox import (
    CHANGE_EMAIL_LETTER, EMAIL_CHANGED_LETTER,
    PASSWORD_CHANGED_LETTER, RESET_LETTER, VERIFY_LETTER)
from vestibule.store.db import DB
from vestibule.store.letter import QUEUED


def test_a_box_gets_no_more_letters_an_hour_than_that(
        auth: Auth, clock: SetClock) -> None:
    """R065: known or unknown, and nobody else's letters count."""
    make_user(auth)
    for email in (EMAIL, "nobody@example.com"):
        for _ in range(MOST_AN_HOUR + 3):
            auth.request_reset(email)
        written = [each for each in letters(auth.db)
                   if each.recipient == email]
        assert len(written) == MOST_AN_HOUR
    clock.advance(minutes=59)
    auth.request_reset(EMAIL)
    assert len(letters(auth.db)) == 2 * MOST_AN_HOUR
    clock.advance(minutes=1)
    auth.request_reset(EMAIL)
    assert len(letters(auth.db)) == 2 * MOST_AN_HOUR + 1


def _ask(auth: Auth, given: Any) -> None:
    """Ask for a letter to an address."""
    auth.request_reset(given)


def test_the_limit_is_exact_under_parallel_requests(
        database_url: str) -> None:
    """R065: sixteen at once, one box each round."""
    with racers(database_url, [_ask] * 16) as processes:
        for number in range(10):
            outcomes = processes.run(f"box{number}@example.com")
            assert errors_of(outcomes) == []
    db = DB(database_url)
    assert len(letters(db)) == 10 * MOST_AN_HOUR
    db.close()


def test_every_notice_of_a_changed_password_is_sent(auth: Auth) -> None:
    """R063: a newer one does not take the place of an older one."""
    make_user(auth)
    for password in ("another", "a third"):
        auth.update_password(auth.get_reset_password_token(EMAIL), password)
    postbox = Postbox()
    make_delivery(auth, postbox).send_due()
    assert [letter.to for letter in postbox.taken] == [EMAIL, EMAIL]


KINDS = (RESET_LETTER, VERIFY_LETTER, CHANGE_EMAIL_LETTER,
         EMAIL_CHANGED_LETTER, PASSWORD_CHANGED_LETTER)


def waiting(auth: Auth) -> Set[str]:
    """Return the kinds of the letters that wait to be sent."""
    return {each.kind for each in letters(auth.db)
            if each.state == QUEUED}


def test_a_limit_is_of_one_kind(auth: Auth) -> None:
    """R065: who asked for resets can still be sent something else."""
    for most in (1, 3):
        for kind in KINDS:
            for _ in range(5):
                auth.outbox.write_sparingly(kind, EMAIL, None, most)
        assert len(letters(auth.db)) == most * len(KINDS)


def test_withdrawn_letters_count_for_the_limit(auth: Auth) -> None:
    """R065: or else asking anew each time would be without limit."""
    bob = make_user(auth)
    for _ in range(MOST_AN_HOUR + 3):
        auth.outbox.withdraw(bob.id, CHANGE_EMAIL_LETTER)
        auth.outbox.write_sparingly(CHANGE_EMAIL_LETTER, EMAIL, bob.id)
    assert len(letters(auth.db)) == MOST_AN_HOUR
    assert waiting(auth) == set()


def test_a_letter_about_a_change_bears_its_instant(
        auth: Auth, clock: SetClock) -> None:
    """Issue 4: and is due at once all the same."""
    bob = make_user(auth)
    about = clock.now()
    clock.advance(minutes=3)
    auth.outbox.write(PASSWORD_CHANGED_LETTER, EMAIL, bob.id, about)
    letter, = letters(auth.db)
    assert letter.created_at == about
    assert letter.next_try_at > about


@pytest.mark.parametrize("purpose, brought_by", [
    (RESET, set()), (VERIFY, set()), (CHANGE_EMAIL, {CHANGE_EMAIL_LETTER}),
    (UNDO, {EMAIL_CHANGED_LETTER, PASSWORD_CHANGED_LETTER})])
def test_tokens_are_voided_with_the_letters_that_bring_them(
        auth: Auth, purpose: str, brought_by: Set[str]) -> None:
    """R059: of one user and purpose, and of no other."""
    bob, eve = make_user(auth), make_user(auth, "eve@example.com")
    for user in (bob, eve):
        for kind in KINDS:
            auth.outbox.write(kind, user.email, user.id)
    secrets = {each: auth.tokens.issue(bob.id, each)
               for each in (RESET, VERIFY, CHANGE_EMAIL, UNDO)}
    of_eve = auth.tokens.issue(eve.id, purpose)
    auth.pending.void(bob.id, purpose)
    for each, secret in secrets.items():
        if each == purpose:
            refuse_spending(auth, secret, each)
        else:
            assert auth.tokens.look_at(secret, each)
    assert auth.tokens.look_at(of_eve, purpose)
    dropped = {(each.kind, each.user_id) for each in letters(auth.db)
               if each.state != QUEUED}
    assert dropped == {(kind, bob.id) for kind in brought_by}


def test_undos_are_voided_from_an_instant_on(
        auth: Auth, clock: SetClock) -> None:
    """Issue 4: with the letters about changes of then and later."""
    bob = make_user(auth)
    first, second = clock.now(), clock.now()
    for about in (first, second):
        auth.outbox.write(EMAIL_CHANGED_LETTER, EMAIL, bob.id, about)
        auth.outbox.write(CHANGE_EMAIL_LETTER, EMAIL, bob.id, about)
    early, late = [auth.tokens.issue(bob.id, UNDO, EMAIL, about)
                   for about in (first, second)]
    auth.pending.void_undos_since(bob.id, second)
    assert auth.tokens.look_at(early, UNDO)
    refuse_spending(auth, late, UNDO)
    left = [(each.kind, each.created_at) for each in letters(auth.db)
            if each.state == QUEUED]
    assert sorted(left) == [
        (CHANGE_EMAIL_LETTER, first), (CHANGE_EMAIL_LETTER, second),
        (EMAIL_CHANGED_LETTER, first)]
