#!/usr/bin/env python3
"""Verification: whoever proves the mailbox wins, and shows who they are."""

from typing import Any, List

import pytest

from tests.support.builders import (
    EMAIL, PASSWORD, count, erase, everything, letters, make_user,
    token_in)
from tests.support.clock import SetClock
from tests.support.limited import HERE, REFUSED, limited, outcomes
from tests.support.recovery import (
    DESK, KEY, delivered, events_of, fresh, mailed_in,
    make_verification, make_verified, refuse_spending, typed, what_happened)
from vestibule.base.errors import (
    Forbidden, InvalidInput, InvalidToken, Throttled)
from vestibule.base.limits import DEFAULTS, MOST_AN_HOUR
from vestibule.base.origin import LIBRARY
from vestibule.kernel.auth import Auth, Rules
from vestibule.kernel.one_time_tokens import (
    RESET, UNDO, VERIFY, Mailed, Presented)
from vestibule.kernel.outbox import VERIFY_LETTER
from vestibule.kernel.password_policy import PasswordPolicy
from vestibule.kernel.passwords import Passwords
from vestibule.kernel.registration_proof import registration_proof
from vestibule.kernel.throttle_desk import ThrottleDesk, Whose
from vestibule.kernel.users import Users
from vestibule.kernel.verification import (
    PASSWORD_TRIES, Claim, Verification)
from vestibule.store.db import DB, User

NEW = "a password of my own"
OTHERS = "eve@example.com"


@pytest.fixture
def auth(db: DB) -> Auth:
    """Return an API with a secret key and a policy for passwords."""
    return Auth(db, Passwords(4), KEY, rules=Rules(PasswordPolicy(8)))


@pytest.fixture
def verification(auth: Auth) -> Verification:
    """Return the verification of an empty database."""
    return make_verification(auth)


@pytest.fixture
def mailed(auth: Auth, bob: User, verification: Verification) -> Mailed:
    """Return the keys that Bob was mailed."""
    verification.request(EMAIL)
    return mailed_in(delivered(auth)[-1])


def by_session(user: User) -> Claim:
    """Return the claim of somebody with a session of this user."""
    return Claim(user_id=user.id)


def by_proof(user: User, auth: Auth, key: str = KEY) -> Claim:
    """Return the claim of a browser in which this user was registered."""
    return Claim(registration=registration_proof(
        key, user.id, auth.db.clock.now()))


def assert_proof_needed(verification: Verification, presented: Presented,
                        claim: Claim = Claim()) -> None:
    """See that a claim is none, and that nothing was changed by it."""
    before = everything(verification._db)
    with pytest.raises(Forbidden) as refusal:
        verification.confirm(presented, claim, LIBRARY)
    assert refusal.value.code == "proof_needed"
    assert everything(verification._db) == before


def is_verified(auth: Auth, user: User) -> bool:
    """Say whether a user's address counts as proved."""
    return fresh(auth.db, user).email_verified_at is not None


@pytest.mark.parametrize("how", ["session", "proof", "password"])
@pytest.mark.parametrize("by_code", [False, True])
def test_a_token_and_a_sign_of_its_owner_prove_an_address(
        auth: Auth, verification: Verification, mailed: Mailed, how: str,
        by_code: bool) -> None:
    """R005: once, by link or code; a second time is as if unknown."""
    bob = auth.db.find_user_by(email=EMAIL)
    claim = {"session": by_session(bob), "proof": by_proof(bob, auth),
             "password": Claim(password=PASSWORD)}[how]
    session = auth.create_session(EMAIL)
    keys: List[Presented] = [mailed.secret, typed(EMAIL, mailed.code)]
    proved = verification.confirm(keys[by_code], claim, DESK)
    assert (proved.id, proved.email_verified_at is None) == (bob.id, False)
    assert is_verified(auth, bob)
    happened = events_of(auth.db, bob)[-1]
    assert (happened.what, happened.ip) == ("email.verified", DESK.ip)
    assert auth.get_user_from_session_id(session) is not None
    assert auth.valid_login(EMAIL, PASSWORD)
    for spent in keys:
        for again in (claim, Claim(), Claim(new_password=NEW)):
            with pytest.raises(InvalidToken):
                verification.confirm(spent, again, LIBRARY)
    assert auth.valid_login(EMAIL, PASSWORD)


