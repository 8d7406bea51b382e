#!/usr/bin/env python3
"""How many tries there are, for whom, and what gives them back."""

from datetime import datetime, timezone
from typing import Any, Callable, Dict, List, Optional, Tuple

import pytest

from tests.support.builders import (
    EMAIL, PASSWORD, count, everything, make_user, overheard)
from tests.support.clock import SetClock
from tests.support.hash_work import Work
from tests.support.limited import (
    HERE, IN, REFUSED, THROTTLED, UNFIT, at, limited, outcome, outcomes)
from vestibule.base.errors import Throttled, Unavailable
from vestibule.base.limits import DEFAULTS, HOUR, QUARTER, Budget
from vestibule.base.origin import LIBRARY
from vestibule.kernel.auth import Auth
from vestibule.kernel.throttle_desk import ThrottleDesk, Use, Whose
from vestibule.kernel.throttle_keys import network_of
from vestibule.store.db import DB, User

STRANGER = "nobody@example.com"


@pytest.fixture
def auth(db: DB) -> Auth:
    """Return an API within the limits that everybody has."""
    return limited(db)


def refused(action: Callable[[], Any]) -> Throttled:
    """Return the refusal of what is tried too often."""
    with pytest.raises(Throttled) as refusal:
        action()
    return refusal.value


def windows(db: DB) -> List[str]:
    """Return the windows that there are, by the names of their limits."""
    return [line.partition("'")[2].partition(":")[0]
            for line in everything(db).splitlines()
            if line.startswith("attempts ")]


def used(auth: Auth, user: User) -> List[Use]:
    """Return all that is counted of a user, and of where they are."""
    desk = ThrottleDesk(auth.db, auth.throttle, auth.audit)
    return (desk.uses(Whose(identifier=user.email, user_id=user.id))
            + desk.uses(Whose(ip="192.0.2.7")))


def test_the_tenth_try_is_the_last(auth: Auth, bob: User) -> None:
    """R072, R078: a right password after it is told what a wrong one is."""
    assert outcomes(auth, 10, password="a guess") == REFUSED
    right = refused(lambda: auth.authenticate(EMAIL, PASSWORD, HERE))
    wrong = refused(lambda: auth.authenticate(EMAIL, "a guess", HERE))
    assert right.retry_after == wrong.retry_after
    assert (right.message, right.code, right.quota, right.rule) == (
        wrong.message, wrong.code, wrong.quota, wrong.rule)
    assert right.quota == ("password", 10, 900)


def test_a_window_ends_at_its_end_and_not_before(
        auth: Auth, bob: User, clock: SetClock) -> None:
    """R079: who waits as long as was said gets in, and nobody earlier."""
    outcomes(auth, 10, password="a guess")
    wait = refused(
        lambda: auth.authenticate(EMAIL, PASSWORD, HERE)).retry_after
    assert wait == 900
    clock.advance(seconds=wait - 1)
    assert refused(lambda: auth.authenticate(
        EMAIL, PASSWORD, HERE)).retry_after == 1
    clock.advance(seconds=1)
    assert outcome(auth) == IN
    assert outcomes(auth, 10, password="a guess") == REFUSED
    assert outcome(auth) == THROTTLED


def test_the_very_end_of_a_window_belongs_to_the_next(
        auth: Auth, bob: User) -> None:
    """The window ends at an instant, which is not in it any more."""
    wanted = auth.throttle._wanted("code_identifier", EMAIL)
    begin = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)
    attempts, now = auth.throttle.attempts, begin
    for _ in range(10):
        attempts.reserve(list(wanted.values()), now)
    keys = list(wanted)
    end = attempts.windows(keys, begin)[keys[0]].ends_at
    assert end == begin + QUARTER
    assert attempts.windows(keys, end) == {}
    attempts.reserve(list(wanted.values()), end)
    assert attempts.windows(keys, end)[keys[0]].used == 1


def test_a_refused_try_is_counted_nowhere(auth: Auth, bob: User) -> None:
    """R073: all keys or none: a full one costs the others nothing."""
    outcomes(auth, 10, password="a guess")
    before = everything(auth.db)
    assert outcome(auth) == THROTTLED
    assert everything(auth.db) == before


