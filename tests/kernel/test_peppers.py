#!/usr/bin/env python3
"""A pepper comes, goes and is missed, and nobody is told a lie about it."""

import logging
import re
from typing import Any, Dict, List, Optional

import pytest

from tests.support.builders import (
    EMAIL, PASSWORD, count, everything, make_user, overheard, run_sql,
    store_hash)
from vestibule.base.errors import Unavailable
from vestibule.base.setting_values import Pepper
from vestibule.kernel.auth import Auth
from vestibule.kernel.passwords import Passwords
from vestibule.kernel.peppers import Peppers
from vestibule.store.db import DB, IntegrityError
from vestibule.store.event import EventStore
from vestibule.store.pepper_canary import PepperCanaryStore

OLD = Pepper("2025a", "zyxwvutsrqponmlkjihgfedcba987654")
NEW = Pepper("2026a", "0123456789abcdefghijklmnopqrstuv")
FALSE_NEW = Pepper("2026a", "0123456789abcdefghijklmnopqrstuw")
HASH = r"\$2b\$04\$[./A-Za-z0-9]{53}"
LONG = "\u4e2d" * 64


def with_peppers(db: DB, current: Optional[Pepper],
                 *fallbacks: Pepper) -> Auth:
    """Return the API as a process that was started with these peppers."""
    return Auth(db, Passwords(4, Peppers(
        current, fallbacks, PepperCanaryStore(db))))


def stored_hash(db: DB, email: str = EMAIL) -> str:
    """Return the hash of a user as it is stored now."""
    return str(db.find_user_by(email=email).hashed_password)


def reasons(db: DB) -> List[Any]:
    """Return why logins of Bob were refused, in order."""
    user = db.find_user_by(email=EMAIL)
    return [(each.detail or {}).get("reason")
            for each in EventStore(db).of_user(user.id)
            if each.what == "login.refused"]


@pytest.mark.parametrize("password", ["x", PASSWORD, "x" * 72, LONG])
def test_with_a_pepper_every_password_is_digested(
        db: DB, password: str) -> None:
    """R024: short ones too, and the prefix names the pepper."""
    auth = with_peppers(db, NEW)
    make_user(auth, password=password)
    assert re.fullmatch(r"\{v1:2026a\}" + HASH, stored_hash(db))
    assert auth.valid_login(EMAIL, password)
    assert not auth.valid_login(EMAIL, password + "y")


@pytest.mark.parametrize("password", [PASSWORD, LONG])
def test_hashes_without_a_pepper_get_it_at_login(
        db: DB, password: str) -> None:
    """R016: as soon as there is one, once, and for the right password."""
    make_user(with_peppers(db, None), password=password)
    plain = stored_hash(db)
    auth = with_peppers(db, NEW)
    assert not auth.valid_login(EMAIL, "wrong")
    assert stored_hash(db) == plain
    assert auth.valid_login(EMAIL, password)
    peppered = stored_hash(db)
    assert peppered.startswith("{v1:2026a}")
    assert auth.valid_login(EMAIL, password)
    assert stored_hash(db) == peppered


def test_an_old_pepper_is_accepted_and_exchanged_at_login(db: DB) -> None:
    """R016, R027: a rotation, at the end of which the old one can go."""
    make_user(with_peppers(db, OLD))
    rotated = with_peppers(db, NEW, OLD)
    assert rotated.valid_login(EMAIL, PASSWORD)
    assert stored_hash(db).startswith("{v1:2026a}")
    done = with_peppers(db, NEW)
    assert done.valid_login(EMAIL, PASSWORD)
    assert done.passwords.peppers.examine() == []


def test_a_pepper_can_be_given_up(db: DB) -> None:
    """R016: as a fallback alone it is taken out of the hashes again."""
    make_user(with_peppers(db, OLD))
    auth = with_peppers(db, None, OLD)
    assert auth.valid_login(EMAIL, PASSWORD)
    assert re.fullmatch(HASH, stored_hash(db))
    assert with_peppers(db, None).valid_login(EMAIL, PASSWORD)


def test_a_new_pepper_never_lowers_the_cost(db: DB) -> None:
    """R016: a dearer hash stays as dear."""
    make_user(Auth(db, Passwords(6)))
    assert with_peppers(db, NEW).valid_login(EMAIL, PASSWORD)
    assert stored_hash(db).startswith("{v1:2026a}$2b$06$")


def test_a_password_changed_meanwhile_keeps_its_hash(db: DB) -> None:
    """R016: the exchange of a pepper is a compare-and-swap as well."""
    user = make_user(with_peppers(db, OLD))
    passwords = with_peppers(db, NEW, OLD).passwords
    old = stored_hash(db)
    store_hash(db, user, "{v1:2026a}" + "x" * 60)
    better = passwords.hash_anew(PASSWORD, old).decode()
    assert not db.swap_hash(user.id, old, better)
    assert stored_hash(db).endswith("x")


