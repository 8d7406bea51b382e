#!/usr/bin/env python3
"""Every refused login costs the same hash work, whatever was wrong.

The work is counted in units of bcrypt's inner loop: see ``Work``.
"""

from typing import Any, Dict, List

import pytest

from tests.support.builders import (
    EMAIL, HASH, PASSWORD, count, make_user, store_hash)
from tests.support.hash_work import Work
from vestibule.base.errors import InvalidInput
from vestibule.base.setting_values import Pepper
from vestibule.kernel.auth import Auth
from vestibule.kernel.passwords import Passwords
from vestibule.kernel.peppers import Peppers
from vestibule.kernel.users import Users
from vestibule.store.db import DB

COST = 6
LONG = "x" * 100
FOREIGN = "$argon2id$v=19$m=65536,t=3,p=4$c2FsdHNhbHQ$aGFzaGhhc2hoYXNo"


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> Work:
    """Return the count of hash work, none of it done as yet."""
    return Work(monkeypatch)


@pytest.fixture
def dear_auth(db: DB) -> Auth:
    """Return an API whose hashes cost four times the cheapest."""
    auth = Auth(db, Passwords(COST))
    cheap = Auth(db, Passwords(4))
    make_user(auth)
    make_user(auth, "long@example.com", LONG)
    make_user(cheap, "cheap@example.com")
    make_user(cheap, "cheaplong@example.com", LONG)
    users = Users(db, auth)
    for name in ("disabled", "corrupt", "empty", "foreign", "dear"):
        make_user(auth, f"{name}@example.com")
    users.disable(users.find("disabled@example.com"))
    make_user(cheap, "disabledcheap@example.com")
    users.disable(users.find("disabledcheap@example.com"))
    store_hash(db, users.find("corrupt@example.com"), "$2b$04$short")
    store_hash(db, users.find("empty@example.com"), "")
    store_hash(db, users.find("foreign@example.com"), FOREIGN)
    store_hash(db, users.find("dear@example.com"),
               HASH.replace("$04$", "$31$"))
    make_user(auth, "pepper@example.com")
    store_hash(db, users.find("pepper@example.com"),
               "{v1:gone}" + auth.passwords.hash(PASSWORD).decode())
    users.invite("invited@example.com")
    return auth


REFUSALS: Dict[str, Any] = {
    "an unknown address": ("nobody@example.com", PASSWORD),
    "no address at all": ("no address", PASSWORD),
    "a wrong password": (EMAIL, "wrong"),
    "an empty password": (EMAIL, ""),
    "over 72 bytes on a plain hash": (EMAIL, LONG),
    "72 right bytes and more": (EMAIL, PASSWORD + "x" * 80),
    "over 72 bytes and unknown": ("nobody@example.com", LONG),
    "a wrong password on a digested hash": ("long@example.com", "wrong"),
    "a wrong long one on a digested hash": ("long@example.com", LONG + "y"),
    "a wrong password on a cheaper hash": ("cheap@example.com", "wrong"),
    "over 72 bytes on a cheaper hash": ("cheap@example.com", LONG),
    "wrong on a cheaper digested hash": ("cheaplong@example.com", "wrong"),
    "a disabled user": ("disabled@example.com", "wrong"),
    "a disabled user, the right password": (
        "disabled@example.com", PASSWORD),
    "a disabled user, right on a cheaper hash": (
        "disabledcheap@example.com", PASSWORD),
    "a disabled user, wrong on a cheaper hash": (
        "disabledcheap@example.com", "wrong"),
    "a corrupt hash": ("corrupt@example.com", PASSWORD),
    "an unknown pepper": ("pepper@example.com", PASSWORD),
    "an unknown pepper, a long password": ("pepper@example.com", LONG),
    "a hash of another kind": ("foreign@example.com", PASSWORD),
    "a hash too dear to be ours": ("dear@example.com", PASSWORD),
    "an empty hash": ("empty@example.com", PASSWORD),
    "no hash": ("invited@example.com", PASSWORD),
    "no hash, and over 72 bytes": ("invited@example.com", LONG),
}


def test_every_refusal_costs_one_hash(dear_auth: Auth, work: Work) -> None:
    """R083, R009, R017: the same work, so that time tells nothing."""
    costs = {
        name: work.of(lambda: dear_auth.valid_login(*pair))
        for name, pair in REFUSALS.items()}
    assert costs == {name: 2 ** COST for name in REFUSALS}
    for pair in REFUSALS.values():
        assert not dear_auth.valid_login(*pair)


def test_with_a_pepper_every_refusal_costs_one_hash(
        dear_auth: Auth, work: Work) -> None:
    """R083, R017: also of hashes that are older than the pepper."""
    pepper = Pepper("2026a", "0123456789abcdefghijklmnopqrstuv")
    peppered = Auth(dear_auth.db, Passwords(COST, Peppers(pepper)))
    for name in ("peppered", "disabledpeppered"):
        make_user(peppered, f"{name}@example.com")
    users = Users(peppered.db, peppered)
    users.disable(users.find("disabledpeppered@example.com"))
    pairs: List[Any] = [*REFUSALS.values(), ("peppered@example.com", LONG),
                        ("peppered@example.com", "wrong"),
                        ("disabledpeppered@example.com", PASSWORD)]
    costs = {pair: work.of(lambda: peppered.valid_login(*pair))
             for pair in pairs}
    assert costs == {pair: 2 ** COST for pair in pairs}
    assert work.of(lambda: peppered.valid_login(
        "peppered@example.com", PASSWORD)) == 2 ** COST


def test_a_login_costs_the_same_hash(dear_auth: Auth, work: Work) -> None:
    """R083: right and wrong differ in the answer, and in nothing else."""
    assert work.of(lambda: dear_auth.valid_login(EMAIL, PASSWORD)) == 64
    assert work.of(lambda: dear_auth.valid_login(
        "long@example.com", LONG)) == 64


def test_what_can_be_no_password_costs_nothing_for_everybody(
        dear_auth: Auth, work: Work) -> None:
    """R084, R022: refused before anybody is looked up, and not counted."""
    before = count(dear_auth.db, "events")

    def refused() -> None:
        """Try to log in, and be told that this is no password."""
        for email in (EMAIL, "nobody@example.com", "disabled@example.com",
                      "corrupt@example.com", "no address"):
            for password in ("x" * 257, "P\0P", "\ud800"):
                with pytest.raises(InvalidInput):
                    dear_auth.authenticate(email, password)

    assert work.of(refused) == 0
    assert count(dear_auth.db, "events") == before


def test_a_refused_registration_costs_at_most_one_hash(
        dear_auth: Auth, work: Work) -> None:
    """R008: one for a taken address, as for a new one; none when unfit."""
    def register(email: str, password: str) -> int:
        """Return the work of registering, whether it is refused or not."""
        def attempt() -> None:
            """Register, and take a refusal for an answer."""
            try:
                dear_auth.register_user(email, password)
            except ValueError:
                pass
        return work.of(attempt)

    assert register(EMAIL, PASSWORD) == 64
    assert register("new@example.com", PASSWORD) == 64
    assert register("no address", PASSWORD) == 0
    assert register("newer@example.com", "") == 0
    assert register(EMAIL, "x" * 257) == 0


def test_a_refused_reset_costs_no_hash(
        dear_auth: Auth, work: Work) -> None:
    """R060: tokens cannot be guessed, so nothing has to be hidden there."""
    def refused() -> None:
        """Try to reset a password by a token that nobody issued."""
        with pytest.raises(ValueError):
            dear_auth.update_password("A" * 43, PASSWORD)

    assert work.of(refused) == 0
