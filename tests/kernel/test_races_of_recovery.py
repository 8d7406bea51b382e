#!/usr/bin/env python3
"""Races of codes, confirmations and registrations, with real processes.

Each runs on SQLite and on PostgreSQL. Whoever loses is refused as for a
token that never was; an error of the database's would show as such.
"""

from functools import partial
from typing import Any, Iterator, List, Tuple

import pytest

from tests.support.builders import (
    PASSWORD, count, erase, letters, make_newcomer, run_sql, token_in)
from tests.support.processes import errors_of
from tests.support.recovering import (
    KEY, ask_for_change, ask_for_reset, confirm, course, deliver, hesitate,
    link_and_code, move, proved_user, registration, typed, undo, winners)
from vestibule.base.errors import InvalidToken
from vestibule.base.limits import MOST_AN_HOUR
from vestibule.base.origin import LIBRARY
from vestibule.kernel.auth import Auth
from vestibule.kernel.one_time_tokens import TypedCode
from vestibule.kernel.registration_proof import (
    proves_registration, registration_proof)
from vestibule.kernel.users import Users
from vestibule.kernel.verification import Claim
from vestibule.mail.message import Message
from vestibule.store.db import User
from vestibule.store.event import EventStore

ROUNDS = 20
# More than a token has tries; two cores run no more than two at once.
MANY = 8
# What requirement R103 says of registrations.
REGISTRATIONS = 16
CODE_TRIES = 5


def events(auth: Auth, user: User, what: str) -> int:
    """Return how often something happened to a user."""
    return [each.what for each in EventStore(auth.db).of_user(user.id)
            ].count(what)


def prove(number: int, auth: Auth, given: Tuple[Message, User]) -> str:
    """Confirm a first address, by link or code, signed in or as a browser.
    """
    letter, user = given
    proof = registration_proof(KEY, user.id, auth.db.clock.now())
    claim = Claim(registration=proof) if number % 3 else Claim(user.id)
    return confirm(auth, link_and_code(letter, number), claim).id


def test_of_many_who_confirm_one_address_one_wins(database_url: str) -> None:
    """R058, R104: link or code, signed in or not: one token, one winner."""
    actions = [partial(prove, number) for number in range(MANY)]
    with course(database_url, actions) as (people, auth):
        for number in range(ROUNDS):
            user = make_newcomer(auth, f"user{number}@example.com")
            letter, = deliver(auth)
            outcomes = people.run((letter, user))
            assert errors_of(outcomes) == ["InvalidToken"] * (MANY - 1)
            assert outcomes[winners(outcomes)[0]].value == user.id
            proved = auth.db.find_user_by(id=user.id)
            assert proved.email_verified_at is not None
            assert events(auth, user, "email.verified") == 1
            assert count(auth.db, "one_time_tokens") == 0


def take_over(number: int, auth: Auth, given: Tuple[Message, User]) -> str:
    """Confirm an address with a password of one's own, or by a session."""
    letter, user = given
    claim = Claim(user.id)
    hesitate()
    if number % 2:
        claim = Claim(new_password=f"password {number}")
    return confirm(auth, token_in(letter), claim).id


def test_an_account_is_taken_over_whole_or_not_at_all(
        database_url: str) -> None:
    """R004, R058: who confirms by a session leaves the password as it was;
    who takes it over has the only one, and no session is left.
    """
    actions = [partial(take_over, number) for number in range(4)]
    with course(database_url, actions) as (people, auth):
        for number in range(ROUNDS):
            user = make_newcomer(auth, f"user{number}@example.com")
            session = auth.create_session(user.email)
            letter, = deliver(auth)
            outcomes = people.run((letter, user))
            assert errors_of(outcomes) == ["InvalidToken"] * 3, outcomes
            winner, = winners(outcomes)
            taken = bool(winner % 2)
            right = f"password {winner}" if taken else PASSWORD
            assert auth.valid_login(user.email, right)
            signed_in = auth.get_user_from_session_id(session)
            assert (signed_in is None) == taken


def look(number: int, auth: Auth, given: Tuple[Message, str]) -> str:
    """Type a code that is off by so much as one is told; spend nothing."""
    letter, purpose = given
    return auth.tokens.look_at(_mistyped(letter, number), purpose).user_id


def _mistyped(letter: Message, difference: int) -> TypedCode:
    """Return a code that differs from a letter's by this."""
    right = typed(letter)
    wrong = (int(right.code) + difference) % 10 ** 8
    return right._replace(code=f"{wrong:08}")


