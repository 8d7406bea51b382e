#!/usr/bin/env python3
"""Deleting one's account and bringing it back, over HTTP and on the page."""

from datetime import timedelta
from typing import Any

import pytest

from tests.support.client import BOB, Client, cookie_of, make_client
from tests.support.clock import SetClock
from vestibule.base.config import Settings

PROBLEM = {"Accept": "application/problem+json"}
DATE = "2026-03-15T12:00:00Z"
PENDING = (f"This account is deleted after {DATE}. Until then it can be "
           "restored.")


@pytest.fixture
def bob(client: Client) -> Client:
    """Return Bob's browser, where he has just signed in."""
    client.sign_up()
    client.sign_in()
    return client


def test_deleting_answers_with_the_date_and_ends_every_session(
        bob: Client) -> None:
    """R034: 202; this browser's cookie is taken back, the others are dead.
    """
    phone = bob.another()
    phone.sign_in()
    answer = bob.delete("/profile")
    assert answer.status_code == 202
    assert answer.get_json() == {
        "email": BOB["email"], "message": "account will be deleted",
        "delete_after": DATE}
    assert "session_id=;" in answer.headers["Set-Cookie"]
    for browser in (bob, phone):
        assert browser.get("/profile").status_code == 403


def test_an_old_proof_does_not_delete(bob: Client, clock: SetClock) -> None:
    """After five minutes the password is asked for again."""
    clock.advance(minutes=5, seconds=1)
    answer = bob.delete("/profile")
    assert answer.status_code == 401
    assert "max_age=300" in answer.headers["WWW-Authenticate"]
    bob.post("/session/reauthenticate", {"password": BOB["password"]})
    assert bob.delete("/profile").status_code == 202


def test_another_site_deletes_nobody(bob: Client) -> None:
    """R045: nor restores them."""
    evil = {"Sec-Fetch-Site": "cross-site"}
    assert bob.delete("/profile", headers=evil).status_code == 403
    assert bob.get("/profile").status_code == 200
    bob.delete("/profile")
    for path in ("/profile/restore", "/account/restore"):
        answer = bob.request("POST", path, data=BOB, headers=evil)
        assert answer.status_code == 403
        assert cookie_of(answer) is None


def test_a_login_says_until_when(bob: Client) -> None:
    """R009: to the right password; to the wrong one it is an ordinary 401.
    """
    bob.delete("/profile")
    answer = bob.sign_in()
    assert (answer.status_code, answer.get_json()) == (
        403, {"message": PENDING})
    assert cookie_of(answer) is None
    problem = bob.post("/sessions", BOB, headers=PROBLEM).get_json()
    assert (problem["code"], problem["delete_after"]) == (
        "deletion_pending", DATE)
    wrong = bob.sign_in(password="wrong")
    nobody = bob.sign_in(email="nobody@example.com")
    assert (wrong.status_code, wrong.get_json()) == (
        nobody.status_code, nobody.get_json())


@pytest.mark.parametrize("encoding", ["json", "data"])
def test_restoring_signs_in_as_a_login_does(
        bob: Client, encoding: str) -> None:
    """The same answer and the same cookie, also the second time."""
    bob.delete("/profile")
    for _ in range(2):
        answer = bob.request("POST", "/profile/restore", **{encoding: BOB})
        login = bob.sign_in()
        assert (answer.status_code, answer.get_json()) == (
            login.status_code, login.get_json())
        assert cookie_of(answer) is not None
        assert bob.get("/profile").get_json() == {"email": BOB["email"]}


@pytest.mark.parametrize("changes", [
    {"password": "wrong"}, {"email": "nobody@example.com"},
    {"email": "no address"}])
def test_restoring_refuses_like_a_login(
        bob: Client, changes: Any) -> None:
    """R009: 401 with the challenge, whatever was wrong."""
    bob.delete("/profile")
    answer = bob.post("/profile/restore", dict(BOB, **changes))
    login = bob.sign_in(**changes)
    assert answer.status_code == login.status_code == 401
    assert answer.get_json() == login.get_json()
    assert answer.headers["WWW-Authenticate"] == (
        login.headers["WWW-Authenticate"])


def test_after_the_date_it_is_an_ordinary_refusal(
        bob: Client, clock: SetClock) -> None:
    """R009: also while the rows are still there."""
    bob.delete("/profile")
    clock.advance(days=14)
    assert bob.sign_in().status_code == 401
    assert bob.post("/profile/restore", BOB).status_code == 401


def test_the_page_brings_the_account_back(bob: Client) -> None:
    """Where the letter leads to: a form, a sentence, and one is signed in.
    """
    bob.delete("/profile")
    bob.services.delivery.send_due()
    letter = bob.get("/dev/mailbox").get_json()["letters"][0]
    assert any(link.endswith("/account/restore")
               for link in letter["links"])
    assert b"<form" in bob.get("/account/restore").data
    wrong = bob.request("POST", "/account/restore",
                        data=dict(BOB, password="wrong"))
    assert wrong.status_code == 401
    assert b"not right" in wrong.data and b"bob@example.com" in wrong.data
    empty = bob.request("POST", "/account/restore", data={})
    assert empty.status_code == 422
    done = bob.request("POST", "/account/restore", data=BOB)
    assert done.status_code == 200
    assert b"Your account is restored" in done.data
    assert bob.get("/profile").status_code == 200


def test_the_grace_is_a_setting(
        settings: Settings, clock: SetClock) -> None:
    """An operator may give people more time, or less."""
    client = make_client(
        settings._replace(deletion_grace=timedelta(days=31)), clock)
    client.sign_up()
    client.sign_in()
    assert client.delete("/profile").get_json()["delete_after"] == (
        "2026-04-01T12:00:00Z")
    client.services.db.close()
