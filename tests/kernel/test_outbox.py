#!/usr/bin/env python3
"""The outbox: what is written to it, and how much of it at most."""

from typing import Any

from tests.support.builders import EMAIL, Postbox, letters, make_user
from tests.support.clock import SetClock
from tests.support.processes import errors_of, racers
from vestibule.kernel.auth import Auth
from vestibule.kernel.delivery import Delivery, Sender
from vestibule.kernel.outbox import MOST_AN_HOUR
from vestibule.store.db import DB


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
    clock.advance(hours=1)
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
    Delivery(auth.db, auth,
             Sender(postbox, "Example", "https://example.com")).send_due()
    assert [letter.to for letter in postbox.taken] == [EMAIL, EMAIL]
