#!/usr/bin/env python3
"""A hundred wrong passwords in a row, and the ways out of that."""

import re
from typing import Callable, List

import pytest

from tests.support.builders import (
    EMAIL, PASSWORD, count, erase, make_user)
from tests.support.hash_work import Work
from tests.support.limited import (
    HERE, IN, REFUSED, THROTTLED, at, limited, limited_processes, outcome,
    outcomes)
from tests.support.recovery import events_of
from vestibule.base.errors import Forbidden, Throttled, Unavailable
from vestibule.base.limits import DEFAULTS, QUARTER, Budget
from vestibule.base.origin import Origin
from vestibule.kernel.auth import Auth
from vestibule.kernel.throttle_desk import ThrottleDesk, Whose
from vestibule.store.db import DB, User
from vestibule.store.failure import FailureStore
from vestibule.store.session import FoundSession

WIDE = Budget(1000000, QUARTER)
MOST = 12
FEW = DEFAULTS._replace(
    password_address=WIDE, password_identifier=WIDE, password_device=WIDE,
    failures=MOST)
STRANGER = "nobody@example.com"
NEW_PASSWORD = "a new horse battery"


@pytest.fixture
def auth(db: DB) -> Auth:
    """Return an API that takes few failures, and any number of tries."""
    return limited(db, FEW)


@pytest.fixture(name="device")
def fixture_device(auth: Auth, bob: User) -> Origin:
    """Return where Bob has signed in before."""
    return at("198.51.100.9", auth.throttle.devices.remember(None, bob.id))


def shut(auth: Auth, tries: int = MOST) -> None:
    """Let strangers fail until no password of theirs is taken."""
    assert outcomes(auth, tries, password="a guess") == REFUSED
    assert outcome(auth) == REFUSED


def reset(auth: Auth, user: User) -> None:
    """Choose a new password by a letter, and the old one again."""
    auth.update_password(auth.get_reset_password_token(EMAIL), PASSWORD)


def pardon(auth: Auth, user: User) -> None:
    """Let an operator forget it."""
    desk = ThrottleDesk(auth.db, auth.throttle, auth.audit)
    desk.forget(Whose(identifier=EMAIL, user_id=user.id))


def sign_in_where_known(auth: Auth, user: User) -> None:
    """Sign in on a known device."""
    known = at(None, auth.throttle.devices.remember(None, user.id))
    assert outcome(auth, origin=known) == IN


def refusals(db: DB, user: User) -> List[str]:
    """Return why somebody was refused, in order."""
    return [(each.detail or {})["reason"] for each in events_of(db, user)
            if each.what == "login.refused"]


def test_a_hundred_is_what_everybody_has(db: DB) -> None:
    """R072: and after it the right password is refused as any other."""
    auth = limited(db, FEW._replace(failures=DEFAULTS.failures))
    make_user(auth)
    assert outcomes(auth, 99, password="a guess") == REFUSED
    assert outcome(auth) == IN
    shut(auth, 100)


def test_the_refusal_is_the_ordinary_one(
        auth: Auth, bob: User, monkeypatch: pytest.MonkeyPatch) -> None:
    """R072, R083: at the cost of one hash, as for nobody; events tell."""
    work = Work(monkeypatch)
    ordinary = work.of(lambda: outcome(auth, password="a guess"))
    assert outcomes(auth, MOST, email=STRANGER) == REFUSED
    shut(auth, MOST - 1)
    for email in (EMAIL, STRANGER):
        for password in (PASSWORD, "a guess"):
            assert work.of(
                lambda: outcome(auth, email, password)) == ordinary
            assert outcome(auth, email, password) == REFUSED
    reasons = refusals(auth.db, bob)
    assert reasons[:MOST] == ["wrong_password"] * MOST
    assert set(reasons[MOST:]) == {"too_many_failures"}


