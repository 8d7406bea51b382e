#!/usr/bin/env python3
"""Which pages of other origins may call, and read what is answered."""

from typing import Dict, Iterator

import pytest

from tests.support.client import BOB, Client, make_client
from vestibule.base.config import load

APP = "https://app.example.com"


@pytest.fixture
def listed(environ: Dict[str, str]) -> Iterator[Client]:
    """Return a client of a service that knows one origin besides its own."""
    made = make_client(load(dict(
        environ, VESTIBULE_BASE_URL="https://auth.example.com",
        VESTIBULE_CORS_ORIGINS=f"{APP},https://two.example.com")).settings)
    yield made
    made.services.db.close()


def test_a_listed_origin_reads_answers_with_credentials(
        listed: Client) -> None:
    """R050: exactly that origin is named, refusals included."""
    for path in ("/", "/session", "/no-such-page"):
        headers = listed.get(path, headers={"Origin": APP}).headers
        assert headers["Access-Control-Allow-Origin"] == APP
        assert headers["Access-Control-Allow-Credentials"] == "true"
        assert "Origin" in headers["Vary"]


@pytest.mark.parametrize("source", [
    "https://evil.org", "null", "https://app.example.com.evil.org",
    "https://evilapp.example.com", "http://app.example.com",
    "https://app.example.com:8443", "https://APP.example.com", "*", ""])
def test_no_other_origin_learns_a_thing(
        listed: Client, source: str) -> None:
    """R050: prefix, suffix, scheme and port tricks are not on the list."""
    for method in ("GET", "OPTIONS"):
        answer = listed.request(method, "/session", headers={
            "Origin": source, "Access-Control-Request-Method": "PATCH"})
        assert "Access-Control-Allow-Origin" not in answer.headers
        assert "Access-Control-Allow-Methods" not in answer.headers


def test_without_a_list_nobody_may(client: Client) -> None:
    """R050: the default is silence."""
    headers = client.get("/", headers={"Origin": APP}).headers
    assert "Access-Control-Allow-Origin" not in headers


def test_a_preflight_is_answered(listed: Client) -> None:
    """A browser asks before it sends JSON or another method."""
    answer = listed.request("OPTIONS", "/profile", headers={
        "Origin": APP, "Access-Control-Request-Method": "PATCH",
        "Access-Control-Request-Headers": "content-type,if-match"})
    assert answer.status_code == 204
    assert "PATCH" in answer.headers["Access-Control-Allow-Methods"]
    allowed = answer.headers["Access-Control-Allow-Headers"].lower()
    assert "content-type" in allowed and "if-match" in allowed
    assert answer.headers["Access-Control-Allow-Origin"] == APP


@pytest.mark.parametrize("headers, status", [
    ({"Origin": APP, "Sec-Fetch-Site": "same-site"}, 200),
    ({"Origin": APP}, 200),
    ({"Origin": APP, "Sec-Fetch-Site": "cross-site"}, 403),
    ({"Origin": "https://evil.org", "Sec-Fetch-Site": "same-site"}, 403),
    ({"Sec-Fetch-Site": "same-site"}, 403)])
def test_only_listed_origins_of_our_site_may_write(
        listed: Client, headers: Dict[str, str], status: int) -> None:
    """R045: the list opens the way for same-site pages alone."""
    answer = listed.post("/users", BOB, headers=headers)
    assert answer.status_code == status