def test_the_canary_is_written_once_and_holds_no_secret(db: DB) -> None:
    """R027: one row for each pepper, the first time that it is seen."""
    for _ in range(2):
        with_peppers(db, NEW, OLD).passwords.peppers.examine()
        assert count(db, "pepper_canaries") == 2
    assert with_peppers(db, NEW).valid_login(EMAIL, PASSWORD) is False
    assert NEW.secret not in everything(db)
    assert OLD.secret not in everything(db)
    digests = PepperCanaryStore(db).digests()
    assert set(digests) == {"2025a", "2026a"}
    assert all(re.fullmatch("[0-9a-f]{64}", each)
               for each in digests.values())


def test_a_second_canary_of_one_id_is_refused_alone(db: DB) -> None:
    """R027: the transaction that it was part of goes on."""
    canaries = PepperCanaryStore(db)
    canaries.add("a", "1" * 64)
    with db.transaction():
        with pytest.raises(IntegrityError):
            canaries.add("a", "2" * 64)
        canaries.add("b", "3" * 64)
    assert canaries.digests() == {"a": "1" * 64, "b": "3" * 64}


def test_one_secret_under_two_ids_has_two_canaries(db: DB) -> None:
    """R027: the table does not tell that they are one."""
    twin = Pepper("twin", NEW.secret)
    with_peppers(db, NEW, twin).passwords.peppers.examine()
    assert len(set(PepperCanaryStore(db).digests().values())) == 2


def refusals(auth: Auth) -> Dict[str, Any]:
    """Return every verb that judges or hashes a password."""
    return {
        "a right password": lambda: auth.authenticate(EMAIL, PASSWORD),
        "a wrong one": lambda: auth.authenticate(EMAIL, "wrong"),
        "an unknown address": lambda: auth.valid_login("a@b.example", "x"),
        "a registration": lambda: auth.register_user("a@b.example", "x")}


@pytest.mark.parametrize("peppers, said", [
    ([FALSE_NEW], ['pepper "2026a" is not the secret']),
    ([FALSE_NEW, OLD], ['pepper "2026a" is not the secret']),
    ([None], ['pepper "2026a", which is not set']),
    ([OLD], ['pepper "2026a", which is not set']),
    ([None, OLD], ['pepper "2026a", which is not set']),
    ([Pepper("typo", NEW.secret)], ['pepper "2026a", which is not set'])])
def test_a_wrong_or_missing_pepper_tells_nobody_that_they_are_wrong(
        db: DB, caplog: pytest.LogCaptureFixture,
        peppers: List[Optional[Pepper]], said: List[str]) -> None:
    """R027: everybody is told to come again, and the log says what to do."""
    make_user(with_peppers(db, NEW))
    before = count(db, "events"), stored_hash(db)
    auth = with_peppers(db, peppers[0], *filter(None, peppers[1:]))
    with caplog.at_level(logging.WARNING):
        for refused in refusals(auth).values():
            with pytest.raises(Unavailable):
                refused()
    assert len(caplog.messages) == len(said)
    for message, part in zip(caplog.messages, said):
        assert part in message and "/health/ready" in message
        assert NEW.secret[:8] not in message
    assert (count(db, "events"), stored_hash(db)) == before
    assert with_peppers(db, NEW).valid_login(EMAIL, PASSWORD)


def test_every_missing_pepper_is_named(db: DB) -> None:
    """R027: who restores an old database learns all ids at once."""
    for number, name in enumerate(("a", "b", "c", "d")):
        pepper = Pepper(name, f"{number}{NEW.secret}")
        with_peppers(db, pepper).passwords.peppers.examine()
        make_user(Auth(db, Passwords(4, Peppers(pepper))),
                  f"{name}@example.com")
    found = with_peppers(
        db, Pepper("c", f"2{NEW.secret}")).passwords.peppers.examine()
    assert [each.partition('"')[2].partition('"')[0]
            for each in found] == ["a", "b", "d"]


def test_corrupt_hashes_do_not_hide_a_missing_pepper(db: DB) -> None:
    """R017, R027: nor those that differ from it in capitals alone."""
    for number, name in enumerate(("{v1:GONE}", "{v1:}", "{V1:gone}",
                                   "{v1:_one}", "{v1:gone}")):
        db.add_user(f"{number}@example.com", name + "$2b$04$" + "x" * 53)
    PepperCanaryStore(db).add("gone", "d" * 64)
    found, = with_peppers(db, NEW).passwords.peppers.examine()
    assert 'pepper "gone", which is not set' in found


def test_a_pepper_that_no_hash_needs_any_more_is_not_missed(db: DB) -> None:
    """R027: its canary stays, and is no reason to refuse anybody."""
    make_user(with_peppers(db, OLD))
    assert with_peppers(db, NEW, OLD).valid_login(EMAIL, PASSWORD)
    auth = with_peppers(db, NEW)
    assert auth.passwords.peppers.examine() == []
    assert count(db, "pepper_canaries") == 2


