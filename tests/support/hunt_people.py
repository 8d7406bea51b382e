#!/usr/bin/env python3
"""How people come to the machines of a hunt."""

from http.client import HTTPException
from time import monotonic, sleep
from typing import Any, List, Optional

from tests.support.hunt_judge import CHECK, Person, Ticket
from tests.support.hunt_stage import Machine
from tests.support.service import Reply
from vestibule.web.cookies import SESSION

PASSWORD = "a right long password"
PATIENCE_SECONDS = 30.0


class Newcomers:
    """Registers people and signs them in, however often it takes."""

    def __init__(self, machines: List[Machine]) -> None:
        """Begin with the first one."""
        self._machines = machines
        self._numbers = 0

    def arrive(self, machine: Optional[Machine], sessions: int) -> Person:
        """Return somebody new with so many sessions.

        Nobody changes them by the service where no machine is given.
        """
        self._numbers += 1
        person = Person(f"person{self._numbers}@example.com",
                        None if machine is None else machine.number)
        place = machine or self._machines[0]
        known = {"email": person.email, "password": PASSWORD}
        self._insist(place, "POST", "/users", known)
        for _ in range(sessions):
            reply = self._insist(place, "POST", "/sessions", known)
            person.tickets.append(
                Ticket(person, token_in(reply.headers["Set-Cookie"])))
        cookie = f"{SESSION}={person.tickets[0].token}"
        person.id = self._insist(
            place, "GET", CHECK, Cookie=cookie).headers["Vestibule-User"]
        return person

    def _insist(self, machine: Machine, method: str, path: str,
                body: Any = None, **headers: str) -> Reply:
        """Send what is no change until it is answered."""
        until = monotonic() + PATIENCE_SECONDS
        while True:
            try:
                reply = machine.service.request(method, path, body, **headers)
                # An earlier try may have registered them.
                if reply.status < 300 or reply.status == 400:
                    return reply
            except (OSError, HTTPException):
                pass
            assert monotonic() < until, f"{path} is not answered"
            sleep(0.05)


def token_in(cookie: str) -> str:
    """Return the token that a Set-Cookie header gives, if it gives one."""
    name, _, rest = cookie.partition("=")
    return rest.partition(";")[0] if name == SESSION else ""
