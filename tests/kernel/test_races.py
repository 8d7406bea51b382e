#!/usr/bin/env python3
"""Races of registrations and one-time tokens, with real processes.

Each runs on SQLite and on PostgreSQL: READ COMMITTED hides nothing that
SQLite hides. The processes stay for all rounds.
"""

from functools import partial
from typing import Any, Dict, List, Tuple

from tests.support.builders import (
    EMAIL, PASSWORD, count, letters, make_user, run_sql)
from tests.support.processes import Outcome, errors_of, race, racers
from vestibule.kernel.auth import Auth
from vestibule.kernel.passwords import Passwords
from vestibule.kernel.users import Users
from vestibule.store.db import DB
from vestibule.store.event import EventStore

ROUNDS = 20
MANY = 8
# What requirement R103 says of registrations.
REGISTRATIONS = 16


def winners(outcomes: List[Outcome]) -> List[int]:
    """Return the numbers of those that were refused nothing."""
    return [number for number, each in enumerate(outcomes) if not each.error]


def register(number: int, auth: Auth, email: str) -> str:
    """Register somebody with a password of one's own; return the id."""
    return auth.register_user(email, f"password {number}").id


def test_of_many_registrations_of_one_address_one_succeeds(
        database_url: str) -> None:
    """R103: the others get what a second registration always gets."""
    actions = [partial(register, number) for number in range(REGISTRATIONS)]
    with racers(database_url, actions) as people:
        db = DB(database_url)
        auth = Auth(db, Passwords(4))
        for number in range(ROUNDS):
            email = f"user{number}@example.com"
            outcomes = people.run(email)
            assert errors_of(outcomes) == [
                "IdentifierTaken"] * (REGISTRATIONS - 1)
            winner, = winners(outcomes)
            user = db.find_user_by(email=email)
            assert user.id == outcomes[winner].value
            assert auth.valid_login(email, f"password {winner}")
            assert len(EventStore(db).of_user(user.id)) == 1
        assert count(db, "users") == ROUNDS
        db.close()


def test_one_address_in_many_spellings_is_one_user(
        database_url: str) -> None:
    """R002, R103: at once, too, by whatever way it is registered."""
    spellings = ["bob@example.com", "BOB@example.com", " Bob@Example.com "]
    outcomes = race(database_url, [
        partial(_register_as, spelling) for spelling in spellings
    ] + [_invite])
    assert errors_of(outcomes) == ["IdentifierTaken"] * 3
    db = DB(database_url)
    assert [user.email for user in db.list_users(9)] == [EMAIL]
    db.close()


def _register_as(spelling: str, auth: Auth) -> str:
    """Register under an address as it is typed."""
    return auth.register_user(spelling, PASSWORD).email


def _invite(auth: Auth) -> str:
    """Invite Bob, as an operator."""
    return Users(auth.db, auth).invite(EMAIL).email


def spend(number: int, auth: Auth, tokens: List[str]) -> str:
    """Spend one of the round's tokens on a password of one's own."""
    token = tokens[number % len(tokens)]
    return auth.recover(token, f"password {number}").email


def test_of_many_who_spend_one_token_one_wins(database_url: str) -> None:
    """R058, R104: one password, one letter, one event, and no other error.
    """
    actions = [partial(spend, number) for number in range(MANY)]
    with racers(database_url, actions) as people:
        db = DB(database_url)
        auth = Auth(db, Passwords(4))
        user = make_user(auth)
        for number in range(ROUNDS):
            token = auth.get_reset_password_token(EMAIL)
            outcomes = people.run([token])
            assert errors_of(outcomes) == ["InvalidToken"] * (MANY - 1)
            winner, = winners(outcomes)
            assert auth.valid_login(EMAIL, f"password {winner}")
            assert len(letters(db)) == number + 1
            resets = [each for each in EventStore(db).of_user(user.id)
                      if each.what == "password.reset"]
            assert len(resets) == number + 1
        db.close()


