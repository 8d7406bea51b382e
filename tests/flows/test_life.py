#!/usr/bin/env python3
"""The life of an account, from the first request to the last, and after."""

import threading
from typing import Any, Dict

from tests.support.builders import everything
from tests.support.client import Client
from tests.support.clock import SetClock
from tests.support.post import Post

FIRST, SECOND = "ada@example.com", "ada@example.org"
OLD, NEW = "the words of a beginning", "the words that came after it"
KEY = {"Idempotency-Key": "5b7d4e2a-9c48-4d1e-8f3a-4b5c3f9a6c1e"}
LIFE = {"user.registered", "email.verified", "session.started",
        "password.changed", "email.changed", "profile.exported"}


def credentials(email: str, password: str) -> Dict[str, str]:
    """Return the body of a registration and of a login."""
    return {"email": email, "password": password}


def test_the_life_of_an_account(post: Post, clock: SetClock) -> None:
    """R034, R038, R110: and whoever comes next sees nothing of it."""
    ada = post.client
    _begin(post, ada)
    _change(post, ada)
    document = ada.get("/profile/export").get_json()
    assert LIFE <= {each["what"] for each in document["events"]}
    assert document["profile"]["email"] == SECOND

    _leave_and_return(ada, clock)
    assert ada.delete("/profile").status_code == 202
    clock.advance(days=14, minutes=2)
    for _ in range(2):
        ada.services.housekeeping.purge(threading.Event())
        post.deliver()
    ada.services.housekeeping.purge(threading.Event())
    again = ada.post("/sessions", credentials(SECOND, NEW))
    assert again.status_code == 401
    _somebody_else(post, ada.another(), document)


def _begin(post: Post, ada: Client) -> None:
    """Register by a request that is sent twice, verify, and sign in."""
    body = credentials(FIRST, OLD)
    answer = ada.post("/users", body, headers=KEY)
    replay = ada.another().post("/users", body, headers=KEY)
    assert replay.data == answer.data
    assert replay.headers["Idempotency-Replayed"] == "true"
    letter = post.letter(FIRST, "Welcome")
    verified = ada.put("/verify_email", {"token": letter.token})
    assert verified.status_code == 200
    assert ada.post("/sessions", body).status_code == 200
    named = ada.request("PATCH", "/profile", json={"name": "Ada Marker"})
    assert named.status_code == 200


def _change(post: Post, ada: Client) -> None:
    """Change the password, then the address."""
    changed = ada.put("/password", {
        "current_password": OLD, "new_password": NEW})
    assert changed.status_code == 204
    assert ada.put("/email", {"email": SECOND}).status_code == 202
    letter = post.letter(SECOND, "Confirm")
    assert ada.put(
        "/verify_email", {"token": letter.token}).status_code == 200
    whats = [each["what"] for each in ada.get(
        "/profile/activity").get_json()["events"]]
    assert whats[0] == "email.changed"


def _leave_and_return(ada: Client, clock: SetClock) -> None:
    """Announce the deletion, be refused, and take it back."""
    body = credentials(SECOND, NEW)
    assert ada.delete("/profile").status_code == 202
    clock.advance(days=13)
    refused = ada.post("/sessions", body, headers={
        "Accept": "application/problem+json"})
    assert refused.status_code == 403
    assert refused.get_json()["code"] == "deletion_pending"
    assert ada.post("/profile/restore", body).status_code == 200
    assert ada.get("/profile").get_json()["name"] == "Ada Marker"


def _somebody_else(post: Post, eve: Client, past: Dict[str, Any]) -> None:
    """Register under the address, and find nothing there."""
    body = credentials(SECOND, OLD)
    assert eve.post("/users", body).status_code == 200
    letter = post.letter(SECOND, "Welcome")
    assert eve.put(
        "/verify_email", {"token": letter.token}).status_code == 200
    assert eve.post("/sessions", body).status_code == 200
    assert eve.get("/profile").get_json() == {"email": SECOND}
    document = eve.get("/profile/export").get_json()
    assert document["profile"]["id"] != past["profile"]["id"]
    assert {each["what"] for each in document["events"]} == {
        "user.registered", "email.verified", "session.started",
        "profile.exported"}
    left = everything(eve.services.db)
    for trace in (past["profile"]["id"], FIRST, "Marker",
                  past["sessions"][0]["id"]):
        assert trace not in left
