#!/usr/bin/env python3
"""Taking back a change of address or password that was not one's own."""

from typing import Any

import pytest

from tests.support.builders import everything
from tests.support.client import BOB, Client
from tests.support.clock import SetClock
from tests.support.post import Post, Received

EMAIL, PASSWORD = BOB["email"], BOB["password"]
NEW, NEWER, THIRD = (
    "robert@example.com", "rob@example.com", "bert@example.com")
NEW_PASSWORD = "another password"
HTML = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


@pytest.fixture
def bob(post: Post) -> Client:
    """Return Bob's browser, just signed in; his address is proved."""
    post.client.sign_up()
    post.client.put("/verify_email", {"token": post.letter(EMAIL).token})
    post.client.sign_in()
    return post.client


def _move(bob: Client, post: Post, email: str) -> Received:
    """Change the address; return the letter that tells the old one."""
    old = bob.get("/profile").get_json()["email"]
    assert bob.put("/email", {"email": email}).status_code == 202
    token = post.letter(email, "Confirm your new address").token
    assert bob.put("/verify_email", {"token": token}).status_code == 200
    return post.letter(old, "Your address")


def _new_password(bob: Client, post: Post) -> Received:
    """Change the password; return the letter that tells of it."""
    assert bob.put("/password", {
        "current_password": PASSWORD,
        "new_password": NEW_PASSWORD}).status_code == 204
    return post.letter(bob.get("/profile").get_json()["email"],
                       "Your password")


def _undo(client: Client, letter: Received) -> Any:
    """Spend an undo token from a browser that is signed in nowhere."""
    return client.another().post("/undo", {"token": letter.token})


def test_an_undo_puts_the_address_back(bob: Client, post: Post) -> None:
    """Nobody is signed in then; the password, being older, is as it was."""
    told = _move(bob, post, NEW)
    done = _undo(bob, told)
    assert (done.status_code, done.get_json()) == (
        200, {"email": EMAIL, "message": "change undone"})
    assert "Set-Cookie" not in done.headers
    assert bob.get("/profile").status_code == 403
    assert bob.sign_in(email=NEW).status_code == 401
    assert bob.sign_in().status_code == 200
    assert bob.get("/session").get_json()["user"]["email_verified"]


def test_an_undo_disables_the_password_that_came(
        bob: Client, post: Post) -> None:
    """Neither the new nor the old: no old hash is kept."""
    told = _new_password(bob, post)
    assert _undo(bob, told).status_code == 200
    for password in (PASSWORD, NEW_PASSWORD):
        assert bob.sign_in(password=password).status_code == 401
    letter = post.letter(EMAIL, "new password")
    assert bob.put("/reset_password", {
        "reset_token": letter.token,
        "new_password": "a third password"}).status_code == 200
    assert bob.sign_in(password="a third password").status_code == 200


def test_an_undo_works_once(bob: Client, post: Post) -> None:
    """R104: and its letter for a new password is one."""
    told = _move(bob, post, NEW)
    assert _undo(bob, told).status_code == 200
    before = everything(bob.services.db)
    again = _undo(bob, told)
    assert again.status_code == 403
    assert "change undone" not in again.get_data(as_text=True)
    assert everything(bob.services.db) == before
    assert [each.to for each in post.deliver()] == [EMAIL]


def test_an_undo_is_good_for_seven_days(
        bob: Client, post: Post, clock: SetClock) -> None:
    """A week less a minute, however the week went by."""
    told = _move(bob, post, NEW)
    clock.advance(days=6, hours=23, minutes=59)
    assert bob.another().sign_up().status_code == 400
    assert _undo(bob, told).status_code == 200


def test_after_seven_days_there_is_no_undo(
        bob: Client, post: Post, clock: SetClock) -> None:
    """The change stands then, and the old address is anybody's."""
    told = _move(bob, post, NEW)
    clock.advance(days=7, seconds=1)
    assert _undo(bob, told).status_code == 403
    assert bob.another().sign_up().status_code == 200
    assert bob.sign_in(email=NEW).status_code == 200


