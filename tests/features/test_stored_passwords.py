#!/usr/bin/env python3
"""Logging in against whatever may stand in the table, as a client sees it."""

from typing import Any, Dict, Iterator, Optional

import pytest

from tests.support.builders import store_hash
from tests.support.client import BOB, Client, make_client
from tests.support.clock import SetClock
from vestibule.base.config import load
from vestibule.kernel.passwords import Passwords
from vestibule.store.event import EventStore

PLAIN = Passwords(4).hash(BOB["password"]).decode()
PEPPER = "2026a:pB7xR2mT9kW4nQ8vL1sY6dF3hJ5gC0zA"


@pytest.fixture(name="service", params=["", PEPPER],
                ids=["plain", "peppered"])
def fixture_service(environ: Dict[str, str], clock: SetClock,
                    request: Any) -> Iterator[Client]:
    """Return a client of a service without a pepper, and of one with it."""
    if request.param:
        environ["VESTIBULE_PEPPER"] = request.param
    client = make_client(load(environ).settings, clock)
    client.sign_up()
    yield client
    client.services.db.close()


def put(service: Client, stored: Optional[str]) -> None:
    """Let this be Bob's stored hash."""
    db = service.services.db
    store_hash(db, db.find_user_by(email=BOB["email"]), stored)


def refused(service: Client, **changes: str) -> None:
    """Expect the one refusal that there is."""
    answer = service.sign_in(**changes)
    assert answer.status_code == 401
    assert answer.get_json() == {
        "message": "The email or the password is not right."}
    assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize("stored", [
    None, "", "!", "*", "$2b$04$short", "{v1}", "{v1:a}", "{v1:a}!",
    PLAIN[:-1], "{v9}" + PLAIN, PLAIN.replace("$2b$", "$2x$"),
    PLAIN.replace("$04$", "$31$"), "$1$salt$" + "x" * 22,
    "$5$rounds=5000$salt$x", "$6$salt$" + "x" * 86,
    "$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA", "scrypt:32768:8:1$s$ff",
    "pbkdf2_sha256$600000$salt$aGFzaA=="])
def test_a_hash_that_is_none_is_the_ordinary_refusal(
        service: Client, stored: Optional[str]) -> None:
    """R017: corrupt, empty, NULL and foreign ones, with one event each."""
    put(service, stored)
    refused(service)
    db = service.services.db
    user = db.find_user_by(email=BOB["email"])
    assert user.hashed_password == stored
    events = [each.detail for each in EventStore(db).of_user(user.id)
              if each.what == "login.refused"]
    assert events == [{"reason": "unusable_hash"}]
    refused(service, email="nobody@example.com")


@pytest.mark.parametrize("prefix", ["$2a$", "$2b$", "$2y$"])
def test_hashes_of_other_systems_log_in(
        service: Client, prefix: str) -> None:
    """R017: also where there is a pepper, which they get by that."""
    put(service, PLAIN.replace("$2b$", prefix))
    refused(service, password="a wrong one")
    for _ in range(2):
        assert service.sign_in().status_code == 200


def register_and_log_in(service: Client, chosen: str, typed: str) -> int:
    """Register Ada with one password, log in with another."""
    ada = {"email": "ada@example.com"}
    assert service.sign_up(password=chosen, **ada).status_code == 200
    status: int = service.sign_in(password=typed, **ada).status_code
    return status


def test_bytes_past_72_matter_to_a_client(service: Client) -> None:
    """R021: what differs in the 73rd is another password."""
    assert register_and_log_in(service, "x" * 72 + "A", "x" * 72 + "B") == 401
    assert service.sign_in(email="ada@example.com",
                           password="x" * 72 + "A").status_code == 200
    refused(service, email="ada@example.com", password="x" * 72)


@pytest.mark.parametrize("typed", ["P\0P", "P\0", "\0", "\0P"])
def test_nul_is_never_another_password(service: Client, typed: str) -> None:
    """R022: refused alike, whether somebody is known or not."""
    assert register_and_log_in(service, "P", typed) == 422
    assert service.sign_in(email="nobody@example.com",
                           password=typed).status_code == 422
    assert service.sign_up(email="eve@example.com",
                           password=typed).status_code == 422


@pytest.mark.parametrize("chosen, typed, status", [
    ("caf\u00e9", "cafe\u0301", 200), ("cafe\u0301", "caf\u00e9", 200),
    ("o\ufb03ce", "office", 401), ("\uff12\uff12", "22", 401),
    ("Words", "words", 401), (" words", "words", 401)])
def test_canonical_forms_log_in_and_others_do_not(
        service: Client, chosen: str, typed: str, status: int) -> None:
    """R023: NFC and NFD are one, compatibility variants and case are not."""
    assert register_and_log_in(service, chosen, typed) == status


def test_two_hashes_of_one_password_differ(service: Client) -> None:
    """R024: a salt of their own each, in a form that says what they are."""
    db = service.services.db
    service.sign_up(email="ada@example.com")
    one, other = (str(user.hashed_password) for user in db.list_users(2))
    assert one != other and one.rpartition("$")[2] != other.rpartition("$")[2]
    pepper = service.services.settings.pepper
    prefix = "" if pepper is None else "{v1:2026a}"
    for each in (one, other):
        assert each.startswith(f"{prefix}$2b$04$")
