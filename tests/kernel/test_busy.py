#!/usr/bin/env python3
"""Where there is no room for hashing: nothing is judged, nothing counted.

Either that is seen before anything is done, or somebody has waited in vain,
and what was counted beforehand is given back.
"""

import threading
import time
from datetime import timedelta
from functools import partial
from typing import Any, Callable, Dict, Iterator, List

import bcrypt
import pytest

from tests.support.builders import (
    EMAIL, HASH, PASSWORD, all_but_tries, count, everything, make_newcomer,
    make_user, overheard, store_hash)
from tests.support.gate import eventually
from tests.support.hash_work import Work
from tests.support.limited import (
    HERE, IN, REFUSED, THROTTLED, at, outcome, outcomes)
from tests.support.recovery import (
    delivered, fresh, mailed_in, make_verification)
from tests.support.rush import PLACES, full, pooled, too_slow
from vestibule.base.errors import (
    Busy, Forbidden, InvalidToken, Throttled)
from vestibule.base.limits import (
    DEFAULTS, UNLIMITED, Budget, Limits)
from vestibule.kernel.auth import Auth
from vestibule.kernel.hashing import Asker
from vestibule.kernel.one_time_tokens import Mailed, TypedCode
from vestibule.kernel.passwords import Passwords
from vestibule.kernel.sign_in import SignIn
from vestibule.kernel.users import Users
from vestibule.kernel.verification import Claim
from vestibule.store.db import DB, User

NEW = "a new horse battery"
NOBODY = "nobody@example.com"
BUDGET = 10
MANY = 3 * BUDGET


@pytest.fixture
def auth(db: DB) -> Iterator[Auth]:
    """Return an API within the limits of a service, with its pool."""
    made = pooled(db)
    yield made
    made.passwords.hashing.stop()


@pytest.fixture
def mailed(auth: Auth) -> Mailed:
    """Return what Bob was mailed when he registered."""
    make_newcomer(auth)
    return mailed_in(delivered(auth)[-1])


def busy(action: Callable[[], Any]) -> Busy:
    """Do something for which there is no room; return the refusal."""
    with pytest.raises(Busy) as refused:
        action()
    return refused.value


def sign_in(auth: Auth, email: str = EMAIL, password: str = PASSWORD,
            origin: Any = HERE) -> Any:
    """Sign in over HTTP."""
    return SignIn(auth.db, auth).with_password(email, password, origin)


def reset_code(auth: Auth) -> Mailed:
    """Return what Bob was mailed to reset his password with."""
    auth.request_reset(EMAIL)
    return mailed_in(delivered(auth)[-1])


def test_a_full_line_refuses_before_anything_is_done(
        auth: Auth, bob: User, monkeypatch: pytest.MonkeyPatch) -> None:
    """R125: no hash, no row, at most a look at who it is."""
    code = reset_code(auth)
    found = auth.sessions.resume(auth.create_session(EMAIL))
    doings: Dict[str, Any] = {
        "login": lambda: sign_in(auth),
        "registration": lambda: auth.register_user(
            "new@example.com", PASSWORD, HERE),
        "reset": lambda: auth.recover(code.secret, NEW, origin=HERE),
        "reset by code": lambda: auth.recover(
            TypedCode(EMAIL, code.code, HERE), NEW, EMAIL, HERE),
        "change": lambda: auth.password_change.by_current(
            found, PASSWORD, NEW, HERE),
        "reauthentication": lambda: SignIn(auth.db, auth).reauthenticate(
            found, PASSWORD, HERE)}
    before = everything(auth.db)
    work = Work(monkeypatch)
    with full(auth), overheard(auth.db.engine) as statements:
        for doing in doings.values():
            busy(doing)
    assert work.units == []
    assert not [each for each in statements if not each.lstrip().startswith(
        ("SELECT", "BEGIN"))]
    with full(auth), overheard(auth.db.engine) as statements:
        for name in ("login", "registration", "reset", "reset by code"):
            busy(doings[name])
    assert statements == []
    assert everything(auth.db) == before


