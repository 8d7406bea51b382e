#!/usr/bin/env python3
"""Who is registered cannot be told from answers, work or letters.

In production, where ``POST /users`` is as silent as the rest: Zitadel
CVE-2024-41952, Django CVE-2018-6188.
"""

import re
from functools import partial
from typing import Any, Callable, Dict, List, NamedTuple

import pytest

from tests.support.builders import letters
from tests.support.client import BOB, Client
from tests.support.hash_work import Work
from tests.support.post import Post

KNOWN, UNVERIFIED, DISABLED, UNKNOWN = (
    "knownn@example.com", "unverd@example.com", "disabl@example.com",
    "nobody@example.com")
EVERYBODY = (KNOWN, UNVERIFIED, DISABLED, UNKNOWN)
ME = "me@example.com"
MINE = "a password of my own"
# The value of a cookie of registration, and an instant to the second.
RANDOM = re.compile(r"=[0-9]{16}\.[0-9a-f]{64}(?=;)|=[A-Z][a-z]{2}, [^;]+")
ADDRESS = re.compile(rb"[a-z]+@example\.com")

Ask = Callable[[Client, str], Any]


class Town(NamedTuple):
    """A service where people are known, unverified, disabled, unknown."""

    post: Post
    me: Client


@pytest.fixture
def town(mailed: Post) -> Town:
    """Return it, with a user of my own who is signed in."""
    for email in (KNOWN, DISABLED, ME):
        browser = mailed.client.another()
        browser.sign_up(email=email)
        token = mailed.letter(email).token
        browser.put("/verify_email", {"token": token})
    mailed.client.another().sign_up(email=UNVERIFIED)
    for email in (KNOWN, UNVERIFIED, DISABLED):
        mailed.client.post("/reset_password", {"email": email})
    users = mailed.client.services.users
    users.disable(users.find(DISABLED))
    mailed.deliver()
    mailed.client.sign_in(email=ME)
    return Town(mailed, mailed.client)


def _register(me: Client, email: str) -> Any:
    """Try to register under this address."""
    return me.another().sign_up(email=email)


def _ask_for_reset(me: Client, email: str) -> Any:
    """Ask for a reset of this user."""
    return me.another().post("/reset_password", {"email": email})


def _ask_for_verification(me: Client, email: str) -> Any:
    """Ask for the first letter again."""
    return me.another().post("/verify_email", {"email": email})


def _ask_for_change(me: Client, email: str) -> Any:
    """Ask to move to this address, which may be another's."""
    return me.put("/email", {"email": email})


def _verify_by_code(me: Client, email: str,
                    claim: Dict[str, str]) -> Any:
    """Guess the code that proves this address."""
    return me.another().put(
        "/verify_email", {"email": email, "code": "00000000", **claim})


def _reset_by_code(me: Client, email: str) -> Any:
    """Guess the code that resets this user's password."""
    return me.another().put("/reset_password", {
        "email": email, "code": "00000000", "new_password": MINE})


def _reset_by_token(me: Client, email: str) -> Any:
    """Guess the token that resets this user's password."""
    return me.another().put("/reset_password", {
        "email": email, "reset_token": "A" * 43, "new_password": MINE})


def _forgot(me: Client, email: str) -> Any:
    """Ask for a reset on the page."""
    return me.another().request("POST", "/forgot", data={"email": email})


def _verify_page(me: Client, email: str) -> Any:
    """Guess the code on the page."""
    return me.another().request("POST", "/verify", data={
        "email": email, "code": "00000000", "new_password": MINE})


def _log_in(me: Client, email: str) -> Any:
    """Guess the password."""
    return me.another().sign_in(email=email, password="a wrong password")


WAYS: Dict[str, Ask] = {
    "registering": _register,
    "asking for a reset": _ask_for_reset,
    "asking for a reset on the page": _forgot,
    "asking for the first letter": _ask_for_verification,
    "asking for a change": _ask_for_change,
    "verifying by code": partial(_verify_by_code, claim={}),
    "verifying by code and password": partial(
        _verify_by_code, claim={"password": BOB["password"]}),
    "verifying by code and new password": partial(
        _verify_by_code, claim={"new_password": MINE}),
    "verifying on the page": _verify_page,
    "resetting by code": _reset_by_code,
    "resetting by token": _reset_by_token,
    "logging in": _log_in,
}


def _facts(answer: Any) -> Any:
    """Return status, header names, cookies' shape, and body of an answer.

    The address that was asked for is in the body, and no other.
    """
    cookies = [RANDOM.sub("=random", each)
               for each in answer.headers.getlist("Set-Cookie")]
    body = ADDRESS.sub(b"the address", answer.get_data())
    return answer.status_code, sorted(answer.headers.keys()), cookies, body


@pytest.mark.parametrize("way", sorted(WAYS))
def test_everybody_gets_one_answer(town: Town, way: str) -> None:
    """R004, R009, R053, R085: also the seventh time."""
    for _ in range(7):
        answers = [WAYS[way](town.me, email) for email in EVERYBODY]
        facts = [_facts(each) for each in answers]
        assert facts == facts[:1] * len(EVERYBODY)
        assert answers[0].status_code < 500


def test_everybody_costs_the_same_hash_work(
        town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """R083, R085: one hash each, or none each, whichever the way."""
    work = Work(monkeypatch)
    costs = {way: [work.of(partial(ask, town.me, email))
                   for email in EVERYBODY] for way, ask in WAYS.items()}
    uneven = {way: each for way, each in costs.items() if len(set(each)) > 1}
    assert uneven == {}
    assert {way for way, each in costs.items() if each[0]} == {
        "registering", "logging in"}


@pytest.mark.parametrize("way, kind", [
    ("asking for a reset", "reset"),
    ("asking for a reset on the page", "reset"),
    ("asking for the first letter", "verify"),
    ("asking for a change", "change_email")])
def test_everybody_causes_letters_at_the_same_rate(
        town: Town, way: str, kind: str) -> None:
    """R053, R065: up to the limit and beyond it, for boxes of nobody too."""
    def written(email: str) -> int:
        """Return how many letters of the kind wait or went there."""
        return len([each for each in letters(town.me.services.db)
                    if (each.kind, each.recipient) == (kind, email)])

    rates: List[List[int]] = []
    for email in ("fresha@example.com", KNOWN, UNKNOWN):
        before = written(email)
        rate = []
        for _ in range(8):
            WAYS[way](town.me, email)
            rate.append(written(email))
        assert rate[-1] == 5
        rates.append([each - before for each in rate][:4])
    assert rates == rates[:1] * 3


def test_the_letters_go_to_those_who_are_concerned(town: Town) -> None:
    """R053: what looks alike from outside comes to the right people."""
    for email in EVERYBODY:
        _ask_for_reset(town.me, email)
        _ask_for_verification(town.me, email)
    came = {(each.to, "/reset?" in each.text)
            for each in town.post.deliver()}
    assert came == {(KNOWN, True), (UNVERIFIED, True), (UNVERIFIED, False)}
