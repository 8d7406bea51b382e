#!/usr/bin/env python3
"""Codes, resets, registrations and letters that come too often, over HTTP.

In both profiles, with the limits that everybody has.
"""

from typing import Any, Dict, List, Tuple

import pytest

from tests.support.builders import all_but_tries
from tests.support.client import BOB, Client
from tests.support.hash_work import Work
from tests.support.recovery import delivered, mailed_in, wrong
from vestibule.kernel.devices import KnownDevices

EMAIL, NOBODY = BOB["email"], "nobody@example.com"
EVE = {"email": "eve@example.com", "password": "a battery of Eve's own"}
NEW = "a new horse battery"
PROBLEM = {"Accept": "application/problem+json"}
# What differs between any two answers.
OWN = ("X-Request-Id", "Date")


@pytest.fixture(params=["client", "production"])
def browser(request: pytest.FixtureRequest,
            environ: Dict[str, str]) -> Client:
    """Return a browser at a service at which Bob has registered."""
    del environ["VESTIBULE_LIMITS"]
    made: Client = request.getfixturevalue(request.param)
    assert made.sign_up().status_code == 200
    return made.another()


@pytest.fixture(name="code")
def fixture_code(browser: Client) -> str:
    """Return the code that Bob was mailed to reset his password with."""
    browser.post("/reset_password", {"email": EMAIL})
    return mailed_in(delivered(browser.services.auth)[-1]).code


def put(browser: Client, path: str, **sent: Any) -> Any:
    """Send a PUT whose refusal tells its code."""
    return browser.put(path, sent, headers=PROBLEM)


def plain(answer: Any) -> Tuple[Any, ...]:
    """Return what two equal answers have in common."""
    body = answer.get_json()
    body.pop("request_id")
    return (answer.status_code, body, sorted(
        (name, value) for name, value in answer.headers
        if name not in OWN))


def assert_throttled(answers: List[Any], name: str, most: int,
                     window: int) -> None:
    """See that all of these are one refusal, which says how long."""
    assert len({repr(plain(answer)) for answer in answers}) == 1
    answer = answers[0]
    assert (answer.status_code, answer.get_json()["code"]) == (
        429, "throttled")
    wait = int(answer.headers["Retry-After"])
    assert window - 5 <= wait <= window
    assert answer.headers["RateLimit"] == f'"{name}";r=0;t={wait}'
    assert answer.headers["RateLimit-Policy"] == (
        f'"{name}";q={most};w={window}')
    assert "Set-Cookie" not in answer.headers


