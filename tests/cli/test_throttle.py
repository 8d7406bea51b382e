#!/usr/bin/env python3
"""``vestibule throttle``: what an operator sees and does about limits."""

import json
from typing import Any, Dict, List

import pytest

from tests.cli.commands import run
from tests.support.builders import count
from vestibule.base.limits import Limits
from vestibule.base.origin import Origin
from vestibule.kernel.auth import Auth
from vestibule.kernel.outbox import (
    ALREADY_REGISTERED_LETTER, MOST_WARNINGS, PASSWORD_CHANGED_LETTER)
from vestibule.kernel.throttle import Throttle
from vestibule.store.event import Event

ADA, NOBODY = "ada@example.com", "nobody@example.com"
IP = "203.0.113.7"
KEY = "a key for tests, 0123456789abcdef"


@pytest.fixture
def counting(environ: Dict[str, str], library: Auth) -> Throttle:
    """Return a throttle of few tries; commands count with the same."""
    environ["VESTIBULE_LIMITS"] = (
        "password_address=5/15m,password_identifier=3/15m,failures=10")
    return Throttle(library.db, KEY, Limits()._replace(
        password_address=Limits().budget("password_address"), failures=10))


def fail(throttle: Throttle, times: int, *, identifier: str = ADA,
         user_id: Any = None, session_id: Any = None) -> None:
    """Try a wrong password some times."""
    origin = Origin(IP, None, "a-request", session_id)
    for _ in range(times):
        throttle.fail(throttle.begin(identifier, user_id, origin))


@pytest.fixture
def asking(library: Auth) -> Auth:
    """Return an API that counts with the key that commands look with."""
    return Auth(library.db, key=KEY)


def events(library: Auth, what: str) -> List[Event]:
    """Return the events of a kind, in order."""
    with library.db.reading() as work:
        found: List[Event] = work.query(Event).filter_by(
            what=what).order_by(Event.at).all()
    return found


def shown(environ: Dict[str, str], *whose: str) -> Dict[str, Any]:
    """Return what is shown of somebody, by the name of the limit."""
    ran = run(environ, "throttle", "show", *whose, "--json")
    assert ran.status == 0, ran.err
    return {f"{use['limit']} {use['device'] or ''}".strip(): use
            for use in json.loads(ran.out)}


def test_what_is_counted_is_shown(
        environ: Dict[str, str], counting: Throttle, ada: str) -> None:
    """By address and by user, with the end of each."""
    fail(counting, 3, user_id=ada)
    ran = run(environ, "throttle", "show", "--user", ada)
    head, identifier, failures = ran.out.splitlines()
    assert head.split() == ["LIMIT", "USED", "OF", "FULL", "AGAIN", "STATE"]
    assert identifier.split()[:3] == ["password_identifier", "3", "3"]
    assert identifier.endswith("Z  shut out")
    assert failures.split("  ")[0] == "failures (unknown devices)"
    assert failures.split("  ")[-1].strip() == "open"
    assert "never by itself" in failures
    (use,) = shown(environ, "--address", IP).values()
    assert (use["limit"], use["used"], use["most"], use["state"]) == (
        "password_address", 3, 5, "open")


def test_nothing_is_counted_of_who_never_tried(
        environ: Dict[str, str], counting: Throttle, ada: str) -> None:
    """It is said in words, and as an empty list."""
    ran = run(environ, "throttle", "show", "--user", ADA)
    assert (ran.status, ran.out) == (0, "Nothing is counted.\n")
    assert shown(environ, "--address", "2001:db8::1") == {}
    again = run(environ, "throttle", "reset", "--address", IP)
    assert (again.status, again.out) == (0, "Nothing was counted.\n")


def test_an_address_of_a_whole_network_is_one(
        environ: Dict[str, str], counting: Throttle) -> None:
    """An IPv6 client is its /64, an IPv4-mapped one the IPv4 address."""
    fail(counting, 1)
    assert shown(environ, "--address", f"::ffff:{IP}") != {}
    origin = Origin("2001:db8:0:1::1", None, "a-request")
    counting.fail(counting.begin(ADA, None, origin))
    assert shown(environ, "--address", "2001:db8:0:1:ffff::2") != {}
    assert shown(environ, "--address", "2001:db8:0:2::1") == {}


