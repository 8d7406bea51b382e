#!/usr/bin/env python3
"""What a client is told that has tried too often, and how it is known."""

import logging
import threading
from typing import Any, Dict, Iterator, List

import pytest

from tests.support.builders import count
from tests.support.client import BOB, Client, make_client
from tests.support.clock import SetClock
from tests.support.hash_work import Work
from vestibule.base.config import load
from vestibule.web import context

WRONG = dict(BOB, password="a guess")
NOBODY = dict(BOB, email="nobody@example.com")
PROBLEM = {"Accept": "application/problem+json"}
# What differs between any two answers.
OWN = ("X-Request-Id", "Date")


@pytest.fixture(name="client")
def fixture_client(environ: Dict[str, str],
                   clock: SetClock) -> Iterator[Client]:
    """Return a client of a service with the limits that everybody has."""
    del environ["VESTIBULE_LIMITS"]
    made = make_client(load(environ).settings, clock)
    assert made.sign_up().status_code == 200
    yield made.another()
    made.services.db.close()


def exhaust(client: Client, **changes: str) -> None:
    """Use up the tries there are for Bob, or for somebody else."""
    for _ in range(10):
        answer = client.post("/sessions", dict(WRONG, **changes))
        assert answer.status_code == 401
        assert "Set-Cookie" not in answer.headers


def plain(answer: Any) -> Any:
    """Return what two equal answers have in common."""
    body = answer.get_json()
    body.pop("request_id", None)
    return (answer.status_code, body, sorted(
        (name, value) for name, value in answer.headers
        if name not in OWN))


def test_a_throttled_answer_tells_nothing(
        client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """R078, R079, R085: right or wrong, known or not; without a hash."""
    exhaust(client)
    exhaust(client, email=NOBODY["email"])
    work = Work(monkeypatch)
    answers: List[Any] = []
    for body in (BOB, WRONG, NOBODY):
        assert work.of(lambda: answers.append(
            client.post("/sessions", body, headers=PROBLEM))) == 0
    assert {answer.headers["Retry-After"] for answer in answers} == {"900"}
    assert plain(answers[0]) == plain(answers[1]) == plain(answers[2])
    assert answers[0].get_json()["code"] == "throttled"
    assert answers[0].mimetype == "application/problem+json"
    assert answers[0].headers["RateLimit"] == '"password";r=0;t=900'
    assert answers[0].headers["RateLimit-Policy"] == '"password";q=10;w=900'
    assert "Set-Cookie" not in answers[0].headers


def test_retry_after_is_true(client: Client, clock: SetClock) -> None:
    """R079: a second earlier is too early, and then is not."""
    exhaust(client)
    clock.advance(seconds=100)
    wait = int(client.sign_in().headers["Retry-After"])
    assert wait == 800
    clock.advance(seconds=wait - 1)
    answer = client.sign_in()
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "1")
    clock.advance(seconds=1)
    assert client.sign_in().status_code == 200


def test_a_page_says_it_as_a_page(client: Client) -> None:
    """R079: with the same fields."""
    for _ in range(30):
        client.post("/reset_password", {"email": "x@example.com"})
    answer = client.request(
        "POST", "/forgot", data={"email": "x@example.com"},
        headers={"Origin": client._base_url})
    assert answer.status_code == 429
    assert answer.mimetype == "text/html"
    assert answer.headers["Retry-After"] == "3600"
    assert answer.headers["RateLimit-Policy"] == '"mail";q=30;w=3600'


@pytest.mark.parametrize("header", [
    "X-Forwarded-For", "X-Real-IP", "Forwarded", "CF-Connecting-IP",
    "True-Client-IP", "X-Client-IP"])
def test_a_stranger_chooses_no_address(client: Client, header: str) -> None:
    """R075: whatever is written there, it is one client."""
    for number in range(50):
        answer = client.post(
            "/sessions", {"email": f"u{number}@example.com",
                          "password": "x"},
            headers={header: f"203.0.113.{number}"})
        assert answer.status_code == 401
    answer = client.post("/sessions", BOB, headers={header: "192.0.2.99"})
    assert answer.status_code == 429
    assert count(client.services.db, "attempts") == 53


def test_a_forgotten_proxy_is_told_of_once(
        client: Client, caplog: pytest.LogCaptureFixture,
        monkeypatch: pytest.MonkeyPatch) -> None:
    """R075: by the name of the setting, and with its value."""
    monkeypatch.setattr(context, "_warned", threading.Event())
    with caplog.at_level(logging.WARNING):
        for number in range(3):
            client.post("/sessions", WRONG, headers={
                "X-Forwarded-For": f"203.0.113.{number}"})
    said = [record.getMessage() for record in caplog.records
            if "X-Forwarded-For" in record.getMessage()]
    assert len(said) == 1
    assert said[0].endswith("VESTIBULE_TRUSTED_PROXIES=127.0.0.1")


def device_cookie(browser: Client, name: str) -> str:
    """Sign Bob in; return the header that makes the browser known."""
    answer = browser.sign_in()
    assert answer.status_code == 200
    found, = [value for value in answer.headers.getlist("Set-Cookie")
              if value.startswith(name + "=")]
    assert "HttpOnly" in found and "SameSite=Lax" in found
    assert "Max-Age=34560000" in found and "Path=/" in found
    assert "Domain" not in found
    return str(found)


def test_the_device_cookie(client: Client) -> None:
    """R077: scripts do not read it; it lasts as long as a cookie may."""
    assert "Secure" not in device_cookie(client, "device")


def test_the_device_cookie_over_https(production: Client) -> None:
    """R077: no other host can plant it."""
    production.sign_up()
    db = production.services.db
    user = db.find_user_by(email=BOB["email"])
    db.update_user(user.id, email_verified_at=db.clock.now())
    assert "Secure" in device_cookie(production, "__Host-device")


def test_wrong_current_passwords_touch_nobody_else(client: Client) -> None:
    """R066: 200 of them with a stolen cookie, and Bob still gets in."""
    thief = client.another()
    assert thief.sign_in().status_code == 200
    said = [thief.put("/password", {
        "current_password": "a guess",
        "new_password": "a new horse battery"}).status_code
        for _ in range(200)]
    assert said == [403] * 10 + [429] * 190
    assert client.sign_in().status_code == 200
