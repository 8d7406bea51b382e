#!/usr/bin/env python3
"""Proving an address: letters, links, codes, and who may use them."""

from typing import Any, Dict

import pytest

from tests.support.builders import everything
from tests.support.client import BOB, Client
from tests.support.clock import SetClock
from tests.support.post import Post, Received
from vestibule.kernel.services import Services

EMAIL, PASSWORD = BOB["email"], BOB["password"]
MINE = "a password of my own"
UNFIT = ("x" * 257, "P\0P", "\ud800", None, 1, ["a"])
PROBLEM = {"Accept": "application/problem+json"}


@pytest.fixture
def letter(post: Post) -> Received:
    """Let Bob register, and return the letter that greets him."""
    assert post.client.sign_up().status_code == 200
    return post.letter(EMAIL, "Welcome")


def _confirm(client: Client, **sent: Any) -> Any:
    """Send what is to prove an address; refusals tell their code."""
    return client.put("/verify_email", sent, headers=PROBLEM)


def _is_verified(services: Services) -> bool:
    """Say whether Bob's address counts as proved."""
    found = services.db.find_user_by(email=EMAIL)
    return found.email_verified_at is not None


def test_the_browser_that_registered_confirms(
        client: Client, letter: Received) -> None:
    """By its cookie; 200 once, and afterwards 403."""
    done = _confirm(client, token=letter.token)
    assert (done.status_code, done.get_json()) == (
        200, {"email": EMAIL, "message": "email verified"})
    assert "Set-Cookie" not in done.headers
    assert _is_verified(client.services)
    again = _confirm(client, token=letter.token)
    assert (again.status_code, again.get_json()["code"]) == (
        403, "invalid_token")


def test_a_session_of_the_user_confirms(
        client: Client, letter: Received) -> None:
    """On another device, where the person has signed in."""
    phone = client.another()
    phone.sign_in()
    assert _confirm(phone, token=letter.token).status_code == 200
    assert phone.get("/session").get_json()["user"]["email_verified"]


def test_the_password_chosen_then_confirms(
        client: Client, letter: Received) -> None:
    """Without any cookie; it does not sign in."""
    done = _confirm(client.another(), token=letter.token, password=PASSWORD)
    assert done.status_code == 200
    assert "Set-Cookie" not in done.headers


def test_nothing_but_the_token_is_not_enough(
        client: Client, letter: Received) -> None:
    """R005: 403 ``proof_needed``, and the token is as good as before."""
    for _ in range(7):
        refused = _confirm(client.another(), token=letter.token)
        assert (refused.status_code, refused.get_json()["code"]) == (
            403, "proof_needed")
    assert not _is_verified(client.services)
    assert _confirm(client, token=letter.token).status_code == 200


def test_what_belongs_to_another_user_proves_nothing(
        client: Client, letter: Received) -> None:
    """R005: neither the session nor the cookie of somebody else."""
    eve = client.another()
    eve.sign_up(email="eve@example.com")
    eve.sign_in(email="eve@example.com")
    refused = _confirm(eve, token=letter.token)
    assert refused.get_json()["code"] == "proof_needed"
    wrong = _confirm(eve, token=letter.token, password="eve's")
    assert wrong.get_json()["code"] == "wrong_password"
    assert not _is_verified(client.services)


def test_five_wrong_passwords_are_all_that_a_token_allows(
        client: Client, letter: Received) -> None:
    """R070: then 429, the right password included; the cookie still works.
    """
    stranger = client.another()
    for _ in range(5):
        wrong = _confirm(stranger, token=letter.token, password="a guess")
        assert (wrong.status_code, wrong.get_json()["code"]) == (
            403, "wrong_password")
    late = _confirm(stranger, token=letter.token, password=PASSWORD)
    assert late.status_code == 429
    assert 0 < int(late.headers["Retry-After"]) <= 24 * 3600
    assert _confirm(client, token=letter.token).status_code == 200


def test_a_new_password_makes_the_account_the_mailboxs(
        client: Client, letter: Received) -> None:
    """R005: what was set before is void: password, session, profile."""
    client.sign_in()
    client.request("PATCH", "/profile", json={"name": "Squatter"})
    done = _confirm(client.another(), token=letter.token, new_password=MINE)
    assert done.status_code == 200
    assert client.get("/profile").status_code == 403
    assert client.sign_in().status_code == 401
    assert client.sign_in(password=MINE).status_code == 200
    assert client.get("/profile").get_json() == {"email": EMAIL}


@pytest.mark.parametrize("field, value", [
    ("new_password", ""), *((field, value)
                            for field in ("password", "new_password")
                            for value in UNFIT)])
def test_an_unfit_claim_spends_nothing(
        client: Client, letter: Received, field: str, value: Any) -> None:
    """Policy comes first: 422, and not even a try is counted."""
    before = everything(client.services.db)
    for _ in range(6):
        refused = _confirm(client.another(), **{
            "token": letter.token, field: value})
        assert refused.status_code == 422
        assert list(refused.get_json()["errors"]) == [field]
    assert everything(client.services.db) == before
    assert _confirm(client, token=letter.token).status_code == 200