def test_of_many_wrong_codes_at_once_five_are_compared(
        database_url: str) -> None:
    """R110: then the right one is refused too, and the link is not."""
    actions = [partial(look, number) for number in range(1, MANY + 1)]
    with course(database_url, actions) as (people, auth):
        for number in range(ROUNDS):
            user = proved_user(auth, f"user{number}@example.com")
            letter = ask_for_reset(auth, user.email)
            outcomes = people.run((letter, "reset"))
            assert errors_of(outcomes) == ["InvalidToken"] * MANY
            with pytest.raises(InvalidToken):
                auth.tokens.look_at(typed(letter), "reset")
            assert events(auth, user, "code.tried") == MANY + 1
            auth.recover(token_in(letter), "another")


def test_of_many_right_codes_at_once_five_or_more_are_answered(
        database_url: str) -> None:
    """R110: the tries are counted before anything is compared.

    Nobody spends it here: whoever is refused found no try left just then,
    and in the end none is lost.
    """
    with course(database_url, [partial(look, 0)] * MANY) as (people, auth):
        for number in range(ROUNDS):
            user = make_newcomer(auth, f"user{number}@example.com")
            letter, = deliver(auth)
            outcomes = people.run((letter, "verify"))
            assert set(errors_of(outcomes)) <= {"InvalidToken"}
            assert len(winners(outcomes)) >= CODE_TRIES
            for _ in range(CODE_TRIES + 1):
                assert look(0, auth, (letter, "verify")) == user.id
            assert {outcomes[each].value for each in winners(outcomes)} == {
                user.id}


def reset(number: int, auth: Auth, letter: Message) -> str:
    """Spend a letter's link, or its code, on a password of one's own."""
    return auth.recover(
        link_and_code(letter, number), f"password {number}", letter.to).id


def test_of_many_who_reset_by_link_or_code_one_wins(
        database_url: str) -> None:
    """R058, R104: either key spends the token; the other is worth nothing.
    """
    actions = [partial(reset, number) for number in range(MANY)]
    with course(database_url, actions) as (people, auth):
        for number in range(ROUNDS):
            user = proved_user(auth, f"user{number}@example.com")
            outcomes = people.run(ask_for_reset(auth, user.email))
            assert errors_of(outcomes) == ["InvalidToken"] * (MANY - 1)
            winner, = winners(outcomes)
            assert auth.valid_login(user.email, f"password {winner}")
            assert events(auth, user, "password.reset") == 1


def take_back(auth: Auth, token: str) -> str:
    """Undo a change."""
    return undo(auth, token).email


def test_of_many_who_undo_one_change_one_wins(database_url: str) -> None:
    """R058, R104: the address is put back once, by one letter more."""
    with course(database_url, [take_back] * MANY) as (people, auth):
        for number in range(ROUNDS):
            old = f"user{number}@example.com"
            user = proved_user(auth, old)
            token = move(auth, user, f"new{number}@example.com")
            outcomes = people.run(token)
            assert errors_of(outcomes) == ["InvalidToken"] * (MANY - 1)
            assert auth.db.find_user_by(id=user.id).email == old
            assert events(auth, user, "change.undone") == 1
            assert [each.to for each in deliver(auth)] == [old]


def register(number: int, auth: Auth, email: str) -> Tuple[str, str]:
    """Register as one does where addresses have to be verified."""
    found = registration(auth).register(
        email, f"password {number}", LIBRARY)
    return found.email, found.proof


def test_of_many_registrations_in_silence_all_are_answered_equally(
        database_url: str) -> None:
    """R103, R053: one user, who alone holds a proof that is worth anything,
    and no more letters than anybody can cause in an hour.
    """
    actions = [partial(register, number) for number in range(REGISTRATIONS)]
    with course(database_url, actions) as (people, auth):
        for number in range(ROUNDS):
            email = f"user{number}@example.com"
            outcomes = people.run(email)
            assert errors_of(outcomes) == [], outcomes
            user = auth.db.find_user_by(email=email)
            answers = [each.value for each in outcomes]
            assert {answer[0] for answer in answers} == {email}
            assert len({len(answer[1]) for answer in answers}) == 1
            now = auth.db.clock.now()
            winner, = [
                each for each in range(REGISTRATIONS) if proves_registration(
                    answers[each][1], KEY, user.id, now)]
            assert auth.valid_login(email, f"password {winner}")
            assert len(letters(auth.db)) == MOST_AN_HOUR
            assert len(deliver(auth)) == 1
            run_sql(auth.db, "DELETE FROM letters")
        assert count(auth.db, "users") == ROUNDS


def prove_by_password(number: int, auth: Auth,
                      given: Tuple[Message, User]) -> str:
    """Confirm a first address by the password that was chosen."""
    letter, _ = given
    hesitate()
    return confirm(auth, link_and_code(letter, number),
                   Claim(password=PASSWORD)).id