@pytest.mark.parametrize("way_out", [reset, pardon, sign_in_where_known])
def test_there_are_ways_out(auth: Auth, bob: User,
                            way_out: Callable[[Auth, User], None]) -> None:
    """R072, R077: a letter, an operator, and a known device."""
    shut(auth)
    way_out(auth, bob)
    assert outcome(auth) == IN


def test_a_try_that_was_not_let_gives_no_failure_back(
        auth: Auth, bob: User, monkeypatch: pytest.MonkeyPatch) -> None:
    """R072: it was not counted, since there was no room for it."""
    shut(auth)

    def unsound() -> None:
        """Say that the pepper is not the right one."""
        raise Unavailable()

    with monkeypatch.context() as patch:
        patch.setattr(auth.passwords.peppers, "require_sound", unsound)
        with pytest.raises(Unavailable):
            auth.authenticate(EMAIL, PASSWORD, HERE)
    assert outcome(auth) == REFUSED


def test_a_known_device_has_failures_of_its_own(
        auth: Auth, bob: User, device: Origin) -> None:
    """R077: strangers do not shut it, and it does not shut strangers."""
    shut(auth)
    assert outcome(auth, origin=device) == IN
    assert outcomes(auth, MOST, password="x", origin=device) == REFUSED
    assert outcome(auth, origin=device) == REFUSED
    assert outcome(auth) == IN
    assert outcome(auth, origin=device) == REFUSED
    reset(auth, bob)
    assert outcome(auth, origin=device) == IN


def test_wrong_current_passwords_shut_nobody_out(db: DB) -> None:
    """R066: a thief with a session's cookie has its budget, and no more."""
    auth = limited(db)
    bob = make_user(auth)
    found = auth.sessions.resume(auth.create_session(EMAIL))
    thief = at("203.0.113.1", session_id=found.id)
    said = [tried(auth, found, thief) for _ in range(200)]
    assert said == ["Forbidden"] * 10 + ["Throttled"] * 190
    assert outcome(auth, origin=thief) == THROTTLED
    assert outcomes(auth, 9, password="x", origin=HERE) == REFUSED
    known = at(None, auth.throttle.devices.remember(None, bob.id))
    assert outcome(auth) == outcome(auth, origin=known) == IN


def tried(auth: Auth, found: FoundSession, origin: Origin) -> str:
    """Try a wrong current password; return the name of the refusal."""
    try:
        auth.password_change.by_current(
            found, "a guess", NEW_PASSWORD, origin)
    except (Forbidden, Throttled) as refusal:
        return type(refusal).__name__
    return "changed"


def test_failures_at_once_are_counted_exactly(database_url: str) -> None:
    """R072: of all that come at once no more are judged than there may be.
    """
    db = DB(database_url)
    bob = make_user(limited(db))
    db.close()
    with limited_processes(database_url, [guess] * 4, FEW) as people:
        assert {each.value for each in people.run()} == {REFUSED}
    db = DB(database_url)
    assert sorted(refusals(db, bob)) == (
        ["too_many_failures"] * (40 - MOST) + ["wrong_password"] * MOST)
    db.close()


def guess(auth: Auth, given: object) -> str:
    """Try ten wrong passwords."""
    return outcomes(auth, 10, password="a guess")


def test_nothing_is_left_of_who_is_erased(
        auth: Auth, bob: User, device: Origin) -> None:
    """R082: no row of failures stays behind."""
    outcomes(auth, 2, password="x")
    outcomes(auth, 2, password="x", origin=device)
    assert count(auth.db, "failures") == 2
    erase(auth, bob)
    assert count(auth.db, "failures") == 0


def test_failures_of_nobody_are_bounded(auth: Auth) -> None:
    """R082: they fall into slots, and name nobody."""
    outcomes(auth, MOST + 3, email=STRANGER)
    assert count(auth.db, "failures") == 1
    holder = auth.throttle.keys.holder(STRANGER, None)
    assert re.fullmatch("nobody [0-9a-f]{5}", holder.name)
    assert FailureStore(auth.db).of_user(holder.name)
    make_user(auth, STRANGER)
    assert outcome(auth, STRANGER) == IN
