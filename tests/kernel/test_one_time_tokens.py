#!/usr/bin/env python3
"""One-time tokens: issued, redeemed once, and refused all alike."""

import base64
from datetime import timedelta
from typing import Any, Callable, List

import pytest

from tests.support.builders import (
    EMAIL, count, everything, make_user, refusing)
from tests.support.clock import SetClock
from vestibule.base.digest import digest_of, new_secret
from vestibule.base.errors import InvalidToken
from vestibule.kernel import one_time_tokens
from vestibule.kernel.auth import Auth
from vestibule.kernel.one_time_tokens import (
    CODE_TRIES, LIFETIMES, RESET, UNDO)
from vestibule.kernel.verification import PASSWORD_TRIES
from vestibule.store.db import User
from vestibule.store.one_time_token import OneTimeToken, OneTimeTokenStore

OTHER = "another purpose"
MINUTES = LIFETIMES[RESET].total_seconds() / 60

# What might be taken for a token by who reads carelessly.
CHANGES: List[Callable[[str], str]] = [
    lambda secret: "", lambda secret: secret[:-1],
    lambda secret: secret[1:], lambda secret: secret + "A",
    lambda secret: secret + "=", lambda secret: secret + "\n",
    lambda secret: " " + secret, lambda secret: secret + " ",
    lambda secret: secret.swapcase(), lambda secret: secret.lower() + "A",
    lambda secret: secret + "\0", lambda secret: secret + "\ud800",
    lambda secret: f"{secret}.{secret}", lambda secret: "A" * 43,
    lambda secret: new_secret(), lambda secret: "\uff21" + secret[1:],
    lambda secret: base64.urlsafe_b64decode(secret + "=").hex(),
    lambda secret: secret * 1000]


@pytest.fixture
def other_purpose(monkeypatch: pytest.MonkeyPatch) -> str:
    """Have a second purpose, as later features will."""
    monkeypatch.setitem(
        one_time_tokens.LIFETIMES, OTHER, timedelta(hours=1))
    return OTHER


def assert_refused(auth: Auth, secret: str, purpose: str = RESET) -> None:
    """See that a secret is refused by a look and by a redemption, alike."""
    verbs: List[Any] = [auth.tokens.look_at, auth.tokens.redeem]
    for verb in verbs:
        with pytest.raises(InvalidToken) as refusal:
            verb(secret, purpose)
        assert refusal.value.code == "invalid_token"
        assert refusal.value.message == InvalidToken.default_message
        assert refusal.value.__cause__ is None


def test_a_token_is_256_random_bits(auth: Auth, bob: User) -> None:
    """R056: 43 characters of which no two are alike."""
    secrets = {auth.tokens.issue(bob.id, RESET) for _ in range(20)}
    assert len(secrets) == 20
    for secret in secrets:
        assert len(base64.urlsafe_b64decode(secret + "=")) == 32


def test_a_token_is_redeemed_once(auth: Auth, bob: User) -> None:
    """R056, R058: the second time is as if there had never been one."""
    secret = auth.tokens.issue(bob.id, RESET, "bob@example.com")
    looked = auth.tokens.look_at(secret, RESET)
    redeemed = auth.tokens.redeem(secret, RESET)
    for token in (looked, redeemed):
        assert (token.user_id, token.purpose) == (bob.id, RESET)
        assert token.sent_to == "bob@example.com"
    assert_refused(auth, secret)


def test_looking_at_a_token_leaves_it_good(auth: Auth, bob: User) -> None:
    """R062: however often, as mail scanners do."""
    secret = auth.tokens.issue(bob.id, RESET)
    before = everything(auth.db)
    for _ in range(5):
        auth.tokens.look_at(secret, RESET)
    assert everything(auth.db) == before
    assert auth.tokens.redeem(secret, RESET).user_id == bob.id