def delete(auth: Auth, given: Tuple[Message, User]) -> None:
    """Delete the user, as an operator."""
    hesitate()
    erase(auth, given[1])


def disable(auth: Auth, given: Tuple[Message, User]) -> None:
    """Disable the user, as an operator."""
    hesitate()
    Users(auth.db, auth).disable(given[1])


def end_while_proving(database_url: str, end: Any
                      ) -> Iterator[Tuple[Auth, User, bool]]:
    """Race confirmations against an end, a user a round.

    Yields each round's user, and whether a confirmation came first.
    """
    actions: List[Any] = [
        partial(prove_by_password, number) for number in range(3)]
    with course(database_url, [*actions, end]) as (people, auth):
        for number in range(ROUNDS):
            user = make_newcomer(auth, f"user{number}@example.com")
            letter, = deliver(auth)
            outcomes = people.run((letter, user))
            assert not outcomes[-1].error, outcomes
            won = winners(outcomes[:-1])
            assert len(won) <= 1
            assert errors_of(outcomes) == [
                "InvalidToken"] * (3 - len(won)), outcomes
            assert count(auth.db, "one_time_tokens") == 0
            yield auth, user, bool(won)
            run_sql(auth.db, "DELETE FROM letters")


def test_a_confirmation_brings_no_deleted_user_back(
        database_url: str) -> None:
    """R104: verify against delete; whatever comes first, nothing is left.
    """
    for auth, user, proved in end_while_proving(database_url, delete):
        assert count(auth.db, "users") == 0
        left = [each.what for each in EventStore(auth.db).of_user(
            auth.audit.pseudonym(user.id))]
        assert left.count("user.erased") == 1
        assert left.count("email.verified") == int(proved)


def test_a_confirmation_lets_no_disabled_user_in(database_url: str) -> None:
    """R104, R009: verify against disable; it is disabled in the end, and
    its address proved exactly where somebody was told so.
    """
    for auth, user, proved in end_while_proving(database_url, disable):
        stored = auth.db.find_user_by(id=user.id)
        assert stored.disabled_at is not None
        assert (stored.email_verified_at is not None) == proved
        assert not auth.valid_login(user.email, PASSWORD)


def hand_out(auth: Auth, given: Tuple[None, User]) -> str:
    """Have a reset token handed out, as a trusted caller."""
    hesitate()
    return auth.get_reset_password_token(given[1].email)


@pytest.mark.parametrize("end", [delete, disable])
def test_no_token_is_handed_out_to_who_was_shut_out(
        database_url: str, end: Any) -> None:
    """R104, R015: it is refused, or void when the user is out; nobody's
    error is the database's, which a client would see as 500.
    """
    with course(database_url, [hand_out] * 3 + [end]) as (people, auth):
        for number in range(ROUNDS):
            user = proved_user(auth, f"user{number}@example.com")
            outcomes = people.run((None, user))
            assert not outcomes[-1].error, outcomes
            assert set(errors_of(outcomes)) <= {"Forbidden"}, outcomes
            assert count(auth.db, "one_time_tokens") == 0


@pytest.mark.parametrize("end", [
    Users.disable, lambda users, user: erase(users._auth, user)])
def test_a_notice_goes_to_the_address_that_is_stored_by_now(
        auth: Auth, end: Any) -> None:
    """R054: the address changed since the operator looked the user up."""
    looked_up = proved_user(auth, "old@example.com")
    move(auth, looked_up, "new@example.com")
    end(Users(auth.db, auth), looked_up)
    assert [each.to for each in deliver(auth)] == ["new@example.com"]


def confirm_change(number: int, auth: Auth, letters: List[Message]) -> str:
    """Confirm one's own change to the address that all want."""
    return confirm(auth, link_and_code(letters[number], number)).id


def test_of_several_who_move_to_one_address_one_gets_it(
        database_url: str) -> None:
    """R103: the others stay where they are, refused as for a dead token."""
    actions = [partial(confirm_change, number) for number in range(4)]
    with course(database_url, actions) as (people, auth):
        for number in range(ROUNDS):
            wanted = f"wanted{number}@example.com"
            users = [proved_user(auth, f"user{number}.{each}@example.com")
                     for each in range(4)]
            outcomes = people.run([
                ask_for_change(auth, user, wanted) for user in users])
            assert errors_of(outcomes) == ["InvalidToken"] * 3, outcomes
            winner, = winners(outcomes)
            addresses = [auth.db.find_user_by(id=user.id).email
                         for user in users]
            expected = [user.email for user in users]
            expected[winner] = wanted
            assert addresses == expected
