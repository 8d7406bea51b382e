#!/usr/bin/env python3
"""Races of different tokens and requests of one user, and for one address.

Whatever comes first, the end is as if one had come wholly before the other,
and nobody waits for somebody who waits for them.
"""

from functools import partial
from typing import Any, Dict, List, NamedTuple, Tuple

import pytest

from tests.support.builders import (
    PASSWORD, count, erase, letters, make_newcomer, run_sql, token_in)
from tests.support.processes import Outcome, errors_of
from tests.support.recovering import (
    address_change, ask_for_change, ask_for_reset, confirm, course,
    deliver, hesitate, move, proved_user, registration, typed, undo,
    winners)
from vestibule.base.errors import InvalidToken
from vestibule.base.origin import LIBRARY
from vestibule.kernel.auth import Auth
from vestibule.kernel.one_time_tokens import Presented
from vestibule.mail.message import Message
from vestibule.store.db import User
from vestibule.store.letter import QUEUED

ROUNDS = 20
STOLEN = "the thief's password"
# What a round is about: tokens, addresses and users by name.
Round = Dict[str, Any]


def reset(auth: Auth, given: Round) -> str:
    """Spend a reset token on another password."""
    hesitate()
    return auth.recover(given["reset"], STOLEN).email


def change(auth: Auth, given: Round) -> str:
    """Confirm a change of address."""
    hesitate()
    return confirm(auth, given["change"]).email


def take_back(auth: Auth, given: Round) -> str:
    """Undo the first change."""
    hesitate()
    return undo(auth, given["undo"]).email


def take_back_later(auth: Auth, given: Round) -> str:
    """Undo the second change."""
    hesitate()
    return undo(auth, given["later_undo"]).email


def stored(auth: Auth, user: User) -> User:
    """Return a user as it is now."""
    return auth.db.find_user_by(id=user.id)


def open_tokens(auth: Auth) -> int:
    """Return how many tokens there are that were not spent."""
    run_sql(auth.db, "DELETE FROM one_time_tokens WHERE used_at IS NOT NULL")
    return count(auth.db, "one_time_tokens")


def waiting(auth: Auth) -> List[str]:
    """Return what kinds of letters are still to be sent."""
    return [each.kind for each in letters(auth.db) if each.state == QUEUED]


def lost(outcomes: List[Outcome]) -> List[bool]:
    """Say of each outcome whether it was refused, by ``InvalidToken``."""
    assert set(errors_of(outcomes)) <= {"InvalidToken"}, outcomes
    return [bool(each.error) for each in outcomes]


def test_of_a_reset_and_a_change_of_address_one_is_done(
        database_url: str) -> None:
    """R104, R067: each voids the other's token."""
    with course(database_url, [reset, change]) as (people, auth):
        for number in range(ROUNDS):
            old, new = f"old{number}@example.com", f"new{number}@example.com"
            user = proved_user(auth, old)
            mailed = ask_for_change(auth, user, new)
            outcomes = people.run({
                "reset": token_in(ask_for_reset(auth, old)),
                "change": token_in(mailed)})
            was_reset = not outcomes[0].error
            assert lost(outcomes) == [not was_reset, was_reset]
            assert stored(auth, user).email == (old if was_reset else new)
            assert auth.valid_login(stored(auth, user).email,
                                    STOLEN if was_reset else PASSWORD)
            assert open_tokens(auth) == 0
            deliver(auth)
            run_sql(auth.db, "DELETE FROM one_time_tokens")


def test_an_undo_prevails_over_a_reset(database_url: str) -> None:
    """R097, R104: a thief who resets by the address that they moved the
    account to is refused, or sets a password that is disabled at once.
    """
    with course(database_url, [take_back, reset]) as (people, auth):
        for number in range(ROUNDS):
            old, new = f"old{number}@example.com", f"new{number}@example.com"
            user = proved_user(auth, old)
            token = move(auth, user, new)
            outcomes = people.run({
                "undo": token,
                "reset": token_in(ask_for_reset(auth, new))})
            was_reset = lost(outcomes) == [False, False]
            assert was_reset or lost(outcomes) == [False, True]
            assert stored(auth, user).email == old
            assert auth.valid_login(old, PASSWORD) != was_reset
            assert not auth.valid_login(old, STOLEN)
            assert open_tokens(auth) == 0
            assert waiting(auth) == ["reset"]
            assert [each.to for each in deliver(auth)] == [old]
            run_sql(auth.db, "DELETE FROM one_time_tokens")


