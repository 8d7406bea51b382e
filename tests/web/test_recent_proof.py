#!/usr/bin/env python3
"""What can take an account over wants a proof of these minutes."""

from typing import Any, List

import pytest

from tests.support.builders import count, everything
from tests.support.client import BOB, Client
from tests.support.clock import SetClock

PASSWORD = BOB["password"]
PROBLEM = {"Accept": "application/problem+json"}
STEP_UP = ('Session realm="vestibule", '
           'error="insufficient_user_authentication", max_age=300')


@pytest.fixture
def bob(client: Client) -> Client:
    """Return Bob's browser, signed in at this moment."""
    client.sign_up()
    client.sign_in()
    return client


def _guarded(client: Client, email: Any = "robert@example.com") -> Any:
    """Call what is guarded; a refusal tells its code."""
    return client.put("/email", {"email": email}, headers=PROBLEM)


def _written(client: Client) -> List[int]:
    """Return how much is written down; the last use of a session is not."""
    return [count(client.services.db, table)
            for table in ("letters", "events", "one_time_tokens")]


def test_five_minutes_are_recent(bob: Client, clock: SetClock) -> None:
    """R067: from signing in, up to the last second."""
    clock.advance(minutes=4, seconds=59)
    assert _guarded(bob).status_code == 202


def test_later_the_answer_asks_for_more(
        bob: Client, clock: SetClock) -> None:
    """R067: 401 with the challenge of RFC 9470; nothing else happens."""
    clock.advance(minutes=5, seconds=1)
    before = _written(bob)
    refused = _guarded(bob)
    assert refused.status_code == 401
    assert refused.get_json()["code"] == "reauthentication_required"
    assert refused.headers["WWW-Authenticate"] == STEP_UP
    assert "Set-Cookie" not in refused.headers
    assert _written(bob) == before
    assert bob.get("/profile").status_code == 200


def test_using_the_session_proves_nothing(
        bob: Client, clock: SetClock) -> None:
    """R067: it is the password that counts, not how busy one is."""
    for _ in range(6):
        clock.advance(minutes=1)
        assert bob.get("/profile").status_code == 200
    assert _guarded(bob).status_code == 401


def test_reauthenticating_is_enough(bob: Client, clock: SetClock) -> None:
    """R067: for five minutes more, and for this session alone."""
    phone = bob.another()
    phone.sign_in()
    clock.advance(hours=1)
    assert bob.post("/session/reauthenticate",
                    {"password": PASSWORD}).status_code == 200
    assert _guarded(bob).status_code == 202
    assert _guarded(phone).status_code == 401
    clock.advance(minutes=5, seconds=1)
    assert _guarded(bob).status_code == 401


def test_a_wrong_password_is_no_proof(bob: Client, clock: SetClock) -> None:
    """R067: 401 without step-up, and the guard stays shut."""
    clock.advance(minutes=6)
    wrong = bob.post("/session/reauthenticate", {"password": "a guess"})
    assert wrong.status_code == 401
    assert "error=" not in wrong.headers["WWW-Authenticate"]
    assert _guarded(bob).status_code == 401


def test_the_guard_speaks_before_the_body_is_judged(
        bob: Client, clock: SetClock) -> None:
    """An old session learns nothing about addresses, fit or unfit."""
    clock.advance(minutes=6)
    answers = [_guarded(bob, email) for email in (
        "robert@example.com", BOB["email"], "nobody", None)]
    assert {each.status_code for each in answers} == {401}


@pytest.mark.parametrize("cookie", [
    "", "session_id=x", "session_id=6f1c1c62-3a0c-4b7e-9d55-0f6a8e0f3b11."
    + "x" * 43])
def test_without_a_session_it_is_403(bob: Client, cookie: str) -> None:
    """A missing session is 403 everywhere; 401 would ask for a password."""
    refused = bob.program().put(
        "/email", {"email": "robert@example.com"},
        headers=dict(PROBLEM, Cookie=cookie))
    assert refused.status_code == 403
    assert refused.get_json()["code"] == "session_required"
    assert "WWW-Authenticate" not in refused.headers


def test_an_event_of_a_guarded_call_names_its_session(bob: Client) -> None:
    """R118: through both guards."""
    session_id = bob.get("/session").get_json()["id"]
    _guarded(bob)
    asked, = [line for line in everything(bob.services.db).splitlines()
              if "email_change.requested" in line]
    assert session_id in asked
