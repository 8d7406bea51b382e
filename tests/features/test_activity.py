#!/usr/bin/env python3
"""``GET /profile/activity``: a person's own security log."""

import re
from typing import Any, List

import pytest

from tests.support.client import BOB, Client

PATH = "/profile/activity"
EVE = {"email": "eve@example.com"}
NEXT = re.compile(r'<(?P<url>[^>]+)>; rel="next"')


def whats(answer: Any) -> List[str]:
    """Return what happened, as an answer tells it."""
    assert answer.status_code == 200
    return [event["what"] for event in answer.get_json()["events"]]


def next_of(answer: Any) -> str:
    """Return the path and query of the next page."""
    match = NEXT.fullmatch(answer.headers["Link"])
    assert match is not None
    return match.group("url").partition("5000")[2]


@pytest.fixture
def bob(client: Client) -> Client:
    """Return a client that is signed in as Bob."""
    client.sign_up()
    client.sign_in()
    return client


def test_one_sees_what_happened_to_oneself(bob: Client) -> None:
    """R118: logins, failures and changes, the newest first."""
    eve = bob.another()
    eve.sign_up(**EVE)
    eve.sign_in(**EVE)
    eve.sign_in(password="a guess")
    bob.request("PATCH", "/profile", json={"name": "Bob"})
    answer = bob.get(PATH)
    assert whats(answer) == [
        "profile.changed", "login.refused", "session.started",
        "user.registered"]
    changed, refused = answer.get_json()["events"][:2]
    assert changed["detail"] == {"fields": ["name"]}
    assert refused["detail"] == {"reason": "wrong_password"}
    assert changed["ip"] == "127.0.0.1"
    assert set(changed) == {"at", "what", "ip", "device", "session_id",
                            "request_id", "detail"}
    mine = bob.get("/session").get_json()["id"]
    assert changed["session_id"] == mine
    assert len(changed["request_id"]) == 32


def test_it_comes_in_pages(bob: Client) -> None:
    """Each event once, though new ones come in between."""
    for number in range(5):
        bob.request("PATCH", "/profile", json={"name": f"Bob {number}"})
    seen: List[str] = []
    answer = bob.get(PATH + "?limit=3")
    while "Link" in answer.headers:
        assert len(whats(answer)) == 3
        seen += whats(answer)
        bob.another().sign_in(password="a guess")
        answer = bob.get(next_of(answer))
    seen += whats(answer)
    assert seen == ["profile.changed"] * 5 + [
        "session.started", "user.registered"]


def test_the_last_page_has_no_link(bob: Client) -> None:
    """Also where it is full to the last event."""
    assert "Link" not in bob.get(PATH + "?limit=2").headers
    assert "Link" in bob.get(PATH + "?limit=1").headers


def test_a_cursor_cannot_be_forged(bob: Client) -> None:
    """R070: nor used by somebody else, nor moved."""
    cursor = next_of(bob.get(PATH + "?limit=1")).rpartition("=")[2]
    number, _, seal = cursor.partition(".")
    eve = bob.another()
    eve.sign_up(**EVE)
    eve.sign_in(**EVE)
    assert eve.get(f"{PATH}?cursor={cursor}").status_code == 422
    assert bob.get(f"{PATH}?cursor={cursor}").status_code == 200
    for forged in (f"{int(number) + 1}.{seal}", number, f"{number}.", "x",
                   f"{number}.{seal[:-1]}0", f"0{cursor}", "", f".{seal}",
                   "9" * 30 + f".{seal}"):
        answer = bob.get(f"{PATH}?cursor={forged}")
        if forged != cursor:
            assert answer.status_code == 422, forged
            assert answer.get_json()["errors"] == {"cursor": ["unusable"]}


@pytest.mark.parametrize("limit", [
    "0", "101", "-1", "x", "", "1e2", "9" * 99, "\u0663"])
def test_a_limit_is_from_1_to_100(bob: Client, limit: str) -> None:
    """R099: and nothing else."""
    answer = bob.get(PATH, query_string={"limit": limit})
    assert answer.status_code == 422
    assert list(answer.get_json()["errors"]) == ["limit"]


def test_without_a_session_there_is_nothing(client: Client) -> None:
    """It is 403, as everywhere."""
    client.post("/users", BOB)
    assert client.get(PATH).status_code == 403


def test_no_secret_is_shown(bob: Client) -> None:
    """R111: of what is told about tokens there are only their purposes."""
    token = bob.post("/reset_password", {"email": BOB["email"]})
    bob.put("/password", {"current_password": BOB["password"],
                          "new_password": "another good one"})
    text = bob.get(PATH).get_data(as_text=True)
    assert token.get_json()["reset_token"] not in text
    assert "another good one" not in text and "digest" not in text
