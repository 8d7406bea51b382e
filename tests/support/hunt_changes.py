#!/usr/bin/env python3
"""The changer of a hunt: what people do to their sessions.

One person at a time comes, opens four sessions, changes this and that, ends
one after the other, and leaves.
"""

import json
import threading
from http.client import HTTPConnection, HTTPException
from random import Random
from time import monotonic, sleep
from typing import Any, Dict, List, NamedTuple, Optional

from tests.support.hunt_blows import Blows, Theatre
from tests.support.hunt_judge import Person, Ticket
from tests.support.hunt_line import holder_of
from tests.support.hunt_people import (
    PASSWORD, PATIENCE_SECONDS, Newcomers, token_in)
from tests.support.hunt_stage import Machine
from vestibule.web.cookies import SESSION

SESSIONS = 4
MOST_CHANGES = 8


class Request(NamedTuple):
    """What makes a change, with whose session, and in which words."""

    method: str
    path: str
    ticket: Ticket
    body: Optional[Dict[str, Any]] = None

    def send(self, connection: HTTPConnection) -> None:
        """Send this by a connection."""
        headers = {"Cookie": f"{SESSION}={self.ticket.token}"}
        body = None
        if self.body is not None:
            body = json.dumps(self.body)
            headers["Content-Type"] = "application/json"
        connection.request(self.method, self.path, body, headers)


class Change(NamedTuple):
    """Something that somebody does, or an operator where nothing is sent."""

    name: str
    requests: List[Request]


class Changer(threading.Thread):
    """Changes people one after the other, in a thread of its own."""

    def __init__(self, theatre: Theatre, machines: List[Machine],
                 newcomers: Newcomers, random: Random) -> None:
        """Change people on all these machines; ``start`` begins."""
        super().__init__(name="changer", daemon=True)
        self._theatre = theatre
        self._machines = machines
        self._random = random
        self._numbers = 0
        self._blows = Blows(theatre, random)
        self._newcomers = newcomers
        self.error: Optional[BaseException] = None

    def run(self) -> None:
        """Let one person after the other come and go."""
        try:
            while not self._theatre.is_over():
                self._live(self._random.choice(self._machines))
        except BaseException as error:
            self.error = error

    def _live(self, machine: Machine) -> None:
        """Let somebody come, change some things, and leave."""
        person = self._newcomers.arrive(machine, SESSIONS)
        self._theatre.focus = person
        self._linger(0.03, 0.12)
        for _ in range(self._random.randrange(1, MOST_CHANGES)):
            if not _live_of(person):
                break
            self._change(machine, person, self._next(person))
            self._linger(0.0, 0.05)
        while _live_of(person):
            self._change(machine, person, Change("users disable", []))
        self._theatre.focus = None
        self._theatre.bury(person)

    def _next(self, person: Person) -> Change:
        """Return what somebody does next; most of it ends a session."""
        if self._random.random() < 0.4:
            return self._gentle(self._random.choice(_live_of(person)))
        return self._fatal(_live_of(person))

    def _gentle(self, ticket: Ticket) -> Change:
        """Return a change after which somebody is still signed in."""
        self._numbers += 1
        name = f"n{self._numbers}"
        rename = Request("PATCH", "/profile", ticket, {"name": name})
        return self._random.choice([
            Change("rename", [rename]),
            Change("rename twice", [rename, rename]),
            Change("label", [Request(
                "PATCH", f"/sessions/{ticket.session_id}", ticket,
                {"label": name})]),
            Change("reauthenticate", [Request(
                "POST", "/session/reauthenticate", ticket,
                {"password": PASSWORD})]),
            Change("password", [Request("PUT", "/password", ticket, {
                "current_password": PASSWORD, "new_password": PASSWORD})])])

    def _fatal(self, live: List[Ticket]) -> Change:
        """Return a change that ends sessions."""
        one, other = live[0], live[-1]
        return self._random.choice([
            Change("log out", [Request("DELETE", "/sessions", one)]),
            Change("log out twice", [Request("DELETE", "/sessions", one),
                                     Request("DELETE", "/sessions", other)]),
            Change("end another", [Request(
                "DELETE", f"/sessions/{other.session_id}", one)]),
            Change("end others", [
                Request("DELETE", "/sessions/others", one)]),
            Change("leave", [Request("DELETE", "/profile", one)]),
            Change("users disable", []),
            Change("users revoke-sessions", [])])

    def _change(self, machine: Machine, person: Person,
                change: Change) -> None:
        """Make a change, under a blow if chance wants one."""
        name, requests = change
        blow = self._blows.choose()
        if (requests and blow.startswith("kill")
                and not machine.may_lose_one()):
            blow = blow.replace("kill", "pause")
        person.changes.append(f"{name} ({blow or 'no blow'})")
        if requests:
            is_answered = self._request(machine, person, requests, blow)
        else:
            is_answered = self._command(machine, person, name, blow)
        self._theatre.tally.changes += 1
        self._theatre.tally.unanswered += not is_answered
        self._theatre.when_seen = None
        self._let_them_look()

    def _request(self, machine: Machine, person: Person,
                 requests: List[Request], blow: str) -> bool:
        """Send requests at once; say whether all were answered."""
        connections = [HTTPConnection("127.0.0.1", machine.port, timeout=30)
                       for _ in requests]
        is_answered = True
        try:
            for connection in connections:
                connection.connect()
            self._blows.arm(blow, _holder(connections[0], machine),
                            len(requests))
            for request, connection in zip(requests, connections):
                request.send(connection)
            for connection in connections:
                reply = connection.getresponse()
                reply.read()
                is_answered &= reply.status < 500
                token = token_in(reply.getheader("Set-Cookie") or "")
                if token:
                    person.tickets.append(Ticket(person, token))
        except (OSError, HTTPException):
            is_answered = False
        finally:
            for connection in connections:
                connection.close()
        return is_answered

    def _command(self, machine: Machine, person: Person, name: str,
                 blow: str) -> bool:
        """Run an operator's command; say whether it came to its end."""
        desk = machine.desk
        assert desk is not None
        self._blows.arm(blow, desk.pid)
        return desk.run(f"{name} {person.email}")

    def _linger(self, shortest: float, longest: float) -> None:
        """Let the checkers ask, and fill the caches."""
        sleep(self._random.uniform(shortest, longest))
        self._let_them_look()

    def _let_them_look(self) -> None:
        """Wait until the hunt has looked at the database once more."""
        wanted = self._theatre.turns + 2
        until = monotonic() + PATIENCE_SECONDS
        while self._theatre.turns < wanted and monotonic() < until:
            sleep(0.001)


def _holder(connection: HTTPConnection, machine: Machine) -> Optional[int]:
    """Return which worker has taken a connection, before it is used."""
    workers = machine.workers()
    for _ in range(50):
        found = holder_of(connection.sock, workers)
        if found is not None:
            return found
        sleep(0.001)
    return None


def _live_of(person: Person) -> List[Ticket]:
    """Return somebody's live tickets, as of the last look."""
    return [ticket for ticket in list(person.tickets) if ticket.is_live]
