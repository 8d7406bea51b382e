#!/usr/bin/env python3
"""Registering and signing in where addresses have to be verified."""

import re
from typing import Any, Dict, List

import pytest

from tests.support.builders import count, everything, letters
from tests.support.client import BOB, Client
from tests.support.clock import SetClock
from tests.support.post import Post

EMAIL, PASSWORD = BOB["email"], BOB["password"]
# The value of a cookie of registration, and an instant to the second.
RANDOM = re.compile(r"=[0-9]{16}\.[0-9a-f]{64}(?=;)|=[A-Z][a-z]{2}, [^;]+")
PROBLEM = {"Accept": "application/problem+json"}


@pytest.fixture
def client(mailed: Post) -> Client:
    """Return a client of the production service."""
    return mailed.client


def _verified(mailed: Post, email: str = EMAIL) -> None:
    """Register somebody and confirm by the letter."""
    browser = mailed.client.another()
    browser.sign_up(email=email)
    token = mailed.letter(email, "Welcome").token
    assert browser.put(
        "/verify_email", {"token": token}).status_code == 200


def _sign_in(client: Client, **changes: str) -> Any:
    """Try to log Bob in; a refusal tells its code."""
    return client.another().post(
        "/sessions", dict(BOB, **changes), headers=PROBLEM)


def _facts(answer: Any) -> Any:
    """Return what an answer shows that could differ: no value of its own.
    """
    cookies = [RANDOM.sub("=random", each)
               for each in answer.headers.getlist("Set-Cookie")]
    return (answer.status_code, sorted(answer.headers.keys()), cookies,
            answer.get_data())


def test_a_taken_address_is_answered_like_a_new_one(
        client: Client, mailed: Post) -> None:
    """R004, R085: to the byte, but for the cookie's random part."""
    new = client.another().sign_up()
    again = client.another().sign_up(password="quite another password")
    token = mailed.letter(EMAIL).token
    assert client.put("/verify_email", {
        "token": token, "password": PASSWORD}).status_code == 200
    known = client.another().sign_up(email=" BOB@example.COM")
    client.services.users.disable(client.services.users.find(EMAIL))
    disabled = client.another().sign_up()
    assert new.get_json() == {"email": EMAIL, "message": "user created"}
    assert _facts(new) == _facts(again) == _facts(known) == _facts(disabled)
    assert count(client.services.db, "users") == 1


def test_the_attempt_changes_nothing_for_the_owner(
        client: Client, mailed: Post) -> None:
    """The password, the session and the address stay as they are."""
    _verified(mailed)
    assert client.sign_in().status_code == 200
    eve = client.another()
    eve.sign_up(password="eve's own password")
    assert client.get("/profile").status_code == 200
    assert _sign_in(eve, password="eve's own password").status_code == 401
    assert _sign_in(eve).status_code == 200


def test_the_owner_is_told_once_an_hour(
        client: Client, mailed: Post, clock: SetClock) -> None:
    """R004, R065: that somebody tried; with neither a token nor a code."""
    _verified(mailed)
    for _ in range(5):
        client.another().sign_up()
    letter, = mailed.deliver()
    assert letter.to == EMAIL
    assert "already have an account" in letter.subject
    assert "token=" not in letter.text + letter.html
    clock.advance(hours=1, seconds=1)
    for _ in range(5):
        client.another().sign_up()
    assert len(mailed.deliver()) == 1


def test_an_unproved_owner_gets_the_first_letter_again(
        client: Client, mailed: Post) -> None:
    """It may be the person who tries; five an hour, all of one kind."""
    for _ in range(9):
        client.another().sign_up()
    assert [each.kind for each in letters(client.services.db)] == [
        "verify"] * 5
    assert len(mailed.deliver()) == 1


