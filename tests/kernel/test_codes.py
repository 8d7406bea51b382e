#!/usr/bin/env python3
"""Codes to type: bound to address, purpose and key, and soon burnt."""

from datetime import timedelta
from typing import Any, List

import pytest
from sqlalchemy import event as sqlalchemy_event

from tests.support.builders import (
    EMAIL, count, everything, make_user, overheard)
from tests.support.clock import SetClock
from tests.support.recovery import (
    DESK, KEY, events_of, refuse_spending, typed, what_happened, wrong)
from vestibule.base.digest import digest_of, keyed_digest
from vestibule.base.errors import InvalidToken
from vestibule.kernel import one_time_tokens
from vestibule.kernel.auth import Auth
from vestibule.kernel.one_time_tokens import (
    CHANGE_EMAIL, CODE_LIFETIME, CODE_TRIES, LIFETIMES, MOST_CANDIDATES,
    RESET, UNDO, VERIFY, TypedCode)
from vestibule.kernel.passwords import Passwords
from vestibule.store.db import DB, User
from vestibule.store.event import Event
from vestibule.store.one_time_token import OneTimeToken

STRANGER = "nobody@example.com"
WITH_CODE = (RESET, VERIFY, CHANGE_EMAIL)
CASES = [(issued, wanted) for issued in WITH_CODE
         for wanted in (RESET, VERIFY, CHANGE_EMAIL, UNDO)
         if issued != wanted]


def stored(db: DB) -> List[OneTimeToken]:
    """Return the rows of all tokens, the oldest first."""
    with db.reading() as work:
        found: List[OneTimeToken] = (
            work.query(OneTimeToken).order_by(OneTimeToken.created_at).all())
    return found


def tries(db: DB) -> List[Event]:
    """Return the events of tried codes."""
    with db.reading() as work:
        found: List[Event] = (
            work.query(Event).filter_by(what="code.tried")
            .order_by(Event.id).all())
    return found


def test_a_code_is_eight_random_digits(auth: Auth, bob: User) -> None:
    """R056: zeros in front count, and no two are alike but by accident."""
    codes = [auth.tokens.issue_with_code(bob.id, RESET, EMAIL).code
             for _ in range(250)]
    assert all(len(code) == 8 and code.isdigit() for code in codes)
    assert len(set(codes)) == len(codes)
    assert {code[0] for code in codes} > set("029")


@pytest.mark.parametrize("purpose", WITH_CODE)
def test_the_code_and_the_link_are_one_token(
        auth: Auth, bob: User, purpose: str) -> None:
    """R058: whichever is used first, both are good no more."""
    for by_code in (True, False):
        mailed = auth.tokens.issue_with_code(bob.id, purpose, EMAIL)
        code = typed(EMAIL, mailed.code)
        token = auth.tokens.look_at(
            code if by_code else mailed.secret, purpose)
        assert (token.user_id, token.purpose) == (bob.id, purpose)
        assert token.sent_to == EMAIL
        auth.tokens.spend(token)
        refuse_spending(auth, mailed.secret, purpose)
        refuse_spending(auth, code, purpose)
        with pytest.raises(InvalidToken):
            auth.tokens.spend(token)


def test_a_code_lives_ten_minutes_and_its_link_longer(
        auth: Auth, bob: User, clock: SetClock) -> None:
    """R056: both to the second, for each purpose."""
    assert CODE_LIFETIME == timedelta(minutes=10)
    assert [LIFETIMES[each] for each in (RESET, VERIFY, CHANGE_EMAIL, UNDO)
            ] == [timedelta(minutes=30), timedelta(hours=24),
                  timedelta(hours=24), timedelta(days=7)]
    for purpose in WITH_CODE:
        mailed = auth.tokens.issue_with_code(bob.id, purpose, EMAIL)
        code = typed(EMAIL, mailed.code)
        clock.advance(minutes=10, seconds=-1)
        assert auth.tokens.look_at(code, purpose).user_id == bob.id
        clock.advance(seconds=1)
        refuse_spending(auth, code, purpose)
        assert auth.tokens.look_at(mailed.secret, purpose)
        clock.advance(seconds=LIFETIMES[purpose].total_seconds() - 601)
        token = auth.tokens.look_at(mailed.secret, purpose)
        clock.advance(seconds=1)
        refuse_spending(auth, mailed.secret, purpose)
        with pytest.raises(InvalidToken):
            auth.tokens.spend(token)


