#!/usr/bin/env python3
"""What the delivery makes of faults, and of other workers."""

import logging
import threading
from functools import partial
from typing import Any, List

import pytest
from sqlalchemy import event

from tests.support.builders import (
    EMAIL, Postbox, count, letters, make_delivery, make_user, refusing,
    run_sql, token_in)
from tests.support.clock import SetClock
from tests.support.processes import errors_of, racers
from vestibule.kernel import delivery as kernel_delivery
from vestibule.kernel.auth import Auth
from vestibule.kernel.delivery import LEASE, MAXIMUM_ATTEMPTS
from vestibule.kernel.outbox import DELETED_LETTER, PASSWORD_CHANGED_LETTER
from vestibule.mail.message import MailRefused, MailUnavailable, Message
from vestibule.store.db import DB
from vestibule.store.letter import DEAD, DROPPED, QUEUED, SENT

WORKERS, LETTERS, ROUNDS = 4, 12, 5


class Signalling(Postbox):
    """Tells whoever waits for it that a letter was taken."""

    def __init__(self, *refusals: Exception) -> None:
        """Refuse like a postbox; the event is set by the first taken."""
        super().__init__(*refusals)
        self.has_taken = threading.Event()

    def send(self, message: Message) -> None:
        """Take the letter, unless there is a refusal left."""
        super().send(message)
        self.has_taken.set()


