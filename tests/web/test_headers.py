#!/usr/bin/env python3
"""The headers that every answer carries."""

import uuid

import pytest

from tests.support.client import Client

PATHS = ("/", "/profile", "/no-such-page", "/openapi.json", "/health/live",
         "/reset?token=x")


@pytest.mark.parametrize("path", PATHS)
def test_every_answer_is_guarded(production: Client, path: str) -> None:
    """R048, R049: refusals and pages too."""
    headers = production.get(path).headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cache-Control"] == "no-store"
    assert {"Cookie", "Accept"} <= set(headers["Vary"].split(", "))
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "max-age=63072000" in headers["Strict-Transport-Security"]
    assert uuid.UUID(headers["X-Request-Id"])
    assert "Access-Control-Allow-Origin" not in headers


def test_without_https_no_browser_is_told_to_insist_on_it(
        client: Client) -> None:
    """HSTS belongs to https alone."""
    assert "Strict-Transport-Security" not in client.get("/").headers


@pytest.mark.parametrize("given", ["short", "x" * 65, "with blank in it",
                                   "quo\"te-quote", "new\tline-12"])
def test_an_odd_request_id_is_replaced(client: Client, given: str) -> None:
    """R119: what cannot stand in a log line is not taken over."""
    headers = client.get("/", headers={"X-Request-Id": given}).headers
    assert headers["X-Request-Id"] != given
    assert uuid.UUID(headers["X-Request-Id"])


def test_methods_that_are_not_there_are_named_as_such(
        client: Client) -> None:
    """R046: 405 with Allow, for unknown methods and TRACE too."""
    for method in ("GET", "PATCH", "TRACE", "BREW"):
        answer = client.request(method, "/users")
        assert answer.status_code == 405
        assert "POST" in answer.headers["Allow"]
        assert answer.get_json() == {"message": "Method Not Allowed."}


def test_logging_out_by_get_does_nothing(client: Client) -> None:
    """R046: safe methods change nothing; no override is heard."""
    client.sign_up()
    client.sign_in()
    for headers in ({}, {"X-HTTP-Method-Override": "DELETE"}):
        answer = client.get("/sessions?_method=DELETE", headers=headers)
        assert "Set-Cookie" not in answer.headers
    assert client.get("/profile").status_code == 200