def test_a_success_clears_the_identifier_and_not_the_address(
        auth: Auth, bob: User) -> None:
    """R076: whoever has one password cannot guess others for ever."""
    for _ in range(5):
        outcomes(auth, 9, password="a guess")
        assert outcome(auth) == IN
    outcomes(auth, 5, password="a guess")
    assert outcome(auth) == THROTTLED
    assert outcome(auth, "other@example.com") == THROTTLED
    assert outcome(auth, origin=at("192.0.2.8")) == IN


def test_an_office_behind_one_address_signs_in(
        auth: Auth, bob: User) -> None:
    """Issue 6: right passwords of new browsers use up nothing of it."""
    assert outcomes(auth, 120) == IN
    assert [use.used for use in used(auth, bob)] == [0, 0]
    assert outcomes(auth, 10, password="a guess") == REFUSED
    assert outcome(auth) == THROTTLED


def test_a_right_password_of_an_old_window_gives_none_of_the_new_back(
        auth: Auth, bob: User, clock: SetClock) -> None:
    """R076: else tries under way at the border were as many more guesses."""
    throttle = auth.throttle
    late = [throttle.begin(EMAIL, bob.id, HERE) for _ in range(5)]
    clock.advance(minutes=16)
    for number in range(50):
        throttle.fail(throttle.begin(f"u{number}@example.com", None, HERE))
    for tried in late:
        throttle.succeed(tried)
    assert outcome(auth, STRANGER) == THROTTLED


def test_unknown_people_are_counted_like_known_ones(
        auth: Auth, bob: User) -> None:
    """R074: by the same rows, statements and answers."""
    heard: Dict[str, List[str]] = {}
    for email in (EMAIL, STRANGER):
        where = at(f"192.0.2.{len(email)}")
        with overheard(auth.db.engine) as statements:
            assert outcomes(auth, 10, email=email, password="a guess",
                            origin=where) == REFUSED
            assert outcome(auth, email, origin=where) == THROTTLED
        heard[email] = list(statements)
    assert heard[EMAIL] == heard[STRANGER]
    assert sorted(windows(auth.db)) == [
        "password_address"] * 2 + ["password_identifier"] * 2
    assert count(auth.db, "failures") == 2


def test_spellings_share_a_budget(auth: Auth, bob: User) -> None:
    """R074: whoever writes BOB@example.com has no more tries."""
    for email in ("BOB@example.com", " bob@example.com ", "Bob@EXAMPLE.com",
                  EMAIL, "bOb@example.com"):
        assert outcomes(auth, 2, email=email, password="x") == REFUSED
    assert outcome(auth) == THROTTLED


def test_a_spray_over_many_people_is_stopped(auth: Auth) -> None:
    """R081: one password over 500 accounts, of which fifty are tried."""
    found = [outcome(auth, f"user{number}@example.com", "Password1")
             for number in range(500)]
    assert found == [REFUSED] * 50 + [THROTTLED] * 450
    assert count(auth.db, "attempts") == 51


@pytest.mark.parametrize("ip, network", [
    ("192.0.2.7", "192.0.2.7"), ("::ffff:192.0.2.7", "192.0.2.7"),
    ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
    ("2001:DB8:1:2::", "2001:db8:1:2::/64"), (None, "unknown"),
    ("", "unknown"), ("garbage", "unknown"), ("192.0.2.7:80", "unknown"),
    ("unknown, 192.0.2.7", "unknown")])
def test_what_counts_as_one_client(ip: Optional[str], network: str) -> None:
    """R074: one IPv4 address, or an IPv6 /64, or all that are neither."""
    assert network_of(ip) == network


@pytest.mark.parametrize("addresses", [
    [f"2001:db8:1:2::{number:x}" for number in range(1, 6)],
    ["192.0.2.7", "::ffff:192.0.2.7", "::ffff:c000:207"],
    [None, "", "garbage", "1.2.3.4.5"]])
