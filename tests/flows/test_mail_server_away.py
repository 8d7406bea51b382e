#!/usr/bin/env python3
"""What people see of a mail server that is down, silent or out of reach.

Nothing: no answer is another or slower, and the letters come later.
"""

import socket
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import (
    Any, Callable, ContextManager, Dict, Iterator, List, NamedTuple, Tuple)

import pytest

from tests.support.builders import letters, run_sql
from tests.support.client import BOB, Client, make_client
from tests.support.clock import SetClock
from tests.support.recovering import until
from tests.support.service import Service
from tests.support.smtp_sink import HOST, SmtpSink
from vestibule.base.config import load
from vestibule.store.db import DB
from vestibule.store.letter import QUEUED, SENT

# The mailer waits ten seconds for each word of a server.
NOT_SLOW_SECONDS = 2.0
SERVICE_SECONDS = 20.0
NEW = dict(BOB, email="new@example.com")
NOBODY = {"email": "nobody@example.com"}
STRANGER = {"email": "stranger@example.com"}


class Exchange(NamedTuple):
    """What is asked of the service, and what it answers to that."""

    method: str
    path: str
    body: Dict[str, str]
    status: int
    answer: Dict[str, str]


# Whatever becomes of mail.
REQUESTS = [
    Exchange(
        "POST", "/users", NEW, 200,
        {"email": NEW["email"], "message": "user created"}),
    Exchange(
        "POST", "/users", BOB, 200,
        {"email": BOB["email"], "message": "user created"}),
    Exchange(
        "POST", "/reset_password", {"email": BOB["email"]}, 200,
        {"email": BOB["email"], "message": "reset link sent"}),
    Exchange(
        "POST", "/reset_password", NOBODY, 200,
        {"email": NOBODY["email"], "message": "reset link sent"}),
    Exchange(
        "POST", "/verify_email", {"email": NEW["email"]}, 200,
        {"email": NEW["email"], "message": "verification letter sent"}),
    Exchange(
        "POST", "/verify_email", NOBODY, 200,
        {"email": NOBODY["email"], "message": "verification letter sent"}),
    Exchange(
        "PUT", "/email", STRANGER, 202,
        {"email": STRANGER["email"], "message": "confirmation letter sent"})]
KINDS = ["already_registered", "change_email", "reset", "reset", "verify",
         "verify", "verify"]

# Yields the URL of a mail server, and what to wait for until somebody hangs.
MailServer = Tuple[str, Callable[[Client], Any]]


@contextmanager
def well() -> Iterator[MailServer]:
    """Be as one should."""
    with SmtpSink() as sink:
        yield sink.url, lambda client: sink.wait_for(1)


@contextmanager
def refusing_connections() -> Iterator[MailServer]:
    """Have nobody at the port."""
    yield SmtpSink().url, until_tried


@contextmanager
def silent() -> Iterator[MailServer]:
    """Take the connection, and never say a word."""
    held: List[socket.socket] = []
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        listener.listen(1)
        listener.settimeout(10)
        try:
            yield (f"smtp://{HOST}:{listener.getsockname()[1]}",
                   lambda client: held.append(listener.accept()[0]))
        finally:
            for connection in held:
                connection.close()


@contextmanager
def stalling_at_the_letter() -> Iterator[MailServer]:
    """Take all but the last answer's time: the letter is read, and then?"""
    with SmtpSink() as sink:
        sink.stall("DATA", 60)
        yield sink.url, lambda client: until(
            lambda: "DATA" in sink.verbs)


@contextmanager
def rejecting_everybody() -> Iterator[MailServer]:
    """Know none of the recipients."""
    with SmtpSink() as sink:
        sink.answer("RCPT", "550 5.1.1 No such user")
        yield sink.url, until_tried


@contextmanager
def out_of_reach() -> Iterator[MailServer]:
    """Have a name that DNS does not know."""
    yield "smtp+starttls://mail.invalid:587", until_tried


def until_tried(client: Client) -> None:
    """Wait until a letter was tried and put off, or given up."""
    db = client.services.db
    until(lambda: any(each.last_error for each in letters(db)))