def test_without_a_sign_the_token_stays_good(
        verification: Verification, bob: User, mailed: Mailed) -> None:
    """R005: what a squatter's victim has, who opens the link by mistake."""
    for _ in range(9):
        assert_proof_needed(verification, mailed.secret)
    assert verification.confirm(mailed.secret, by_session(bob), LIBRARY)


def test_a_code_alone_is_no_sign_either(
        verification: Verification, bob: User, mailed: Mailed) -> None:
    """R005: though each look at a code costs a try."""
    with pytest.raises(Forbidden):
        verification.confirm(typed(EMAIL, mailed.code), Claim(), LIBRARY)
    assert verification.confirm(
        typed(EMAIL, mailed.code), by_session(bob), LIBRARY)


def test_somebody_elses_session_or_proof_is_no_sign(
        auth: Auth, verification: Verification, bob: User,
        mailed: Mailed) -> None:
    """R005: nor one that was made with another key, or is none."""
    eve = make_user(auth, OTHERS)
    good = str(by_proof(bob, auth).registration)
    expires, digest = good.split(".")
    forged = [f"{int(expires) + 1}.{digest}", f"{expires}.{digest[:-1]}",
              f"{expires}.", f".{digest}", digest, expires, "", ".", "a.b",
              good.upper(), good + " ", f" {good}", f"{good}.{digest}",
              f"{expires}.{'0' * 64}", "\0", "\u0661.\u0661", good * 99]
    assert_proof_needed(verification, mailed.secret, by_session(eve))
    assert_proof_needed(verification, mailed.secret, by_proof(eve, auth))
    for key in ("", KEY + "x"):
        assert_proof_needed(
            verification, mailed.secret, by_proof(bob, auth, key))
    for proof in forged:
        assert_proof_needed(
            verification, mailed.secret, Claim(registration=proof))
    assert not is_verified(auth, bob)


def test_a_proof_of_registration_lasts_a_day(
        auth: Auth, bob: User, verification: Verification, mailed: Mailed,
        clock: SetClock) -> None:
    """R005: and a token from a later letter needs another sign then."""
    claim = by_proof(bob, auth)
    clock.advance(hours=24)
    verification.request(EMAIL)
    secret = token_in(delivered(auth)[-1])
    assert_proof_needed(verification, secret, claim)


def test_a_wrong_password_leaves_the_token_good(
        auth: Auth, bob: User, verification: Verification,
        mailed: Mailed) -> None:
    """R005: five times, then no password is looked at any more."""
    for _ in range(PASSWORD_TRIES.most):
        with pytest.raises(Forbidden) as refusal:
            verification.confirm(
                mailed.secret, Claim(password="wrong one"), DESK)
        assert refusal.value.code == "wrong_password"
    assert PASSWORD_TRIES.most == 5
    assert not is_verified(auth, bob)
    refused = [each for each in events_of(auth.db, bob)
               if each.what == "password.refused"]
    assert [each.ip for each in refused] == [DESK.ip] * 5
    with pytest.raises(Throttled):
        verification.confirm(mailed.secret, Claim(password=PASSWORD), DESK)
    assert verification.confirm(mailed.secret, by_session(bob), LIBRARY)


def test_the_fifth_password_may_be_the_right_one(
        bob: User, verification: Verification, mailed: Mailed) -> None:
    """R005: as many are allowed as are said to be."""
    for _ in range(PASSWORD_TRIES.most - 1):
        with pytest.raises(Forbidden):
            verification.confirm(
                mailed.secret, Claim(password="wrong one"), LIBRARY)
    assert verification.confirm(
        mailed.secret, Claim(password=PASSWORD), LIBRARY).id == bob.id


@pytest.mark.parametrize("minutes", [0, 90, 24 * 60 - 1])
def test_who_is_throttled_is_told_for_how_long(
        bob: User, verification: Verification, mailed: Mailed,
        clock: SetClock, minutes: int) -> None:
    """R005: truthfully, to the second: until the token is none any more."""
    for _ in range(PASSWORD_TRIES.most):
        with pytest.raises(Forbidden):
            verification.confirm(
                mailed.secret, Claim(password="wrong one"), LIBRARY)
    clock.advance(minutes=minutes)
    with pytest.raises(Throttled) as refusal:
        verification.confirm(
            mailed.secret, Claim(password=PASSWORD), LIBRARY)
    whole = (24 * 60 - minutes) * 60
    assert refusal.value.retry_after in (whole, whole - 1)
    clock.advance(seconds=refusal.value.retry_after - 2)
    with pytest.raises(Throttled):
        verification.confirm(
            mailed.secret, Claim(password=PASSWORD), LIBRARY)
    clock.advance(seconds=2)
    with pytest.raises(InvalidToken):
        verification.confirm(
            mailed.secret, Claim(password=PASSWORD), LIBRARY)