def test_the_address_is_kept_for_its_owner_meanwhile(
        bob: Client, post: Post) -> None:
    """Neither by registering nor by a change does another get it."""
    _move(bob, post, NEW)
    eve = bob.another()
    assert eve.sign_up().status_code == 400
    eve.sign_up(email="eve@example.com")
    eve.sign_in(email="eve@example.com")
    post.deliver()
    assert eve.put("/email", {"email": EMAIL}).status_code == 202
    assert post.deliver() == []
    assert bob.put("/email", {"email": EMAIL}).status_code == 202
    letter = post.letter(EMAIL, "Confirm your new address")
    assert bob.put(
        "/verify_email", {"token": letter.token}).status_code == 200


def test_the_earliest_undo_of_a_chain_wins(bob: Client, post: Post) -> None:
    """It ends the later ones, not the other way round."""
    first = _move(bob, post, NEW)
    second = _move(bob, post, NEWER)
    third = _move(bob, post, THIRD)
    assert _undo(bob, second).get_json()["email"] == NEW
    assert _undo(bob, third).status_code == 403
    assert _undo(bob, first).get_json()["email"] == EMAIL
    assert bob.sign_in().status_code == 200


def test_an_undo_takes_a_later_password_with_it(
        bob: Client, post: Post) -> None:
    """The thief who had the address chose that password."""
    told = _move(bob, post, NEW)
    later = _new_password(bob, post)
    assert later.to == NEW
    assert _undo(bob, told).status_code == 200
    assert _undo(bob, later).status_code == 403
    for password in (PASSWORD, NEW_PASSWORD):
        assert bob.sign_in(password=password).status_code == 401


def test_an_undo_ends_what_still_waits(bob: Client, post: Post) -> None:
    """R059: resets and changes that were asked for before it."""
    told = _move(bob, post, NEW)
    bob.post("/reset_password", {"email": NEW})
    reset = post.letter(NEW, "new password")
    bob.put("/email", {"email": NEWER})
    change = post.letter(NEWER, "Confirm")
    assert _undo(bob, told).status_code == 200
    assert bob.put("/reset_password", {
        "reset_token": reset.token,
        "new_password": NEW_PASSWORD}).status_code == 403
    assert bob.put(
        "/verify_email", {"token": change.token}).status_code == 403


def test_what_follows_an_undo_can_be_undone_itself(
        bob: Client, post: Post) -> None:
    """The owner's own change afterwards is as good as any."""
    assert _undo(bob, _move(bob, post, NEW)).status_code == 200
    post.deliver()
    bob.sign_in()
    told = _move(bob, post, NEWER)
    assert _undo(bob, told).get_json()["email"] == EMAIL


@pytest.mark.parametrize("change", ["address", "password"])
def test_a_disabled_user_undoes_nothing(
        bob: Client, post: Post, change: str) -> None:
    """R013: an operator's word is stronger, also once it is taken back."""
    told = (_move(bob, post, NEW) if change == "address"
            else _new_password(bob, post))
    users = bob.services.users
    user = users.find(NEW if change == "address" else EMAIL)
    users.disable(user)
    assert _undo(bob, told).status_code == 403
    users.enable(user)
    assert _undo(bob, told).status_code == 403


def test_browsers_get_a_page_and_programs_json(
        bob: Client, post: Post) -> None:
    """One path for both, so ``Accept`` decides; in a form or as JSON."""
    told = _move(bob, post, NEW)
    for token, status in (("x", 403), (told.token, 200), (told.token, 403)):
        page = bob.request(
            "POST", "/undo", data={"token": token}, headers=HTML)
        assert page.status_code == status
        assert page.mimetype == "text/html"
        assert "Cookie" in page.headers["Vary"]
        assert "Accept" in page.headers["Vary"]
    refused = bob.request("POST", "/undo", data={"token": "x"}, headers={
        "Accept": "application/problem+json"})
    assert refused.get_json()["code"] == "invalid_token"
