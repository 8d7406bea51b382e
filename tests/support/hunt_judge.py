#!/usr/bin/env python3
"""What the hunt knows of people and their sessions, and when it is a find.

A fact is what a read of the database itself, past the service, has found.
A check that begins after that must know it: at once on the machine of the
change, and within a bound elsewhere. All instants are ``time.monotonic``'s,
which is one clock for all processes here; a fact's is taken after its read
and a check's before it is sent, so that what is late errs in favour of the
service. No allowance for a busy machine is needed.
"""

import re
from typing import Dict, List, NamedTuple, Optional

from vestibule.base.digest import digest_of
from vestibule.web.cookies import SESSION

CHECK, PROFILE, SESSION_PAGE = "/session/check", "/profile", "/session"
PATHS = (CHECK, PROFILE, SESSION_PAGE)
ELSEWHERE_SECONDS = 1.0
BY_HAND_SECONDS = 30.0
# More than anybody changes by hand in that time.
MOST_FACTS = 100
VERSION = re.compile(rb'\r\netag: "(\d+)"', re.IGNORECASE)
LABEL = re.compile(rb'"label": ?"n(\d+)"')


class Row(NamedTuple):
    """A session as its row stands, its user's beside it."""

    session_id: str
    secret_digest: str
    disabled_at: Optional[int]
    delete_after: Optional[int]
    version: int
    label: Optional[str]


class Fact(NamedTuple):
    """What was found of a session, and when."""

    instant: float
    is_live: bool
    version: int
    label: int


class Answer(NamedTuple):
    """What the service answered; ``head`` is all before the body."""

    status: int
    head: bytes
    body: bytes

    @property
    def is_good(self) -> bool:
        """Whether it let somebody in."""
        return 200 <= self.status < 300


class Person:
    """Somebody with sessions, who changes only on one of the machines.

    Where ``machine`` is ``None`` the changes are made by hand, with SQL.
    """

    def __init__(self, email: str, machine: Optional[int]) -> None:
        """Begin with no session."""
        self.email = email
        self.machine = machine
        self.id = ""
        self.tickets: List["Ticket"] = []
        self.changes: List[str] = []

    def bound_on(self, machine: int) -> float:
        """Return for how long a machine may not know of a change."""
        if self.machine is None:
            return BY_HAND_SECONDS
        return 0.0 if machine == self.machine else ELSEWHERE_SECONDS


class Ticket:
    """A token as a client holds it, and the facts about it in their order.

    Each fact is worse than the one before: who is behind the last one and
    shows more than the first one is somewhere between them.
    """

    def __init__(self, person: Person, token: str) -> None:
        """Begin with no fact."""
        self.person = person
        self.token = token
        self.session_id, _, secret = token.partition(".")
        self._digest = digest_of(secret)
        self.facts: List[Fact] = []
        self._requests: Dict[str, bytes] = {}

    def request(self, path: str, port: int) -> bytes:
        """Return the bytes of a check."""
        key = f"{port}{path}"
        if key not in self._requests:
            self._requests[key] = (
                f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
                f"Cookie: {SESSION}={self.token}\r\n\r\n").encode()
        return self._requests[key]

    def note(self, row: Optional[Row], instant: float) -> bool:
        """Note the session's row, if it has one; say whether it is new."""
        before = self.facts[-1] if self.facts else None
        if row is None:
            fact = Fact(instant, False, before.version if before else 0,
                        before.label if before else 0)
        else:
            fact = Fact(
                instant, row.disabled_at is None and row.delete_after is None
                and row.secret_digest == self._digest,
                row.version, int((row.label or "n0")[1:]))
        if before is not None and before[1:] == fact[1:]:
            return False
        self.facts.append(fact)
        del self.facts[:-MOST_FACTS]
        return True

    @property
    def is_live(self) -> bool:
        """Whether it was when it was last looked for."""
        return bool(self.facts) and self.facts[-1].is_live


class Asked(NamedTuple):
    """A check on its way."""

    ticket: Ticket
    path: str
    machine: int
    began: float


class Lag(NamedTuple):
    """How far an answer was behind, and what was wrong with it."""

    seconds: float
    wrong: str


def lag_of(asked: Asked, answer: Answer) -> Lag:
    """Return for how long the service had not known what it should.

    That is since the first fact, from before the check, which the answer
    contradicts; 0 and nothing where it contradicts none.
    """
    if not answer.is_good:
        return Lag(0.0, "")
    for fact in asked.ticket.facts:
        if fact.instant <= asked.began:
            wrong = _contradicted(fact, asked.path, answer)
            if wrong:
                return Lag(asked.began - fact.instant, wrong)
    return Lag(0.0, "")


def find_of(asked: Asked, answer: Answer) -> str:
    """Return in words what is a find in an answer, or nothing."""
    person = asked.ticket.person
    lag = lag_of(asked, answer)
    bound = person.bound_on(asked.machine)
    if lag.wrong and (lag.seconds > bound or not bound):
        return (f"{lag.wrong}: GET {asked.path} on machine {asked.machine} "
                f"began {lag.seconds * 1000:.3f} ms after the database was "
                f"seen changed, where {bound:g} s are allowed; who changed "
                f"it: machine {person.machine}; their changes: "
                f"{', '.join(person.changes)}; the answer: {answer!r}; "
                f"the facts: {asked.ticket.facts}; began {asked.began}")
    if answer.is_good and person.email.encode() not in (
            answer.head + answer.body):
        return f"somebody else's session: {answer!r} for {person.email}"
    if not answer.is_good and answer.status not in (403, 500, 503):
        return f"an answer that nobody expects: {answer!r}"
    return ""


def _contradicted(fact: Fact, path: str, answer: Answer) -> str:
    """Return in words what of a good answer cannot be, after this fact."""
    if not fact.is_live:
        return "a dead session was served"
    if path == PROFILE:
        shown = VERSION.search(answer.head)
        if shown is None or int(shown.group(1)) < fact.version:
            return "an old profile was served"
    if path == SESSION_PAGE and fact.label:
        shown = LABEL.search(answer.body)
        if shown is None or int(shown.group(1)) < fact.label:
            return "an old label was served"
    return ""