def production_at(url: str, environ: Dict[str, str],
                  clock: SetClock) -> Client:
    """Return a client of a production service with this mail server.

    Everything is as in production, but for what a hash costs.
    """
    settings = load(dict(
        environ, VESTIBULE_PROFILE="production", VESTIBULE_BCRYPT_COST="10",
        VESTIBULE_BASE_URL="https://example.com", VESTIBULE_SMTP_URL=url,
        VESTIBULE_MAIL_FROM="mail@example.com")).settings
    return make_client(settings._replace(bcrypt_cost=4), clock)


@contextmanager
def delivering(client: Client) -> Iterator[threading.Thread]:
    """Let the delivery run beside the requests, as the service does.

    It is told to stop, and stops when the mail server lets go of it.
    """
    stop = threading.Event()
    thread = threading.Thread(
        target=client.services.delivery.run, args=(stop,))
    thread.start()
    try:
        yield thread
    finally:
        stop.set()


@pytest.mark.parametrize("mail_server", [
    well, refusing_connections, silent, stalling_at_the_letter,
    rejecting_everybody, out_of_reach])
def test_no_request_is_slower_or_different(
        mail_server: Callable[[], ContextManager[MailServer]],
        environ: Dict[str, str], clock: SetClock) -> None:
    """R134, R053: while a worker of this very process is at a letter."""
    with mail_server() as (url, is_busy):
        client = production_at(url, environ, clock)
        client.services.users.create(BOB["email"], BOB["password"])
        assert client.sign_in().status_code == 200
        client.services.auth.request_reset(BOB["email"])
        with delivering(client) as worker:
            is_busy(client)
            for exchange in REQUESTS:
                began = time.monotonic()
                assert_answered(client, exchange)
                assert time.monotonic() - began < NOT_SLOW_SECONDS, exchange
    worker.join(15)
    assert not worker.is_alive()
    # The oldest is the one that kept the worker busy.
    asked = letters(client.services.db)[:-1]
    assert sorted(each.kind for each in asked) == KINDS
    client.services.db.close()


def assert_answered(client: Client, expected: Exchange) -> None:
    """Send a request and compare its answer, the cookies' names too."""
    given = client.request(
        expected.method, expected.path, json=expected.body)
    assert (given.status_code, given.get_json()) == (
        expected.status, expected.answer)
    cookies = [header.partition("=")[0]
               for header in given.headers.getlist("Set-Cookie")]
    assert cookies == (
        ["__Host-registration"] if expected.path == "/users" else [])


def test_what_a_dead_mail_server_kept_back_comes_later_and_once(
        environ: Dict[str, str], database_url: str, tmp_path: Path) -> None:
    """R134: over the wire, by two workers, when the server is back."""
    sink = SmtpSink()
    people = [f"bob{number}@example.com" for number in range(6)]
    with serving(environ, sink, tmp_path) as service:
        for email in people:
            began = time.monotonic()
            reply = service.request("POST", "/users", dict(BOB, email=email))
            assert (reply.status, reply.json["message"]) == (
                200, "user created")
            assert time.monotonic() - began < NOT_SLOW_SECONDS
        db = DB(database_url)
        until(lambda: all(
            each.state == QUEUED and each.last_error
            for each in letters(db)), SERVICE_SECONDS)
        with sink:
            run_sql(db, "UPDATE letters SET next_try_at = 0")
            until(lambda: {each.state for each in letters(db)} == {SENT},
                  SERVICE_SECONDS)
        taken = sorted(letter.recipients for letter in sink.letters)
        assert taken == [(email,) for email in people]
        ids = {str(letter.message["Message-ID"]).partition("@")[0]
               for letter in sink.letters}
        assert ids == {f"<{letter.id}" for letter in letters(db)}
        assert service.faults() == []
        db.close()


def serving(environ: Dict[str, str], sink: SmtpSink,
            folder: Path) -> Service:
    """Return a production service of two workers, not started yet."""
    return Service(dict(
        environ, VESTIBULE_PROFILE="production", VESTIBULE_BCRYPT_COST="10",
        VESTIBULE_BASE_URL="http://127.0.0.1:5000", VESTIBULE_WORKERS="2",
        VESTIBULE_SMTP_URL=sink.url, VESTIBULE_MAIL_FROM="mail@example.com"),
        folder)
