#!/usr/bin/env python3
"""Whatever a view raises: an answer, one line in the log, and no secret."""

from typing import Any, Callable, Iterator

import pytest

from tests.support.client import Client
from tests.support.logged import Kept, kept_log
from vestibule.store.db import DB, IntegrityError, OperationalError

SECRET = "a password that was typed"
REQUEST_ID = "request-0123456789"
ERRORS = "vestibule.web.errors"


class PanicException(BaseException):
    """What native code raises: no ``Exception``, like that of pyo3."""


@pytest.fixture
def kept() -> Iterator[Kept]:
    """Return what keeps the lines of the service."""
    with kept_log() as made:
        yield made


def fail_with(client: Client, error: BaseException) -> None:
    """Let the service have a view that fails, before its first request."""
    def view() -> Any:
        """Fail, as nobody expects it."""
        raise error
    client.app.add_url_rule("/fail", "fail", view)


def asked(client: Client) -> Any:
    """Ask for what fails, as a client that likes RFC 9457."""
    return client.get("/fail", headers={
        "Accept": "application/problem+json", "X-Request-Id": REQUEST_ID})


@pytest.mark.parametrize("kind", [
    ValueError, PanicException, MemoryError, RecursionError])
def test_anything_is_answered_with_500(
        client: Client, kept: Kept,
        kind: Callable[[str], BaseException]) -> None:
    """R122: problem+json with the request's id, one line with a traceback.
    """
    fail_with(client, kind(SECRET))
    answer = asked(client)
    assert answer.status_code == 500
    assert answer.mimetype == "application/problem+json"
    assert answer.get_json()["code"] == "internal_error"
    assert answer.get_json()["request_id"] == REQUEST_ID
    assert answer.headers["X-Request-Id"] == REQUEST_ID
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    line, = kept.of(ERRORS)
    assert (line["level"], line["request_id"]) == ("error", REQUEST_ID)
    assert line["traceback"].endswith(kind("x").__class__.__name__)
    assert "in view\n    raise error" in line["traceback"]
    access, = kept.of("vestibule.access")
    assert (access["status"], access["path"]) == (500, "/fail")
    assert SECRET not in "".join(kept.texts) + answer.get_data(as_text=True)
    assert client.get("/").status_code == 200


def test_what_ends_a_process_ends_it(client: Client, kept: Kept) -> None:
    """R122: Ctrl-C is no fault, and nobody's to answer; a line there is."""
    fail_with(client, KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        asked(client)
    line, = kept.of("vestibule.access")
    assert "status" not in line and line["request_id"] == REQUEST_ID


@pytest.mark.parametrize("kind, status", [
    (IntegrityError, 500), (OperationalError, 503)])
def test_what_a_database_shows_is_not_repeated(
        client: Client, kept: Kept, kind: Any, status: int) -> None:
    """R122: drivers put rows and parameters into what they say."""
    driver = Exception(f"DETAIL: Failing row contains ({SECRET})")
    fail_with(client, kind(f"INSERT '{SECRET}'", {"x": SECRET}, driver))
    assert asked(client).status_code == status
    line, = kept.of(ERRORS)
    assert line["request_id"] == REQUEST_ID
    assert SECRET not in "".join(kept.texts)


def test_a_statement_that_fails_shows_no_value(
        client: Client, kept: Kept) -> None:
    """R122: as the databases themselves say it."""
    def view() -> Any:
        """Store what cannot be stored."""
        db: DB = client.services.db
        db.add_user(SECRET, "hash")
        db.add_user(SECRET, "hash")
    client.app.add_url_rule("/fail", "fail", view)
    assert asked(client).status_code == 500
    line, = kept.of(ERRORS)
    assert "IntegrityError" in line["traceback"]
    assert SECRET not in "".join(kept.texts)


def test_a_panic_leaves_no_transaction_open(client: Client) -> None:
    """R122: the thread that answered can answer the next one."""
    def view() -> Any:
        """Panic in the middle of a change."""
        with client.services.db.transaction():
            client.services.db.add_user("eve@example.com", "hash")
            raise PanicException()
    client.app.add_url_rule("/fail", "fail", view)
    assert asked(client).status_code == 500
    assert client.services.db.list_users(9) == []
    assert client.sign_up().status_code == 200