def test_a_full_line_tells_nobody_apart(auth: Auth, bob: User) -> None:
    """R082: known, unknown and disabled queue alike, and look alike."""
    Users(auth.db, auth).disable(make_user(auth, "eve@example.com"))
    store_hash(auth.db, make_user(auth, "cheap@example.com"), HASH)
    told, seen = set(), set()
    for taken in (4, 5, PLACES):
        for email in (EMAIL, NOBODY, "eve@example.com", "cheap@example.com"):
            for password in (PASSWORD, "wrong"):
                with full(auth, taken), overheard(
                        auth.db.engine) as statements:
                    refusal = busy(partial(
                        sign_in, auth, email, password))
                told.add((taken, refusal.code, refusal.message,
                          refusal.retry_after, refusal.rule))
                seen.add(tuple(statements))
    assert len(told) == 3 and len(seen) == 1


def test_a_known_device_has_room_among_strangers(
        auth: Auth, bob: User) -> None:
    """R077: a flood of strangers does not keep people out."""
    device = sign_in(auth).device
    ranks: List[Asker] = []
    hashing = auth.passwords.hashing
    setattr(hashing, "require_room", ranks.append)
    sign_in(auth, origin=at("192.0.2.7", device))
    sign_in(auth, origin=at("192.0.2.7", device + "0"))
    assert outcome(
        auth, NOBODY, origin=at("192.0.2.7", device)) == REFUSED
    found = auth.sessions.resume(auth.create_session(EMAIL))
    SignIn(auth.db, auth).reauthenticate(
        found, PASSWORD, HERE._replace(session_id=found.id))
    auth.register_user("new@example.com", PASSWORD, at("192.0.2.7", device))
    # Each login asks twice: at first its device is taken at its word.
    assert [asker.known for asker in ranks] == [
        True, True, True, False, True, False, True, True, False]
    delattr(hashing, "require_room")
    with full(auth, 4):
        busy(lambda: sign_in(auth))
        hashing.require_room(ranks[1])


def test_in_a_flood_each_hash_lets_somebody_in(
        auth: Auth, bob: User, monkeypatch: pytest.MonkeyPatch) -> None:
    """R129: none is computed for who is refused, however many come.

    So as many get in a second as when nobody is refused, but for what the
    refusals cost.
    """
    auth.throttle.limits = UNLIMITED
    work = Work(monkeypatch)
    came, let_in = 3 * PLACES, 5
    refused: List[Busy] = []

    def log_in() -> None:
        """Sign in some times; whoever is refused comes again."""
        done = 0
        while done < let_in:
            try:
                sign_in(auth)
                done += 1
            except Busy as busy_now:
                refused.append(busy_now)
                time.sleep(0.001)

    threads = [threading.Thread(target=log_in) for _ in range(came)]
    with full(auth):
        for thread in threads:
            thread.start()
        eventually(lambda: len(refused) > came)
    for thread in threads:
        thread.join()
    assert len(work.units) == came * let_in


@pytest.mark.parametrize("email", [EMAIL, NOBODY])
def test_who_waited_in_vain_has_tried_nothing(
        auth: Auth, bob: User, email: str) -> None:
    """R125, R077: no try is lost by it, right or wrong, and none is won."""
    for _ in range(3):
        assert outcome(auth, email, "wrong") == REFUSED
    with too_slow(auth):
        for number in range(MANY):
            busy(partial(sign_in, auth, email,
                         PASSWORD if number % 2 else "wrong"))
    for _ in range(BUDGET - 3):
        assert outcome(auth, email, "wrong") == REFUSED
    assert outcome(auth, email) == THROTTLED


def test_failures_in_a_row_are_those_that_were_judged(db: DB) -> None:
    """R075: waiting in vain brings nobody nearer to the end of them."""
    most = 10
    auth = pooled(db, Limits(failures=most))
    make_user(auth)
    with too_slow(auth):
        for _ in range(MANY):
            busy(lambda: sign_in(auth, password="wrong"))
    for _ in range(most - 1):
        assert outcome(auth, password="wrong") == REFUSED
    assert outcome(auth) == IN
    auth.passwords.hashing.stop()