def test_an_undo_lives_seven_days(
        auth: Auth, bob: User, clock: SetClock) -> None:
    """R056: to the second, and has no code."""
    secret = auth.tokens.issue(bob.id, UNDO, EMAIL, clock.now())
    clock.advance(days=7, seconds=-1)
    assert auth.tokens.look_at(secret, UNDO).code_digest is None
    clock.advance(seconds=1)
    refuse_spending(auth, secret, UNDO)


@pytest.mark.parametrize("issued, wanted", CASES)
def test_no_purpose_takes_what_is_of_another(
        auth: Auth, bob: User, issued: str, wanted: str) -> None:
    """R061: neither secret nor code, and it stays good for its own."""
    mailed = auth.tokens.issue_with_code(bob.id, issued, EMAIL)
    refuse_spending(auth, mailed.secret, wanted)
    refuse_spending(auth, typed(EMAIL, mailed.code), wanted)
    assert auth.tokens.look_at(typed(EMAIL, mailed.code), issued)
    assert auth.tokens.redeem(mailed.secret, issued).user_id == bob.id


def test_an_undo_is_of_no_other_use(auth: Auth, bob: User) -> None:
    """R061: nor is anything else an undo."""
    secret = auth.tokens.issue(bob.id, UNDO, EMAIL)
    refuse_spending(auth, secret, *WITH_CODE)
    assert auth.tokens.look_at(secret, UNDO)


def test_spending_is_bound_to_the_purpose_that_was_looked_at(
        auth: Auth, bob: User) -> None:
    """R061: the row's purpose is a part of what is used up."""
    token = auth.tokens.look_at(
        auth.tokens.issue(bob.id, RESET), RESET, VERIFY)
    with pytest.raises(InvalidToken):
        auth.tokens.spend(OneTimeToken(digest=token.digest, purpose=VERIFY))
    auth.tokens.spend(token)


@pytest.mark.parametrize("spelled", [
    "{}", " {} ", "{}\n", "\t{}\u00a0", "{0:.4} {1}", "{0:.4}\u2009{1}"])
def test_blanks_in_a_typed_code_do_not_count(
        auth: Auth, bob: User, spelled: str) -> None:
    """R061: people copy codes with what stands around them."""
    code = auth.tokens.issue_with_code(bob.id, RESET, EMAIL).code
    given = spelled.format(code, code[4:])
    if "{1}" not in spelled:
        given = spelled.format(code)
    assert auth.tokens.look_at(typed(EMAIL, given), RESET)


@pytest.mark.parametrize("change", [
    lambda code: "", lambda code: " ", lambda code: code[:-1],
    lambda code: code + "0", lambda code: "0" + code,
    lambda code: f"{code[:4]}-{code[4:]}", lambda code: code + "\0",
    lambda code: "".join(chr(ord(each) - 48 + 0x660) for each in code),
    lambda code: code + "\ud800", lambda code: code * 9999, wrong])
def test_a_code_must_match_in_every_digit(
        auth: Auth, bob: User, change: Any) -> None:
    """R061: and nothing that is near one is taken, or breaks anything."""
    code = auth.tokens.issue_with_code(bob.id, RESET, EMAIL).code
    refuse_spending(auth, typed(EMAIL, change(code)), RESET)


def test_a_code_is_bound_to_its_address(auth: Auth, bob: User) -> None:
    """R061: typed for another box, with a code of its own or none."""
    eve = make_user(auth, "eve@example.com")
    mailed = auth.tokens.issue_with_code(bob.id, RESET, EMAIL)
    auth.tokens.issue_with_code(eve.id, RESET, eve.email)
    for email in (eve.email, STRANGER, "", EMAIL.upper()):
        refuse_spending(auth, typed(email, mailed.code), RESET)
    assert auth.tokens.look_at(typed(EMAIL, mailed.code), RESET)


def test_a_token_without_a_code_cannot_be_typed(
        auth: Auth, bob: User) -> None:
    """R060: not by an empty code either."""
    auth.tokens.issue(bob.id, RESET, EMAIL)
    auth.tokens.issue(bob.id, RESET)
    for code in ("", "0", "00000000"):
        refuse_spending(auth, typed(EMAIL, code), RESET)


