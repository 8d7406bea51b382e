#!/usr/bin/env python3
"""A mail scanner opens every link before the person does.

Links of Supabase, Better Auth and FusionAuth were used up so.
"""

from typing import Any

import pytest

from tests.support.builders import everything
from tests.support.client import BOB, Client
from tests.support.post import Post, Received

EMAIL, PASSWORD = BOB["email"], BOB["password"]
NEW_EMAIL, NEW_PASSWORD = "robert@example.com", "another horse, correct"
HTML = {"Accept": "text/html"}


def _scan(post: Post, letter: Received) -> str:
    """Open a letter's link as scanners do; return its token.

    Nothing at all may change by it, and nothing may be cached or told on.
    """
    scanner = post.client.another()
    before = everything(scanner.services.db)
    for method in ("HEAD", "GET", "HEAD", "GET"):
        for headers in ({}, HTML):
            seen = scanner.request(method, letter.path, headers=headers)
            assert seen.status_code == 200
            assert "Set-Cookie" not in seen.headers
            assert seen.headers["Referrer-Policy"] == "no-referrer"
            assert seen.headers["Cache-Control"] == "no-store"
    assert everything(scanner.services.db) == before
    return letter.token


def _spend(browser: Client, way: str, path: str, body: Any) -> Any:
    """Send the person's own request, from a page or by the API."""
    if way == "page":
        return browser.request("POST", path, data=body, headers=HTML)
    return browser.put(path, body)


@pytest.fixture
def bob(post: Post) -> Client:
    """Return Bob's browser, signed in; his address is proved."""
    post.client.sign_up()
    letter = post.letter(EMAIL, "confirm your address")
    post.client.put("/verify_email", {"token": letter.token})
    assert post.client.sign_in().status_code == 200
    return post.client


@pytest.mark.parametrize("way, path", [
    ("page", "/verify"), ("API", "/verify_email")])
def test_a_scanned_first_letter_still_confirms(
        post: Post, way: str, path: str) -> None:
    """R062: of registration."""
    post.client.sign_up()
    token = _scan(post, post.letter(EMAIL, "confirm your address"))
    assert _spend(post.client, way, path,
                  {"token": token}).status_code == 200


@pytest.mark.parametrize("way, path, field", [
    ("page", "/reset", "token"), ("API", "/reset_password", "reset_token")])
def test_a_scanned_reset_letter_still_resets(
        post: Post, bob: Client, way: str, path: str, field: str) -> None:
    """R062: of a lost password."""
    bob.post("/reset_password", {"email": EMAIL})
    token = _scan(post, post.letter(EMAIL, "new password"))
    assert bob.get("/profile").status_code == 200
    assert _spend(bob.another(), way, path, {
        field: token, "new_password": NEW_PASSWORD}).status_code == 200


@pytest.mark.parametrize("way, path", [
    ("page", "/verify"), ("API", "/verify_email")])
def test_a_scanned_letter_about_a_new_address_still_changes_it(
        post: Post, bob: Client, way: str, path: str) -> None:
    """R062: of a change, which nobody but the person makes."""
    bob.put("/email", {"email": NEW_EMAIL})
    token = _scan(post, post.letter(NEW_EMAIL, "Confirm your new address"))
    assert bob.get("/profile").get_json()["email"] == EMAIL
    assert _spend(bob.another(), way, path,
                  {"token": token}).status_code == 200
    assert bob.get("/profile").get_json()["email"] == NEW_EMAIL


@pytest.mark.parametrize("headers", [HTML, {}])
@pytest.mark.parametrize("change", ["address", "password"])
def test_a_scanned_undo_still_undoes(
        post: Post, bob: Client, change: str, headers: Any) -> None:
    """R062: of a change of address, and of one of the password."""
    if change == "address":
        bob.put("/email", {"email": NEW_EMAIL})
        letter = post.letter(NEW_EMAIL, "Confirm your new address")
        bob.put("/verify_email", {"token": letter.token})
    else:
        assert bob.request("PUT", "/password", json={
            "current_password": PASSWORD,
            "new_password": NEW_PASSWORD}).status_code == 204
    told = post.letter(EMAIL, f"Your {change} for")
    token = _scan(post, told)
    assert bob.get("/profile").status_code == 200
    done = bob.another().request(
        "POST", "/undo", data={"token": token}, headers=headers)
    assert done.status_code == 200
    assert bob.get("/profile").status_code == 403
