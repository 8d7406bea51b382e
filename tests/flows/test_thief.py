#!/usr/bin/env python3
"""A thief steals a session and takes the account; its owner undoes it."""

from typing import Any, List, NamedTuple

import pytest

from tests.support.client import Client, cookie_of
from tests.support.clock import SetClock
from tests.support.post import Post, Received

OWNER, THIEF = "owner@example.com", "thief@example.com"
OTHER = "other@example.com"
OWNERS, THIEFS = "the owner's password", "the thief's password"
CHOSEN = "chosen after all that"


class Stolen:
    """A session that somebody copied from the owner's browser."""

    def __init__(self, client: Client, cookie: str) -> None:
        """Send this cookie with each request."""
        self._client = client.program()
        self._cookie = cookie

    def request(self, method: str, path: str, **body: str) -> Any:
        """Send a request as the owner."""
        return self._client.request(method, path, json=body, headers={
            "Cookie": self._cookie})


class Theft(NamedTuple):
    """What there is once the address is changed."""

    post: Post
    owner: Client
    stolen: Stolen
    thief: Client
    told: Received


def _join(post: Post, browser: Client, email: str, password: str) -> None:
    """Register in a browser and confirm by the letter's link."""
    browser.sign_up(email=email, password=password)
    letter = post.letter(email, "confirm your address")
    assert browser.put(
        "/verify_email", {"token": letter.token}).status_code == 200


def _steal(owner: Client, password: str = OWNERS) -> Stolen:
    """Sign the owner in and copy the cookie."""
    signed_in = owner.sign_in(email=OWNER, password=password)
    name = signed_in.headers["Set-Cookie"].partition("=")[0]
    return Stolen(owner, f"{name}={cookie_of(signed_in)}")


def _move(post: Post, stolen: Stolen, email: str) -> None:
    """Change the address and confirm it from the new box."""
    assert stolen.request("PUT", "/email", email=email).status_code == 202
    letter = post.letter(email, "Confirm your new address")
    assert stolen.request(
        "PUT", "/verify_email", token=letter.token).status_code == 200


@pytest.fixture
def owner(post: Post) -> Client:
    """Return the browser of the owner, who has proved their address."""
    _join(post, post.client, OWNER, OWNERS)
    return post.client


@pytest.fixture
def theft(post: Post, owner: Client) -> Theft:
    """Let the thief take the address with a session that is fresh."""
    stolen = _steal(owner)
    stolen.request("PUT", "/email", email=THIEF)
    letter = post.letter(THIEF, "Confirm your new address")
    thief = owner.another()
    assert thief.put(
        "/verify_email", {"token": letter.token}).status_code == 200
    return Theft(post, owner, stolen, thief,
                 post.letter(OWNER, "address"))


def _reset_by_thief(theft: Theft) -> None:
    """Let the thief choose a password by mail, and sign in."""
    theft.thief.post("/reset_password", {"email": THIEF})
    letter = theft.post.letter(THIEF, "new password")
    assert theft.thief.put("/reset_password", {
        "reset_token": letter.token,
        "new_password": THIEFS}).status_code == 200
    assert theft.thief.sign_in(
        email=THIEF, password=THIEFS).status_code == 200


def _undo(theft: Theft) -> Any:
    """Press the owner's button in a browser that is signed in nowhere."""
    browser = theft.owner.another()
    assert browser.get(theft.told.path).status_code == 200
    return browser.request(
        "POST", "/undo", data={"token": theft.told.token},
        headers={"Accept": "text/html"})


def _owner_returns(theft: Theft) -> None:
    """Let the owner choose a password by the letter, and sign in."""
    letter = theft.post.letter(OWNER, "new password")
    browser = theft.owner.another()
    assert browser.request("POST", "/reset", data={
        "token": letter.token, "new_password": CHOSEN}).status_code == 200
    assert browser.sign_in(email=OWNER, password=CHOSEN).status_code == 200
    assert browser.get("/profile").get_json()["email"] == OWNER


def test_an_old_session_is_not_enough(
        post: Post, owner: Client, clock: SetClock) -> None:
    """R067: the thief does not know the password, and gets no further."""
    stolen = _steal(owner)
    clock.advance(minutes=5, seconds=1)
    refused = stolen.request("PUT", "/email", email=THIEF)
    assert refused.status_code == 401
    assert "max_age=300" in refused.headers["WWW-Authenticate"]
    assert stolen.request("POST", "/session/reauthenticate",
                          password="a guess").status_code == 401
    assert stolen.request("PUT", "/email", email=THIEF).status_code == 401
    assert post.deliver() == []
    assert owner.get("/profile").get_json()["email"] == OWNER


