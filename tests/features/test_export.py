#!/usr/bin/env python3
"""The export over HTTP: a file that fits its schema, once a day."""

import json
from pathlib import Path
from typing import Any, Dict, List

import pytest
from jsonschema import Draft202012Validator, FormatChecker

from tests.support.client import BOB, Client
from tests.support.clock import SetClock
from vestibule.features.api_document.routes import DOCUMENT
from vestibule.features.export import routes as module
from vestibule.kernel import export as kernel

SCHEMA = json.loads((
    Path(__file__).resolve().parents[2] / "docs" / "reference"
    / "export.schema.json").read_text("utf-8"))


@pytest.fixture
def bob(client: Client) -> Client:
    """Return Bob's browser, where he has just signed in."""
    client.sign_up()
    client.sign_in()
    return client


def faults(document: Any) -> List[str]:
    """Return where a document does not fit the schema."""
    validator = Draft202012Validator(SCHEMA, format_checker=FormatChecker())
    return [f"{error.json_path}: {error.message}"
            for error in validator.iter_errors(document)]


def lived_in(bob: Client) -> None:
    """Let there be something in every member of the document."""
    bob.request("PATCH", "/profile", json={
        "name": "Bób", "metadata": {"theme": "dark"}})
    bob.another().sign_in(password="wrong")
    bob.another().post("/reset_password", {"email": BOB["email"]})
    services = bob.services
    user = services.db.find_user_by(email=BOB["email"])
    services.auth.addresses.keep(
        "old@example.com", user.id, services.db.clock.now())
    services.delivery.send_due()


def test_an_export_is_a_file_that_fits_the_schema(bob: Client) -> None:
    """A real one, with something in each of its lists."""
    lived_in(bob)
    answer = bob.get("/profile/export")
    assert answer.status_code == 200
    assert answer.mimetype == "application/json"
    assert answer.headers["Content-Disposition"] == (
        "attachment; filename=vestibule-export.json")
    assert answer.headers["Cache-Control"] == "no-store"
    document = json.loads(answer.data)
    assert faults(document) == []
    assert list(document) == list(SCHEMA["properties"])
    for name in ("addresses", "sessions", "one_time_tokens", "letters",
                 "events"):
        assert document[name], name
    assert document["profile"]["name"] == "Bób"


def test_the_smallest_export_fits_the_schema(bob: Client) -> None:
    """Lists may be empty, and most of a profile."""
    services = bob.services
    services.db.engine.dispose()
    document = json.loads(bob.get("/profile/export").data)
    assert faults(document) == []
    assert document["one_time_tokens"] == []


def test_the_schema_is_strict() -> None:
    """Whatever is added has to be written down, and judged."""
    Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["additionalProperties"] is False
    for part in SCHEMA["properties"].values():
        inner: Dict[str, Any] = part.get("items", part)
        if inner.get("type") == "object":
            assert inner["additionalProperties"] is False
            assert inner["required"] == list(inner["properties"])


def test_the_api_document_says_the_same() -> None:
    """There is one schema, in two places for two kinds of readers."""
    own = {name: value for name, value in SCHEMA.items()
           if name not in ("$schema", "title")}
    assert DOCUMENT["components"]["schemas"]["Export"] == own


def test_the_second_of_a_day_is_told_when(
        bob: Client, clock: SetClock) -> None:
    """It is 429 with a true Retry-After; a day later there is another."""
    assert bob.get("/profile/export").status_code == 200
    refused = bob.get("/profile/export")
    assert refused.status_code == 429
    assert refused.headers["Retry-After"] == "86400"
    assert refused.get_json() == {
        "message": "Your data can be exported once a day."}
    clock.advance(days=1)
    bob.sign_in()
    assert bob.get("/profile/export").status_code == 200


def test_a_head_costs_nothing(bob: Client) -> None:
    """Whoever looks what it would be still has the export of the day."""
    for _ in range(2):
        answer = bob.request("HEAD", "/profile/export")
        assert (answer.status_code, answer.data) == (200, b"")
    assert bob.get("/profile/export").status_code == 200


def test_an_old_proof_exports_nothing(bob: Client, clock: SetClock) -> None:
    """The password is asked for again, and that does not use up the day's."""
    clock.advance(minutes=5, seconds=1)
    assert bob.get("/profile/export").status_code == 401
    assert bob.another().get("/profile/export").status_code == 403
    bob.post("/session/reauthenticate", {"password": BOB["password"]})
    assert bob.get("/profile/export").status_code == 200


def test_it_is_sent_as_it_is_read(
        bob: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches join to one document, and no piece holds more than one."""
    monkeypatch.setattr(kernel, "BATCH", 7)
    user = bob.services.db.find_user_by(email=BOB["email"])
    for number in range(30):
        bob.services.auth.audit.record("test.done", user.id, count=number)
    pieces = list(module.written(bob.services.export.begin(user.id)))
    assert max(piece.count('"what"') for piece in pieces) == 7
    document = json.loads("".join(pieces))
    assert faults(document) == []
    assert [each["detail"] for each in document["events"][2:-1]] == [
        {"count": number} for number in range(30)]


def test_what_breaks_off_is_no_document(bob: Client) -> None:
    """A fault in the middle is not taken for the end."""
    user = bob.services.db.find_user_by(email=BOB["email"])
    pieces = list(module.written(bob.services.export.begin(user.id)))
    for end in range(len(pieces)):
        with pytest.raises(ValueError):
            json.loads("".join(pieces[:end]))
