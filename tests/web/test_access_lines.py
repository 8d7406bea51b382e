#!/usr/bin/env python3
"""One line for each request, and nothing in it that somebody typed."""

import uuid
from typing import Any, Iterator

import pytest

from tests.support.client import BOB, Client
from tests.support.logged import Kept, kept_log

ACCESS = "vestibule.access"
TOKEN = "tTtTtTtTtTtTtTtTtTtTtTtTtTtTtTtTtTtTtTtTtTt"


@pytest.fixture
def kept(client: Client) -> Iterator[Kept]:
    """Return what keeps the lines of the service."""
    with kept_log() as made:
        yield made


def only_line(kept: Kept) -> Any:
    """Return the one line about a request."""
    line, = kept.of(ACCESS)
    return line


def test_a_request_is_one_line(client: Client, kept: Kept) -> None:
    """R117, R118: which one, what came of it, whose, and how long."""
    answer = client.sign_in(password="wrong")
    line = only_line(kept)
    assert line.pop("at").endswith("Z")
    assert 0 < line.pop("milliseconds") < 60_000
    assert line == {
        "level": "info", "logger": ACCESS,
        "message": "POST /sessions 401", "method": "POST",
        "path": "/sessions", "status": 401, "ip": "127.0.0.1",
        "request_id": answer.headers["X-Request-Id"]}


def test_the_rule_stands_for_the_path(client: Client, kept: Kept) -> None:
    """R117: ids in paths that we know are not in the log."""
    session_id = str(uuid.uuid4())
    client.delete(f"/sessions/{session_id}?again={TOKEN}")
    assert only_line(kept)["path"] == "/sessions/<uuid:session_id>"
    assert TOKEN not in kept.texts[0] and session_id not in kept.texts[0]


@pytest.mark.parametrize("path, logged", [
    ("/nowhere?token=x", "/nowhere"), ("/reset%3Ftoken=short", "/reset"),
    (f"/reset/{TOKEN}", "/reset/..."),
    ("/users/bob@example.com", "/users/..."),
    ("/%E2%80%A8%0D%0A", "/\u2028\r\n"), ("/%ff", "/\ufffd"),
    ("/a b" * 500, ("/a b" * 500)[:200])])
def test_an_unknown_path_is_shortened_and_masked(
        client: Client, kept: Kept, path: str, logged: str) -> None:
    """R117, R119: no query, nothing like a token or an address."""
    assert client.get(path).status_code == 404
    assert only_line(kept)["path"] == logged


def test_questions_of_all_day_leave_no_line(
        client: Client, kept: Kept) -> None:
    """DESIGN section 6: as long as all is well."""
    frequent = ("/session/check", "/profile", "/session", "/health/live",
                "/health/ready")
    for path in frequent[:3]:
        client.get(path)
    assert [line["status"] for line in kept.of(ACCESS)] == [403, 403, 403]
    client.sign_up()
    client.sign_in()
    kept.texts.clear()
    for path in frequent:
        for method in ("GET", "HEAD"):
            assert client.request(method, path).status_code in (200, 204)
    assert kept.texts == []
    client.request("POST", "/health/live")
    client.request("PATCH", "/profile", json={"name": "Bob"})
    client.get("/sessions")
    assert [line["message"] for line in kept.of(ACCESS)] == [
        "POST /health/live 405", "PATCH /profile 200", "GET /sessions 200"]


def test_the_line_has_the_address_that_counts(
        client: Client, kept: Kept) -> None:
    """R118: IPv4-mapped as IPv4; nobody's word about another's address."""
    client.get("/", headers={"X-Forwarded-For": "192.0.2.7"},
               environ_base={"REMOTE_ADDR": "::ffff:198.51.100.7"})
    assert only_line(kept)["ip"] == "198.51.100.7"


def test_an_odd_method_is_not_repeated(client: Client, kept: Kept) -> None:
    """R117, R119: whoever sends a token for one, or a long word."""
    client.request(TOKEN, "/")
    client.request("BREW" * 50, "/")
    assert [line["method"] for line in kept.of(ACCESS)] == ["another"] * 2


def test_no_header_and_no_body_is_in_it(client: Client, kept: Kept) -> None:
    """R117: neither cookie nor authorization, agent nor address."""
    client.post(
        "/sessions?next=MARKER", dict(BOB, password="MARKER"), headers={
            "Authorization": "Bearer MARKER", "Cookie": "session_id=MARKER",
            "User-Agent": "MARKER", "Referer": "MARKER",
            "X-Other": "MARKER"})
    assert kept.texts and "MARKER" not in "".join(kept.texts)
    assert BOB["email"] not in "".join(kept.texts)