def test_a_reset_gives_the_tries_back(
        environ: Dict[str, str], counting: Throttle, ada: str,
        library: Auth) -> None:
    """R072: strangers are let in again, known devices too; it is an event."""
    fail(counting, 10, user_id=ada)
    fail(counting, 2, user_id=ada, session_id="5e55")
    before = shown(environ, "--user", ADA)
    assert before["failures"]["state"] == "shut out"
    assert before["failures 5e55"]["used"] == 2
    assert before["password_device 5e55"]["used"] == 2
    ran = run(environ, "throttle", "reset", "--user", ADA.upper())
    assert "Forgot failures (unknown devices): 10 of 10.\n" in ran.out
    assert "Forgot password_device (5e55): 2 of 10.\n" in ran.out
    assert shown(environ, "--user", ADA) == {}
    assert shown(environ, "--address", IP) != {}
    event, = events(library, "throttle.reset")
    assert (event.user_id, event.target) == (ada, ada)
    assert event.detail == {"limits": [
        "failures", "password_device", "password_identifier"]}


def test_who_nobody_is_is_counted_too(
        environ: Dict[str, str], counting: Throttle, library: Auth) -> None:
    """R123: and the event does not hold in clear what was typed."""
    fail(counting, 2, identifier=NOBODY)
    assert set(shown(environ, "--user", NOBODY)) == {
        "password_identifier", "failures"}
    assert run(environ, "throttle", "reset", "--user", NOBODY).status == 0
    assert shown(environ, "--user", NOBODY) == {}
    event, = events(library, "throttle.reset")
    assert event.user_id is None
    assert len(event.target or "") == 32 and NOBODY not in str(vars(event))


def test_an_address_is_reset(
        environ: Dict[str, str], counting: Throttle, library: Auth) -> None:
    """What the identifier has used stays."""
    fail(counting, 2)
    ran = run(environ, "throttle", "reset", "--address", IP)
    assert ran.out == "Forgot password_address: 2 of 5.\n"
    assert "password_identifier" in shown(environ, "--user", ADA)
    event, = events(library, "throttle.reset")
    assert (event.detail or {})["address"] == IP


def test_a_lifted_limit_lets_all_tries_through(
        environ: Dict[str, str], counting: Throttle, ada: str,
        library: Auth) -> None:
    """A right password in between does not end that, nor do many at once."""
    fail(counting, 9, user_id=ada)
    for whose in (("--user", ADA), ("--address", IP)):
        ran = run(environ, "throttle", "lift", *whose, "--for", "8h")
        assert ran.status == 0 and "are lifted until 20" in ran.out
    origin = Origin(IP, None, "a-request")
    counting.succeed(counting.begin(ADA, ada, origin))
    fail(counting, 60, user_id=ada)
    uses = shown(environ, "--user", ADA)
    assert uses["password_identifier"]["state"] == "lifted"
    assert uses["failures"]["state"] == "shut out"
    assert shown(environ, "--address", IP)["password_address"][
        "state"] == "lifted"
    assert [each.detail for each in events(library, "throttle.lifted")] == [
        {"seconds": 28800}, {"address": IP, "seconds": 28800}]
    ran = run(environ, "throttle", "reset", "--address", IP)
    assert ran.out.startswith("Forgot password_address: lifted.\n")


@pytest.mark.parametrize("arguments", [
    (), ("--address", IP, "--user", ADA), ("--address", "office"),
    ("--user", ""), ("--user", "\x1b[2J"), ("--user", ADA, "--everybody"),
    ("--address", IP, "--everybody")])
def test_it_has_to_be_clear_whose_tries_are_meant(
        environ: Dict[str, str], arguments: Any) -> None:
    """Neither or both, and what is no address: wrong arguments."""
    for command in (("show",), ("reset",), ("lift", "--for", "1h")):
        ran = run(environ, "throttle", *command, *arguments)
        assert (ran.status, ran.out) == (2, "")
        assert "\x1b" not in ran.err


@pytest.mark.parametrize("time", ["8", "0h", "-1h", "8d", "forever"])
def test_no_limit_is_lifted_for_ever(
        environ: Dict[str, str], time: str) -> None:
    """At most for seven days."""
    ran = run(environ, "throttle", "lift", "--user", ADA, "--for", time)
    assert ran.status == 2