def test_the_owner_undoes_the_theft(theft: Theft) -> None:
    """The address is back, the thief is out, the owner chooses a password.
    """
    _reset_by_thief(theft)
    assert theft.owner.sign_in(
        email=OWNER, password=OWNERS).status_code == 401
    done = _undo(theft)
    assert done.status_code == 200
    assert OWNER in done.get_data(as_text=True)
    assert "Set-Cookie" not in done.headers
    assert theft.stolen.request("GET", "/profile").status_code == 403
    assert theft.thief.get("/profile").status_code == 403
    for email in (OWNER, THIEF):
        for password in (OWNERS, THIEFS):
            assert theft.thief.sign_in(
                email=email, password=password).status_code == 401
    _owner_returns(theft)
    assert _undo(theft).status_code == 403


def test_the_thief_keeps_no_token(theft: Theft) -> None:
    """R059: what went to the thief's box opens nothing after the undo."""
    thief, post = theft.thief, theft.post
    _reset_by_thief(theft)
    kept: List[Received] = [post.letter(THIEF, "password for")]
    thief.post("/reset_password", {"email": THIEF})
    thief.put("/email", {"email": OTHER})
    kept += post.deliver()
    assert len(kept) == 3
    assert _undo(theft).status_code == 200
    for letter in kept:
        token = letter.token
        assert thief.post("/undo", {"token": token}).status_code == 403
        assert thief.put("/verify_email", {
            "token": token, "new_password": THIEFS}).status_code == 403
        assert thief.put("/reset_password", {
            "reset_token": token,
            "new_password": THIEFS}).status_code == 403
    _owner_returns(theft)


def test_the_first_letter_undoes_a_chain(theft: Theft) -> None:
    """However far the thief moves on, the owner's letter is the stronger."""
    _reset_by_thief(theft)
    assert theft.thief.put("/email", {"email": OTHER}).status_code == 202
    letter = theft.post.letter(OTHER, "Confirm your new address")
    assert theft.thief.put(
        "/verify_email", {"token": letter.token}).status_code == 200
    thiefs = theft.post.letter(THIEF, "address")
    assert _undo(theft).status_code == 200
    assert theft.thief.post(
        "/undo", {"token": thiefs.token}).status_code == 403
    _owner_returns(theft)


def test_the_thiefs_own_undo_does_not_spoil_the_owners(
        theft: Theft) -> None:
    """A thief who moves on and undoes that has won nothing by it."""
    _reset_by_thief(theft)
    theft.thief.put("/email", {"email": OTHER})
    letter = theft.post.letter(OTHER, "Confirm your new address")
    theft.thief.put("/verify_email", {"token": letter.token})
    thiefs = theft.post.letter(THIEF, "address")
    undone = theft.thief.post("/undo", {"token": thiefs.token})
    assert undone.get_json()["email"] == THIEF
    theft.post.deliver()
    assert _undo(theft).status_code == 200
    _owner_returns(theft)


def test_nobody_takes_the_address_meanwhile(theft: Theft) -> None:
    """It is kept for seven days, against registering and moving alike."""
    thief, post = theft.thief, theft.post
    answer = thief.another().sign_up(email=OWNER, password=THIEFS)
    required = thief.services.settings.verification_required
    assert answer.status_code == (200 if required else 400)
    accomplice = thief.another()
    _join(post, accomplice, OTHER, THIEFS)
    accomplice.sign_in(email=OTHER, password=THIEFS)
    assert accomplice.put("/email", {"email": OWNER}).status_code == 202
    assert [each for each in post.deliver() if each.to == OWNER] == []
    thief.sign_in(email=OWNER, password=THIEFS)
    assert thief.get("/profile").status_code == 403
    assert _undo(theft).status_code == 200
    _owner_returns(theft)


def test_a_stolen_session_that_moves_on_is_undone_as_well(
        post: Post, owner: Client) -> None:
    """Two moves by one session, without any password in between."""
    stolen = _steal(owner)
    _move(post, stolen, THIEF)
    again = stolen.request("PUT", "/email", email=OTHER)
    assert again.status_code == 202
    told, = [each for each in post.deliver() if each.to == OWNER]
    thief = owner.another()
    assert _undo(Theft(post, owner, stolen, thief, told)).status_code == 200
    assert stolen.request("GET", "/profile").status_code == 403
