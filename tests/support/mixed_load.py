#!/usr/bin/env python3
"""Mixed load: people who do by chance what people do, all the time.

They sign up and in, look at their sessions, mistype passwords, hang up in
the middle of a request and come in crowds. Each answer is looked at.
"""

import json
import socket
import threading
import typing
from collections import Counter
from contextlib import suppress
from http.client import HTTPConnection, HTTPException
from random import Random
from typing import (
    Any, Callable, Dict, List, NamedTuple, Optional, Sequence, Set, Tuple)

PEOPLE = 8
PASSWORD = "correct horse battery staple"
# Acts of one person before the next one takes the place.
ACTS = 200
CROWD = 16
PATIENCE = 30.0
SIGN_IN = ("POST", "/sessions")
# Whatever hashes may find that there is no room.
BUSY = 503


class Act(NamedTuple):
    """A request, with what it may be answered, and how often it is made.
    """

    method: str
    path: str
    expected: Set[int]
    weight: int
    body: Optional[Dict[str, Any]] = None
    signed_in: bool = True


ACTS_BY_CHANCE: Tuple[Act, ...] = (
    Act("GET", "/session/check", {204}, 40),
    Act("GET", "/profile", {200}, 20),
    Act("GET", "/session", {200}, 5),
    Act("GET", "/sessions", {200}, 5),
    Act("GET", "/profile/activity", {200}, 5),
    Act("PATCH", "/profile", {200}, 3, {"name": "Somebody"}),
    Act("GET", "/profile/export", {200, 429}, 1),
    Act("DELETE", "/sessions/others", {200}, 1),
    Act("GET", "/session/check", {403}, 5, signed_in=False),
    Act("GET", "/nowhere", {404}, 2, signed_in=False),
    Act("GET", "/openapi.json", {200}, 1, signed_in=False),
    Act("GET", "/health/ready", {200}, 3, signed_in=False),
    Act("POST", "/sessions", {401, BUSY}, 2,
        {"email": "nobody@example.com", "password": PASSWORD}, False),
    Act("POST", "/reset_password", {403, BUSY}, 1,
        {"email": "nobody@example.com"}, False))


def check_all(port: int, cookies: Sequence[str]) -> None:
    """Check each of these sessions over one connection."""
    connection = HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    for cookie in cookies:
        connection.request("GET", "/session/check", headers={
            "Cookie": f"session_id={cookie}"})
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 204
    connection.close()


class Load:
    """People in threads of their own, who visit one service."""

    def __init__(self, port: int, seed: int, pause: float) -> None:
        """Visit the service on this port; each act is followed by a pause.

        The pause is in seconds, on average.
        """
        self.port = port
        self.pause = pause
        self.answers: typing.Counter[str] = Counter()
        self.wrong: List[str] = []
        self.over = threading.Event()
        self._lock = threading.Lock()
        self._threads = [
            threading.Thread(
                target=self._live, args=(Random(f"{seed} {number}"),))
            for number in range(PEOPLE)]

    def __enter__(self) -> "Load":
        """Let everybody begin."""
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *details: Any) -> None:
        """Let everybody finish what they are at."""
        self.over.set()
        for thread in self._threads:
            thread.join(PATIENCE)

    def note(self, act: Act, status: int) -> None:
        """Take down how an act was answered."""
        with self._lock:
            self.answers[f"{act.method} {act.path} {status}"] += 1
            if status not in act.expected:
                self.wrong.append(f"{act.method} {act.path} was answered "
                                  f"with {status}")

    def _live(self, random: Random) -> None:
        """Be one person after the other until the load is over."""
        while not self.over.is_set():
            try:
                Person(self, random).live()
            except (OSError, HTTPException) as error:
                if not self.over.is_set():
                    self.wrong.append(f"no answer: {error!r}")


class Person:
    """Somebody who signs up, is there for a while, and leaves."""

    def __init__(self, load: Load, random: Random,
                 who: Optional[Dict[str, str]] = None) -> None:
        """Be somebody new, or the one with this address and password."""
        self._load = load
        self._random = random
        self._connection = HTTPConnection(
            "127.0.0.1", load.port, timeout=PATIENCE)
        self._cookie = ""
        self._who = who or {
            "email": f"{random.getrandbits(64):x}@example.com",
            "password": PASSWORD}

    def live(self) -> None:
        """Sign up and in, do this and that, and sign out or just leave."""
        try:
            if self._act(Act("POST", "/users", {200, BUSY}, 0, self._who,
                             False)) == BUSY or not self._sign_in():
                return
            for _ in range(ACTS):
                self._do_something()
                if self._load.over.wait(
                        self._random.expovariate(1 / self._load.pause)):
                    return
            if self._random.random() < 0.5:
                self._act(Act("DELETE", "/sessions", {303}, 0))
        finally:
            self._connection.close()

    def _do_something(self) -> None:
        """Do what chance says."""
        special: List[Callable[[], Any]] = [
            self._hang_up, self._sign_in, self._connection.close]
        if self._random.random() < 0.05:
            self._random.choice(special)()
        elif self._random.random() < 0.002:
            self._come_in_a_crowd()
        else:
            act, = self._random.choices(
                ACTS_BY_CHANCE, [each.weight for each in ACTS_BY_CHANCE])
            self._act(act)

    def _sign_in(self) -> bool:
        """Sign in, anew if that was done; say whether one is in."""
        return self._act(
            Act("POST", "/sessions", {200, BUSY}, 0, self._who)) == 200

    def _come_in_a_crowd(self) -> None:
        """Sign in so often at once that not all can be let in."""
        threads = [threading.Thread(
            target=Person(self._load, self._random, self._who).try_once)
            for _ in range(CROWD)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE)

    def try_once(self) -> None:
        """Sign in, and leave."""
        with suppress(OSError, HTTPException):
            self._sign_in()
        self._connection.close()

    def _hang_up(self) -> None:
        """Leave in the middle of a request."""
        with socket.create_connection(
                ("127.0.0.1", self._load.port), PATIENCE) as connection:
            connection.sendall(
                b"POST /sessions HTTP/1.1\r\nHost: 127.0.0.1\r\n"
                b"Content-Type: application/json\r\n"
                b"Content-Length: 100\r\n\r\n{")

    def _act(self, act: Act) -> int:
        """Send the request of an act, and look at its answer."""
        headers = {}
        if act.body is not None:
            headers["Content-Type"] = "application/json"
        if act.signed_in and self._cookie:
            headers["Cookie"] = self._cookie
        payload = json.dumps(act.body) if act.body is not None else None
        try:
            answer = self._exchange(act, payload, headers)
        except (OSError, HTTPException):
            # A connection that was kept is closed after a while.
            self._connection.close()
            answer = self._exchange(act, payload, headers)
        status, cookies = answer
        if (act.method, act.path) == SIGN_IN and status == 200:
            self._cookie = "; ".join(
                each.partition(";")[0] for each in cookies)
        self._load.note(act, status)
        return status

    def _exchange(self, act: Act, payload: Optional[str],
                  headers: Dict[str, str]) -> Tuple[int, List[str]]:
        """Send once; return the status, and the cookies that are set."""
        self._connection.request(act.method, act.path, payload, headers)
        answer = self._connection.getresponse()
        answer.read()
        return answer.status, answer.headers.get_all("Set-Cookie") or []