def test_a_client_has_one_budget_whatever_its_address_looks_like(
        auth: Auth, addresses: List[Optional[str]]) -> None:
    """R074, R075: also where there is none."""
    for number in range(50):
        ip = addresses[number % len(addresses)]
        assert outcome(auth, f"user{number}@example.com",
                       origin=at(ip)) == REFUSED
    for ip in addresses:
        assert outcome(auth, origin=at(ip)) == THROTTLED
    assert outcome(auth, origin=at("2001:db8:1:3::1")) == REFUSED


@pytest.mark.parametrize("password", ["nul\0nul", "x" * 5000, "\ud800"])
def test_what_can_be_no_password_is_counted(
        auth: Auth, bob: User, password: str) -> None:
    """R089: known or not; the right one is refused after ten of them."""
    for email in (EMAIL, STRANGER):
        assert outcomes(auth, 10, email=email, password=password) == UNFIT
        assert outcome(auth, email, password) == THROTTLED
        assert outcome(auth, email) == THROTTLED


def test_a_known_device_needs_no_other_budget(
        auth: Auth, bob: User) -> None:
    """R077: it gets in from an address that has none left, and uses none.
    """
    device = auth.throttle.devices.remember(None, bob.id)
    for number in range(50):
        outcome(auth, f"user{number}@example.com")
    assert outcome(auth) == THROTTLED
    before = [use for use in used(auth, bob) if use.device is None]
    known = at(HERE.ip, device)
    assert outcome(auth, password="a guess", origin=known) == REFUSED
    assert [use for use in used(auth, bob) if use.device is None] == before
    assert outcome(auth, origin=known) == IN


def test_a_new_password_gives_an_identifier_its_tries_back(
        auth: Auth, bob: User) -> None:
    """R077: and an address none."""
    outcomes(auth, 10, password="a guess")
    assert outcome(auth) == THROTTLED
    auth.update_password(auth.get_reset_password_token(EMAIL), PASSWORD)
    assert [use.used for use in used(auth, bob)] == [10]
    assert outcome(auth) == IN


def test_what_can_be_no_address_is_counted(auth: Auth) -> None:
    """R089: by address and by what was typed."""
    assert outcomes(auth, 10, email="bob\0@example.com") == REFUSED
    assert outcome(auth, "bob\0@example.com") == THROTTLED


def test_a_try_that_could_not_be_made_is_given_back(
        auth: Auth, bob: User, monkeypatch: pytest.MonkeyPatch) -> None:
    """R027, R073: a fault of ours costs nobody a try."""
    outcomes(auth, 3, password="a guess")
    before = used(auth, bob)

    def unsound() -> None:
        """Say that the pepper is not the right one."""
        raise Unavailable()

    with monkeypatch.context() as patch:
        patch.setattr(auth.passwords.peppers, "require_sound", unsound)
        for _ in range(20):
            with pytest.raises(Unavailable):
                auth.authenticate(EMAIL, PASSWORD, HERE)
    assert used(auth, bob) == before
    assert outcomes(auth, 7, password="a guess") == REFUSED
    assert outcome(auth) == THROTTLED


def test_a_throttled_try_costs_no_hash(
        auth: Auth, bob: User, monkeypatch: pytest.MonkeyPatch) -> None:
    """R078: whether right or wrong, known or not."""
    for email in (EMAIL, STRANGER):
        outcomes(auth, 10, email=email, password="a guess")
    work = Work(monkeypatch)
    for email in (EMAIL, STRANGER):
        for password in (PASSWORD, "a guess", "nul\0"):
            assert work.of(lambda: outcome(auth, email, password)) == 0


def test_a_right_guess_among_many_lets_no_more_through(
        auth: Auth, bob: User) -> None:
    """R073: what came at once with it stays counted, decided or not."""
    throttle = auth.throttle
    tries = [throttle.begin(EMAIL, bob.id, HERE) for _ in range(10)]
    for tried in tries[:6]:
        throttle.fail(tried)
    throttle.succeed(tries[6])
    assert outcome(auth) == THROTTLED
    for tried in tries[7:]:
        throttle.fail(tried)
    assert outcome(auth) == THROTTLED