def test_an_unknown_id_is_refused(
        environ: Dict[str, str], library: Auth) -> None:
    """Only an email address can be tried without anybody having it."""
    ran = run(environ, "throttle", "show", "--user", "4711")
    assert (ran.status, ran.out) == (1, "")
    assert "There is no user 4711." in ran.err


def test_without_the_key_nothing_is_found(
        environ: Dict[str, str], library: Auth) -> None:
    """In production it says so, instead of that nothing is counted."""
    environ["VESTIBULE_PROFILE"] = "production"
    del environ["VESTIBULE_SECRET_KEY"], environ["VESTIBULE_BCRYPT_COST"]
    ran = run(environ, "throttle", "show", "--user", ADA)
    assert ran.status == 1
    assert "VESTIBULE_SECRET_KEY is not set" in ran.err


def test_letters_to_one_box_are_shown_and_reset(
        environ: Dict[str, str], asking: Auth) -> None:
    """Issue 6: by kind, for an address that anybody or nobody has."""
    for _ in range(7):
        asking.request_reset(NOBODY)
    use = shown(environ, "--user", NOBODY)["mail_box"]
    assert (use["kind"], use["used"], use["most"], use["state"]) == (
        "reset", 5, 5, "shut out")
    ran = run(environ, "throttle", "show", "--user", NOBODY)
    assert "mail_box (reset)  5     5 " in ran.out
    ran = run(environ, "throttle", "reset", "--user", NOBODY)
    assert ran.out == "Forgot mail_box (reset): 5 of 5.\n"
    assert shown(environ, "--user", NOBODY) == {}
    for _ in range(7):
        asking.request_reset(NOBODY)
    assert count(asking.db, "letters") == 10
    assert shown(environ, "--user", NOBODY)["mail_box"]["used"] == 5


def test_of_letters_those_that_anybody_can_cause_are_shown(
        environ: Dict[str, str], asking: Auth) -> None:
    """And each with its own limit: of a warning one is enough."""
    asking.outbox.write(PASSWORD_CHANGED_LETTER, ADA)
    for _ in range(2):
        asking.outbox.write_sparingly(
            ALREADY_REGISTERED_LETTER, ADA, most=MOST_WARNINGS)
    (use,) = shown(environ, "--user", ADA).values()
    assert (use["kind"], use["used"], use["most"], use["state"]) == (
        "already_registered", 1, 1, "shut out")


def test_letters_to_one_box_are_lifted(
        environ: Dict[str, str], asking: Auth) -> None:
    """Issue 6: and a reset ends it; letters of before count no more."""
    for _ in range(5):
        asking.request_reset(NOBODY)
    run(environ, "throttle", "lift", "--user", NOBODY, "--for", "8h")
    for _ in range(7):
        asking.request_reset(NOBODY)
    assert count(asking.db, "letters") == 12
    use = shown(environ, "--user", NOBODY)["mail_box"]
    assert (use["kind"], use["used"], use["state"]) == (None, 12, "lifted")
    run(environ, "throttle", "reset", "--user", NOBODY)
    for _ in range(7):
        asking.request_reset(NOBODY)
    assert count(asking.db, "letters") == 17


def test_what_all_use_up_together_is_shown_reset_and_lifted(
        environ: Dict[str, str], counting: Throttle, library: Auth) -> None:
    """Issue 6: the registrations there may be in an hour, all together."""
    environ["VESTIBULE_LIMITS"] = "register_all=2/1h"
    origin = Origin(IP, None, "a-request")
    for _ in range(2):
        counting.count_registration(origin)
    use = shown(environ, "--everybody")["register_all"]
    assert (use["used"], use["most"], use["state"]) == (2, 2, "shut out")
    ran = run(environ, "throttle", "reset", "--everybody")
    assert ran.out == "Forgot register_all: 2 of 2.\n"
    assert shown(environ, "--everybody") == {}
    ran = run(environ, "throttle", "lift", "--everybody", "--for", "1h")
    assert ran.out.startswith("The limits of everybody are lifted until 20")
    assert shown(environ, "--everybody")["register_all"][
        "state"] == "lifted"
    assert [each.target for each in events(library, "throttle.lifted")] == [
        None]
