#!/usr/bin/env python3
"""One service under test while it runs, and the measurements of it."""

import asyncio
import contextlib
import itertools
import time
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Sequence

from benchmarks.http_client import (
    BROKEN, Connection, Reply, Request, fetch_all)
from benchmarks.load import (
    Flood, Steady, Timed, logins, mixed, one_by_one, saturate, steadily)
from benchmarks.processes import (
    Process, cpu_seconds, free_port, memory_mib, start, stop, wait_for_port)
from benchmarks.subject import COST, OPENING_COST, Site, Subject, email

PRINTED_LINES = 8
# What may go wrong of all checks before a figure means nothing.
MOST_BAD = 0.001
# So much longer a service is asked before what counts.
WARM_UP = 1 / 3
# Some send people who have no session to a page instead of saying 401.
REFUSALS = (302, 303, 401, 403, 410)
CHECKS_A_SECOND = 100
PROBES_A_SECOND = 10
# As many as a service of two processes can hash for, four times over.
LOGIN_CLIENTS = 8
# A service counts as calm after so many quick answers in a row.
CALM_ANSWERS, CALM_SECONDS, CALM_PATIENCE = 5, 0.05, 30.0


class Wrong(Exception):
    """A service does not answer as it should; the text says how."""


class People:
    """Numbers of users, so that each login is of one who did not yet."""

    def __init__(self, site: Site) -> None:
        """Begin behind those who have the sessions."""
        self._numbers = itertools.cycle(
            range(site.sessions + 1, site.users + 1))

    def next(self) -> int:
        """Return the next number; after the last comes the first again."""
        return next(self._numbers)


class Running:
    """A started service, with its port and its sessions."""

    def __init__(self, site: Site, subject: Subject, people: People,
                 process: "Process[bytes]", port: int) -> None:
        """Take over a service that listens."""
        self._site, self._subject, self._people = site, subject, people
        self._process, self._port = process, port
        self._log = subject.log(site)

    def printed(self) -> List[str]:
        """Return the first lines that the service wrote at this start."""
        return self._log.read_text("utf-8", "replace").splitlines()[
            :PRINTED_LINES]

    def verify(self) -> None:
        """See that each session is its own user's, and none is nobody's.

        Raises ``Wrong`` otherwise.
        """
        if self._subject.session is None:
            return
        replies = fetch_all(self._port, self._checks())
        for number, reply in enumerate(replies, 1):
            whose = f'"{email(number)}"'.encode()
            if reply.status != 200 or whose not in reply.body:
                raise Wrong(f"session {number} is answered with status "
                            f"{reply.status}, or as somebody else's")
        stranger, = fetch_all(
            self._port, [Request("GET", self._subject.check)])
        if stranger.status not in REFUSALS:
            raise Wrong("without a session it answers with status "
                        f"{stranger.status}")

    def check(self, connections: int, seconds: float) -> Dict[str, Any]:
        """Return how many session checks it answers, at what cost.

        Only once it has been asked for a while: what a process keeps of a
        session, and what is compiled as it runs, are there by then.
        """
        saturate(self._port, self._subject.check, self._headers,
                 connections, seconds * WARM_UP)
        before = self._cpu()
        found = saturate(self._port, self._subject.check, self._headers,
                         connections, seconds)
        spent = self._cpu() - before
        if found["bad"] > MOST_BAD * found["requests"]:
            raise Wrong(f"{found['bad']} of {found['requests']} checks were "
                        "not answered as they should")
        found["cpu_s"] = spent
        found["per_core"] = found["requests"] / spent if spent else None
        return {**found, "pss_mib": memory_mib(self._process.pid)}

    def log_in(self, seconds: float) -> Dict[str, Any]:
        """Return how many logins a second there can be, at what cost."""
        before = self._cpu()
        found = logins(self._port, self._login, LOGIN_CLIENTS, seconds)
        spent = self._cpu() - before
        found["per_core"] = found["logins"] / spent if spent else None
        return found

    def flood(self, clients: int, seconds: float) -> Dict[str, Any]:
        """Return how checks at fixed times fare while clients log in.

        With no clients at all it is the quiet that a flood is held against.
        """
        streams = {"checks": Steady(self._checks(), CHECKS_A_SECOND)}
        if self._subject.health:
            streams["health"] = Steady(
                [Request("GET", path) for path in self._subject.health],
                PROBES_A_SECOND)
        flood = Flood(self._login, clients) if clients else None
        before, began = self._cpu(), time.perf_counter()
        found = mixed(self._port, streams, flood, seconds)
        spent = self._cpu() - before
        found["cores_used"] = spent / (time.perf_counter() - began)
        found["pss_mib"] = memory_mib(self._process.pid)
        if clients:
            found["calm_after_s"] = asyncio.run(self._calm_after())
        return found

    def fetch(self, requests: Sequence[Request]) -> List[Reply]:
        """Return the answers to requests, in their order."""
        return fetch_all(self._port, requests)

    def ask(self, requests: Sequence[Request],
            expected: int) -> Dict[str, Any]:
        """Return how long requests take, one after the other.

        Raises ``Wrong`` where one is answered with another status.
        """
        found = one_by_one(self._port, requests, expected)
        if found["bad"]:
            raise Wrong(f"{found['bad']} of {found['count']} requests to "
                        f"{requests[0].path} were not answered with "
                        f"{expected}")
        return found

    def check_steadily(self, requests: Sequence[Request], seconds: float,
                       timed: Timed) -> None:
        """Ask a hundred times a second, and add how late answers were."""
        steadily(self._port, Steady(requests, CHECKS_A_SECOND), seconds,
                 timed)

    @property
    def _headers(self) -> Path:
        """The file with the sessions, one header a line."""
        return headers_file(self._site, self._subject)

    def _login(self) -> Request:
        """Return the login of somebody who has not logged in yet."""
        assert self._subject.login is not None
        return self._subject.login(self._people.next())

    def _checks(self) -> List[Request]:
        """Return a session check with each session."""
        return [Request("GET", self._subject.check, (header,))
                for header in self._headers.read_text().splitlines()]

    def _cpu(self) -> float:
        """Return the CPU time so far of the service and its databases."""
        return cpu_seconds(self._process.pid, *self._site.database_pids)

    async def _calm_after(self) -> Optional[float]:
        """Return how long after a flood checks are answered at once again.

        ``None`` if they are not for as long as anybody would wait.
        """
        began = time.perf_counter()
        try:
            await asyncio.wait_for(self._calm(), CALM_PATIENCE)
        except asyncio.TimeoutError:
            return None
        return time.perf_counter() - began

    async def _calm(self) -> None:
        """Ask until some answers in a row were quick."""
        connection, quick = Connection(self._port), 0
        raw = self._checks()[0].encoded(self._port)
        while quick < CALM_ANSWERS:
            asked = time.perf_counter()
            try:
                await connection.send(raw, CALM_PATIENCE)
            except BROKEN:
                await asyncio.sleep(CALM_SECONDS)
                continue
            late = time.perf_counter() - asked > CALM_SECONDS
            quick = 0 if late else quick + 1
        connection.close()