def test_the_cookie_of_a_taken_address_proves_nothing(
        client: Client, mailed: Post) -> None:
    """R005: only the one of the browser that made the user does."""
    client.sign_up()
    late = client.another()
    late.sign_up()
    token = mailed.letter(EMAIL).token
    refused = late.put("/verify_email", {"token": token}, headers=PROBLEM)
    assert refused.get_json()["code"] == "proof_needed"
    assert client.put(
        "/verify_email", {"token": token}).status_code == 200


def test_the_right_password_is_told_to_confirm_first(
        client: Client, mailed: Post) -> None:
    """R009: 403 without a session, and a new letter is on its way."""
    client.sign_up()
    first = mailed.letter(EMAIL)
    refused = _sign_in(client)
    assert refused.status_code == 403
    assert refused.get_json()["code"] == "email_not_verified"
    assert "Set-Cookie" not in refused.headers
    assert count(client.services.db, "sessions") == 0
    second = mailed.letter(EMAIL, "Welcome")
    assert second.token != first.token
    assert client.put(
        "/verify_email", {"token": second.token}).status_code == 200
    assert _sign_in(client).status_code == 200


def test_a_wrong_password_is_told_nothing(
        client: Client, mailed: Post) -> None:
    """R009: unknown, unverified, disabled and verified are one answer."""
    _verified(mailed)
    _verified(mailed, "gone@example.com")
    users = client.services.users
    users.disable(users.find("gone@example.com"))
    client.another().sign_up(email="new@example.com")
    mailed.deliver()
    attempts: List[Dict[str, str]] = [
        {"password": "a wrong password"},
        {"email": "gone@example.com"},
        {"email": "gone@example.com", "password": "a wrong password"},
        {"email": "new@example.com", "password": "a wrong password"},
        {"email": "nobody@example.com"}]
    answers = [client.another().post("/sessions", dict(BOB, **each))
               for each in attempts]
    assert len({str(_facts(each)) for each in answers}) == 1
    assert answers[0].status_code == 401
    assert mailed.deliver() == []


def test_logging_in_writes_five_letters_an_hour(client: Client) -> None:
    """R065: who knows the password cannot fill the box by it."""
    client.sign_up()
    answers = [_sign_in(client) for _ in range(9)]
    assert {each.status_code for each in answers} == {403}
    assert [each.kind for each in letters(client.services.db)] == [
        "verify"] * 5


def test_no_way_in_leads_around_the_proof(
        client: Client, mailed: Post) -> None:
    """R013: a reset proves the mailbox, and nothing else lets one in."""
    client.sign_up()
    mailed.deliver()
    client.post("/reset_password", {"email": EMAIL})
    reset = mailed.letter(EMAIL, "new password")
    chosen = "a password of my own"
    done = client.put("/reset_password", {
        "reset_token": reset.token, "new_password": chosen})
    assert done.status_code == 200
    assert "Set-Cookie" not in done.headers
    assert _sign_in(client, password=chosen).status_code == 200


@pytest.mark.parametrize("changes, field", [
    ({"email": "nobody"}, "email"), ({"password": "short"}, "password")])
def test_unfit_values_are_refused_for_everybody_alike(
        client: Client, changes: Dict[str, str], field: str) -> None:
    """R004: before anybody is looked up, so it tells nothing."""
    client.sign_up()
    before = everything(client.services.db)
    bodies = set()
    for email in (EMAIL, "new@example.com"):
        refused = client.another().sign_up(**{"email": email, **changes})
        assert refused.status_code == 422
        assert list(refused.get_json()["errors"]) == [field]
        assert "Set-Cookie" not in refused.headers
        bodies.add(refused.get_data())
    assert len(bodies) == 1
    assert everything(client.services.db) == before


def test_closed_registration_writes_no_letters(
        client: Client, mailed: Post) -> None:
    """R007: a known and an unknown address are refused alike."""
    _verified(mailed)
    settings = client.services.settings._replace(registration="closed")
    client.app.extensions["vestibule"] = client.services._replace(
        settings=settings)
    answers = [client.another().sign_up(email=email)
               for email in (EMAIL, "new@example.com")]
    assert {each.status_code for each in answers} == {403}
    assert mailed.deliver() == []