def test_throttled_codes_look_alike(
        browser: Client, code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """R078, R079: a right one, a wrong one, and of whom nobody has heard."""
    for email in (EMAIL, NOBODY):
        for _ in range(10):
            assert put(browser, "/reset_password", email=email,
                       code=wrong(code), new_password=NEW
                       ).status_code == 403
    before = all_but_tries(browser.services.db)
    work, answers = Work(monkeypatch), []
    for email, typed in ((EMAIL, code), (EMAIL, wrong(code)),
                         (NOBODY, code)):
        for path in ("/reset_password", "/verify_email"):
            assert work.of(lambda: answers.append(put(
                browser, path, email=email, code=typed,
                new_password=NEW))) == 0
    assert_throttled(answers, "code", 10, 900)
    assert all_but_tries(browser.services.db) == before


def test_an_address_tries_so_many_codes_for_all_people(
        browser: Client, code: str) -> None:
    """R077: the right one of Bob's as well."""
    for number in range(30):
        assert put(browser, "/verify_email", code=code,
                   email=f"u{number}@example.com").status_code == 403
    assert_throttled(
        [put(browser, "/reset_password", email=email, code=code,
             new_password=NEW) for email in (EMAIL, NOBODY)],
        "code", 30, 900)


def test_throttled_resets_look_alike(
        browser: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """R078, R079: whether the token is good or not; it stays so."""
    user = browser.services.db.find_user_by(email=EMAIL)
    good = browser.services.auth.tokens.issue(user.id, "reset")
    for _ in range(30):
        assert put(browser, "/reset_password", reset_token="x",
                   new_password=NEW).status_code == 403
    work, answers = Work(monkeypatch), []
    for token in (good, "x"):
        assert work.of(lambda: answers.append(put(
            browser, "/reset_password", reset_token=token,
            new_password=NEW))) == 0
    assert_throttled(answers, "reset", 30, 900)
    assert browser.services.auth.tokens.look_at(good, "reset")


def test_throttled_registrations_look_alike(
        browser: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """R078, R079: of a taken address and of a free one, without a hash."""
    for number in range(19):
        assert browser.sign_up(
            email=f"u{number}@example.com").status_code == 200
    before = all_but_tries(browser.services.db)
    work, answers = Work(monkeypatch), []
    for email in (EMAIL, NOBODY, "u0@example.com"):
        assert work.of(lambda: answers.append(browser.post(
            "/users", dict(BOB, email=email), headers=PROBLEM))) == 0
    assert_throttled(answers, "register", 20, 3600)
    assert all_but_tries(browser.services.db) == before
    unfit = browser.post("/users", {"email": EMAIL, "password": ""})
    assert unfit.status_code == 422


@pytest.mark.parametrize("path", ["/reset_password", "/verify_email"])
def test_throttled_requests_for_letters_look_alike(
        browser: Client, path: str) -> None:
    """R078, R079: known or not; and no letter is written."""
    for number in range(30):
        browser.post(path, {"email": f"u{number}@example.com"})
    before = all_but_tries(browser.services.db)
    assert_throttled(
        [browser.post(path, {"email": email}, headers=PROBLEM)
         for email in (EMAIL, NOBODY)], "mail", 30, 3600)
    assert all_but_tries(browser.services.db) == before


def device_of(browser: Client, who: Dict[str, str]) -> Tuple[str, str]:
    """Sign somebody in; return the name and value of the device cookie."""
    answer = browser.another().post("/sessions", who)
    assert answer.status_code == 200, answer.get_json()
    found, = [header.partition(";")[0].partition("=")
              for header in answer.headers.getlist("Set-Cookie")
              if "device=" in header]
    return found[0], found[2]


def forgeries(bobs: str, eves: str) -> List[str]:
    """Return cookies that are not the one that Bob was given."""
    device, _, proof = bobs.partition(".")
    other, _, foreign = eves.partition(".")
    flipped = proof[:-1] + ("0" if proof[-1] != "0" else "1")
    signed = KnownDevices("another key").remember(None, "bob")
    return ["", device, eves, signed, f"{device}.{flipped}",
            f"{other}.{proof}", f"{device}.{foreign}",
            f"{device}.{'0' * 32}", f"{bobs}0", f'"{bobs}']


def test_a_forged_device_cookie_is_that_of_a_stranger(
        browser: Client) -> None:
    """R077: altered, made up, or given to somebody else; Bob's own is not.
    """
    db = browser.services.db
    assert browser.another().sign_up(**EVE).status_code == 200
    for who in (BOB, EVE):
        db.update_user(db.find_user_by(email=who["email"]).id,
                       email_verified_at=db.clock.now())
    name, bobs = device_of(browser, BOB)
    _, eves = device_of(browser, EVE)
    forged = forgeries(bobs, eves)
    program = browser.program()

    def tried(cookie: str, password: str) -> int:
        """Try a password on a device; return the status."""
        status: int = program.post(
            "/sessions", dict(BOB, password=password),
            headers={"Cookie": f"{name}={cookie}"}).status_code
        return status

    assert [tried(each, "a guess") for each in forged] == [401] * 10
    assert {tried(each, BOB["password"]) for each in forged} == {429}
    assert tried(bobs, BOB["password"]) == 200