def test_an_address_that_waited_in_vain_has_its_tries(
        auth: Auth, bob: User) -> None:
    """R076: an office in a rush is not shut out afterwards."""
    auth.throttle.limits = DEFAULTS._replace(
        password_address=Budget(2, timedelta(minutes=15)))
    with too_slow(auth):
        for number in range(MANY):
            busy(partial(sign_in, auth, f"user{number}@example.com"))
    assert outcomes(auth, 2, email=NOBODY, password="wrong") == REFUSED
    assert outcome(auth, "other@example.com") == THROTTLED


def test_a_registration_in_vain_is_not_counted(auth: Auth) -> None:
    """R008, R125: neither of the address nor of all together."""
    with too_slow(auth):
        for _ in range(MANY):
            busy(lambda: auth.register_user(EMAIL, PASSWORD, HERE))
    for number in range(20):
        auth.throttle.count_registration(HERE)
    with pytest.raises(Throttled):
        auth.register_user(EMAIL, PASSWORD, HERE)
    assert count(auth.db, "users") == 0
    auth.register_user(EMAIL, PASSWORD, at("198.51.100.1"))


def test_a_letter_stays_good_for_who_waited_in_vain(
        auth: Auth, bob: User) -> None:
    """R125: by its link and by its code, as often as it takes."""
    mailed = reset_code(auth)
    code = TypedCode(EMAIL, mailed.code, HERE)
    with too_slow(auth):
        for _ in range(MANY + 1):
            busy(lambda: auth.recover(mailed.secret, NEW, origin=HERE))
        for _ in range(BUDGET - 1):
            busy(lambda: auth.recover(code, NEW, EMAIL, HERE))
    assert auth.valid_login(EMAIL, PASSWORD)
    auth.recover(code, NEW, EMAIL, HERE)
    assert auth.valid_login(EMAIL, NEW)


def test_a_guess_at_a_letter_is_told_nothing_by_the_line(
        auth: Auth, bob: User) -> None:
    """R053: a wrong token is wrong before anybody asks for a place."""
    with too_slow(auth):
        for _ in range(30):
            with pytest.raises(InvalidToken):
                auth.recover("A" * 43, NEW, origin=HERE)
        with pytest.raises(Throttled):
            auth.recover("A" * 43, NEW, origin=HERE)


def test_a_password_for_a_letter_keeps_its_tries(
        auth: Auth, mailed: Mailed) -> None:
    """R055: those in vain give no more than there were, and take none."""
    verification = make_verification(auth)

    def confirm(password: str) -> Any:
        """Confirm the address by the password of the registration."""
        return verification.confirm(
            mailed.secret, Claim(password=password), HERE)

    for _ in range(2):
        with pytest.raises(Forbidden):
            confirm("wrong")
    with too_slow(auth):
        for _ in range(BUDGET):
            busy(lambda: confirm("wrong"))
    with full(auth):
        for _ in range(BUDGET):
            busy(lambda: confirm("wrong"))
    for _ in range(3):
        with pytest.raises(Forbidden):
            confirm("wrong")
    with pytest.raises(Throttled):
        confirm(PASSWORD)


def test_who_makes_an_account_theirs_can_wait(
        auth: Auth, mailed: Mailed) -> None:
    """R125: the letter is as good as before."""
    verification = make_verification(auth)
    claim = Claim(new_password=NEW)
    before = all_but_tries(auth.db)
    with too_slow(auth):
        busy(lambda: verification.confirm(mailed.secret, claim, HERE))
    assert all_but_tries(auth.db) == before
    verification.confirm(mailed.secret, claim, HERE)
    assert auth.valid_login(EMAIL, NEW)