def test_five_wrong_tries_burn_a_code_and_not_its_link(
        auth: Auth, bob: User) -> None:
    """R056: whoever guesses locks nobody out of their link."""
    mailed = auth.tokens.issue_with_code(bob.id, RESET, EMAIL)
    for _ in range(CODE_TRIES.most):
        refuse_spending(auth, typed(EMAIL, wrong(mailed.code)), RESET)
    refuse_spending(auth, typed(EMAIL, mailed.code), RESET)
    assert CODE_TRIES.most == 5
    assert auth.tokens.redeem(mailed.secret, RESET).user_id == bob.id


def test_the_fifth_try_may_be_the_right_one(auth: Auth, bob: User) -> None:
    """R056: five are allowed, and only wrong ones count."""
    mailed = auth.tokens.issue_with_code(bob.id, RESET, EMAIL)
    for _ in range(CODE_TRIES.most - 1):
        refuse_spending(auth, typed(EMAIL, wrong(mailed.code)), RESET)
    for _ in range(3):
        assert auth.tokens.look_at(typed(EMAIL, mailed.code), RESET)
    refuse_spending(auth, typed(EMAIL, wrong(mailed.code)), RESET)
    refuse_spending(auth, typed(EMAIL, mailed.code), RESET)


def test_tries_at_another_purpose_or_box_burn_nothing(
        auth: Auth, bob: User) -> None:
    """R056: a code is burnt by tries at itself alone."""
    eve = make_user(auth, "eve@example.com")
    mailed = auth.tokens.issue_with_code(bob.id, RESET, EMAIL)
    of_eve = auth.tokens.issue_with_code(eve.id, RESET, eve.email)
    for _ in range(CODE_TRIES.most):
        refuse_spending(auth, typed(EMAIL, "0"), VERIFY, UNDO)
        refuse_spending(auth, typed(eve.email, "0"), RESET)
    assert auth.tokens.look_at(typed(EMAIL, mailed.code), RESET)
    assert auth.tokens.look_at(of_eve.secret, RESET)


def test_a_try_counts_before_it_is_judged(auth: Auth, bob: User) -> None:
    """R056: in a transaction of its own, so that a refusal keeps it."""
    mailed = auth.tokens.issue_with_code(bob.id, RESET, EMAIL)
    refuse_spending(auth, typed(EMAIL, wrong(mailed.code)), RESET)
    assert [each.code_tries for each in stored(auth.db)] == [1]
    auth.tokens.look_at(typed(EMAIL, mailed.code), RESET)
    assert [each.code_tries for each in stored(auth.db)] == [1]
    assert [each.password_tries for each in stored(auth.db)] == [0]


def test_a_new_code_has_tries_of_its_own(auth: Auth, bob: User) -> None:
    """R056: the burnt one beside it is not looked at any more."""
    burnt = auth.tokens.issue_with_code(bob.id, RESET, EMAIL)
    for _ in range(CODE_TRIES.most):
        refuse_spending(auth, typed(EMAIL, wrong(burnt.code)), RESET)
    mailed = auth.tokens.issue_with_code(bob.id, RESET, EMAIL)
    refuse_spending(auth, typed(EMAIL, burnt.code), RESET)
    assert auth.tokens.look_at(typed(EMAIL, mailed.code), RESET)


def test_of_several_who_want_one_address_each_code_is_good(
        auth: Auth, bob: User) -> None:
    """R067: up to five users, of whom the code tells which is meant."""
    users = [bob] + [make_user(auth, f"{name}@example.com")
                     for name in "acdef"]
    mailed = [auth.tokens.issue_with_code(
        each.id, CHANGE_EMAIL, "new@example.com") for each in users]
    found = auth.tokens.look_at(
        typed("new@example.com", mailed[-1].code), CHANGE_EMAIL)
    assert found.user_id == users[-1].id
    found = auth.tokens.look_at(
        typed("new@example.com", mailed[1].code), VERIFY, CHANGE_EMAIL)
    assert found.user_id == users[1].id
    assert MOST_CANDIDATES == 5
    refuse_spending(auth, typed("new@example.com", mailed[0].code),
                    CHANGE_EMAIL)
    assert [each.code_tries for each in stored(auth.db)] == [0] + [1] * 5