def test_an_undo_prevails_over_another_change_of_address(
        database_url: str) -> None:
    """R097, R104: were the thief on the way to a third address."""
    with course(database_url, [take_back, change]) as (people, auth):
        for number in range(ROUNDS):
            old, new = f"old{number}@example.com", f"new{number}@example.com"
            user = proved_user(auth, old)
            token = move(auth, user, new)
            third = ask_for_change(auth, user, f"third{number}@example.com")
            session = auth.create_session(new)
            outcomes = people.run({"undo": token, "change": token_in(third)})
            assert lost(outcomes)[0] is False
            assert stored(auth, user).email == old
            assert auth.get_user_from_session_id(session) is None
            assert open_tokens(auth) == 0
            assert waiting(auth) == ["reset"]
            assert [each.to for each in deliver(auth)] == [old]
            run_sql(auth.db, "DELETE FROM one_time_tokens")


def test_of_two_undos_the_earlier_prevails(database_url: str) -> None:
    """R097, R104: the thief's own undo, of a second change, cannot stop it.
    """
    actions = [take_back, take_back_later]
    with course(database_url, actions) as (people, auth):
        for number in range(ROUNDS):
            old = f"old{number}@example.com"
            user = proved_user(auth, old)
            token = move(auth, user, f"second{number}@example.com")
            later = move(auth, user, f"third{number}@example.com")
            outcomes = people.run({"undo": token, "later_undo": later})
            assert lost(outcomes)[0] is False
            assert stored(auth, user).email == old
            assert open_tokens(auth) == 0
            assert set(waiting(auth)) == {"reset"}
            assert [each.to for each in deliver(auth)] == [old]
            run_sql(auth.db, "DELETE FROM one_time_tokens")


def ask(name: str, auth: Auth, given: Round) -> List[Message]:
    """Ask for a change to one of the round's addresses."""
    hesitate()
    address_change(auth).request(given["user"].id, given[name], LIBRARY)
    return []


def send(auth: Auth, given: Round) -> List[Message]:
    """Deliver what there is, as a worker."""
    hesitate()
    return deliver(auth)


class Key(NamedTuple):
    """A link or a code, and the address that it was mailed to.

    What is typed beside a code may name another address.
    """

    presented: Presented
    mailed_to: str


def present(number: int, auth: Auth, given: List[Key]) -> Tuple[str, str]:
    """Present one of the round's keys; return its box and what it proved.
    """
    key = given[number % len(given)]
    return key.mailed_to, confirm(auth, key.presented).email


def keys_in(letters: List[Message], victim: str) -> List[Key]:
    """Return each link and code, and each code as if the victim had it."""
    keys = []
    for letter in letters:
        keys += [Key(token_in(letter), letter.to),
                 Key(typed(letter), letter.to)]
        if letter.to != victim:
            keys.append(Key(
                typed(letter)._replace(email=victim), letter.to))
    return keys


def test_two_changes_at_once_never_prove_the_wrong_address(
        database_url: str) -> None:
    """R067, R104: a thief's own box and a victim's, asked for at once and
    delivered meanwhile; then everything mailed is presented at once.

    One request came last, and its letter alone is worth anything; with what
    came to the thief's box nobody proves the victim's.
    """
    asking: List[Any] = [partial(ask, "thief"), partial(ask, "victim"),
                         send, send]
    mailed = []
    with course(database_url, asking) as (people, auth):
        for number in range(ROUNDS):
            victim = f"victim{number}@example.com"
            names: Round = {
                "user": proved_user(auth, f"user{number}@example.com"),
                "thief": f"thief{number}@example.com", "victim": victim}
            outcomes = people.run(names)
            assert errors_of(outcomes) == [], outcomes
            sent: List[Message] = sum(
                (each.value for each in outcomes), deliver(auth))
            assert {each.to for each in sent} <= set(names.values())
            assert waiting(auth) == []
            assert open_tokens(auth) == number + 1
            mailed.append((names["user"], keys_in(sent, victim)))
    confirming = [partial(present, number) for number in range(5)]
    with course(database_url, confirming) as (people, auth):
        for user, keys in mailed:
            outcomes = people.run(keys)
            assert lost(outcomes).count(False) == 1
            box, proved = outcomes[winners(outcomes)[0]].value
            assert stored(auth, user).email == proved == box


def register(name: str, auth: Auth, given: Round) -> str:
    """Register under one of the round's addresses."""
    hesitate()
    return auth.register_user(given[name], PASSWORD).id


def register_in_silence(auth: Auth, given: Round) -> str:
    """Register as one does where nobody is told that it was taken."""
    hesitate()
    return registration(auth).register(
        given["old"], STOLEN, LIBRARY).email