def test_a_login_does_not_wait_for_a_better_hash(db: DB) -> None:
    """R016, R125: it is made at the next login that finds room."""
    make_user(Auth(db, Passwords(4)))
    auth = pooled(db, cost=5)
    passwords = auth.passwords
    anew = passwords.hash_anew

    def refused(*arguments: Any) -> bytes:
        """Find no room, as the line is full by now."""
        with full(auth):
            return anew(*arguments)

    setattr(passwords, "hash_anew", refused)
    assert outcome(auth) == IN
    assert str(fresh(db, db.find_user_by(email=EMAIL)).hashed_password
               ).startswith("$2b$04$")
    delattr(passwords, "hash_anew")
    assert outcome(auth) == IN
    assert str(db.find_user_by(email=EMAIL).hashed_password
               ).startswith("$2b$05$")
    auth.passwords.hashing.stop()


def test_who_has_left_costs_no_hash_and_no_try(
        auth: Auth, bob: User, monkeypatch: pytest.MonkeyPatch) -> None:
    """R125: nobody is there to hear whether it was right."""
    work = Work(monkeypatch)
    gone = HERE._replace(has_left=lambda: True)
    for _ in range(MANY):
        busy(lambda: sign_in(auth, origin=gone))
    busy(lambda: auth.register_user("new@example.com", PASSWORD, gone))
    assert work.units == []
    assert outcomes(auth, BUDGET, password="wrong") == REFUSED
    assert outcome(auth) == THROTTLED


@pytest.mark.parametrize("limit, email", [
    ("password_address", EMAIL), ("password_address", NOBODY),
    ("register_address", "new@example.com")])
def test_who_comes_and_goes_uses_up_the_address(
        db: DB, limit: str, email: str) -> None:
    """R075: each time costs writes, and nothing else would bound them."""
    budget: Dict[str, Any] = {limit: Budget(BUDGET, timedelta(hours=1))}
    auth = pooled(db, UNLIMITED._replace(**budget))
    make_user(auth)
    gone = HERE._replace(has_left=lambda: True)
    act: Callable[..., Any] = partial(sign_in, auth)
    if limit == "register_address":
        act = auth.register_user
    for _ in range(BUDGET):
        busy(lambda: act(email, PASSWORD, origin=gone))
    with pytest.raises(Throttled):
        act(email, PASSWORD, origin=HERE)
    auth.passwords.hashing.stop()


def test_nothing_of_the_database_is_held_while_hashing(
        auth: Auth, mailed: Mailed,
        monkeypatch: pytest.MonkeyPatch) -> None:
    """R126: no connection and no transaction, whatever is hashed for."""
    held: List[int] = []
    for name in ("hashpw", "checkpw"):
        hash_one = getattr(bcrypt, name)

        def look(*arguments: Any, hash_one: Any = hash_one) -> Any:
            """Look at the connections in use, then hash."""
            held.append(auth.db.engine.pool.checkedout())
            return hash_one(*arguments)

        monkeypatch.setattr(bcrypt, name, look)
    hash_for_everything(auth, mailed)
    assert len(held) >= 12 and set(held) == {0}


def hash_for_everything(auth: Auth, mailed: Mailed) -> None:
    """Do each thing for which something is hashed."""
    make_verification(auth).confirm(
        mailed.secret, Claim(password=PASSWORD), HERE)
    store_hash(auth.db, auth.db.find_user_by(email=EMAIL),
               auth.passwords.hash(PASSWORD).decode())
    assert outcome(auth) == IN
    dearer = Auth(auth.db, Passwords(5, hashing=auth.passwords.hashing))
    assert outcome(dearer) == IN
    for email in (EMAIL, NOBODY):
        assert outcome(auth, email, "wrong") == REFUSED
    auth.recover(reset_code(auth).secret, PASSWORD, origin=HERE)
    found = auth.sessions.resume(auth.create_session(EMAIL))
    auth.password_change.by_current(found, PASSWORD, NEW, HERE)
    found = auth.sessions.resume(auth.create_session(EMAIL))
    SignIn(auth.db, auth).reauthenticate(found, NEW, HERE)
    newcomer = make_newcomer(auth, "new@example.com", HERE)
    letter = mailed_in(delivered(auth)[-1])
    make_verification(auth).confirm(
        letter.secret, Claim(new_password=NEW), HERE)
    assert auth.valid_login(newcomer.email, NEW)
