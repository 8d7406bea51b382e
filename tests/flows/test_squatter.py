#!/usr/bin/env python3
"""A squatter registers an address that is another person's.

Better Auth GHSA-qq9h-g4jm-xgf3, PocketBase CVE-2024-38351: whoever gets the
letters must end up alone with the account.
"""

from typing import Any, Dict, NamedTuple

import pytest

from tests.support.client import Client
from tests.support.post import Post, Received

VICTIM = "victim@example.com"
SQUATTERS = "the squatter's password"
VICTIMS = "the victim's own words"
PROBLEM = {"Accept": "application/problem+json"}


class Squatted(NamedTuple):
    """The two, and the letter that came to the victim."""

    post: Post
    squatter: Client
    victim: Client
    letter: Received

    @property
    def required(self) -> bool:
        """Whether people have to prove their address to sign in."""
        return self.squatter.services.settings.verification_required


@pytest.fixture
def squatted(post: Post) -> Squatted:
    """Let the squatter register the victim's address and settle in."""
    squatter = post.client
    assert squatter.sign_up(
        email=VICTIM, password=SQUATTERS).status_code == 200
    signed_in = squatter.sign_in(email=VICTIM, password=SQUATTERS)
    if squatter.services.settings.verification_required:
        assert signed_in.status_code == 403
    else:
        assert signed_in.status_code == 200
        squatter.request("PATCH", "/profile", json={
            "name": "Squatter", "metadata": {"admin": True}})
    return Squatted(post, squatter, squatter.another(),
                    post.letter(VICTIM, "confirm your address"))


def _squatter_is_out(squatted: Squatted) -> None:
    """Try all that the squatter has: password, session and cookie."""
    squatter = squatted.squatter
    assert squatter.sign_in(
        email=VICTIM, password=SQUATTERS).status_code == 401
    assert squatter.get("/profile").status_code == 403
    assert squatter.get("/session").status_code == 403
    squatter.post("/verify_email", {"email": VICTIM})
    letters = squatted.post.deliver()
    assert [each for each in letters if "/verify" in each.text] == []
    assert squatter.put(
        "/verify_email", {"token": squatted.letter.token}).status_code == 403


def _victim_is_in(squatted: Squatted) -> Any:
    """Sign the victim in with the password that they chose; the profile."""
    victim = squatted.victim
    assert victim.sign_in(
        email=VICTIM, password=VICTIMS).status_code == 200
    assert victim.get("/session").get_json()["user"]["email_verified"]
    return victim.get("/profile").get_json()


def test_the_button_alone_gives_the_squatter_nothing(
        squatted: Squatted) -> None:
    """R005: pressed in a browser that did not register, it confirms nothing.
    """
    victim, letter = squatted.victim, squatted.letter
    assert victim.get(letter.path).status_code == 200
    pressed = victim.request("POST", "/verify", data={"token": letter.token})
    assert pressed.status_code == 403
    page = pressed.get_data(as_text=True)
    assert 'name="password"' in page and 'name="new_password"' in page
    told = victim.put("/verify_email", {"token": letter.token},
                      headers=PROBLEM)
    assert told.status_code == 403
    assert told.get_json()["code"] == "proof_needed"
    user = victim.services.db.find_user_by(email=VICTIM)
    assert user.email_verified_at is None
    if squatted.required:
        assert squatted.squatter.sign_in(
            email=VICTIM, password=SQUATTERS).status_code == 403


@pytest.mark.parametrize("way", ["token", "code", "page"])
def test_the_victim_makes_the_account_theirs(
        squatted: Squatted, way: str) -> None:
    """R005: with a password of their own; nothing of the squatter's is left.
    """
    victim, letter = squatted.victim, squatted.letter
    victim.request("POST", "/verify", data={"token": letter.token})
    sent: Dict[str, str] = {"new_password": VICTIMS}
    if way == "code":
        sent.update(email=VICTIM, code=letter.code)
    else:
        sent.update(token=letter.token)
    if way == "page":
        done = victim.request("POST", "/verify", data=sent)
    else:
        done = victim.put("/verify_email", sent)
    assert done.status_code == 200
    assert "Set-Cookie" not in done.headers
    _squatter_is_out(squatted)
    assert _victim_is_in(squatted) == {"email": VICTIM}


def test_the_victim_wins_by_a_reset_too(squatted: Squatted) -> None:
    """R005: a reset by mail proves the mailbox and ends what was before."""
    victim = squatted.victim
    victim.post("/reset_password", {"email": VICTIM})
    reset = squatted.post.letter(VICTIM, "new password")
    done = victim.put("/reset_password", {
        "reset_token": reset.token, "new_password": VICTIMS})
    assert done.status_code == 200
    _squatter_is_out(squatted)
    assert _victim_is_in(squatted)["email"] == VICTIM


def test_the_squatter_cannot_confirm_without_the_letter(
        squatted: Squatted) -> None:
    """R005, R060: the cookie, the session and the password open nothing."""
    squatter = squatted.squatter
    for sent in ({"password": SQUATTERS}, {"token": "", "password": SQUATTERS},
                 {"email": VICTIM, "code": "", "password": SQUATTERS},
                 {"email": VICTIM, "code": "00000000",
                  "new_password": SQUATTERS}):
        assert squatter.put("/verify_email", sent).status_code in (403, 422)
    assert squatter.services.db.find_user_by(
        email=VICTIM).email_verified_at is None


def test_whoever_registered_needs_nothing_but_the_button(post: Post) -> None:
    """The story's other end: the same browser confirms with one press."""
    post.client.sign_up(email=VICTIM, password=VICTIMS)
    letter = post.letter(VICTIM, "confirm your address")
    pressed = post.client.request(
        "POST", "/verify", data={"token": letter.token})
    assert pressed.status_code == 200
    assert VICTIM in pressed.get_data(as_text=True)
    assert post.client.sign_in(
        email=VICTIM, password=VICTIMS).status_code == 200
