#!/usr/bin/env python3
"""Who is registered cannot be told from answers, work or letters.

In production, where ``POST /users`` is as silent as the rest: Zitadel
CVE-2024-41952, Django CVE-2018-6188. Everybody is asked for in every way that
takes an address or a password, and all that a stranger may see or feel has
to be the same: status, headers, cookies, body, the hashes that are computed,
the rows that are written, even the number of statements.
"""

from functools import partial
from typing import Any, Callable, Dict, Iterator, List, Sequence

import pytest

from tests.support.client import BOB
from tests.support.clock import SetClock
from tests.support.fields import places
from tests.support.hash_work import Work
from tests.support.post import production_post
from tests.support.smtp_sink import SmtpSink
from tests.support.town import (
    COST, DISABLED, EVERYBODY, KNOWN, ME, MINE, ODD_HASHES, PENDING, STATES,
    UNKNOWN, UNVERIFIED, Asked, Town)

WRONG = {"password": "a wrong password!"}
LONG = {"password": "a wrong password, of more than 72 bytes" * 2}
CODE = {"code": "00000000"}
NEW = {"new_password": MINE}
TOKEN = "A" * 43
# Enough to go beyond every limit for an hour or for a code.
ROUNDS = 7
LETTERS_AN_HOUR = 5
COUNTED = ("/sessions", "/profile/restore", "/account/restore")

Ask = Callable[[Town, str], Any]


def sending(method: str, path: str, **fields: str) -> Ask:
    """Return a way to ask for somebody: JSON with their address."""
    return lambda town, email: town.send(
        method, path, email=email, **fields)


def submitting(path: str, **fields: str) -> Ask:
    """Return a way to ask for somebody on a page."""
    return lambda town, email: town.submit(path, email=email, **fields)


WITH_A_HASH: Dict[str, Ask] = {
    "logging in": sending("POST", "/sessions", **WRONG),
    "logging in, at length": sending("POST", "/sessions", **LONG),
    "restoring": sending("POST", "/profile/restore", **WRONG),
    "restoring on the page": submitting("/account/restore", **WRONG),
}
WITH_A_LETTER: Dict[str, Ask] = {
    "asking for a reset": sending("POST", "/reset_password"),
    "asking for a reset on the page": submitting("/forgot"),
    "asking for the first letter": sending("POST", "/verify_email"),
    "asking for it on the page": submitting("/verify/letter"),
    "asking for a change": lambda town, email: town.send_as(
        ME, "PUT", "/email", email=email),
}
WITH_A_CODE: Dict[str, Ask] = {
    "resetting by code": sending("PUT", "/reset_password", **CODE, **NEW),
    "resetting on the page": submitting("/reset", **CODE, **NEW),
    "verifying by code": sending("PUT", "/verify_email", **CODE),
    "verifying by code and password": sending(
        "PUT", "/verify_email", **CODE, password=BOB["password"]),
    "verifying by code and new password": sending(
        "PUT", "/verify_email", **CODE, **NEW),
    "verifying on the page": submitting("/verify", **CODE, **NEW),
}
WITH_A_TOKEN: Dict[str, Ask] = {
    "resetting by token": sending(
        "PUT", "/reset_password", reset_token=TOKEN, **NEW),
    "resetting by token on the page": submitting(
        "/reset", token=TOKEN, **NEW),
    "verifying by token": sending("PUT", "/verify_email", token=TOKEN),
    "undoing": sending("POST", "/undo", token=TOKEN),
}
# What the signed in are asked for, with a password that is not theirs.
WITH_A_SESSION: Dict[str, Ask] = {
    "reauthenticating": lambda town, email: town.send_as(
        email, "POST", "/session/reauthenticate", **WRONG),
    "changing the password": lambda town, email: town.send_as(
        email, "PUT", "/password",
        current_password=WRONG["password"], **NEW),
}
register = sending("POST", "/users", password=MINE)


@pytest.fixture
def town(environ: Dict[str, str], clock: SetClock) -> Iterator[Town]:
    """Return a town on a production service whose hashes are not cheap."""
    with SmtpSink() as sink:
        post = production_post(environ, clock, sink, cost=COST)
        yield Town(post)
        post.client.services.db.close()


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> Work:
    """Return the count of hash work."""
    return Work(monkeypatch)


def ask_for(crowd: Sequence[str], town: Town, way: Ask,
            work: Work) -> List[Asked]:
    """Ask for each of them in the same way."""
    return [town.ask(partial(way, town, email), work) for email in crowd]


def the_one(asked: Sequence[Asked], way: str) -> Asked:
    """Return what all were answered and cost, which has to be one thing."""
    for each in asked:
        assert each == asked[0], way
    return asked[0]


def told(asked: Asked) -> Dict[str, int]:
    """Return what rows were written, but for those that count tries."""
    return {name: count for name, count in asked.cost.rows.items()
            if name not in ("attempts", "failures")}


def assert_free(asked: Asked, path: str) -> None:
    """Compare the cost of what was unfit with nothing.

    What is sent as a password counts as a try nevertheless (R089).
    """
    if path in COUNTED:
        assert asked.cost.hashes == 0 and told(asked) == {}
    else:
        assert asked.cost == (0, {}, 0), path


