#!/usr/bin/env python3
"""The kinds of refusal: stable codes, safe messages, and what they are."""

import re
from typing import List, Type

import pytest

from vestibule.base import errors
from vestibule.base.errors import (
    AuthError, Forbidden, IdentifierTaken, InvalidCredentials, InvalidInput,
    InvalidToken, SessionRequired, Throttled, merged)

KINDS: List[Type[AuthError]] = [
    kind for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, AuthError)]


def test_each_kind_has_a_code_of_its_own() -> None:
    """The code is part of the contract: snake_case, and no two alike."""
    codes = [kind.default_code for kind in KINDS]
    assert len(set(codes)) == len(codes) == 17
    for kind in KINDS:
        assert re.fullmatch(r"[a-z]+(_[a-z]+)*", kind.default_code)
        assert re.search(r"[a-z.]$", kind.default_message)


@pytest.mark.parametrize("kind", [
    IdentifierTaken, InvalidCredentials, InvalidToken, Forbidden])
def test_what_the_tasks_expect_is_a_value_error(
        kind: Type[AuthError]) -> None:
    """Tasks 7, 16 and 18: their callers catch ``ValueError``."""
    assert issubclass(kind, ValueError)
    assert isinstance(InvalidInput({"email": ["malformed"]}), ValueError)


def test_a_refusal_says_its_message_and_keeps_its_code() -> None:
    """A kind's own words, or those of the place that refused."""
    plain = Forbidden()
    assert (plain.message, plain.code) == ("This is not allowed.",
                                           "forbidden")
    told = Forbidden("There is no user with this email.", "unknown_email")
    assert (str(told), told.code) == (
        "There is no user with this email.", "unknown_email")


def test_refusals_of_several_fields_become_one() -> None:
    """R088: whoever mends a form is told of all fields at once."""
    email = InvalidInput({"email": ["malformed"]})
    password = InvalidInput({"password": ["too_short"]}, "At least 15.")
    assert merged([password]) is password
    both = merged([email, password])
    assert both.errors == {
        "email": ["malformed"], "password": ["too_short"]}
    assert both.message == InvalidInput.default_message


def test_a_session_that_ended_is_told_from_one_that_did_not_come() -> None:
    """R044: only then is its cookie cleared."""
    assert not SessionRequired().ended
    assert SessionRequired(ended=True).ended


def test_who_is_throttled_waits_a_second_at_least() -> None:
    """DESIGN section 2: the header takes whole seconds, never none."""
    assert Throttled(0).retry_after == 1
    assert Throttled(90).retry_after == 90
