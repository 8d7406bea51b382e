#!/usr/bin/env python3
"""A flood of logins, and everything that has to go on meanwhile.

Nothing here is measured in seconds: what is fast is so beside something else
in the same run.
"""

import json
import socket
import threading
import time
from collections import Counter
from pathlib import Path
from statistics import median
from typing import Any, Dict, Iterator, List, NamedTuple

import pytest

from tests.support.builders import EMAIL, PASSWORD, count
from tests.support.gate import eventually
from tests.support.service import Service
from vestibule.store.attempt import Attempt
from vestibule.store.db import DB
from vestibule.store.event import Event

CLIENTS = 32
CHECKS = 150
COST = "9"
BOB = {"email": EMAIL, "password": PASSWORD}
# Somebody who is in already: a user has fifty sessions at most, and Bob's
# oldest ones end in a flood of logins that are right.
EVE = {"email": "eve@example.com", "password": PASSWORD}


class Login(NamedTuple):
    """What became of a login in the flood, and how long it took."""

    status: int
    seconds: float
    retry_after: str


class Flood:
    """Clients that log in without a pause until they are stopped."""

    def __init__(self, service: Service) -> None:
        """Be about to flood this service."""
        self._service = service
        self._over = threading.Event()
        self.logins: List[Login] = []
        self._threads = [threading.Thread(target=self._log_in)
                         for _ in range(CLIENTS)]

    def __enter__(self) -> "Flood":
        """Begin, and let it come to its height."""
        for thread in self._threads:
            thread.start()
        while len(self.logins) < CLIENTS:
            time.sleep(0.01)
        return self

    def __exit__(self, *details: Any) -> None:
        """Let it end."""
        self._over.set()
        for thread in self._threads:
            thread.join()

    def of(self, status: int) -> List[Login]:
        """Return the logins with this status."""
        return [each for each in self.logins if each.status == status]

    def _log_in(self) -> None:
        """Log in again and again; who is refused pauses for a blink."""
        while not self._over.is_set():
            begun = time.monotonic()
            reply = self._service.request("POST", "/sessions", BOB)
            self.logins.append(Login(
                reply.status, time.monotonic() - begun,
                reply.headers.get("Retry-After", "")))
            if reply.status == 503:
                self._over.wait(0.02)


@pytest.fixture
def flooded(environ: Dict[str, str], tmp_path: Path) -> Iterator[Service]:
    """Return a service of two processes that hashes at some cost."""
    with Service(dict(environ, VESTIBULE_BCRYPT_COST=COST,
                      VESTIBULE_WORKERS="2"), tmp_path) as running:
        for person in (BOB, EVE):
            assert running.request("POST", "/users", person).status == 200
        yield running


@pytest.fixture
def slow(environ: Dict[str, str], tmp_path: Path) -> Iterator[Service]:
    """Return a service of one process in which a hash takes its time."""
    with Service(dict(environ, VESTIBULE_BCRYPT_COST="13",
                      VESTIBULE_WORKERS="1"), tmp_path) as running:
        assert running.request("POST", "/users", BOB).status == 200
        yield running


def cookie_of(service: Service) -> str:
    """Sign in; return the cookies as they are sent back."""
    reply = service.request("POST", "/sessions", EVE)
    return str(reply.headers["Set-Cookie"]).partition(";")[0]


def test_a_flood_of_logins_fails_nothing_else(flooded: Service) -> None:
    """R124, R125: checks and health answer; who finds no room is told."""
    cookie = cookie_of(flooded)
    with Flood(flooded) as flood:
        checks = Counter(
            flooded.request("GET", "/session/check", Cookie=cookie).status
            for _ in range(CHECKS))
        health = Counter(
            flooded.request("GET", path).status
            for path in ("/health/live", "/health/ready") * 10)
    assert checks == {204: CHECKS} and health == {200: 20}
    assert {each.status for each in flood.logins} == {200, 503}
    refused, let_in = flood.of(503), flood.of(200)
    assert all(int(each.retry_after) >= 1 for each in refused)
    assert (median(each.seconds for each in refused)
            < median(each.seconds for each in let_in))
    assert flooded.faults() == []


def test_after_a_flood_all_is_as_before(
        flooded: Service, environ: Dict[str, str]) -> None:
    """R129: no place is lost, and nothing is left of who was refused."""
    with Flood(flooded) as flood:
        while len(flood.of(200)) < CLIENTS:
            time.sleep(0.01)
    for _ in range(CLIENTS):
        assert flooded.request("POST", "/sessions", BOB).status == 200
    db = DB(environ["VESTIBULE_DATABASE_URL"])
    assert count(db, "failures") == 0
    db.close()
    assert flooded.terminate() == 0


def test_who_waits_is_answered_when_the_service_stops(
        flooded: Service) -> None:
    """R142: requests in the line end as if nothing had happened."""
    answers: List[int] = []
    threads = [threading.Thread(target=lambda: answers.append(
        flooded.request("POST", "/sessions", BOB).status)) for _ in range(4)]
    for thread in threads:
        thread.start()
    while not answers:
        time.sleep(0.001)
    assert flooded.terminate() == 0
    for thread in threads:
        thread.join()
    assert set(answers) <= {200, 503} and len(answers) == 4


def test_who_leaves_is_not_hashed_for(
        slow: Service, environ: Dict[str, str]) -> None:
    """R125: of four who get a place, three hang up and cost nothing.

    But for the one that may be at work already when it does.
    """
    db = DB(environ["VESTIBULE_DATABASE_URL"])
    body = json.dumps({"email": EMAIL, "password": "wrong"}).encode()
    request = (b"POST /sessions HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n"
               b"Content-Type: application/json\r\nContent-Length: %d\r\n"
               b"\r\n%b" % (slow.port, len(body), body))
    lines = [socket.create_connection(("127.0.0.1", slow.port), 30)
             for _ in range(4)]
    for line in lines:
        line.sendall(request)
    # Who is counted stands in the line.
    eventually(lambda: most_tries(db) == 4)
    stays, *leave = lines
    for line in leave:
        line.close()
    assert stays.recv(12) == b"HTTP/1.1 401"
    stays.close()
    while slow.request("POST", "/sessions", BOB).status != 200:
        time.sleep(0.01)
    with db.reading() as work:
        refused = (work.query(Event)
                   .filter_by(what="login.refused").count())
    db.close()
    assert refused in (1, 2)
    assert slow.faults() == []


def most_tries(db: DB) -> int:
    """Return how many tries are counted under one key at most."""
    with db.reading() as work:
        return max(int(each.count) for each in work.query(Attempt))