def test_a_token_lives_for_half_an_hour(
        auth: Auth, bob: User, clock: SetClock) -> None:
    """R056: good a second before its end, refused a second after it."""
    assert MINUTES == 30
    secret = auth.tokens.issue(bob.id, RESET)
    clock.advance(minutes=MINUTES, seconds=-1)
    auth.tokens.look_at(secret, RESET)
    auth.tokens.redeem(secret, RESET)
    late = auth.tokens.issue(bob.id, RESET)
    clock.advance(minutes=MINUTES, seconds=1)
    assert_refused(auth, late)


def test_each_purpose_has_a_lifetime_of_its_own(
        auth: Auth, bob: User, clock: SetClock, other_purpose: str) -> None:
    """R056: the purpose decides, at the time of issue."""
    secret = auth.tokens.issue(bob.id, other_purpose)
    clock.advance(minutes=59, seconds=59)
    auth.tokens.look_at(secret, other_purpose)
    clock.advance(seconds=2)
    assert_refused(auth, secret, other_purpose)


def test_a_token_of_another_purpose_is_refused(
        auth: Auth, bob: User, other_purpose: str) -> None:
    """R061: and is not used up by the attempt."""
    secret = auth.tokens.issue(bob.id, other_purpose)
    assert_refused(auth, secret, RESET)
    assert auth.tokens.redeem(secret, other_purpose).user_id == bob.id


def test_a_token_must_match_byte_for_byte(auth: Auth, bob: User) -> None:
    """R061: cut, longer, in another case or form: all unknown."""
    secret = auth.tokens.issue(bob.id, RESET)
    for change in CHANGES:
        assert_refused(auth, change(secret))
    assert auth.tokens.redeem(secret, RESET).user_id == bob.id


