#!/usr/bin/env python3
"""Who guesses passwords comes no further than the threat model says."""

from typing import Optional

import pytest

from tests.support.clock import SetClock
from vestibule.base.errors import Throttled
from vestibule.base.limits import DEFAULTS
from vestibule.base.origin import Origin
from vestibule.kernel.auth import Auth
from vestibule.kernel.throttle import Throttle
from vestibule.kernel.throttle_keys import network_of
from vestibule.store.attempt import Attempt

ADA = "ada@example.com"
KEY = "a key for tests, 0123456789abcdef"


def from_address(ip: str, device: Optional[str] = None) -> Origin:
    """Return a request from somewhere, with this device cookie."""
    return Origin(ip, None, "a-request", None, device)


@pytest.fixture
def throttle(auth: Auth) -> Throttle:
    """Return a throttle with the limits that everybody has."""
    return Throttle(auth.db, KEY, DEFAULTS)


def guesses(throttle: Throttle, user_id: Optional[str], origin: Origin,
            times: int, identifier: str = ADA) -> int:
    """Guess wrong some times; return how many guesses were judged."""
    judged = 0
    for _ in range(times):
        try:
            tried = throttle.begin(identifier, user_id, origin)
        except Throttled:
            continue
        throttle.fail(tried)
        judged += tried.allowed
    return judged


def test_a_botnet_shares_the_budget_of_the_identifier(
        throttle: Throttle) -> None:
    """R074: from 25 addresses come ten guesses, as from one."""
    assert sum(guesses(throttle, None, from_address(f"192.0.2.{each}"), 2)
               for each in range(25)) == 10


def test_a_spray_ends_with_the_budget_of_the_address(
        throttle: Throttle) -> None:
    """R081: one password, one address, and another identifier each time."""
    assert sum(guesses(throttle, None, from_address("192.0.2.7"), 1,
                       f"user{each}@example.com")
               for each in range(60)) == 50


def test_the_owner_gets_in_from_a_known_device(
        throttle: Throttle, auth: Auth) -> None:
    """R077: whatever strangers have used up, and opens it for new ones."""
    user_id = auth.register_user(ADA, "correct horse battery").id
    cookie = throttle.devices.remember(None, user_id)
    assert guesses(throttle, user_id, from_address("192.0.2.7"), 20) == 10
    with pytest.raises(Throttled):
        throttle.begin(ADA, user_id, from_address("198.51.100.1"))
    tried = throttle.begin(
        ADA, user_id, from_address("192.0.2.7", device=cookie))
    assert tried.allowed
    throttle.succeed(tried)


def test_a_cookie_of_another_user_or_key_is_no_known_device(
        throttle: Throttle, auth: Auth) -> None:
    """What anybody can make up, or got for themselves, opens no budget."""
    user_id = auth.register_user(ADA, "correct horse battery").id
    cookies = [throttle.devices.remember(None, "somebody else"),
               Throttle(auth.db, "another key").devices.remember(
                   None, user_id), f"{'0' * 32}.{'0' * 32}"]
    assert sum(guesses(throttle, user_id, from_address("192.0.2.7", each), 5)
               for each in cookies) == 10


def test_a_hundred_failures_shut_unknown_devices_out(
        auth: Auth, clock: SetClock) -> None:
    """R072: however slowly they come; a known device lets them in again."""
    throttle = Throttle(auth.db, KEY, DEFAULTS)
    user_id = auth.register_user(ADA, "correct horse battery").id
    cookie = throttle.devices.remember(None, user_id)
    judged = 0
    for each in range(12):
        judged += guesses(
            throttle, user_id, from_address(f"192.0.2.{each}"), 10)
        clock.advance(minutes=16)
    assert judged == 100
    stranger = from_address("198.51.100.1")
    assert not throttle.begin(ADA, user_id, stranger).allowed
    throttle.succeed(throttle.begin(
        ADA, user_id, from_address("192.0.2.7", device=cookie)))
    assert throttle.begin(ADA, user_id, stranger).allowed


def test_a_thief_with_a_device_cookie_has_its_budget_alone(
        throttle: Throttle, auth: Auth) -> None:
    """Ten guesses, not ten from each address."""
    user_id = auth.register_user(ADA, "correct horse battery").id
    cookie = throttle.devices.remember(None, user_id)
    assert sum(guesses(throttle, user_id,
                       from_address(f"192.0.2.{each}", cookie), 5)
               for each in range(5)) == 10


def test_a_right_password_gives_an_address_its_own_try_back_alone(
        throttle: Throttle, auth: Auth) -> None:
    """R076: otherwise one account would be enough to guess for ever."""
    user_id = auth.register_user(ADA, "correct horse battery").id
    origin = from_address("192.0.2.7")
    for each in range(50):
        for _ in range(3):
            throttle.succeed(throttle.begin(ADA, user_id, origin))
        guesses(throttle, None, origin, 1, f"user{each}@example.com")
    with pytest.raises(Throttled):
        throttle.begin(ADA, user_id, origin)
    with pytest.raises(Throttled):
        throttle.begin("user99@example.com", None, origin)


def test_no_row_of_tries_names_anybody(throttle: Throttle,
                                       auth: Auth) -> None:
    """R082, R123: a slot out of 2^20, whoever made the identifier up."""
    guesses(throttle, None, from_address("192.0.2.7"), 1)
    with auth.db.reading() as work:
        keys = sorted(row[0] for row in work.query(Attempt.key))
    assert [key.partition(":")[0] for key in keys] == [
        "password_address", "password_identifier"]
    assert all(len(key.partition(":")[2]) == 5 for key in keys)


@pytest.mark.parametrize("ip, network", [
    ("203.0.113.7", "203.0.113.7"), ("::ffff:203.0.113.7", "203.0.113.7"),
    ("2001:db8:0:1:2:3:4:5", "2001:db8:0:1::/64"),
    (None, "unknown"), ("", "unknown"), ("example.com", "unknown")])
def test_one_client_is_one_network(ip: Optional[str], network: str) -> None:
    """R074: an IPv6 client has the 2^64 addresses of its /64."""
    assert network_of(ip) == network
