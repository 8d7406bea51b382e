#!/usr/bin/env python3
"""The delivery against a real mail server that has bad days.

The server is a real one on loopback; its time-outs are shortened where they
are injected. What a request sees of it stands in ``tests/flows``.
"""

import os
import signal
import threading
from datetime import timedelta
from functools import partial
from typing import Any, Dict, Iterator, List

import pytest

from tests.cli.commands import spawn
from tests.support.builders import (
    EMAIL, letters, make_delivery, make_user, run_sql)
from tests.support.clock import SetClock
from tests.support.processes import errors_of, racers
from tests.support.recovering import CHEAPEST, until
from tests.support.smtp_sink import SinkLetter, SmtpSink
from vestibule.base.errors import InvalidToken
from vestibule.kernel.auth import Auth
from vestibule.kernel.delivery import FIRST_PAUSE
from vestibule.kernel.outbox import DELETED_LETTER
from vestibule.kernel.passwords import Passwords
from vestibule.mail.smtp import SmtpMailer
from vestibule.mail.smtp_address import parse_smtp_url
from vestibule.store.db import DB
from vestibule.store.letter import DEAD, QUEUED, SENT, LetterStore

SENDER = "Example <mail@example.com>"
WORKERS, LETTERS, ROUNDS = 3, 8, 5
NOWHERE = "smtp+starttls://mail.invalid:587"


@pytest.fixture
def sink() -> Iterator[SmtpSink]:
    """Run a mail server that takes everything."""
    with SmtpSink() as server:
        yield server


def send_to(url: str, auth: Auth, seconds: float = 0.3) -> int:
    """Try what is due once, at a server that may be silent so long."""
    mailer = SmtpMailer(
        parse_smtp_url(url), SENDER, timedelta(seconds=seconds))
    return make_delivery(auth, mailer).send_due()


def ids_of(taken: List[SinkLetter]) -> List[str]:
    """Return the Message-IDs of letters, in the order in which they came."""
    return [str(letter.message["Message-ID"]) for letter in taken]


def token_of(letter: SinkLetter) -> str:
    """Return the token of the link in a letter."""
    body: Any = letter.message.get_body(("plain",))
    found: str = body.get_content().partition("token=")[2].split()[0]
    return found


def stall_at(verb: str, sink: SmtpSink) -> None:
    """Have the server say nothing to a verb for longer than one waits."""
    sink.stall(verb, 10)


def answer_to(verb: str, reply: str, sink: SmtpSink) -> None:
    """Have the server put everybody off."""
    sink.answer(verb, reply)


@pytest.mark.parametrize("fault", [
    SmtpSink.stop, partial(stall_at, "EHLO"), partial(stall_at, "RCPT"),
    partial(answer_to, "MAIL", "451 4.3.0 Try later"),
    partial(answer_to, "RCPT", "450 4.2.1 Try later"),
    partial(answer_to, "DATA", "452 4.3.1 Disk full")])
def test_letters_arrive_when_the_mail_server_is_back(
        auth: Auth, clock: SetClock, sink: SmtpSink, fault: Any) -> None:
    """R134: each once, after a pause, and the link in it works."""
    make_user(auth)
    auth.request_reset(EMAIL)
    auth.outbox.write(DELETED_LETTER, "eve@example.com")
    fault(sink)
    assert send_to(sink.url, auth) == 2
    assert {(letter.state, letter.attempts)
            for letter in letters(auth.db)} == {(QUEUED, 1)}
    assert sink.letters == []
    sink.stop()
    sink.obey()
    sink.start()
    assert send_to(sink.url, auth) == 0
    clock.advance(seconds=FIRST_PAUSE.total_seconds())
    assert send_to(sink.url, auth) == 2
    assert sorted(letter.recipients for letter in sink.letters) == [
        (EMAIL,), ("eve@example.com",)]
    assert {letter.state for letter in letters(auth.db)} == {SENT}
    clock.advance(minutes=10)
    assert send_to(sink.url, auth) == 0
    reset, = [each for each in sink.letters if each.recipients == (EMAIL,)]
    auth.update_password(token_of(reset), "another")


def test_a_letter_waits_for_a_name_that_dns_does_not_know(
        auth: Auth, clock: SetClock, sink: SmtpSink) -> None:
    """R134: a name server on a bad day loses nothing."""
    auth.outbox.write(DELETED_LETTER, EMAIL)
    assert send_to(NOWHERE, auth) == 1
    letter, = letters(auth.db)
    assert (letter.state, letter.attempts) == (QUEUED, 1)
    assert "mail.invalid" in str(letter.last_error)
    clock.advance(seconds=FIRST_PAUSE.total_seconds())
    assert send_to(sink.url, auth) == 1
    assert ids_of(sink.letters) == [f"<{letter.id}@example.com>"]


