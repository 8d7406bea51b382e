#!/usr/bin/env python3
"""Each answer says which request it answers, and so does each log line."""

import uuid
from typing import Any, Dict

import pytest

from tests.support.builders import run_sql
from tests.support.client import BOB, Client, make_client
from tests.support.logged import kept_log
from vestibule.base.config import load

GIVEN = "given-by.the_Client-01"
LARGE = {"data": b"x" * 70_000, "content_type": "application/json"}
# A request for each way to refuse, and the status that is to come of it.
REFUSED = [
    ("GET", "/no-such-page", {}, 404), ("BREW", "/users", {}, 405),
    ("GET", "/", {"base_url": "http://evil.org"}, 421),
    ("POST", "/users", LARGE, 413),
    ("POST", "/users", {"data": b"x", "content_type": "text/xml"}, 415),
    ("POST", "/users", {"headers": {"Transfer-Encoding": "chunked"}}, 411),
    ("POST", "/users", {"json": {}}, 422),
    ("POST", "/users", {"json": BOB, "headers": {"Origin": "null"}}, 403),
    ("GET", "/profile", {}, 403), ("DELETE", "/sessions", {}, 403),
    ("POST", "/sessions", {"json": BOB}, 401),
    ("GET", "/sessions/check//", {}, 404), ("OPTIONS", "/users", {}, 200),
    ("GET", "/health/live", {}, 200), ("GET", "/undo?token=x", {}, 200)]


@pytest.mark.parametrize("method, path, options, status", REFUSED)
def test_every_answer_repeats_a_sane_id(
        client: Client, method: str, path: str, options: Dict[str, Any],
        status: int) -> None:
    """R118, R122: or has a new one; never two, and the line has it too."""
    for given in (GIVEN, "odd one", None):
        sent = dict(options.get("headers", {}))
        if given:
            sent["X-Request-Id"] = given
        with kept_log() as kept:
            answer = client.request(
                method, path, **{**options, "headers": sent})
        assert answer.status_code == status
        echoed, = answer.headers.getlist("X-Request-Id")
        assert echoed == GIVEN if given == GIVEN else uuid.UUID(echoed)
        assert {line["request_id"] for line in kept.of()} <= {echoed}


def test_a_service_that_is_not_ready_says_to_whom(
        environ: Dict[str, str], bare_url: str) -> None:
    """R122: as it is when the schema is another one."""
    environ["VESTIBULE_DATABASE_URL"] = bare_url
    client = make_client(load(environ).settings)
    run_sql(client.services.db, "DROP TABLE IF EXISTS alembic_version")
    answer = client.get("/health/ready", headers={"X-Request-Id": GIVEN})
    client.services.db.close()
    assert answer.status_code == 503
    assert answer.headers["X-Request-Id"] == GIVEN
