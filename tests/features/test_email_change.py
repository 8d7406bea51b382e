#!/usr/bin/env python3
"""Changing to another address: asked for here, confirmed from there."""

from typing import Any

import pytest

from tests.support.builders import all_but_tries, letters
from tests.support.client import BOB, Client
from tests.support.clock import SetClock
from tests.support.post import Post

EMAIL, PASSWORD = BOB["email"], BOB["password"]
NEW, NEWER = "robert@example.com", "rob@example.com"
CONFIRM = "Confirm your new address"


@pytest.fixture
def bob(post: Post) -> Client:
    """Return Bob's browser, just signed in; his address is proved."""
    post.client.sign_up()
    token = post.letter(EMAIL).token
    assert post.client.put(
        "/verify_email", {"token": token}).status_code == 200
    post.client.sign_in()
    return post.client


def _confirm(client: Client, token: str) -> Any:
    """Spend the token of a letter, in a browser without cookies."""
    return client.another().put("/verify_email", {"token": token})


def test_an_address_changes_once_it_is_confirmed(
        bob: Client, post: Post) -> None:
    """The old one counts until then, and the session goes on after."""
    asked = bob.put("/email", {"email": "Robert@EXAMPLE.com"})
    assert (asked.status_code, asked.get_json()) == (
        202, {"email": NEW, "message": "confirmation letter sent"})
    assert bob.get("/profile").get_json()["email"] == EMAIL
    letter = post.letter(NEW, CONFIRM)
    done = _confirm(bob, letter.token)
    assert (done.status_code, done.get_json()) == (
        200, {"email": NEW, "message": "email verified"})
    assert "Set-Cookie" not in done.headers
    assert bob.get("/profile").get_json()["email"] == NEW
    assert bob.get("/session").get_json()["user"]["email_verified"]
    assert bob.another().sign_in().status_code == 401
    assert bob.another().sign_in(email=NEW).status_code == 200
    assert _confirm(bob, letter.token).status_code == 403


def test_the_old_address_is_told(bob: Client, post: Post) -> None:
    """R063: with an undo link, and not before there is anything to undo."""
    bob.put("/email", {"email": NEW})
    letter, = post.deliver()
    assert letter.to == NEW
    _confirm(bob, letter.token)
    told, = post.deliver()
    assert told.to == EMAIL
    assert "was changed" in told.subject
    assert "/undo?token=" in told.link


def test_the_code_confirms_as_well(bob: Client, post: Post) -> None:
    """R104: and ends the link with it."""
    bob.put("/email", {"email": NEW})
    letter = post.letter(NEW, CONFIRM)
    assert bob.put("/verify_email", {
        "email": EMAIL, "code": letter.code}).status_code == 403
    assert bob.put("/verify_email", {
        "email": NEW, "code": letter.code}).status_code == 200
    assert _confirm(bob, letter.token).status_code == 403


def test_nobody_without_a_session_changes_anything(client: Client) -> None:
    """It is 403, like everywhere without a session."""
    client.sign_up()
    assert client.put("/email", {"email": NEW}).status_code == 403


def test_an_old_proof_has_to_be_renewed(
        bob: Client, post: Post, clock: SetClock) -> None:
    """R067: 401 with the step-up challenge; the cookie stays."""
    clock.advance(minutes=5, seconds=1)
    refused = bob.put("/email", {"email": NEW}, headers={
        "Accept": "application/problem+json"})
    assert refused.status_code == 401
    assert refused.get_json()["code"] == "reauthentication_required"
    assert refused.headers["WWW-Authenticate"] == (
        'Session realm="vestibule", '
        'error="insufficient_user_authentication", max_age=300')
    assert "Set-Cookie" not in refused.headers
    assert post.deliver() == []
    bob.post("/session/reauthenticate", {"password": PASSWORD})
    assert bob.put("/email", {"email": NEW}).status_code == 202


def test_a_request_voids_the_one_before(bob: Client, post: Post) -> None:
    """R059: the letter about the first address is of no more use."""
    bob.put("/email", {"email": NEW})
    first = post.letter(NEW, CONFIRM)
    bob.put("/email", {"email": NEWER})
    second = post.letter(NEWER, CONFIRM)
    assert _confirm(bob, first.token).status_code == 403
    assert _confirm(bob, second.token).status_code == 200
    assert bob.get("/profile").get_json()["email"] == NEWER


def test_a_letter_that_was_not_sent_yet_is_void_too(
        bob: Client, post: Post) -> None:
    """R059: of two requests at once only the later is confirmed."""
    bob.put("/email", {"email": NEW})
    bob.put("/email", {"email": NEWER})
    assert [each.to for each in post.deliver()] == [NEWER]