def test_a_wrong_password_is_refused_alike(town: Town, work: Work) -> None:
    """R009, R083: whoever it is and whatever hash is stored, at one cost."""
    for name, way in WITH_A_HASH.items():
        town.later()
        for _ in range(2):
            one = the_one(ask_for(EVERYBODY, town, way, work), name)
            assert one.seen.status == 401
            assert one.cost.hashes == 2 ** COST
            assert told(one) == {"events": 1}


def test_the_right_password_of_the_disabled_is_a_wrong_one(
        town: Town, work: Work) -> None:
    """R009, R083: neither an answer nor any work tells that it is right."""
    right = {"password": BOB["password"]}
    for path in ("/sessions", "/profile/restore"):
        way = sending("POST", path, **right)
        one = the_one(ask_for((UNKNOWN, DISABLED), town, way, work), path)
        assert one.seen.status == 401


def test_the_signed_in_are_refused_alike(town: Town, work: Work) -> None:
    """R083: their hash may be odd by now, and costs what any other does."""
    for name, way in WITH_A_SESSION.items():
        one = the_one(ask_for((KNOWN, UNVERIFIED, *ODD_HASHES), town, way,
                              work), name)
        assert one.seen.status in (401, 403)
        assert one.cost.hashes == 2 ** COST
        assert told(one) == {"events": 1}


def test_a_letter_is_asked_for_alike(town: Town, work: Work) -> None:
    """R053, R065, R085: up to the limit of the hour and beyond it."""
    for name, way in WITH_A_LETTER.items():
        town.begin()
        rate = []
        for _ in range(ROUNDS):
            one = the_one(ask_for(STATES, town, way, work), name)
            assert one.seen.status in (200, 202)
            assert one.cost.hashes == 0
            rate.append(one.cost.rows.get("letters", 0))
        asked_before = 0 if "change" in name else 1
        assert sum(rate) == LETTERS_AN_HOUR - asked_before, name
        assert rate == sorted(rate, reverse=True)


def test_a_code_is_guessed_alike(town: Town, work: Work) -> None:
    """R085: whether one was sent there or not, also when no try is left."""
    for name, way in WITH_A_CODE.items():
        town.begin()
        for _ in range(ROUNDS):
            one = the_one(ask_for(STATES, town, way, work), name)
            assert one.seen.status == 403
            assert one.cost.hashes == 0
            assert told(one) == {"events": 1}


def test_a_token_is_guessed_alike(town: Town, work: Work) -> None:
    """R060, R085: whoever the address beside it belongs to."""
    for name, way in WITH_A_TOKEN.items():
        one = the_one(ask_for(EVERYBODY, town, way, work), name)
        assert one.seen.status == 403
        assert told(one) == {}
        assert one.cost.hashes == 0


def test_an_address_is_registered_alike(town: Town, work: Work) -> None:
    """R004, R085: one hash, one event and one letter, new or taken.

    What a new one costs beyond that is its own row. Tried again within the
    hour, the owner of a proved address is not written to again.
    """
    for number in range(ROUNDS):
        asked = ask_for(EVERYBODY, town, register, work)
        assert [each.seen for each in asked] == [asked[0].seen] * len(asked)
        assert asked[0].seen.status == 200
        assert {each.cost.hashes for each in asked} == {2 ** COST}
        assert {each.cost.rows["events"] for each in asked} == {1}
        new = [each.cost.rows.pop("users", 0) for each in asked]
        assert sum(new) == (1 if number == 0 else 0)
        if number == 0:
            assert {each.cost.rows["letters"] for each in asked} == {1}


BY_ADDRESS = tuple(
    place for place in places()
    if place.field != "email" and "email" in place.others)


def test_what_is_unfit_is_refused_before_anybody_is_looked_for(
        town: Town, work: Work) -> None:
    """R084: of every field beside an address, for everybody alike."""
    assert len(BY_ADDRESS) > 8
    for place in BY_ADDRESS:
        for value in (5, "x\0", "x" * 5000, ""):
            def ask(town: Town, email: str) -> Any:
                """Send the unfit value with somebody's address."""
                return town.send(place.operation.method, place.operation.path,
                                 **{**place.others, "email": email,
                                    place.field: value})
            one = the_one(ask_for(STATES, town, ask, work), str(place))
            assert one.seen.status in (401, 403, 422)
            if one.seen.status == 422:
                assert_free(one, place.operation.path)


def test_an_unfit_password_on_a_page_is_refused_alike(
        town: Town, work: Work) -> None:
    """R084: people fill in forms, and attackers do."""
    for path, field in (("/account/restore", "password"),
                        ("/reset", "new_password"),
                        ("/verify", "new_password")):
        for value in ("x\0", "x" * 5000):
            way = submitting(path, **dict(CODE, **{field: value}))
            one = the_one(ask_for(STATES, town, way, work), path)
            assert one.seen.status == 422
            assert_free(one, path)


def test_the_letters_go_to_those_who_are_concerned(town: Town) -> None:
    """R053: what looks alike from outside comes to the right people."""
    town.post.deliver()
    for email in STATES:
        town.send("POST", "/reset_password", email=email)
        town.send("POST", "/verify_email", email=email)
    came = {(each.to, "/reset?" in each.text)
            for each in town.post.deliver()}
    assert came == {(KNOWN, True), (UNVERIFIED, True), (UNVERIFIED, False),
                    (PENDING, True)}
