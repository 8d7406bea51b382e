#!/usr/bin/env python3
"""Two services that differ in nothing but their database, asked alike."""

import json
import re
from typing import Any, Dict, List, NamedTuple, Tuple

from tests.support.builders import Postbox, make_delivery
from tests.support.client import Client, make_client
from tests.support.clock import SetClock
from tests.support.contract import FORM, JSON
from tests.support.fields import form
from vestibule.base.config import load
from vestibule.store.models import METADATA

UNKNOWN_SESSION = "12345678-1234-4234-8234-123456789012"
TOKEN = re.compile(r"/(reset|verify|undo)\?token=([A-Za-z0-9_-]{43})")
CODE = re.compile(r"^(\d{4} \d{4})$", re.MULTILINE)
# What is made by chance, and so differs: ids, secrets, seals.
RANDOM = re.compile(
    r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
    r"|[0-9a-f]+\.[0-9a-f]{32,64}|(?<![0-9a-f])[0-9a-f]{32}(?![0-9a-f])"
    r"|(?<![A-Za-z0-9_-])[A-Za-z0-9_-]{43}(?![A-Za-z0-9_-])")
# These stand in place of what only one service knows by its value.
REMEMBERED = ("reset_token", "reset", "verify", "undo", "code", "session",
              "cursor")


class Step(NamedTuple):
    """A request of one of two browsers, from an address; or no request.

    A text ``<reset>`` in it is what the service last gave away by that name.
    Without a method what waits in the outbox is delivered.
    """

    method: str
    path: str = ""
    fields: Any = None
    encoding: str = JSON
    browser: int = 0
    address: str = "127.0.0.1"
    query: str = ""
    agent: str = "test"
    key: str = ""


class Answered(NamedTuple):
    """What is to be the same on every database."""

    status: int
    headers: List[str]
    cookies: List[str]
    body: str


class Twin:
    """One of the services, and what it has given away."""

    def __init__(self, database_url: str) -> None:
        """Open a development service on this database."""
        settings = load({
            "VESTIBULE_PROFILE": "development",
            "VESTIBULE_DATABASE_URL": database_url,
            "VESTIBULE_SECRET_KEY": "a key for tests, 0123456789abcdef",
            "VESTIBULE_BCRYPT_COST": "4"}).settings
        self._settings = settings
        self.client = make_client(settings, SetClock())
        self.begin()

    def begin(self) -> None:
        """Forget everything: rows, browsers, letters, secrets."""
        services = self.client.services
        with services.db.engine.begin() as connection:
            for table in reversed(METADATA.sorted_tables):
                connection.execute(table.delete())
        self._browsers = [self.client.another(), self.client.another()]
        self._box = Postbox()
        self._delivery = make_delivery(services.auth, self._box)
        self._known: Dict[str, str] = dict.fromkeys(REMEMBERED, "none")
        self._known["session"] = UNKNOWN_SESSION

    def take(self, step: Step) -> Answered:
        """Take a step, a second after the one before."""
        clock = self.client.services.db.clock
        assert isinstance(clock, SetClock)
        clock.advance(seconds=1)
        if not step.method:
            return self._deliver()
        browser: Client = self._browsers[step.browser]
        environ = {"REMOTE_ADDR": step.address, "HTTP_USER_AGENT": step.agent}
        if step.key:
            environ["HTTP_IDEMPOTENCY_KEY"] = step.key
        answer = browser.request(
            step.method, self._filled(step.path), data=self._body(step),
            content_type=step.encoding, query_string=self._filled(step.query),
            environ_overrides=environ)
        text = answer.get_data(as_text=True)
        self._remember(text + str(answer.headers))
        return Answered(
            answer.status_code, sorted(answer.headers.keys()),
            [RANDOM.sub("…", each.partition("; Expires")[0])
             for each in answer.headers.getlist("Set-Cookie")],
            RANDOM.sub("…", text))

    def rows(self) -> Dict[str, int]:
        """Return how many rows each table holds."""
        with self.client.services.db.reading() as work:
            return {table.name: work.query(table).count()
                    for table in METADATA.sorted_tables}

    def close(self) -> None:
        """Close the database."""
        self.client.services.db.close()

    def _body(self, step: Step) -> Any:
        """Return the bytes of a step's body, ``None`` for none."""
        if not isinstance(step.fields, dict):
            return step.fields
        fields = {name: self._filled(value) if isinstance(value, str)
                  else value for name, value in step.fields.items()}
        return form(fields) if step.encoding == FORM else json.dumps(fields)

    def _filled(self, text: str) -> str:
        """Put what this service gave away in its place."""
        for name, value in self._known.items():
            text = text.replace(f"<{name}>", value)
        return text

    def _deliver(self) -> Answered:
        """Send what is due, and remember what stands in it."""
        before = len(self._box.taken)
        while self._delivery.send_due():
            pass
        came = self._box.taken[before:]
        for message in came:
            for name, secret in TOKEN.findall(message.text):
                self._known[name] = secret
            self._known.update(
                ("code", code) for code in CODE.findall(message.text))
        told = [f"{message.to} {message.subject}" for message in came]
        return Answered(0, told, [], "")

    def _remember(self, text: str) -> None:
        """Keep what an answer gives away."""
        for name, pattern in (
                ("reset_token", r'"reset_token": "([^"]*)"'),
                ("session", r'\{"id": "([0-9a-f-]{36})"'),
                ("cursor", r"cursor=([0-9a-f.]+)")):
            found = re.search(pattern, text)
            if found is not None:
                self._known[name] = found.group(1)


def difference(twins: Tuple[Twin, Twin], step: Step) -> Any:
    """Let both take a step; return both answers where they differ."""
    one, other = [twin.take(step) for twin in twins]
    return None if one == other else (step, one, other)