def test_a_character_of_the_same_bits_is_another_token(
        auth: Auth, bob: User) -> None:
    """R061: the last of 43 characters has two bits that decode to nothing.
    """
    alphabet = ("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                "0123456789-_")
    secret = auth.tokens.issue(bob.id, RESET)
    twin = secret[:-1] + alphabet[alphabet.index(secret[-1]) ^ 1]
    assert (base64.urlsafe_b64decode(twin + "=")
            == base64.urlsafe_b64decode(secret + "="))
    assert_refused(auth, twin)


def test_nothing_stored_can_be_redeemed(auth: Auth, bob: User) -> None:
    """R057, R111: the table holds the digest, and it opens nothing."""
    secret = auth.tokens.issue(bob.id, RESET)
    stored = everything(auth.db)
    assert secret not in stored
    assert digest_of(secret) in stored
    assert_refused(auth, digest_of(secret))
    auth.tokens.redeem(secret, RESET)
    assert secret not in everything(auth.db)


def test_a_token_is_found_by_the_key_of_its_table() -> None:
    """R087: by digest, so that time of the index tells nothing."""
    model: Any = OneTimeToken
    columns = model.__table__.primary_key.columns
    assert [column.name for column in columns] == ["digest"]


def test_a_token_is_good_again_after_a_rollback(
        auth: Auth, bob: User) -> None:
    """R058: it is used up together with what it is used for, or not."""
    secret = auth.tokens.issue(bob.id, RESET)
    with pytest.raises(RuntimeError):
        with auth.db.transaction():
            auth.tokens.redeem(secret, RESET)
            assert_refused(auth, secret)
            raise RuntimeError("what followed has failed")
    assert auth.tokens.redeem(secret, RESET).user_id == bob.id


def test_a_token_that_cannot_be_used_up_is_not_redeemed(
        auth: Auth, bob: User) -> None:
    """R058: the database's refusal comes through; nothing is pretended."""
    secret = auth.tokens.issue(bob.id, RESET)
    with refusing(auth.db, "UPDATE", "one_time_tokens"):
        with pytest.raises(Exception, match="refused by a test"):
            auth.tokens.redeem(secret, RESET)
    assert auth.tokens.redeem(secret, RESET).user_id == bob.id


def test_revoking_voids_all_of_one_user_and_purpose(
        auth: Auth, bob: User, other_purpose: str) -> None:
    """R059: other people's, and those for something else, stay good."""
    eve = make_user(auth, "eve@example.com")
    of_bob = [auth.tokens.issue(bob.id, RESET, to)
              for to in (None, "bob@example.com")]
    of_eve = auth.tokens.issue(eve.id, RESET)
    other = auth.tokens.issue(bob.id, other_purpose)
    assert auth.tokens.revoke_all(bob.id, RESET) == 2
    for secret in of_bob:
        assert_refused(auth, secret)
    assert auth.tokens.look_at(of_eve, RESET).user_id == eve.id
    assert auth.tokens.look_at(other, other_purpose).user_id == bob.id


def test_a_new_letter_takes_the_place_of_what_came_before(
        auth: Auth, bob: User, clock: SetClock) -> None:
    """R059: all that was mailed, and what was handed out before it."""
    mailed = auth.tokens.issue(bob.id, RESET, "bob@example.com")
    handed = auth.tokens.issue(bob.id, RESET)
    requested_at = clock.now()
    mailed_late = auth.tokens.issue(bob.id, RESET, "bob@example.com")
    together = auth.tokens.issue(bob.id, RESET)
    auth.tokens.revoke_superseded(bob.id, RESET, requested_at)
    for secret in (mailed, handed, mailed_late):
        assert_refused(auth, secret)
    assert auth.tokens.look_at(together, RESET).user_id == bob.id


def test_a_new_letter_takes_the_place_of_no_others(
        auth: Auth, bob: User, clock: SetClock) -> None:
    """R059: neither of somebody else's, nor of those for something else."""
    eve = make_user(auth, "eve@example.com")
    of_eve = auth.tokens.issue(eve.id, RESET, eve.email)
    undo = auth.tokens.issue(bob.id, UNDO, EMAIL)
    auth.tokens.revoke_superseded(bob.id, RESET, clock.now())
    assert auth.tokens.look_at(of_eve, RESET).user_id == eve.id
    assert auth.tokens.look_at(undo, UNDO).user_id == bob.id


def test_expired_tokens_are_swept_out(
        auth: Auth, bob: User, clock: SetClock) -> None:
    """R042: a few at a time, used or not, and never one that is good."""
    for _ in range(5):
        auth.tokens.issue(bob.id, RESET)
    clock.advance(minutes=20)
    good = auth.tokens.issue(bob.id, RESET)
    clock.advance(minutes=10, seconds=1)
    store = OneTimeTokenStore(auth.db)
    assert [store.purge(clock.now(), 2) for _ in range(4)] == [2, 2, 1, 0]
    assert count(auth.db, "one_time_tokens") == 1
    assert auth.tokens.look_at(good, RESET).user_id == bob.id


def test_tries_are_counted_up_to_a_limit_each(
        auth: Auth, bob: User) -> None:
    """R056: exactly so many, of one token and of one kind."""
    secret, other = [auth.tokens.issue(bob.id, RESET) for _ in range(2)]
    token = auth.tokens.look_at(secret, RESET)
    counted = [auth.tokens.count_try(token, PASSWORD_TRIES)
               for _ in range(7)]
    assert counted == [True] * 5 + [False] * 2
    assert auth.tokens.count_try(token, CODE_TRIES)
    assert auth.tokens.count_try(
        auth.tokens.look_at(other, RESET), PASSWORD_TRIES)
    assert auth.tokens.redeem(secret, RESET).password_tries == 5


def test_undos_are_revoked_from_an_instant_on(
        auth: Auth, bob: User, clock: SetClock) -> None:
    """Issue 4: that one and later, of one user, and undos alone."""
    eve = make_user(auth, "eve@example.com")
    instants = [clock.now() for _ in range(3)]
    undos = [auth.tokens.issue(bob.id, UNDO, EMAIL, each)
             for each in instants]
    of_eve = auth.tokens.issue(eve.id, UNDO, EMAIL, instants[2])
    reset = auth.tokens.issue(bob.id, RESET, EMAIL, instants[2])
    auth.tokens.revoke_undos_since(bob.id, instants[1])
    assert auth.tokens.look_at(undos[0], UNDO)
    for secret in undos[1:]:
        assert_refused(auth, secret, UNDO)
    assert auth.tokens.look_at(of_eve, UNDO)
    assert auth.tokens.look_at(reset, RESET)
