#!/usr/bin/env python3
"""What a browser keeps of having signed somebody in."""

from typing import List

import pytest

from tests.support.recovery import KEY
from vestibule.kernel.devices import KnownDevices

DEVICES = KnownDevices(KEY)
BOB, EVE = "5f0c1f4e-bob", "5f0c1f4e-eve"


def test_a_device_is_known_for_who_signed_in_on_it() -> None:
    """R077: and for nobody else."""
    cookie = DEVICES.remember(None, BOB)
    assert DEVICES.known(cookie, BOB) == cookie.partition(".")[0]
    assert DEVICES.known(cookie, EVE) is None


def test_every_device_is_another_one() -> None:
    """Two browsers of one user have a budget each."""
    first, second = (DEVICES.remember(None, BOB) for _ in range(2))
    assert DEVICES.known(first, BOB) != DEVICES.known(second, BOB)


def test_a_browser_stays_one_device() -> None:
    """Whoever signs in again has no new budget by that."""
    cookie = DEVICES.remember(None, BOB)
    assert DEVICES.remember(cookie, BOB) == cookie
    both = DEVICES.remember(cookie, EVE)
    for user in (BOB, EVE):
        assert DEVICES.known(both, user) == cookie.partition(".")[0]


def test_of_six_users_on_one_browser_the_last_five_are_known() -> None:
    """The cookie does not grow for ever."""
    cookie = None
    users = [f"user {number}" for number in range(6)]
    for user in users:
        cookie = DEVICES.remember(cookie, user)
    known = [user for user in users if DEVICES.known(cookie, user)]
    assert known == users[1:]
    assert cookie is not None and len(cookie) == 32 + 5 * 33


def forgeries() -> List[str]:
    """Return cookies that nobody was given."""
    mine, other = (DEVICES.remember(None, BOB) for _ in range(2))
    device, _, proof = mine.partition(".")
    foreign = KnownDevices("another key").remember(None, BOB)
    return ["", ".", device, f"{device}.", f".{proof}", proof + "." + device,
            f"{other.partition('.')[0]}.{proof}", f"{device}.{'0' * 32}",
            foreign, mine.upper(), f"{mine} ", f"{mine}\n", f"\0{mine}",
            f"{device}.{proof[:31]}", f"{device}.{proof}0", "x" * 5000,
            f"{device}.{'é' * 32}", mine.replace(".", "%2E")]


@pytest.mark.parametrize("cookie", forgeries())
def test_a_forged_cookie_is_no_device(cookie: str) -> None:
    """Nor does it fail anything, or change what is given next."""
    assert DEVICES.known(cookie, BOB) is None
    assert DEVICES.known(DEVICES.remember(cookie, BOB), BOB) is not None


def test_a_device_of_ones_own_is_none_of_anybody_else() -> None:
    """An attacker may take any id, and still proves only what is theirs."""
    bobs = DEVICES.remember(None, BOB)
    device = bobs.partition(".")[0]
    eves = DEVICES.remember(device, EVE)
    assert DEVICES.known(eves, EVE) == device
    assert DEVICES.known(eves, BOB) is None


def test_without_a_key_no_device_is_known() -> None:
    """Anybody could sign with the empty key."""
    keyless = KnownDevices("")
    assert keyless.known(keyless.remember(None, BOB), BOB) is None
    assert DEVICES.known(keyless.remember(None, BOB), BOB) is None
