#!/usr/bin/env python3
"""The HTTP contract of the nineteen tasks, to the letter."""

from typing import Any

import pytest

from tests.support.client import BOB, Client, cookie_of


def test_the_root_greets(client: Client) -> None:
    """Task 6: ``GET /`` answers in JSON."""
    answer = client.get("/")
    assert answer.status_code == 200
    assert answer.get_json() == {"message": "Bienvenue"}


def test_a_browser_is_greeted_with_a_page(client: Client) -> None:
    """``Accept: text/html`` gets the welcome page."""
    answer = client.get("/", headers={"Accept": "text/html,*/*;q=0.8"})
    assert answer.status_code == 200
    assert answer.mimetype == "text/html"
    assert b"Bienvenue" in answer.data


@pytest.mark.parametrize("encoding", ["json", "data"])
def test_registering_answers_with_the_canonical_address(
        client: Client, encoding: str) -> None:
    """Task 7, as JSON and as a form: the address is lower-case."""
    body: Any = {"email": "  Bob+Tag@Example.COM ", "password": "pw"}
    answer = client.request("POST", "/users", **{encoding: body})
    assert answer.status_code == 200
    assert answer.get_json() == {
        "email": "bob+tag@example.com", "message": "user created"}


def test_a_taken_address_is_refused_in_any_spelling(client: Client) -> None:
    """R002: one spelling, one user."""
    client.sign_up()
    for email in ("bob@example.com", "BOB@EXAMPLE.COM", " bob@Example.com"):
        answer = client.sign_up(email=email)
        assert answer.status_code == 400
        assert answer.get_json() == {"message": "email already registered"}


def test_unfit_values_are_named_by_field(client: Client) -> None:
    """R088: 422 and the reason for each field."""
    answer = client.post("/users", {"email": "bob", "password": ""})
    assert answer.status_code == 422
    assert answer.get_json()["errors"] == {
        "email": ["malformed"], "password": ["required"]}


@pytest.mark.parametrize("encoding", ["json", "data"])
def test_logging_in_sets_the_session_cookie(
        client: Client, encoding: str) -> None:
    """Task 11, as JSON and as a form."""
    client.sign_up()
    answer = client.request("POST", "/sessions", **{encoding: BOB})
    assert answer.status_code == 200
    assert answer.get_json() == {
        "email": "bob@example.com", "message": "logged in"}
    header = answer.headers["Set-Cookie"]
    assert header.startswith("session_id=")
    for attribute in ("HttpOnly", "SameSite=Lax", "Path=/"):
        assert attribute in header
    assert "Domain" not in header


def test_over_https_the_cookie_is_guarded_by_its_name(
        production: Client) -> None:
    """R043: ``__Host-`` and Secure where the base URL is https."""
    signed_up = production.sign_up()
    users = production.services.users
    users.verify(users.find(BOB["email"]))
    for name, answer in (("registration", signed_up),
                         ("session_id", production.sign_in())):
        header = answer.headers["Set-Cookie"]
        assert header.startswith(f"__Host-{name}=")
        for attribute in ("Secure", "HttpOnly", "SameSite=Lax", "Path=/"):
            assert attribute in header
        assert "Domain" not in header


@pytest.mark.parametrize("changes", [
    {"password": "wrong"}, {"email": "nobody@example.com"},
    {"email": "no address"}, {"password": ""}])
def test_wrong_credentials_look_alike(
        client: Client, changes: Any) -> None:
    """R009: 401 with the challenge, whatever was wrong."""
    client.sign_up()
    answer = client.sign_in(**changes)
    assert answer.status_code == 401
    assert answer.get_json() == {
        "message": "The email or the password is not right."}
    challenge = answer.headers["WWW-Authenticate"]
    assert challenge == 'Session realm="vestibule"'
    assert "Set-Cookie" not in answer.headers


def test_the_profile_holds_the_address(client: Client) -> None:
    """Task 15: with a session only."""
    assert client.get("/profile").status_code == 403
    client.sign_up()
    client.sign_in()
    answer = client.get("/profile")
    assert answer.status_code == 200
    assert answer.get_json() == {"email": "bob@example.com"}


def test_the_profile_holds_what_the_person_has_set(client: Client) -> None:
    """``GET /profile`` adds the attributes that are not empty."""
    client.sign_up()
    client.sign_in()
    db = client.services.db
    user = db.find_user_by(email=BOB["email"])
    db.update_user(user.id, name="Bob", app_metadata={"theme": "dark"})
    assert client.get("/profile").get_json() == {
        "email": "bob@example.com", "name": "Bob",
        "metadata": {"theme": "dark"}}


