#!/usr/bin/env python3
"""Every field that `openapi.json` knows, and the means to send a bad one.

What is derived from the document covers a new operation by itself; a new
field has to be given a good value here.
"""

import itertools
import json
from typing import Any, Dict, FrozenSet, Iterator, List, NamedTuple
from urllib.parse import quote

from tests.support.builders import all_but_tries
from tests.support.client import BOB, Client
from tests.support.contract import FORM, JSON, Contract, Operation
from vestibule.features.api_document.routes import DOCUMENT

CONTRACT = Contract(DOCUMENT)
WRONG = "a wrong password"
# No request with these has an effect, but that the first one registers Eve.
GOOD: Dict[str, Any] = {
    "email": "eve@example.com", "password": WRONG, "remember": True,
    "current_password": WRONG, "new_password": "a good password",
    "token": "A" * 43, "reset_token": "A" * 43, "code": "00000000",
    "label": "Desk", "name": "Eve", "locale": "en",
    "picture": "https://example.com/eve.png", "metadata": {"theme": "dark"}}
ADDRESSES = itertools.count(1)


class Place(NamedTuple):
    """A field of an operation, and the other fields that go with it."""

    operation: Operation
    field: str
    schema: Any
    others: Dict[str, Any]

    def __str__(self) -> str:
        """Name it, for the ids of tests."""
        ways = [each for each in ("code", "token", "reset_token")
                if each in self.others]
        beside = f" beside {ways[0]}" if ways else ""
        return f"{self.operation.id} {self.field}{beside}"

    @property
    def is_text(self) -> bool:
        """Say whether the field is a text, or else null at most."""
        return "string" in self._types

    def takes(self, value: Any) -> bool:
        """Say whether a value is of a type that the field may have."""
        if isinstance(value, dict):
            return "object" in self._types
        return not CONTRACT.errors(self.schema, value)

    @property
    def _types(self) -> List[str]:
        """The names of the JSON types that the document allows."""
        types: Any = self.schema.get("type", [])
        return [types] if isinstance(types, str) else list(types)


def operations() -> List[Operation]:
    """Return all operations that take a body, in the document's order."""
    return [each for each in CONTRACT.operations.values() if each.content]


def properties(operation: Operation) -> Dict[str, Any]:
    """Return the fields of an operation's body, and their schemas."""
    found: Dict[str, Any] = _schema(operation)["properties"]
    return found


def bodies(operation: Operation) -> List[Dict[str, Any]]:
    """Return good bodies, one for each set of fields that will do."""
    fields, schema = properties(operation), _schema(operation)
    ways = [frozenset(way["required"]) for way in schema.get("anyOf", [])]
    every: FrozenSet[str] = frozenset().union(*ways)
    return [{name: GOOD[name] for name in fields
             if name in way or name not in every}
            for way in ways or [every]]


def places() -> Iterator[Place]:
    """Yield each field of each operation, in each of its good bodies."""
    for operation in operations():
        for body in bodies(operation):
            for field in body:
                others = {name: value for name, value in body.items()
                          if name != field}
                yield Place(operation, field,
                            properties(operation)[field], others)


def _schema(operation: Operation) -> Any:
    """Return the schema of an operation's body as JSON."""
    return CONTRACT.follow(operation.content[JSON]["schema"])


class Sender:
    """Sends requests, each from an address of its own, as Bob or nobody."""

    def __init__(self, client: Client) -> None:
        """Register Bob and sign him in."""
        client.sign_up()
        self.client = client
        self._program = client.program()
        answer = client.sign_in()
        self.cookie = answer.headers["Set-Cookie"].partition(";")[0]
        session = client.get("/session").get_json()
        self._path = {"session_id": session["id"]}

    def send(self, operation: Operation, data: Any, kind: str = JSON,
             **headers: str) -> Any:
        """Send a body as it is, signed in where that is needed."""
        if operation.needs_session:
            headers.setdefault("Cookie", self.cookie)
        return self._program.request(
            operation.method, operation.path.format(**self._path),
            data=data, content_type=kind, headers=headers,
            environ_overrides={"REMOTE_ADDR": next_address()})

    def send_json(self, operation: Operation, body: Any) -> Any:
        """Send a body as JSON, in ASCII."""
        return self.send(operation, json.dumps(body))

    def send_form(self, operation: Operation, body: Dict[str, Any]) -> Any:
        """Send texts as a form."""
        return self.send(operation, form(body), FORM)

    def rows(self) -> str:
        """Return all rows of all tables but those that count tries."""
        return all_but_tries(self.client.services.db)


def form(body: Dict[str, Any]) -> str:
    """Return fields as a form; what is no text is written as JSON."""
    return "&".join(
        "{}={}".format(quote(name), quote(
            value if isinstance(value, str) else json.dumps(value)))
        for name, value in body.items())


def next_address() -> str:
    """Return an address that nobody has had, in a network of its own."""
    number = next(ADDRESSES)
    return f"2001:db8:{number >> 16:x}:{number & 0xffff:x}::1"


def assert_documented(operation: Operation, answer: Any) -> None:
    """Hold an answer against the document: its status, headers and body."""
    said = answer.status_code, answer.get_data(as_text=True)[:200]
    assert answer.status_code < 500, said
    assert answer.status_code in operation.answers, said
    documented = operation.answers[answer.status_code]
    assert CONTRACT.faults(documented, answer) == [], said