def test_programs_are_not_throttled(auth: Auth, bob: User) -> None:
    """Whoever uses Vestibule as a library looks after that."""
    assert outcomes(
        auth, 60, password="a guess", origin=LIBRARY) == REFUSED
    assert outcome(auth, origin=LIBRARY) == IN
    assert count(auth.db, "attempts") == count(auth.db, "failures") == 0


def test_other_things_have_budgets_of_their_own(
        auth: Auth, bob: User) -> None:
    """R008: codes, resets, registrations and letters, each by itself."""
    throttle = auth.throttle
    budgets: Dict[str, Tuple[Callable[[], object], int, int]] = {
        "code": (lambda: throttle.count_code(EMAIL, HERE), 10, 900),
        "reset": (lambda: throttle.count_reset(HERE), 30, 900),
        "register": (lambda: throttle.count_registration(HERE), 20, 3600),
        "mail": (lambda: throttle.count_mail(HERE), 30, 3600)}
    for name, (count_one, most, seconds) in budgets.items():
        for _ in range(most):
            count_one()
        refusal = refused(count_one)
        assert refusal.quota == (name, most, seconds)
        assert refusal.retry_after == seconds
    assert outcome(auth) == IN


def test_an_address_has_codes_to_try_for_all_people(auth: Auth) -> None:
    """R077: the code of one cannot be guessed, nor those of many."""
    for number in range(30):
        auth.throttle.count_code(f"user{number}@example.com", HERE)
    refused(lambda: auth.throttle.count_code(EMAIL, HERE))
    auth.throttle.count_code(EMAIL, at("192.0.2.8"))


def test_registrations_are_counted_for_all_together(db: DB) -> None:
    """R008: and one address cannot use up what there is for all."""
    throttle = limited(db, DEFAULTS._replace(
        register_all=Budget(25, HOUR))).throttle
    for number in range(40):
        origin = at("192.0.2.7")
        if number < 20:
            throttle.count_registration(origin)
        else:
            refused(lambda: throttle.count_registration(origin))
    for number in range(5):
        throttle.count_registration(at(f"192.0.2.{10 + number}"))
    refusal = refused(
        lambda: throttle.count_registration(at("192.0.2.99")))
    assert refusal.quota == ("register", 25, 3600)


def test_who_is_lifted_registers_whatever_all_others_have_used(
        db: DB) -> None:
    """Issue 6: an operator switches each limit off for one address."""
    auth = limited(db, DEFAULTS._replace(register_all=Budget(3, HOUR)))
    desk = ThrottleDesk(db, auth.throttle, auth.audit)
    for number in range(3):
        auth.throttle.count_registration(at(f"192.0.2.{number}"))
    refused(lambda: auth.throttle.count_registration(HERE))
    desk.lift(Whose(ip=HERE.ip), HOUR)
    for _ in range(30):
        auth.throttle.count_registration(HERE)
    refused(lambda: auth.throttle.count_registration(at("192.0.2.99")))
    desk.lift(Whose(), HOUR)
    auth.throttle.count_registration(at("192.0.2.99"))


def test_no_limit_is_no_limit(db: DB) -> None:
    """What is switched off counts nothing."""
    auth = limited(db, DEFAULTS._replace(
        password_address=None, password_identifier=None, failures=None))
    assert outcomes(auth, 60, password="a guess") == REFUSED
    assert count(db, "attempts") == count(db, "failures") == 0


def test_no_row_names_anybody(auth: Auth, bob: User) -> None:
    """R082: keys are digests, and not those of another secret key."""
    outcomes(auth, 1, password="a guess")
    rows = [line for line in everything(auth.db).splitlines()
            if line.startswith("attempts ")]
    assert rows and EMAIL not in str(rows) and "192.0.2.7" not in str(rows)
    limited(auth.db, key="another key").throttle.begin(EMAIL, None, HERE)
    assert count(auth.db, "attempts") == 2 * len(rows)