def test_a_code_typed_by_hand_confirms(
        client: Client, letter: Received) -> None:
    """As it stands in the letter, blanks included; then link and code end.
    """
    typed = f" {letter.code[:4]} {letter.code[4:]} "
    done = _confirm(client, email=EMAIL.upper(), code=typed)
    assert done.status_code == 200
    assert _confirm(client, token=letter.token).status_code == 403
    assert _confirm(client, email=EMAIL, code=typed).status_code == 403


def test_a_spent_link_takes_the_code_with_it(
        client: Client, letter: Received) -> None:
    """R104: they are one token."""
    assert _confirm(client, token=letter.token).status_code == 200
    refused = _confirm(client, email=EMAIL, code=letter.code)
    assert refused.get_json()["code"] == "invalid_token"


def test_wrong_codes_burn_the_code_and_leave_the_link(
        client: Client, letter: Received) -> None:
    """R070: five tries, wrong or right; the link is alive."""
    wrong = f"{(int(letter.code) + 1) % 10 ** 8:08}"
    for _ in range(5):
        refused = _confirm(client, email=EMAIL, code=wrong)
        assert refused.get_json()["code"] == "invalid_token"
    burnt = _confirm(client, email=EMAIL, code=letter.code)
    assert burnt.status_code == 403
    assert burnt.get_json()["code"] == "invalid_token"
    assert _confirm(client, token=letter.token).status_code == 200


def test_a_code_is_good_for_ten_minutes(
        client: Client, letter: Received, clock: SetClock) -> None:
    """R056: and its link for a day."""
    clock.advance(minutes=10)
    assert _confirm(
        client, email=EMAIL, code=letter.code).status_code == 403
    clock.advance(hours=23, minutes=49)
    assert _confirm(client.another(), token=letter.token,
                    password=PASSWORD).status_code == 200


def test_a_link_is_good_for_a_day(
        client: Client, letter: Received, clock: SetClock) -> None:
    """R056: and not longer."""
    clock.advance(hours=24)
    refused = _confirm(client, token=letter.token, password=PASSWORD)
    assert refused.get_json()["code"] == "invalid_token"


def test_a_code_of_another_address_is_none(
        client: Client, post: Post, letter: Received) -> None:
    """R061: it is bound to the address that it went to."""
    client.another().sign_up(email="eve@example.com")
    eves = post.letter("eve@example.com", "Welcome")
    refused = _confirm(client, email=EMAIL, code=eves.code, password=PASSWORD)
    assert (refused.status_code, refused.get_json()["code"]) == (
        403, "invalid_token")


def test_a_letter_is_sent_again_and_takes_the_others_place(
        client: Client, post: Post, letter: Received) -> None:
    """R059: by name from anywhere, or to one's own from a session."""
    asked = client.another().post("/verify_email", {"email": EMAIL.upper()})
    assert (asked.status_code, asked.get_json()) == (
        200, {"email": EMAIL, "message": "verification letter sent"})
    second = post.letter(EMAIL)
    assert _confirm(client, token=letter.token).status_code == 403
    client.sign_in()
    assert client.post("/verify_email").get_json()["email"] == EMAIL
    third = post.letter(EMAIL)
    assert _confirm(client, token=second.token).status_code == 403
    assert _confirm(client, token=third.token).status_code == 200
    client.post("/verify_email")
    assert post.deliver() == []


@pytest.mark.parametrize("sent, reason", [
    ({}, "required"), ({"email": None}, "not_a_text"),
    ({"email": ["a@example.com"]}, "not_a_text"),
    ({"email": ""}, "malformed"), ({"email": "nobody"}, "malformed")])
def test_a_letter_needs_somebody_to_go_to(
        client: Client, sent: Dict[str, Any], reason: str) -> None:
    """Nothing is written where the address is none, or missing."""
    before = everything(client.services.db)
    refused = client.post("/verify_email", sent)
    assert refused.status_code == 422
    assert refused.get_json()["errors"] == {"email": [reason]}
    assert everything(client.services.db) == before


def test_confirming_works_by_a_form_too(
        client: Client, letter: Received) -> None:
    """R012: one reader for both."""
    done = client.request("PUT", "/verify_email",
                          data={"token": letter.token})
    assert done.get_json() == {"email": EMAIL, "message": "email verified"}


def test_a_disabled_user_confirms_nothing(
        client: Client, letter: Received) -> None:
    """R013: what was mailed is void, and enabling again revives none."""
    users = client.services.users
    users.disable(users.find(EMAIL))
    for _ in range(2):
        refused = _confirm(client, token=letter.token, new_password=MINE)
        assert refused.get_json()["code"] == "invalid_token"
        users.enable(users.find(EMAIL))
