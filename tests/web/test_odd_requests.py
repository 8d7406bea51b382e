#!/usr/bin/env python3
"""Headers, paths and methods of every kind get an answer, and never a 500.

Requirements R089, R091, R098 and R100, on every kind of database.
"""

from typing import Set

import pytest

from tests.support.client import BOB, Client, cookie_of
from vestibule.store.event import Event

ID = "12345678-1234-4234-8234-123456789012"
SECRET = "a" * 43


def test_a_cookie_that_is_no_session_is_403(client: Client) -> None:
    """R100: garbage, binary, long, doubled, and of nobody."""
    client.sign_up()
    program = client.program()
    for cookie in (
            "session_id=", "session_id", "session_id=%", "session_id=\xff\x80",
            "session_id=" + "a" * 8000, "session_id=a; session_id=b",
            "=;;;=;", 'session_id="abc"', f"Session_ID={ID}.{SECRET}",
            ";" * 5000, f"session_id={ID}.{SECRET}\0", "$Version=1; a=b",
            "session_id=' OR 1=1 --", f"session_id={ID}.{SECRET}",
            f"session_id={'é' * 36}.{SECRET}", f"session_id={ID}.{'ä' * 43}",
            f"session_id={ID}"):
        headers = {"Cookie": cookie}
        for method, path in (("GET", "/profile"), ("DELETE", "/sessions")):
            answer = program.request(method, path, headers=headers)
            assert (cookie, answer.status_code) == (cookie, 403)
        answer = program.request(
            "POST", "/sessions", json=BOB, headers=headers)
        assert (cookie, answer.status_code) == (cookie, 200)


def test_a_session_beside_the_cookie_opens_nothing(client: Client) -> None:
    """The cookie is the only place for it."""
    client.sign_up()
    token = cookie_of(client.sign_in())
    stranger = client.another()
    for path in (f"/profile?session_id={token}", f"/profile;a={token}"):
        assert stranger.get(path).status_code in (403, 404)
    answer = stranger.request(
        "DELETE", "/sessions", json={"session_id": token})
    assert answer.status_code == 403


def test_an_authorization_header_is_nothing_to_us(client: Client) -> None:
    """R100: whatever it says, nobody is signed in by it."""
    for value in ("", "Basic", "Basic %%%", "Basic Og==", "Bearer \xff",
                  "Negotiate", "Digest x", "Basic " + "a" * 8000):
        answer = client.get("/profile", headers={"Authorization": value})
        assert (value, answer.status_code) == (value, 403)


def test_an_odd_accept_header_is_answered_all_the_same(
        client: Client) -> None:
    """In JSON, of one kind or the other."""
    for accept in ("", "*", "*/*;q=nan", ";;;", ",,,", "a/b/c", "\xff/\xfe",
                   "text", "application/json;q=1e999", "x" * 8000,
                   "application/problem+json;q=-1", "a/b," * 2000):
        for path, status in (("/", 200), ("/profile", 403), ("/no", 404)):
            answer = client.get(path, headers={"Accept": accept})
            assert (accept, answer.status_code) == (accept, status)
            assert answer.is_json


def test_a_path_that_is_none_of_ours_is_404(client: Client) -> None:
    """Nothing is resolved, and nobody is redirected.

    Only slashes in front count as one, so that ``//users`` is 405.
    """
    for path in (
            "//users", "///nothing", "/users/", "/users//", "/USERS", "/%00",
            "/%", "/%zz", "/%ff", "/users%2f", "/users%0d%0aX-Y:%20z",
            "/users;a=b", "/./users", "/a/../users", "/users/%2e%2e",
            "/openapi.json/", "/health/", "/health//live", "/static/",
            "/health/../users", "/static/../app.py", "/static/%2e%2e/app.py",
            "/static/%00", "/static//etc/passwd", "/\xe2\x80\xae", "/\xff",
            "/\0", "/" + "a" * 60000):
        answer = client.get("/", environ_overrides={"PATH_INFO": path})
        assert answer.status_code == (405 if path == "//users" else 404), path
        assert answer.is_json
        assert "Location" not in answer.headers


@pytest.mark.parametrize("path, methods", [
    ("/users", {"POST"}), ("/reset_password", {"POST", "PUT"}),
    ("/sessions", {"DELETE", "GET", "HEAD", "POST"}),
    ("/sessions/others", {"DELETE"}), (f"/sessions/{ID}", {"DELETE", "PATCH"}),
    ("/session/reauthenticate", {"POST"}), ("/password", {"PUT"})])
def test_a_method_that_is_none_of_ours_is_405(
        client: Client, path: str, methods: Set[str]) -> None:
    """R046: with the methods that are; OPTIONS tells them too."""
    for method in {"TRACE", "CONNECT", "PATCH", "PROPFIND", "FOO", "HEAD",
                   "GET ", "", "OPTIONS"} - methods:
        answer = client.request(method, path)
        assert answer.status_code == (200 if method == "OPTIONS" else 405)
        allowed = answer.headers["Allow"].split(", ")
        assert set(allowed) == methods | {"OPTIONS"}


def test_head_is_answered_like_get_without_a_body(client: Client) -> None:
    """On every path that takes GET, whoever asks."""
    client.sign_up()
    for path in ("/", "/profile", "/openapi.json", "/health/live", "/no",
                 "/session", "/session/check", "/sessions"):
        answer = client.request("HEAD", path)
        assert answer.status_code == client.get(path).status_code
        assert answer.data == b""


def test_any_user_agent_may_log_in(client: Client) -> None:
    """R089: what stands in a header is stored on every database."""
    client.sign_up()
    for agent in ("\0", "a\0b", "\xff" * 1000, "a" * 9000, ""):
        answer = client.request("POST", "/sessions", json=BOB,
                                environ_overrides={"HTTP_USER_AGENT": agent})
        assert (agent, answer.status_code) == (agent, 200)
    with client.services.db.reading() as work:
        stored = [row[0] or "" for row in work.query(Event.user_agent)]
    assert all("\0" not in text and len(text) <= 512 for text in stored)


def test_a_content_length_that_is_no_number_is_400(client: Client) -> None:
    """R091: on every route, before anything is read."""
    for length in ("-1", "+5", " 5", "5,5", "5 5", "1e3", "0x10", "\u0665",
                   "many", "9" * 30):
        for method, path in (("GET", "/"), ("POST", "/users"), ("GET", "/no")):
            answer = client.request(
                method, path, environ_overrides={"CONTENT_LENGTH": length})
            assert (length, answer.status_code) == (length, 400)


def test_a_body_without_a_length_is_411(client: Client) -> None:
    """R091: chunked or of any other coding, on every route."""
    for coding in ("chunked", "gzip, chunked", "identity", "\xff", ""):
        for method, path in (("GET", "/"), ("POST", "/users"), ("GET", "/no")):
            answer = client.request(
                method, path, headers={"Transfer-Encoding": coding})
            assert (coding, answer.status_code) == (coding, 411)