def test_logging_out_ends_the_session_and_clears_the_cookie(
        client: Client) -> None:
    """Task 14: 303 to the root, then 403; a replayed cookie is dead."""
    client.sign_up()
    token = cookie_of(client.sign_in())
    answer = client.delete("/sessions")
    assert answer.status_code == 303
    assert answer.headers["Location"] == "/"
    assert "Max-Age=0" in answer.headers["Set-Cookie"]
    assert client.delete("/sessions").status_code == 403
    replayed = client.program().get(
        "/profile", headers={"Cookie": f"session_id={token}"})
    assert replayed.status_code == 403
    assert "Max-Age=0" in replayed.headers["Set-Cookie"]


def test_in_development_the_answer_holds_the_reset_token(
        client: Client) -> None:
    """Task 17: every caller is trusted there."""
    client.sign_up()
    answer = client.post("/reset_password", {"email": "Bob@example.com"})
    assert answer.status_code == 200
    assert set(answer.get_json()) == {"email", "reset_token"}
    unknown = client.post("/reset_password", {"email": "no@example.com"})
    assert unknown.status_code == 403


def test_in_production_everybody_is_answered_alike(
        production: Client) -> None:
    """R053: known and unknown addresses, the token is nobody's to see."""
    production.sign_up()
    for email in ("bob@example.com", "nobody@example.com"):
        answer = production.post("/reset_password", {"email": email})
        assert answer.status_code == 200
        assert answer.get_json() == {
            "email": email, "message": "reset link sent"}


@pytest.mark.parametrize("with_email", [True, False])
def test_a_reset_token_sets_the_password_once(
        client: Client, with_email: bool) -> None:
    """Task 19: with and without ``email``; the second time is 403."""
    client.sign_up()
    token = _reset_token(client)
    body = {"reset_token": token, "new_password": "another"}
    if with_email:
        body["email"] = "BOB@example.com"
    answer = client.put("/reset_password", body)
    assert answer.status_code == 200
    assert answer.get_json() == {
        "email": "bob@example.com", "message": "Password updated"}
    assert "Set-Cookie" not in answer.headers
    assert client.put("/reset_password", body).status_code == 403
    assert client.sign_in().status_code == 401
    assert client.sign_in(password="another").status_code == 200


def test_a_token_of_another_person_is_refused_unspent(
        client: Client) -> None:
    """When ``email`` is given, it must be the token's own."""
    client.sign_up()
    client.sign_up(email="eve@example.com")
    token = _reset_token(client)
    body = {"email": "eve@example.com", "reset_token": token,
            "new_password": "another"}
    assert client.put("/reset_password", body).status_code == 403
    body["email"] = "bob@example.com"
    assert client.put("/reset_password", body).status_code == 200


def test_an_unfit_password_does_not_spend_the_token(client: Client) -> None:
    """Policy is checked before a token is spent."""
    client.sign_up()
    token = _reset_token(client)
    body = {"reset_token": token, "new_password": ""}
    refused = client.put("/reset_password", body)
    assert refused.status_code == 422
    assert refused.get_json()["errors"] == {"new_password": ["required"]}
    body["new_password"] = "another"
    assert client.put("/reset_password", body).status_code == 200


def test_errors_are_problems_for_who_accepts_them(client: Client) -> None:
    """RFC 9457, with the stable code and the request's id."""
    answer = client.get("/profile", headers={
        "Accept": "application/problem+json", "X-Request-Id": "test-12345"})
    assert answer.mimetype == "application/problem+json"
    assert answer.get_json() == {
        "type": "about:blank", "title": "Forbidden", "status": 403,
        "detail": "You are not signed in.", "code": "session_required",
        "request_id": "test-12345"}
    assert answer.headers["X-Request-Id"] == "test-12345"


def test_registration_can_be_closed(client: Client) -> None:
    """R007: in JSON and as a form, and no row is written."""
    settings = client.services.settings._replace(registration="closed")
    services = client.services._replace(settings=settings)
    client.app.extensions["vestibule"] = services
    for encoding in ("json", "data"):
        answer = client.request("POST", "/users", **{encoding: BOB})
        assert answer.status_code == 403
    assert client.services.db.list_users(10) == []


def _reset_token(client: Client) -> str:
    """Return a reset token for Bob, as a trusted caller."""
    answer = client.post("/reset_password", {"email": "bob@example.com"})
    token: str = answer.get_json()["reset_token"]
    return token
