#!/usr/bin/env python3
"""Taking over: the owner of a mailbox leaves nothing to a squatter."""

from typing import Any, List, Tuple

import pytest

from tests.support.builders import (
    EMAIL, PASSWORD, everything, refusing, token_in)
from tests.support.recovery import (
    DESK, KEY, change_token, delivered, events_of, mailed_in,
    make_verification, refuse_spending, typed)
from vestibule.base.errors import InvalidInput
from vestibule.base.origin import LIBRARY
from vestibule.kernel.auth import Auth, Rules
from vestibule.kernel.one_time_tokens import (
    CHANGE_EMAIL, RESET, UNDO, VERIFY, Mailed, Presented)
from vestibule.kernel.password_policy import PasswordPolicy
from vestibule.kernel.passwords import Passwords
from vestibule.kernel.verification import PROFILE, Claim, Verification
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


def fill(auth: Auth, bob: User) -> List[Any]:
    """Set what a squatter can set; return the tokens of each purpose."""
    auth.db.update_user(bob.id, name="Eve", locale="en",
                        picture="https://example.com/eve.png",
                        app_metadata={"role": "squatter"})
    auth.update_password(auth.get_reset_password_token(EMAIL), PASSWORD)
    delivered(auth)
    kept = [(auth.tokens.issue(bob.id, RESET), RESET),
            (auth.tokens.issue(bob.id, UNDO, EMAIL), UNDO),
            (change_token(auth, bob, "squatter@example.com"), CHANGE_EMAIL)]
    auth.outbox.write("change_email", "squatter@example.com", bob.id)
    auth.outbox.write("password_changed", EMAIL, bob.id)
    return kept


def test_who_proves_the_mailbox_makes_the_account_theirs(
        auth: Auth, bob: User, verification: Verification) -> None:
    """R005: password, sessions, tokens, letters, profile: all of it goes."""
    kept = fill(auth, bob)
    verification.request(EMAIL)
    secret = [token_in(each) for each in delivered(auth)
              if each.to == EMAIL and "/verify?" in each.text][0]
    kept += [(auth.tokens.issue(bob.id, RESET), RESET),
             (auth.tokens.issue(bob.id, UNDO, EMAIL), UNDO),
             (auth.tokens.issue(bob.id, CHANGE_EMAIL, OTHERS), CHANGE_EMAIL),
             (auth.tokens.issue(bob.id, VERIFY, EMAIL), VERIFY)]
    auth.outbox.write("change_email", "squatter@example.com", bob.id)
    auth.outbox.write("password_changed", EMAIL, bob.id)
    auth.outbox.write("email_changed", EMAIL, bob.id)
    session = auth.create_session(EMAIL)
    mine = verification.confirm(secret, Claim(new_password=NEW), DESK)
    assert (mine.id, mine.email) == (bob.id, EMAIL)
    assert mine.email_verified_at is not None
    assert [getattr(mine, name) for name in PROFILE] == [None] * 4
    assert PROFILE == ("name", "locale", "picture", "app_metadata")
    assert auth.valid_login(EMAIL, NEW)
    assert not auth.valid_login(EMAIL, PASSWORD)
    assert auth.get_user_from_session_id(session) is None
    for token, purpose in kept:
        refuse_spending(auth, token, purpose)
    assert delivered(auth) == []
    happened = [each for each in events_of(auth.db, bob)
                if each.what == "user.taken_over"]
    assert [each.request_id for each in happened] == [DESK.request_id]


def test_a_new_password_comes_before_every_other_sign(
        auth: Auth, bob: User, verification: Verification,
        mailed: Mailed) -> None:
    """R005: who sends one wants the account anew, sessions ended."""
    session = auth.create_session(EMAIL)
    claim = Claim(bob.id, None, PASSWORD, NEW)
    verification.confirm(mailed.secret, claim, LIBRARY)
    assert auth.get_user_from_session_id(session) is None
    assert auth.valid_login(EMAIL, NEW)


@pytest.mark.parametrize("unfit", [
    "short", "", "x" * 257, "nul\0in the middle"])
def test_an_unfit_new_password_spends_no_token(
        auth: Auth, bob: User, verification: Verification, mailed: Mailed,
        unfit: str) -> None:
    """R018: policy comes first, and for unknown tokens too."""
    before = everything(auth.db)
    tokens: List[Presented] = [
        mailed.secret, "unknown", typed(EMAIL, mailed.code)]
    for presented in tokens:
        with pytest.raises(InvalidInput) as refusal:
            verification.confirm(
                presented, Claim(new_password=unfit), LIBRARY)
        assert list(refusal.value.errors) == ["new_password"]
    assert everything(auth.db) == before


@pytest.mark.parametrize("refused", [
    ("INSERT", "events"), ("UPDATE", "users"), ("DELETE", "sessions"),
    ("UPDATE", "letters"), ("DELETE", "one_time_tokens")])
def test_a_take_over_happens_as_a_whole_or_not(
        auth: Auth, bob: User, verification: Verification, mailed: Mailed,
        refused: Tuple[str, str]) -> None:
    """R120: no half of it is left to the squatter."""
    auth.create_session(EMAIL)
    auth.tokens.issue(bob.id, RESET)
    auth.outbox.write("password_changed", EMAIL, bob.id)
    before = everything(auth.db)
    with refusing(auth.db, *refused):
        with pytest.raises(Exception, match="refused by a test"):
            verification.confirm(
                mailed.secret, Claim(new_password=NEW), LIBRARY)
    assert everything(auth.db) == before
