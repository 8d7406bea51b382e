#!/usr/bin/env python3
"""How the session cookie is read."""

from typing import Any

import pytest

from tests.support.client import Client, cookie_of

SOME_ID = "6f1c1c62-3a0c-4b7e-9d55-0f6a8e0f3b11"


def _profile(client: Client, cookie: str) -> Any:
    """Ask for the profile with this Cookie header."""
    return client.program().get("/profile", headers={"Cookie": cookie})


@pytest.fixture
def token(client: Client) -> str:
    """Return the token of a live session of Bob's."""
    client.sign_up()
    return str(cookie_of(client.sign_in()))


def test_the_cookie_opens_the_session(client: Client, token: str) -> None:
    """Other cookies around it do not matter."""
    assert _profile(client, f"a=b; session_id={token};c=d").status_code == 200


@pytest.mark.parametrize("cookie", [
    "session_id=", "session_id", "=session_id={token}",
    "=__Host-session_id={token}", "__Host-session_id={token}",
    "Session_id={token}", 'session_id="{token}"', "session_id={token}x",
    "session_id={id}", "session_id=.", "session_id=%00", "session_id=\xff",
    "session_id=" + "x" * 5000, ";;;", "=", "session_id={token}%20"])
def test_anything_else_opens_nothing(
        client: Client, token: str, cookie: str) -> None:
    """R030, R052, R100: 403, never a fault."""
    header = cookie.format(token=token, id=token.split(".")[0])
    assert _profile(client, header).status_code == 403


def test_two_cookies_that_differ_are_refused(
        client: Client, token: str) -> None:
    """R052: and the cookie is not cleared, since one of them is good."""
    other = f"{SOME_ID}.{'x' * 43}"
    for header in (f"session_id={token}; session_id={other}",
                   f"session_id={other}; session_id={token}"):
        answer = _profile(client, header)
        assert answer.status_code == 403
        assert "Set-Cookie" not in answer.headers
    twice = f"session_id={token}; session_id={token}"
    assert _profile(client, twice).status_code == 200


@pytest.mark.parametrize("where", ["query", "header", "body"])
def test_only_the_cookie_carries_a_session(
        client: Client, token: str, where: str) -> None:
    """R030: not the URL, no other header, no body."""
    program = client.program()
    if where == "query":
        answer = program.get(f"/profile?session_id={token}")
    elif where == "header":
        answer = program.get("/profile", headers={
            "X-Session-Id": token, "Authorization": f"Bearer {token}"})
    else:
        answer = program.request("DELETE", "/sessions",
                                 json={"session_id": token})
    assert answer.status_code == 403


def test_a_live_session_with_a_wrong_secret_keeps_its_cookie(
        client: Client, token: str) -> None:
    """R044: a late tab must not wipe the cookie that took its place."""
    header = f"session_id={token.split('.')[0]}.{'x' * 43}"
    answer = _profile(client, header)
    assert answer.status_code == 403
    assert "Set-Cookie" not in answer.headers


def test_an_unknown_session_clears_the_cookie(client: Client) -> None:
    """R029, R044: what was never issued is refused and taken back."""
    answer = _profile(client, f"session_id={SOME_ID}.{'x' * 43}")
    assert answer.status_code == 403
    assert "Max-Age=0" in answer.headers["Set-Cookie"]


def test_a_failed_login_leaves_the_session_alone(
        client: Client, token: str) -> None:
    """R011: 401 sets, changes and clears nothing."""
    answer = client.sign_in(password="wrong")
    assert answer.status_code == 401
    assert "Set-Cookie" not in answer.headers
    assert client.get("/profile").status_code == 200


def test_a_login_replaces_the_session(client: Client, token: str) -> None:
    """R010: a new id each time, and the one presented ends."""
    renewed = str(cookie_of(client.sign_in()))
    assert renewed.split(".")[0] != token.split(".")[0]
    assert _profile(client, f"session_id={token}").status_code == 403
    assert _profile(client, f"session_id={renewed}").status_code == 200


def test_a_login_with_an_unclear_cookie_still_works(
        client: Client, token: str) -> None:
    """A person whose browser holds two cookies must get in."""
    header = f"session_id={token}; session_id=other"
    answer = client.program().post(
        "/sessions", {"email": "bob@example.com",
                      "password": "correct horse battery"},
        headers={"Cookie": header})
    assert answer.status_code == 200