@pytest.mark.parametrize("way", ["change", "reset"])
def test_a_new_password_voids_a_change_that_waits(
        bob: Client, post: Post, way: str) -> None:
    """R059: who had asked for it may be the reason for the new password."""
    bob.put("/email", {"email": NEW})
    token = post.letter(NEW, CONFIRM).token
    if way == "change":
        bob.put("/password", {
            "current_password": PASSWORD, "new_password": "another"})
    else:
        reset = bob.post("/reset_password", {"email": EMAIL}).get_json()
        bob.put("/reset_password", {
            "reset_token": reset["reset_token"], "new_password": "another"})
    assert _confirm(bob, token).status_code == 403
    assert [each.to for each in post.deliver() if "Confirm" in each.subject
            ] == []


def test_a_taken_address_is_answered_the_same(
        bob: Client, post: Post) -> None:
    """R085: and nobody gets a letter, its owner least of all."""
    bob.another().sign_up(email="eve@example.com")
    post.deliver()
    taken = bob.put("/email", {"email": "eve@example.com"})
    assert taken.status_code == 202
    assert taken.get_json() == {
        "email": "eve@example.com", "message": "confirmation letter sent"}
    assert post.deliver() == []


def test_an_address_taken_meanwhile_is_not_given(
        bob: Client, post: Post) -> None:
    """Somebody registered it between the letter and its link."""
    bob.put("/email", {"email": NEW})
    token = post.letter(NEW, CONFIRM).token
    bob.another().sign_up(email=NEW)
    assert _confirm(bob, token).status_code == 403
    assert bob.get("/profile").get_json()["email"] == EMAIL


def test_of_two_who_ask_for_one_address_one_gets_it(
        bob: Client, post: Post) -> None:
    """R061: each code is tried against all that wait, the right one wins."""
    eve = bob.another()
    eve.sign_up(email="eve@example.com")
    eve.sign_in(email="eve@example.com")
    bob.put("/email", {"email": NEW})
    eve.put("/email", {"email": NEW})
    first, second = [each for each in post.deliver() if each.to == NEW]
    done = bob.another().put(
        "/verify_email", {"email": NEW, "code": first.code})
    assert done.status_code == 200
    assert bob.get("/profile").get_json()["email"] == NEW
    assert _confirm(eve, second.token).status_code == 403
    assert eve.get("/profile").get_json()["email"] == "eve@example.com"


@pytest.mark.parametrize("email, reason", [
    (EMAIL, "unchanged"), ("BOB@Example.COM ", "unchanged"),
    ("nobody", "malformed"), ("", "malformed"),
    ("a" * 250 + "@example.com", "too_long"), (None, "not_a_text"),
    ([NEW], "not_a_text"), ("a\0@example.com", "unusable_characters")])
def test_an_unfit_address_is_refused(
        bob: Client, email: Any, reason: str) -> None:
    """Refused with the reason, and nothing is changed."""
    before = all_but_tries(bob.services.db)
    refused = bob.put("/email", {"email": email})
    assert refused.status_code == 422
    assert refused.get_json()["errors"] == {"email": [reason]}
    assert all_but_tries(bob.services.db) == before


def test_one_box_gets_five_letters_an_hour(
        bob: Client, post: Post, clock: SetClock) -> None:
    """R065: a sixth request is answered the same, and an hour on it works.
    """
    answers = [bob.put("/email", {"email": NEW}) for _ in range(7)]
    assert {(each.status_code, each.get_data()) for each in answers} == {
        (202, answers[0].get_data())}
    assert len([each for each in letters(bob.services.db)
                if each.recipient == NEW]) == 5
    clock.advance(hours=1, seconds=1)
    bob.post("/session/reauthenticate", {"password": PASSWORD})
    bob.put("/email", {"email": NEW})
    assert _confirm(bob, post.letter(NEW, CONFIRM).token).status_code == 200


def test_an_unproved_old_address_gets_no_power(
        client: Client, post: Post) -> None:
    """It may be a stranger's, by a slip of the hand: no notice, no undo."""
    client.sign_up(email="bbo@example.com")
    greeted = post.letter("bbo@example.com")
    client.sign_in(email="bbo@example.com")
    client.put("/email", {"email": EMAIL})
    assert _confirm(client, post.letter(EMAIL, CONFIRM).token
                    ).status_code == 200
    assert post.deliver() == []
    assert client.another().put("/verify_email", {
        "token": greeted.token,
        "new_password": "the stranger's"}).status_code == 403
    assert client.another().sign_up(
        email="bbo@example.com").status_code == 200