def test_of_two_tokens_of_one_user_one_wins(database_url: str) -> None:
    """R059, R104: each voids the other, and they do not lock each other.

    A deadlock would be an error of the database's, and none is allowed.
    """
    actions = [partial(spend, number) for number in range(2)]
    with racers(database_url, actions) as people:
        db = DB(database_url)
        auth = Auth(db, Passwords(4))
        make_user(auth)
        won: List[int] = []
        for _ in range(ROUNDS):
            tokens = [auth.get_reset_password_token(EMAIL)
                      for _ in range(2)]
            outcomes = people.run(tokens)
            assert errors_of(outcomes) == ["InvalidToken"], outcomes
            won += winners(outcomes)
            assert auth.valid_login(EMAIL, f"password {won[-1]}")
            assert count(db, "one_time_tokens") == 0
        db.close()


def redeem(auth: Auth, given: Tuple[str, str]) -> str:
    """Redeem a token alone, with nothing that locks its user."""
    return auth.tokens.redeem(*given).user_id


def test_redeeming_alone_is_single_use_as_well(database_url: str) -> None:
    """R058: the UPDATE itself decides, whoever else holds what lock."""
    with racers(database_url, [redeem] * MANY) as people:
        db = DB(database_url)
        auth = Auth(db, Passwords(4))
        user = make_user(auth)
        for _ in range(ROUNDS // 2):
            token = auth.tokens.issue(user.id, "reset")
            outcomes = people.run((token, "reset"))
            assert errors_of(outcomes) == ["InvalidToken"] * (MANY - 1)
        db.close()


def swap(number: int, auth: Auth, given: Dict[str, Any]) -> bool:
    """Swap the round's old hash for one of one's own."""
    return auth.db.swap_hash(given["id"], given["old"], f"hash {number}")


def test_of_many_upgrades_of_one_hash_one_is_stored(
        database_url: str) -> None:
    """R016: the others see that the old one is gone."""
    actions = [partial(swap, number) for number in range(4)]
    with racers(database_url, actions) as people:
        db = DB(database_url)
        user = db.add_user(EMAIL, "old")
        for _ in range(ROUNDS):
            run_sql(db, "UPDATE users SET hashed_password = 'old'")
            outcomes = people.run({"id": user.id, "old": "old"})
            assert errors_of(outcomes) == []
            won = [each.value for each in outcomes].index(True)
            assert sum(each.value for each in outcomes) == 1
            stored = db.find_user_by(id=user.id)
            assert stored.hashed_password == f"hash {won}"
        db.close()


def change_address(number: int, auth: Auth, given: Any) -> None:
    """Take the one address that everybody wants."""
    users = Users(auth.db, auth)
    users.set_email(users.find(f"user{number}@example.com"), EMAIL)


def test_of_many_who_want_one_address_one_gets_it(
        database_url: str) -> None:
    """R002, R103: as an update, with the same refusal for the rest."""
    actions = [partial(change_address, number) for number in range(4)]
    with racers(database_url, actions) as people:
        db = DB(database_url)
        auth = Auth(db, Passwords(4))
        for _ in range(ROUNDS // 4):
            run_sql(db, "DELETE FROM users")
            for number in range(4):
                make_user(auth, f"user{number}@example.com")
            outcomes = people.run()
            assert errors_of(outcomes) == ["IdentifierTaken"] * 3
            assert db.find_user_by(email=EMAIL)
        db.close()


def fail_often(auth: Auth) -> int:
    """Try wrong passwords, one after the other; return how many failed."""
    return sum(not auth.valid_login(EMAIL, f"guess {number}")
               for number in range(10))


def test_of_many_failures_at_once_each_is_counted(
        database_url: str) -> None:
    """R107: one hundred parallel failures are one hundred events."""
    db = DB(database_url)
    user = make_user(Auth(db, Passwords(4)))
    db.close()
    outcomes = race(database_url, [fail_often] * 10)
    assert [each.value for each in outcomes] == [10] * 10
    db = DB(database_url)
    failures = [each for each in EventStore(db).of_user(user.id)
                if each.what == "login.refused"]
    assert len(failures) == 100
    db.close()