def run_until_taken(auth: Auth, postbox: Signalling) -> None:
    """Run the delivery in a thread until it sends a letter, then stop it."""
    stop = threading.Event()
    thread = threading.Thread(
        target=make_delivery(auth, postbox).run, args=(stop,))
    thread.start()
    try:
        assert postbox.has_taken.wait(5), "no letter was sent"
        assert thread.is_alive()
    finally:
        stop.set()
        thread.join(5)
    assert not thread.is_alive()


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the delivery look for letters more often than in earnest."""
    monkeypatch.setattr(kernel_delivery, "POLL_SECONDS", 0.01)


def test_the_delivery_sends_what_falls_due(auth: Auth) -> None:
    """R134: until it is told to stop, and it stops then."""
    postbox = Signalling()
    auth.outbox.write(DELETED_LETTER, EMAIL)
    run_until_taken(auth, postbox)
    assert [letter.state for letter in letters(auth.db)] == [SENT]


@pytest.mark.parametrize("fault", [
    MailUnavailable("away"), MailRefused("no such mailbox"),
    RuntimeError("a mistake of ours"), OSError("no more files"),
    UnicodeError("what is this"), RecursionError("too deep")])
def test_no_fault_of_one_letter_ends_the_delivery(
        auth: Auth, fault: Exception) -> None:
    """R134: the others are sent, whatever became of this one."""
    auth.outbox.write(DELETED_LETTER, "first@example.com")
    auth.outbox.write(DELETED_LETTER, EMAIL)
    postbox = Signalling(fault)
    run_until_taken(auth, postbox)
    assert [message.to for message in postbox.taken] == [EMAIL]


def test_a_fault_of_ours_is_tried_again(
        auth: Auth, clock: SetClock, caplog: pytest.LogCaptureFixture
        ) -> None:
    """R134: after the lease the letter is due again; the log says why."""
    auth.outbox.write(DELETED_LETTER, EMAIL)
    auth.outbox.write(DELETED_LETTER, "eve@example.com")
    run_until_taken(auth, Signalling(RuntimeError("a secret of somebody")))
    clock.advance(seconds=LEASE.total_seconds() + 1)
    postbox = Signalling()
    run_until_taken(auth, postbox)
    assert [message.to for message in postbox.taken] == [EMAIL]
    assert "RuntimeError" in caplog.text
    assert "a secret of somebody" not in caplog.text


def test_a_database_that_refuses_is_waited_for(db: DB, auth: Auth) -> None:
    """R134: letters wait until it takes a claim again."""
    auth.outbox.write(DELETED_LETTER, EMAIL)
    postbox = Signalling()
    stop = threading.Event()
    thread = threading.Thread(
        target=make_delivery(auth, postbox).run, args=(stop,))
    try:
        with refusing(db, "UPDATE", "letters"):
            thread.start()
            assert not postbox.has_taken.wait(0.1)
            assert thread.is_alive()
        assert postbox.has_taken.wait(5)
    finally:
        stop.set()
        thread.join(5)
    assert [letter.state for letter in letters(db)] == [SENT]


def test_a_kind_that_nobody_knows_waits_for_who_does(
        auth: Auth, clock: SetClock) -> None:
    """R145: a newer version's workers send it; others put it off.

    No letter waits behind it, and after the last try it is dead, for an
    operator to see who went back to an older version for good.
    """
    auth.outbox.write("from_the_future", EMAIL)
    auth.outbox.write(DELETED_LETTER, EMAIL)
    postbox = Postbox()
    delivery = make_delivery(auth, postbox)
    delivery.send_due()
    newer, older = letters(auth.db)
    assert (newer.state, older.state) == (SENT, QUEUED)
    assert "from_the_future" in str(older.last_error)
    assert clock.now() < older.next_try_at < clock.now() + LEASE
    for _ in range(MAXIMUM_ATTEMPTS - 1):
        assert letters(auth.db)[1].state == QUEUED
        clock.advance(hours=2)
        delivery.send_due()
    assert letters(auth.db)[1].state == DEAD
    assert len(postbox.taken) == 1


def test_a_notice_that_could_undo_nothing_is_not_sent(auth: Auth) -> None:
    """R067: it would hold a token for nobody, or for somebody else."""
    bob = make_user(auth)
    auth.outbox.write(PASSWORD_CHANGED_LETTER, "nobody@example.com")
    auth.outbox.write(PASSWORD_CHANGED_LETTER, "left@example.com", bob.id)
    postbox = Postbox()
    make_delivery(auth, postbox).send_due()
    assert postbox.taken == []
    assert {letter.state for letter in letters(auth.db)} == {DROPPED}
    assert count(auth.db, "one_time_tokens") == 0


def test_the_log_names_the_letter_and_not_the_person(
        auth: Auth, caplog: pytest.LogCaptureFixture) -> None:
    """R117: no address, no link, no token."""
    make_user(auth)
    auth.request_reset(EMAIL)
    with caplog.at_level(logging.DEBUG):
        make_delivery(auth, Postbox(MailUnavailable("away"))).send_due()
        run_sql(auth.db, "UPDATE letters SET next_try_at = 0")
        postbox = Postbox()
        make_delivery(auth, postbox).send_due()
    letter, = letters(auth.db)
    assert f"Letter {letter.id} (reset), try 1, queued: away" in caplog.text
    assert EMAIL not in caplog.text
    assert token_in(postbox.taken[0]) not in caplog.text


def test_no_link_goes_to_an_address_that_was_just_given_up(
        auth: Auth, database_url: str) -> None:
    """R054: the address changes between the look-up and the lock."""
    user = make_user(auth)
    auth.request_reset(EMAIL)
    other = DB(database_url)
    looked: List[bool] = []

    def move_away(connection: Any, cursor: Any, statement: str,
                  *rest: Any) -> None:
        """Change the address as soon as it was looked up."""
        if "WHERE users.email" in statement and not looked:
            looked.append(True)
            other.update_user(user.id, email="new@example.com")

    event.listen(auth.db.engine, "after_cursor_execute", move_away)
    postbox = Postbox()
    make_delivery(auth, postbox).send_due()
    event.remove(auth.db.engine, "after_cursor_execute", move_away)
    other.close()
    assert looked == [True]
    assert postbox.taken == []
    assert [letter.state for letter in letters(auth.db)] == [DROPPED]
    assert count(auth.db, "one_time_tokens") == 0


def deliver_all(auth: Auth, given: int) -> List[str]:
    """Send what is due until there is nothing left; return whose it was."""
    postbox = Postbox()
    delivery = make_delivery(auth, postbox)
    while delivery.send_due():
        pass
    return [message.to for message in postbox.taken]


def test_several_workers_send_no_letter_twice(database_url: str) -> None:
    """R134: whoever claims a letter is the one to send it."""
    with racers(database_url, [deliver_all] * WORKERS) as workers:
        db = DB(database_url)
        auth = Auth(db)
        for number in range(ROUNDS):
            run_sql(db, "DELETE FROM letters")
            expected = [f"u{each}@example.com" for each in range(LETTERS)]
            for address in expected:
                auth.outbox.write(DELETED_LETTER, address)
            outcomes = workers.run(number)
            assert errors_of(outcomes) == [], outcomes
            sent: List[str] = sum((each.value for each in outcomes), [])
            assert sorted(sent) == sorted(expected)
            assert {each.state for each in letters(db)} == {SENT}
        db.close()


def claim_once(postbox: Postbox, auth: Auth, given: int) -> int:
    """Try what is due now, once; return how many letters were ours."""
    return make_delivery(auth, postbox).send_due()


def test_a_letter_whose_worker_died_is_claimed_by_one(
        database_url: str) -> None:
    """R134: at the end of a lease, several workers are after it."""
    action = partial(claim_once, Postbox())
    with racers(database_url, [action] * WORKERS) as workers:
        db = DB(database_url)
        auth = Auth(db)
        auth.outbox.write(DELETED_LETTER, EMAIL)
        for number in range(2, 2 + ROUNDS):
            run_sql(db, "UPDATE letters SET state = :state, attempts = "
                    ":attempts, next_try_at = 0", state=QUEUED,
                    attempts=number)
            outcomes = workers.run(number)
            assert errors_of(outcomes) == [], outcomes
            assert sum(each.value for each in outcomes) == 1
        db.close()