def test_a_code_cannot_be_found_again_from_the_table(
        auth: Auth, bob: User) -> None:
    """R057, R111: not stored, and no digest of it that needs no key."""
    mailed = auth.tokens.issue_with_code(bob.id, RESET, EMAIL)
    dump = everything(auth.db)
    assert digest_of(mailed.secret) in dump
    for guess in (mailed.code, digest_of(mailed.code), mailed.secret,
                  keyed_digest("", f"{RESET} {EMAIL} {mailed.code}"),
                  keyed_digest(KEY, mailed.code),
                  keyed_digest(KEY, f"{EMAIL} {mailed.code}"),
                  keyed_digest(KEY, f"{RESET} {mailed.code}")):
        assert guess not in dump
    refuse_spending(
        auth, typed(EMAIL, str(stored(auth.db)[0].code_digest)), RESET)


def test_another_key_takes_no_code_of_this_one(
        auth: Auth, bob: User) -> None:
    """R057: whoever can write the table still has no code."""
    mailed = auth.tokens.issue_with_code(bob.id, RESET, EMAIL)
    for key in ("", KEY + "0"):
        refuse_spending(Auth(auth.db, Passwords(4), key),
                        typed(EMAIL, mailed.code), RESET)
    assert auth.tokens.look_at(typed(EMAIL, mailed.code), RESET)


def test_two_equal_codes_are_stored_differently(
        auth: Auth, bob: User, monkeypatch: pytest.MonkeyPatch) -> None:
    """R057: by address and by purpose, so that a row moved is no use."""
    monkeypatch.setattr(one_time_tokens, "CODE_DIGITS", 1)
    for purpose in WITH_CODE:
        for number in range(9):
            auth.tokens.issue_with_code(
                bob.id, purpose, f"b{number}@example.com")
    digests = [each.code_digest for each in stored(auth.db)]
    assert len(set(digests)) == len(digests) == 27


def test_each_try_is_written_down_without_the_code(
        auth: Auth, bob: User) -> None:
    """R117, R120: by whom and from where, known address or not."""
    mailed = auth.tokens.issue_with_code(bob.id, RESET, EMAIL)
    refuse_spending(auth, typed(EMAIL, wrong(mailed.code)), RESET)
    auth.tokens.look_at(typed(EMAIL, mailed.code), RESET)
    refuse_spending(auth, typed(STRANGER, "12345678"), RESET)
    found = tries(auth.db)
    assert [each.user_id for each in found] == [bob.id, bob.id, None]
    assert [each.target for each in found] == [
        auth.audit.masked(each) for each in (EMAIL, EMAIL, STRANGER)]
    assert {(each.ip, each.request_id) for each in found} == {
        (DESK.ip, DESK.request_id)}
    dump = everything(auth.db)
    for secret in (mailed.code, wrong(mailed.code), "12345678", STRANGER):
        assert secret not in dump


def work_of(db: DB, code: TypedCode) -> List[str]:
    """Return what a refused code makes the database do, in short words."""
    commits: List[str] = []

    def note(*ignored: Any) -> None:
        """Count a commit."""
        commits.append("COMMIT")

    sqlalchemy_event.listen(db.engine, "commit", note)
    try:
        with overheard(db.engine) as statements:
            refuse_spending(Auth(db, Passwords(4), KEY), code, RESET)
    finally:
        sqlalchemy_event.remove(db.engine, "commit", note)
    return [each.split()[0] for each in statements] + commits


def test_a_code_for_an_unknown_address_costs_as_much(
        auth: Auth, bob: User) -> None:
    """R085: the same transactions and statements, so that time tells little.
    """
    auth.tokens.issue_with_code(bob.id, RESET, EMAIL)
    known = work_of(auth.db, typed(EMAIL, "x"))
    unknown = work_of(auth.db, typed(STRANGER, "x"))
    burnt = [work_of(auth.db, typed(EMAIL, "x")) for _ in range(9)][-1]
    assert known == unknown == burnt


def test_trying_codes_changes_no_account(auth: Auth, bob: User) -> None:
    """R064: nobody is locked out by somebody else's guesses."""
    auth.tokens.issue_with_code(bob.id, RESET, EMAIL)
    for _ in range(9):
        refuse_spending(auth, typed(EMAIL, "x"), RESET)
    assert auth.valid_login(EMAIL, "correct horse battery")
    assert count(auth.db, "one_time_tokens") == 1
    assert set(what_happened(auth.db, bob)) == {
        "user.registered", "code.tried"}
    assert events_of(auth.db, bob)[-1].detail is None
