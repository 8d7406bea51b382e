#!/usr/bin/env python3
"""What a service under test is: how it is made, filled, started and asked."""

import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Dict, List, Optional, Sequence

from benchmarks.http_client import FORM, Reply, Request
from benchmarks.postgres import Postgres
from benchmarks.processes import Command
from benchmarks.workshop import Workshop

PASSWORD = "correct horse battery"
# Sessions are opened by logins that cost next to nothing.
OPENING_COST, COST = 4, 12
WORKERS = 2
MakesLogin = Callable[[int], Request]
ReadsSession = Callable[[Reply], str]


@dataclass(frozen=True)
class Site:
    """Where a run takes place: the databases, the folder, the sizes."""

    workshop: Workshop
    postgres: Postgres
    redis_port: int
    redis_pid: Optional[int]
    users: int
    sessions: int

    @property
    def work(self) -> Path:
        """The folder for all that is made."""
        return self.workshop.work

    @property
    def database_pids(self) -> List[int]:
        """The processes that all others of the databases descend from."""
        redis = [] if self.redis_pid is None else [self.redis_pid]
        return [self.postgres.pid, *redis]


@dataclass(frozen=True)
class Subject:
    """One service under test.

    ``login`` makes a login of the user of a number, ``session`` finds in its
    answer the header that carries the session, ``check`` is asked with it.
    ``health`` are the paths that an operator's probe asks. ``more_rows`` are
    statements that add sessions, or users, from number ``{low}`` to
    ``{high}``, for the part about growth.
    """

    name: str
    note: str = ""
    programs: Sequence[str] = ()
    database: str = ""
    login: Optional[MakesLogin] = None
    session: Optional[ReadsSession] = None
    check: str = "/profile"
    health: Sequence[str] = ()
    more_rows: Sequence[str] = ()

    def build(self, workshop: Workshop) -> None:
        """Install what it needs; raises ``CannotBuild`` where it cannot."""

    def fill(self, site: Site) -> None:
        """Make its tables and users in its own, empty database."""

    def command(self, site: Site, port: int, cost: int) -> Command:
        """Return how it is started on a port, hashing at this cost."""
        raise NotImplementedError

    @property
    def slug(self) -> str:
        """The name, as it can stand in the name of a file."""
        return "-".join(re.findall(r"[a-z0-9.]+", self.name.lower()))

    def log(self, site: Site) -> Path:
        """Return the file that holds what it prints."""
        return site.work / "logs" / f"{self.slug}.log"


def email(number: int) -> str:
    """Return the address of the user of a number, the first being 1."""
    return f"user{number}@example.com"


def json_login(path: str, headers: Sequence[str] = ()) -> MakesLogin:
    """Return a login that posts ``email`` and ``password`` as JSON."""

    def login(number: int) -> Request:
        """Make the login of one user."""
        body = json.dumps({"email": email(number), "password": PASSWORD})
        return Request("POST", path, headers, body.encode())
    return login


def form_login(path: str) -> MakesLogin:
    """Return a login that posts an OAuth2 password form."""

    def login(number: int) -> Request:
        """Make the login of one user."""
        body = (f"username={email(number).replace('@', '%40')}"
                f"&password={PASSWORD.replace(' ', '+')}")
        return Request("POST", path, (), body.encode(), FORM)
    return login


def cookies(*names: str) -> ReadsSession:
    """Return what reads the cookies of a login into a request's header."""

    def header(reply: Reply) -> str:
        """Return the header; raises ``KeyError`` for a missing cookie."""
        return "Cookie: " + "; ".join(
            f"{name}={reply.cookies[name]}" for name in names)
    return header


def plain_environ(**values: str) -> Dict[str, str]:
    """Return an environment without ours and Python's, and with these."""
    environ = {name: value for name, value in os.environ.items()
               if not name.startswith(("VESTIBULE_", "PYTHON", "PEER_"))}
    return {**environ, **values}


def app_token(reply: Reply) -> str:
    """Return the header of django-allauth's client for apps.

    The token comes in the body of the answer to a login.
    """
    token = json.loads(reply.body.decode())["meta"]["session_token"]
    return f"X-Session-Token: {token}"
