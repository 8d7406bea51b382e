#!/usr/bin/env python3
"""How limits are written and read."""

from datetime import timedelta

import pytest

from vestibule.base.limits import (
    DEFAULTS, HOUR, QUARTER, UNLIMITED, Budget, Limits, limits)


def spelled(found: Limits) -> str:
    """Return limits as one writes them."""
    return ",".join(
        f"{name}={'off' if value is None else value}"
        for name, value in found._asdict().items())


def test_what_is_not_named_keeps_its_default() -> None:
    """One changes one limit by one word."""
    found = limits("password_address=100/1h, register_all=off")
    assert found == DEFAULTS._replace(
        password_address=Budget(100, HOUR), register_all=None)
    assert limits("failures=50").failures == 50


@pytest.mark.parametrize("text, budget", [
    ("1/1s", Budget(1, timedelta(seconds=1))),
    ("10/15m", Budget(10, QUARTER)), ("10/900s", Budget(10, QUARTER)),
    ("1000000/1d", Budget(1000000, timedelta(days=1))),
    ("5/24h", Budget(5, timedelta(days=1))),
    ("7/90s", Budget(7, timedelta(seconds=90)))])
def test_a_budget_is_read_and_written(text: str, budget: Budget) -> None:
    """What is written is read back as the same."""
    assert limits(f"code_address={text}").code_address == budget
    assert limits(f"code_address={budget}").code_address == budget


def test_the_defaults_are_written_and_read_back() -> None:
    """All of them, in one line."""
    assert limits(spelled(DEFAULTS)) == DEFAULTS
    assert str(DEFAULTS.password_identifier) == "10/15m"
    assert UNLIMITED.failures is None


@pytest.mark.parametrize("text, said", [
    ("", "names no limit with ''"),
    ("password", "names no limit with 'password'"),
    ("password_address", "names no limit with 'password_address'"),
    ("PASSWORD_ADDRESS=1/1s", "names no limit"),
    ("budget=1/1s", "names no limit with 'budget=1/1s'"),
    ("mail_box=5/1h,", "names no limit with ''"),
    ("mail_box=5/1h,mail_box=6/1h", "names mail_box twice"),
    ("mail_box=", "must have mail_box like 10/15m or off, not ''"),
    ("mail_box=5", "like 10/15m or off, not '5'"),
    ("mail_box=0/1h", "like 10/15m or off"),
    ("mail_box=-1/1h", "like 10/15m or off"),
    ("mail_box=5/h", "like 10/15m or off"),
    ("mail_box=5/0h", "like 10/15m or off"),
    ("mail_box=5/1w", "like 10/15m or off"),
    ("mail_box=5/1h/1h", "like 10/15m or off"),
    ("mail_box=٥/1h", "like 10/15m or off"),
    ("mail_box=1_0/1h", "like 10/15m or off"),
    ("mail_box=9999999999/1h", "like 10/15m or off"),
    ("mail_box=OFF", "like 10/15m or off"),
    ("mail_box=1000001/1h", "at most 1000000 tries and one day"),
    ("mail_box=5/25h", "at most 1000000 tries and one day"),
    ("mail_box=5/999999999d", "at most 1000000 tries and one day"),
    ("failures=off", "must have failures from 10 to 100"),
    ("failures=9", "from 10 to 100 (NIST SP 800-63B-4 3.2.2), not '9'"),
    ("failures=101", "from 10 to 100"), ("failures=", "from 10 to 100"),
    ("failures=50/1h", "from 10 to 100")])
def test_what_is_no_limit_is_refused(text: str, said: str) -> None:
    """The sentence says what would do."""
    with pytest.raises(ValueError) as refusal:
        limits(text)
    assert said in str(refusal.value)