def test_one_recipient_that_is_rejected_holds_nobody_up(
        auth: Auth, clock: SetClock, sink: SmtpSink) -> None:
    """R134: it is dead, with the server's reason, and an operator can have
    it tried anew.
    """
    people = ["first@example.com", EMAIL, "last@example.com"]
    for address in people:
        auth.outbox.write(DELETED_LETTER, address)
    sink.refuse(EMAIL, "550 5.1.1 Mailbox closed in 1998")
    assert send_to(sink.url, auth) == 3
    assert [letter.recipients[0] for letter in sink.letters] == [
        people[0], people[2]]
    dead, = [each for each in letters(auth.db) if each.state == DEAD]
    assert dead.recipient == EMAIL
    assert "Mailbox closed in 1998" in str(dead.last_error)
    clock.advance(days=1)
    assert send_to(sink.url, auth) == 0
    sink.obey()
    assert LetterStore(auth.db).requeue(dead.id, clock.now())
    assert send_to(sink.url, auth) == 1
    assert sink.letters[2].recipients == (EMAIL,)


def test_one_letter_that_stalls_the_server_holds_nobody_up(
        auth: Auth, sink: SmtpSink) -> None:
    """R134: what is behind it is sent by another worker meanwhile, and not
    once more by the one that hangs.
    """
    for address in (EMAIL, "last@example.com"):
        auth.outbox.write(DELETED_LETTER, address)
    sink.stall("DATA", 60)
    hanging = threading.Thread(target=send_to, args=(sink.url, auth, 60))
    hanging.start()
    try:
        until(lambda: "DATA" in sink.verbs)
        sink.obey()
        assert send_to(sink.url, auth) == 1
    finally:
        sink.stop()
        hanging.join(10)
    assert not hanging.is_alive()
    assert [each.recipients for each in sink.letters] == [
        ("last@example.com",)]
    assert {(each.recipient, each.state, each.attempts)
            for each in letters(auth.db)} == {
        (EMAIL, QUEUED, 1), ("last@example.com", SENT, 1)}


def send_all(url: str, auth: Auth, given: Any) -> int:
    """Send until nothing is due; return how many letters were tried."""
    tried = 0
    while True:
        found = send_to(url, auth, 10)
        if not found:
            return tried
        tried += found


def test_several_workers_hand_no_letter_over_twice(database_url: str) -> None:
    """R134: not even while the server takes its time with each."""
    sink = SmtpSink()
    action = partial(send_all, sink.url)
    with racers(database_url, [action] * WORKERS) as workers, sink:
        sink.stall("DATA", 0.01)
        db = DB(database_url)
        auth = Auth(db)
        for number in range(1, ROUNDS + 1):
            for each in range(LETTERS):
                auth.outbox.write(DELETED_LETTER, f"u{each}@example.com")
            outcomes = workers.run()
            assert errors_of(outcomes) == [], outcomes
            assert sum(each.value for each in outcomes) == LETTERS
            assert len(sink.letters) == number * LETTERS
            assert len(set(ids_of(sink.letters))) == number * LETTERS
        db.close()


def sending(environ: Dict[str, str], sink: SmtpSink) -> Dict[str, str]:
    """Return the environment of a worker that sends to this server."""
    return dict(
        environ, VESTIBULE_PROFILE="production", VESTIBULE_BCRYPT_COST="10",
        VESTIBULE_BASE_URL="https://example.com",
        VESTIBULE_MAIL_FROM="mail@example.com", VESTIBULE_SMTP_URL=sink.url)


def test_a_kill_between_sending_and_marking_doubles_one_letter(
        environ: Dict[str, str], database_url: str, sink: SmtpSink) -> None:
    """R134: once, with the same Message-ID, when the lease is over.

    The worker is a real one. It is killed while the server, which has the
    letter, does not answer to its QUIT.
    """
    db = DB(database_url)
    auth = Auth(db, Passwords(CHEAPEST))
    make_user(auth)
    auth.request_reset(EMAIL)
    sink.stall("QUIT", 30)
    worker = spawn(sending(environ, sink), "deliver")
    try:
        first, = sink.wait_for(1)
    finally:
        os.kill(worker.pid, signal.SIGKILL)
        worker.communicate(timeout=10)
    sink.obey()
    letter, = letters(db)
    assert (letter.state, letter.attempts) == (QUEUED, 1)
    assert send_to(sink.url, auth) == 0
    run_sql(db, "UPDATE letters SET next_try_at = 0")
    assert [send_to(sink.url, auth) for _ in range(2)] == [1, 0]
    assert ids_of(sink.letters) == [f"<{letter.id}@example.com>"] * 2
    with pytest.raises(InvalidToken):
        auth.update_password(token_of(first), "another")
    auth.update_password(token_of(sink.letters[1]), "another")
    db.close()