def test_a_new_letter_has_tries_of_its_own(
        auth: Auth, bob: User, verification: Verification,
        mailed: Mailed) -> None:
    """R059: and voids the one before, with its code."""
    for _ in range(PASSWORD_TRIES.most):
        with pytest.raises(Forbidden):
            verification.confirm(
                mailed.secret, Claim(password="wrong one"), LIBRARY)
    verification.request(EMAIL)
    newer = mailed_in(delivered(auth)[-1])
    refuse_spending(auth, mailed.secret, VERIFY)
    refuse_spending(auth, typed(EMAIL, mailed.code), VERIFY)
    assert verification.confirm(
        newer.secret, Claim(password=PASSWORD), LIBRARY).id == bob.id


def test_somebody_without_a_password_has_none_to_send(
        auth: Auth, bob: User, verification: Verification,
        mailed: Mailed) -> None:
    """R006: an empty hash is no password that could be right."""
    auth.db.update_user(bob.id, hashed_password=None)
    for password in (PASSWORD, "None"):
        with pytest.raises(Forbidden):
            verification.confirm(
                mailed.secret, Claim(password=password), LIBRARY)


def test_what_can_be_no_password_costs_no_try(
        auth: Auth, bob: User, verification: Verification,
        mailed: Mailed) -> None:
    """R022: refused before anything is looked up."""
    before = everything(auth.db)
    for password in ("x" * 257, "P\0P"):
        with pytest.raises(InvalidInput):
            verification.confirm(
                typed(EMAIL, mailed.code), Claim(password=password), LIBRARY)
    assert everything(auth.db) == before


CHANGED: List[Any] = [
    lambda users, user: users._db.update_user(
        user.id, disabled_at=users._db.clock.now()),
    lambda users, user: users._db.update_user(
        user.id, email="other@example.com"),
    lambda users, user: users._db.update_user(
        user.id, email_verified_at=users._db.clock.now()),
    Users.disable, Users.verify,
    lambda users, user: erase(users._auth, user),
    lambda users, user: users.set_email(user, "other@example.com")]


@pytest.mark.parametrize("claim", [
    Claim(user_id="bob"), Claim(password=PASSWORD),
    Claim(new_password=NEW)])
@pytest.mark.parametrize("change", CHANGED)
def test_a_token_is_of_no_use_after_a_change_of_its_user(
        auth: Auth, verification: Verification, mailed: Mailed, change: Any,
        claim: Claim) -> None:
    """R105: disabled, deleted, moved or verified meanwhile."""
    bob = auth.db.find_user_by(email=EMAIL)
    change(Users(auth.db, auth), bob)
    if claim.user_id is not None:
        claim = by_session(bob)
    with pytest.raises(InvalidToken):
        verification.confirm(mailed.secret, claim, LIBRARY)
    assert "user.taken_over" not in what_happened(auth.db, bob)


def test_a_password_that_changed_since_the_claim_refuses_it(
        auth: Auth, bob: User, verification: Verification,
        mailed: Mailed) -> None:
    """R015: what was shown must still hold as the token is spent."""
    token = auth.tokens.look_at(mailed.secret, VERIFY)
    auth.db.update_user(bob.id, hashed_password="another")
    with pytest.raises(InvalidToken):
        verification._prove(token, bob, {}, "email.verified", LIBRARY)
    assert auth.tokens.look_at(mailed.secret, VERIFY)
    assert not is_verified(auth, bob)


def test_a_token_that_was_voided_since_it_was_looked_at_is_refused(
        auth: Auth, bob: User, verification: Verification,
        mailed: Mailed) -> None:
    """R058, R059: by a newer letter, say, while a password was hashed."""
    token = auth.tokens.look_at(mailed.secret, VERIFY)
    auth.tokens.revoke_all(bob.id, VERIFY)
    with pytest.raises(InvalidToken):
        verification._prove(token, bob, {}, "email.verified", LIBRARY)
    assert not is_verified(auth, bob)