@contextlib.contextmanager
def running(site: Site, subject: Subject, people: People,
            cost: int = COST) -> Iterator[Running]:
    """Start a service, wait until it listens, and end it in any case."""
    port = free_port()
    command = subject.command(site, port, cost)
    _put_away(command.log)
    process = start(command)
    try:
        wait_for_port(process, port)
        _wait_for_answers(port, subject)
        yield Running(site, subject, people, process, port)
    finally:
        stop(process)


def open_sessions(site: Site, subject: Subject) -> None:
    """Log the first users in, and keep the header that each one gets."""
    file = headers_file(site, subject)
    if subject.login is None or subject.session is None:
        _keep(file, ["Cookie: session=none"] * site.sessions)
        return
    requests = [subject.login(number)
                for number in range(1, site.sessions + 1)]
    port = free_port()
    process = start(subject.command(site, port, OPENING_COST))
    try:
        wait_for_port(process, port)
        _wait_for_answers(port, subject)
        replies = fetch_all(port, requests)
    finally:
        stop(process)
    for reply in replies:
        if reply.status != 200 and reply.status != 204:
            raise Wrong(f"a login is answered with status {reply.status}")
    _keep(file, [subject.session(reply) for reply in replies])


def _put_away(log: Path) -> None:
    """Append a log to the older ones beside it, so that it begins anew."""
    if log.exists():
        with log.with_suffix(".old.log").open("ab") as older:
            older.write(log.read_bytes())
        log.unlink()


def headers_file(site: Site, subject: Subject) -> Path:
    """Return the file with a service's sessions, one header a line."""
    return site.work / "sessions" / f"{subject.slug}.txt"


def _keep(file: Path, lines: Sequence[str]) -> None:
    """Write the sessions down, readable for nobody else."""
    file.parent.mkdir(exist_ok=True)
    file.touch(mode=0o600)
    file.write_text("".join(f"{line}\n" for line in lines))


def _wait_for_answers(port: int, subject: Subject) -> None:
    """Wait until a few requests in a row are answered, in every process.

    Some servers listen before their workers can answer.
    """
    fetch_all(port, [Request("GET", subject.check)] * 16)
    time.sleep(0.5)