@pytest.mark.parametrize("stored", [
    "{v1:gone}!", "{v1:gone}", "{v1:GONE}$2b$04$" + "x" * 53,
    "{V1:gone}$2b$04$" + "x" * 53, "{v1:%}$2b$04$" + "x" * 53,
    "{v1:}$2b$04$", "{v1:gone", "{v1:$2b$04$x"])
def test_a_corrupt_hash_is_no_missing_pepper(db: DB, stored: str) -> None:
    """R017: one bad row refuses its own user, and nobody else."""
    user = make_user(with_peppers(db, NEW))
    make_user(with_peppers(db, NEW), "ada@example.com")
    store_hash(db, user, stored)
    auth = with_peppers(db, NEW)
    assert not auth.valid_login(EMAIL, PASSWORD)
    assert auth.valid_login("ada@example.com", PASSWORD)
    assert reasons(db) == ["unusable_hash"]


def test_a_pepper_that_appears_later_is_missed_then(
        db: DB, caplog: pytest.LogCaptureFixture) -> None:
    """R027: another process has a newer one; one login notices, as refused.

    It costs and looks like any refusal, and has a reason of its own.
    """
    behind = with_peppers(db, OLD)
    make_user(behind)
    assert behind.valid_login(EMAIL, PASSWORD)
    assert with_peppers(db, NEW, OLD).valid_login(EMAIL, PASSWORD)
    assert not behind.valid_login(EMAIL, PASSWORD)
    assert reasons(db) == ["unknown_pepper"]
    with pytest.raises(Unavailable):
        behind.valid_login(EMAIL, PASSWORD)
    assert reasons(db) == ["unknown_pepper"]
    assert len(caplog.messages) == 1


def test_without_settings_an_unknown_pepper_is_an_ordinary_refusal(
        db: DB) -> None:
    """R017: a program that uses ``Auth`` alone gets a plain no each time."""
    make_user(with_peppers(db, NEW))
    for _ in range(2):
        assert not Auth(db, Passwords(4)).valid_login(EMAIL, PASSWORD)
    assert reasons(db) == ["unknown_pepper"] * 2


def test_who_mends_the_database_need_not_start_again(
        db: DB, caplog: pytest.LogCaptureFixture) -> None:
    """R027: the next look for readiness sees that all is well again."""
    user = make_user(with_peppers(db, OLD))
    auth = with_peppers(db, NEW)
    assert len(auth.passwords.peppers.examine()) == 1
    store_hash(db, user, None)
    with pytest.raises(Unavailable):
        auth.valid_login(EMAIL, PASSWORD)
    assert auth.passwords.peppers.examine() == []
    assert not auth.valid_login(EMAIL, PASSWORD)
    assert caplog.messages[-1] == "The peppers are the right ones again."


def test_a_look_is_cheap_while_all_is_well(db: DB) -> None:
    """R027: the table of users is searched once, not at every look."""
    peppers = with_peppers(db, NEW).passwords.peppers
    PepperCanaryStore(db).add("retired", "d" * 64)
    peppers.examine()
    with overheard(db.engine) as statements:
        for _ in range(3):
            assert peppers.examine() == []
            peppers.require_sound()
    assert len(statements) == 3
    assert all("pepper_canaries" in each for each in statements)


def test_a_start_is_cheap_while_no_pepper_is_missing(db: DB) -> None:
    """R027: however many users there are, none is looked at."""
    make_user(with_peppers(db, NEW))
    with overheard(db.engine) as statements:
        assert with_peppers(db, NEW).passwords.peppers.examine() == []
    assert len(statements) == 1


def test_a_new_strange_canary_has_the_users_searched_again(db: DB) -> None:
    """R027: readiness notices a newer pepper before any login does."""
    behind = with_peppers(db, OLD)
    make_user(behind)
    assert behind.passwords.peppers.examine() == []
    make_user(with_peppers(db, NEW, OLD), "ada@example.com")
    assert len(behind.passwords.peppers.examine()) == 1


def test_what_needs_no_password_writes_no_canary(db: DB) -> None:
    """R027: an operator who only looks leaves nothing behind."""
    auth = with_peppers(db, NEW)
    assert auth.db.list_users(10) == []
    assert auth.create_session(EMAIL) is None
    assert count(db, "pepper_canaries") == 0
    make_user(auth)
    assert count(db, "pepper_canaries") == 1


def test_a_canary_that_was_lost_is_written_anew(db: DB) -> None:
    """R027: after a restore of a part, the pepper at hand is believed."""
    auth = with_peppers(db, NEW)
    make_user(auth)
    run_sql(db, "DELETE FROM pepper_canaries")
    assert auth.passwords.peppers.examine() == []
    assert count(db, "pepper_canaries") == 1