def test_what_was_proved_leaves_no_token_for_it(
        auth: Auth, bob: User, verification: Verification,
        mailed: Mailed) -> None:
    """R059: nor would one be good if the address came to be unproved."""
    other = auth.tokens.issue(bob.id, VERIFY, EMAIL)
    reset = auth.tokens.issue(bob.id, RESET, EMAIL)
    verification.confirm(mailed.secret, by_session(bob), LIBRARY)
    refuse_spending(auth, other, VERIFY)
    assert auth.tokens.look_at(reset, RESET)


def test_a_reset_that_proves_the_address_leaves_no_token_for_it(
        auth: Auth, bob: User, mailed: Mailed) -> None:
    """R059, R005: the letter for a new password was proof enough."""
    auth.update_password(auth.tokens.issue(bob.id, RESET, EMAIL), NEW)
    assert is_verified(auth, bob)
    refuse_spending(auth, mailed.secret, VERIFY)


def test_a_password_change_leaves_the_token_good(
        auth: Auth, bob: User, verification: Verification,
        mailed: Mailed) -> None:
    """R005: the letter proves the mailbox, whatever the password is."""
    auth.update_password(auth.get_reset_password_token(EMAIL), NEW)
    assert verification.confirm(
        mailed.secret, Claim(password=NEW), LIBRARY).id == bob.id


def test_a_token_is_good_for_a_day(
        auth: Auth, bob: User, verification: Verification, mailed: Mailed,
        clock: SetClock) -> None:
    """R056: after which a new letter has to be asked for."""
    clock.advance(hours=24)
    for claim in (by_session(bob), Claim(), Claim(new_password=NEW)):
        with pytest.raises(InvalidToken):
            verification.confirm(mailed.secret, claim, LIBRARY)


@pytest.mark.parametrize("purpose", [RESET, UNDO])
def test_a_token_for_something_else_proves_nothing(
        auth: Auth, bob: User, verification: Verification,
        purpose: str) -> None:
    """R061: and stays good for what it is."""
    secret = auth.tokens.issue(bob.id, purpose, EMAIL)
    for claim in (by_session(bob), Claim(new_password=NEW)):
        with pytest.raises(InvalidToken):
            verification.confirm(secret, claim, LIBRARY)
    assert auth.tokens.look_at(secret, purpose)


def test_asking_again_looks_alike_for_everybody(
        auth: Auth, bob: User, verification: Verification) -> None:
    """R085, R065: one row each, at most five an hour; unfit is told."""
    make_verified(auth, OTHERS)
    for email in (EMAIL, OTHERS, "nobody@example.com"):
        for _ in range(MOST_AN_HOUR + 2):
            assert verification.request(f" {email.upper()}") == email
    assert count(auth.db, "letters") == 3 * MOST_AN_HOUR
    assert {(each.kind, each.user_id) for each in letters(auth.db)} == {
        (VERIFY_LETTER, None)}
    assert [each.to for each in delivered(auth)] == [EMAIL]
    with pytest.raises(InvalidInput):
        verification.request("no address")


def test_a_throttled_password_costs_the_letter_nothing(
        auth: Auth, bob: User, mailed: Mailed) -> None:
    """R073: what is refused for too many tries is counted nowhere."""
    throttled = limited(auth.db)
    verification = make_verification(throttled)
    assert outcomes(throttled, 10, password="a guess") == REFUSED
    before = everything(auth.db)
    for password in ("a guess", PASSWORD):
        for _ in range(PASSWORD_TRIES.most + 1):
            with pytest.raises(Throttled) as refusal:
                verification.confirm(
                    mailed.secret, Claim(password=password), HERE)
            assert refusal.value.quota == ("password", 10, 900)
    assert everything(auth.db) == before


def test_a_letter_without_tries_costs_no_other_try(
        auth: Auth, bob: User, mailed: Mailed) -> None:
    """R073: and no hash either."""
    throttled = limited(auth.db, DEFAULTS._replace(password_identifier=None))
    verification = make_verification(throttled)
    for _ in range(PASSWORD_TRIES.most):
        with pytest.raises(Forbidden):
            verification.confirm(
                mailed.secret, Claim(password="a guess"), HERE)
    desk = ThrottleDesk(auth.db, throttled.throttle, throttled.audit)
    whose = (Whose(ip=HERE.ip), Whose(identifier=EMAIL, user_id=bob.id))
    before = [desk.uses(each) for each in whose]
    with pytest.raises(Throttled) as refusal:
        verification.confirm(mailed.secret, Claim(password=PASSWORD), HERE)
    assert refusal.value.quota is None
    assert [desk.uses(each) for each in whose] == before
