#!/usr/bin/env python3
"""What people get who make an ordinary mistake."""

import pytest

from tests.support.client import Client


def test_json_sent_as_a_form_is_told_so(client: Client) -> None:
    """R098: curl's default type; no value of the body is repeated."""
    answer = client.request(
        "POST", "/users", data='{"email": "a@b.com", "password": "x"}',
        content_type="application/x-www-form-urlencoded")
    assert answer.status_code == 415
    said = answer.get_json()["message"]
    assert "Content-Type: application/json" in said
    assert "a@b.com" not in said


def test_an_answer_without_a_body_names_no_type(client: Client) -> None:
    """R049: what is not there has no media type."""
    client.sign_up()
    client.sign_in()
    for answer in (client.get("/session/check"), client.delete("/sessions")):
        assert answer.data == b""
        assert "Content-Type" not in answer.headers


@pytest.mark.parametrize("place", [
    "//evil.org", "/\\evil.org", "https:evil.org", "https://evil.org",
    "https://example.com@evil.org", "\t//evil.org", "/%0d%0aSet-Cookie:a=b"])
def test_no_parameter_sends_anybody_elsewhere(
        client: Client, place: str) -> None:
    """R051: redirects go to our own root, whatever is asked for."""
    client.sign_up()
    for name in ("next", "redirect", "url", "return_to"):
        client.sign_in()
        answer = client.delete("/sessions", query_string={name: place})
        assert answer.headers["Location"] == "/"