def test_a_change_against_registrations_of_both_its_addresses(
        database_url: str) -> None:
    """R103, R097: the new address has one user, whoever was first; the old
    one is the user's, or kept free for them, at every instant.
    """
    actions: List[Any] = [
        change, partial(register, "new"), partial(register, "new"),
        partial(register, "old"), register_in_silence]
    with course(database_url, actions) as (people, auth):
        for number in range(ROUNDS):
            names: Round = {"old": f"old{number}@example.com",
                            "new": f"new{number}@example.com"}
            user = proved_user(auth, names["old"])
            names["change"] = token_in(
                ask_for_change(auth, user, names["new"]))
            outcomes = people.run(names)
            changed = not outcomes[0].error
            assert outcomes[0].error in ("", "InvalidToken")
            assert errors_of(outcomes[1:]) == [
                "IdentifierTaken"] * (3 if changed else 2), outcomes
            assert outcomes[3].error and not outcomes[4].error
            assert count(auth.db, "users") == (1 if changed else 2)
            assert stored(auth, user).email == names[
                "new" if changed else "old"]
            run_sql(auth.db, "DELETE FROM letters")
            run_sql(auth.db, "DELETE FROM users")


def test_an_undo_against_registrations_of_both_its_addresses(
        database_url: str) -> None:
    """R097, R103: what was kept for the user is never somebody else's."""
    actions: List[Any] = [
        take_back, partial(register, "new"), partial(register, "old"),
        register_in_silence]
    with course(database_url, actions) as (people, auth):
        for number in range(ROUNDS):
            names: Round = {"old": f"old{number}@example.com",
                            "new": f"new{number}@example.com"}
            user = proved_user(auth, names["old"])
            names["undo"] = move(auth, user, names["new"])
            outcomes = people.run(names)
            assert [each.error for each in outcomes[2:]] == [
                "IdentifierTaken", ""]
            assert outcomes[0].error == "", outcomes
            assert outcomes[1].error in ("", "IdentifierTaken")
            assert stored(auth, user).email == names["old"]
            assert count(auth.db, "users") == (
                1 if outcomes[1].error else 2)
            run_sql(auth.db, "DELETE FROM letters")
            run_sql(auth.db, "DELETE FROM users")


def test_no_undo_is_issued_for_what_was_undone(database_url: str) -> None:
    """R097: a worker is about to send the thief the notice of a reset,
    whose token would undo what comes after it: the owner's own undo.
    """
    with course(database_url, [take_back, send, send]) as (people, auth):
        for number in range(ROUNDS):
            old, new = f"old{number}@example.com", f"new{number}@example.com"
            user = proved_user(auth, old)
            token = move(auth, user, new)
            auth.recover(token_in(ask_for_reset(auth, new)), STOLEN)
            outcomes = people.run({"undo": token})
            assert errors_of(outcomes) == [], outcomes
            sent: List[Message] = sum(
                (each.value for each in outcomes[1:]), [])
            late = [each for each in sent + deliver(auth) if each.to == new]
            for each in late:
                with pytest.raises(InvalidToken):
                    undo(auth, token_in(each))
            assert len(late) <= 1
            assert stored(auth, user).email == old
            assert waiting(auth) == []
            run_sql(auth.db, "DELETE FROM one_time_tokens "
                    "WHERE purpose = 'reset'")
            assert open_tokens(auth) == 0


def delete(auth: Auth, given: Round) -> None:
    """Delete the round's user, as an operator."""
    hesitate()
    erase(auth, given["user"])


def test_nothing_that_is_presented_outlives_a_deletion(
        database_url: str) -> None:
    """R104: undo, reset, change, delivery and delete at once: every refusal
    is the one for a dead token, and nothing of the user is left.
    """
    actions: List[Any] = [take_back, reset, change, send, delete]
    with course(database_url, actions) as (people, auth):
        for number in range(ROUNDS):
            old, new = f"old{number}@example.com", f"new{number}@example.com"
            user = proved_user(auth, old)
            names: Round = {"user": user, "undo": move(auth, user, new)}
            names["change"] = token_in(ask_for_change(
                auth, user, f"third{number}@example.com"))
            names["reset"] = token_in(ask_for_reset(auth, new))
            make_newcomer(auth, f"next{number}@example.com")
            outcomes = people.run(names)
            lost(outcomes)
            for table in ("one_time_tokens", "reservations"):
                run_sql(auth.db, f"DELETE FROM {table} WHERE user_id <> :id",
                        id=user.id)
                assert count(auth.db, table) == 0
            deliver(auth)
            run_sql(auth.db, "DELETE FROM users")
            run_sql(auth.db, "DELETE FROM letters")
