#!/usr/bin/env python3
"""A town of people whom a stranger must not be able to tell apart.

In production, where ``POST /users`` is as silent as the rest: some are known,
some are not, and some have a password hash that nobody would expect.
"""

import itertools
import re
from typing import Any, Callable, Dict, List, NamedTuple, Optional

from sqlalchemy import text

from tests.support.builders import HASH, overheard, store_hash
from tests.support.client import BOB
from tests.support.clock import SetClock
from tests.support.hash_work import Work
from tests.support.post import Post
from vestibule.store.models import METADATA
from vestibule.web.cookies import cookie_name

KNOWN, UNVERIFIED, DISABLED, PENDING, UNKNOWN = (
    "known@example.com", "unverified@example.com", "disabled@example.com",
    "pending@example.com", "nobody@example.com")
# People whose stored hash is none of today's, or none at all.
ODD_HASHES: Dict[str, Optional[str]] = {
    "cheap@example.com": HASH, "old@example.com": HASH.replace("2b", "2a"),
    "foreign@example.com": "$argon2id$v=19$m=65536,t=3,p=4$c2FsdA$aGFzaA",
    "empty@example.com": "", "null@example.com": None,
    "corrupt@example.com": "$2b$04$short",
    "dear@example.com": HASH.replace("$04$", "$31$")}
STATES = (UNKNOWN, KNOWN, UNVERIFIED, DISABLED, PENDING)
EVERYBODY = (*STATES, *ODD_HASHES)
ME = "me@example.com"
MINE = "a password of my own"
# More than the cost of the odd hashes, but for one.
COST = 5
# The value of a cookie of registration, and an instant to the second.
RANDOM = re.compile(r"=[0-9]{16}\.[0-9a-f]{64}(?=;)|=[A-Z][a-z]{2}, [^;]+")
ADDRESS = re.compile(rb"[a-z]+@example\.com")


class Seen(NamedTuple):
    """All of an answer that could tell one person from another."""

    status: int
    headers: List[str]
    cookies: List[str]
    body: bytes


class Cost(NamedTuple):
    """What a request made the service do: a stranger may feel it in time.

    Hash work is in units of bcrypt's inner loop, see ``Work``.
    """

    hashes: int
    rows: Dict[str, int]
    statements: int


class Town:
    """A service with everybody in it, and with me, who is signed in."""

    def __init__(self, post: Post) -> None:
        """Register all but those who are unknown; odd hashes are put in.

        Everybody who can have a session has one, from before that.
        """
        self.post = post
        self.db = post.client.services.db
        self.cookies: Dict[str, str] = {}
        self._numbers = itertools.count(1)
        self._count = text(" UNION ALL ".join(
            f"SELECT '{table.name}', count(*) FROM {table.name}"
            for table in METADATA.sorted_tables))
        for email in (*EVERYBODY[1:], ME):
            self._register(email)
        services = post.client.services
        services.users.disable(services.users.find(DISABLED))
        services.deletion.by_operator(services.users.find(PENDING))

    def later(self) -> None:
        """Let an hour go by."""
        clock = self.db.clock
        assert isinstance(clock, SetClock)
        clock.advance(hours=1)

    def begin(self) -> None:
        """Let an hour go by; whoever may then has codes that are good.

        I am signed in anew, for some things want that.
        """
        self.later()
        for email in STATES:
            self.send("POST", "/reset_password", email=email)
            self.send("POST", "/verify_email", email=email)
        self.post.deliver()
        answer = self.send(
            "POST", "/sessions", email=ME, password=BOB["password"])
        assert answer.status_code == 200
        self.cookies[ME] = answer.headers["Set-Cookie"].partition(";")[0]

    def send(self, method: str, path: str, **fields: Any) -> Any:
        """Send JSON as a stranger from an address of their own."""
        return self.request(method, path, json=fields)

    def submit(self, path: str, **fields: str) -> Any:
        """Send a form of a page as a stranger."""
        return self.request("POST", path, data=fields)

    def send_as(self, who: str, method: str, path: str,
                **fields: Any) -> Any:
        """Send JSON as somebody who has a session."""
        return self.request(method, path, json=fields,
                            headers={"Cookie": self.cookies[who]})

    def request(self, method: str, path: str, **options: Any) -> Any:
        """Send a request from an address that nobody has had.

        In each town they are the same ones, so that they fall into the same
        slots of the throttle.
        """
        number = next(self._numbers)
        address = f"2001:db8:{number:x}::1"
        return self.post.client.program().request(
            method, path, environ_overrides={"REMOTE_ADDR": address},
            **options)

    def ask(self, action: Callable[[], Any], work: Work) -> "Asked":
        """Ask something; return what can be seen, and what it cost."""
        before = self._rows()
        work.units.clear()
        with overheard(self.db.engine) as statements:
            answer = seen(action())
        after = self._rows()
        return Asked(answer, Cost(
            sum(work.units),
            {name: after[name] - before[name] for name in after
             if after[name] != before[name]}, len(statements)))

    def _register(self, email: str) -> None:
        """Register somebody as this town has them."""
        services = self.post.client.services
        user = services.auth.register_user(email, BOB["password"])
        if email != UNVERIFIED:
            services.users.verify(user)
        name = cookie_name(services.settings.public_url)
        token = services.sessions.start(user, ("pwd",))
        self.cookies[email] = f"{name}={token}"
        if email in ODD_HASHES:
            store_hash(self.db, user, ODD_HASHES[email])

    def _rows(self) -> Dict[str, int]:
        """Return how many rows each table holds."""
        with self.db.reading() as work:
            return {name: number for name, number in work.execute(
                self._count)}


class Asked(NamedTuple):
    """A question's answer and its cost."""

    seen: Seen
    cost: Cost


def seen(answer: Any) -> Seen:
    """Return what can be seen of an answer.

    The address that was asked for is in the body, and no other. A page shows
    the request id besides, which is another one each time.
    """
    cookies = [RANDOM.sub("=random", each)
               for each in answer.headers.getlist("Set-Cookie")]
    body = ADDRESS.sub(b"the address", answer.get_data()).replace(
        answer.headers["X-Request-Id"].encode("ascii"), b"the request id")
    return Seen(answer.status_code, sorted(answer.headers.keys()), cookies,
                body)
