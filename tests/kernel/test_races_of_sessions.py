#!/usr/bin/env python3
"""Races of logins, resets, revocations and session checks.

What must never be: a session that lives although its password, its user or
itself was ended before. Real processes on both databases, and where a race
is too narrow to be hit, two threads that are held at the very point.
"""

import random
import threading
import time
from typing import Any, Callable, List

import pytest

from tests.support.builders import (
    EMAIL, PASSWORD, count, make_deletion, make_user, run_sql)
from tests.support.clock import SetClock
from tests.support.processes import errors_of, racers
from vestibule.base.errors import InvalidCredentials, SessionRequired
from vestibule.base.origin import LIBRARY
from vestibule.kernel.auth import Auth
from vestibule.kernel.erasure import Erasure
from vestibule.kernel.passwords import Passwords
from vestibule.kernel.sign_in import SignIn
from vestibule.kernel.users import Users
from vestibule.store.db import DB, User

ROUNDS = 20
LOGINS = 6
RESUMES = 12
HOLD_SECONDS = 0.2


def log_in(auth: Auth, given: Any) -> List[str]:
    """Log in by the old password until it is refused; return the tokens."""
    tokens = []
    for _ in range(4):
        try:
            user = auth.authenticate(EMAIL, PASSWORD)
            tokens.append(auth.sessions.start(user, ("pwd",)))
        except InvalidCredentials:
            break
    return tokens


def reset(auth: Auth, given: str) -> None:
    """Set another password in the midst of the logins."""
    time.sleep(random.random() / 100)
    auth.update_password(given, "another password")


def disable(auth: Auth, given: str) -> None:
    """Disable the user in the midst of the logins."""
    time.sleep(random.random() / 100)
    users = Users(auth.db, auth)
    users.disable(users.find(EMAIL))


def delete(auth: Auth, given: str) -> None:
    """Delete the user in the midst of the logins."""
    time.sleep(random.random() / 100)
    Erasure(auth.db, auth).erase_now(Users(auth.db, auth).find(EMAIL))


def announce(auth: Auth, given: str) -> None:
    """Announce the user's deletion in the midst of the logins."""
    time.sleep(random.random() / 100)
    make_deletion(auth).by_operator(auth.db.find_user_by(email=EMAIL))


@pytest.mark.parametrize("shut_out, rounds", [
    (reset, ROUNDS), (disable, ROUNDS // 2), (delete, ROUNDS // 2),
    (announce, ROUNDS // 2)])
def test_no_session_survives_what_shuts_its_user_out(
        database_url: str, shut_out: Any, rounds: int) -> None:
    """R105, R015, R034: a login is before the change and ended by it, or
    after it and refused; no session is born of what holds no more.
    """
    actions = [log_in] * LOGINS + [shut_out]
    with racers(database_url, actions) as people:
        db = DB(database_url)
        auth = Auth(db, Passwords(4))
        for _ in range(rounds):
            run_sql(db, "DELETE FROM users")
            make_user(auth)
            outcomes = people.run(auth.get_reset_password_token(EMAIL))
            assert errors_of(outcomes) == [], outcomes
            tokens: List[str] = sum(
                (each.value for each in outcomes[:-1]), [])
            assert [auth.get_user_from_session_id(token)
                    for token in tokens] == [None] * len(tokens)
            assert count(db, "sessions") == 0
        db.close()


def resume_and_touch(auth: Auth, given: str) -> int:
    """Check a session again and again, each time so that it is touched."""
    clock: Any = auth.db.clock
    for number in range(RESUMES):
        clock.advance(seconds=61)
        try:
            auth.sessions.resume(given)
        except SessionRequired as refusal:
            assert refusal.ended
            return number
    return RESUMES


def destroy(auth: Auth, given: str) -> int:
    """End every session of the user in the midst of the checks."""
    time.sleep(random.random() / 50)
    auth.destroy_session(auth.db.find_user_by(email=EMAIL).id)
    try:
        auth.sessions.resume(given)
    except SessionRequired:
        return 0
    return 1


def test_no_touch_brings_a_session_back(
        database_url: str, clock: SetClock) -> None:
    """R106, R039: once it was ended, no check that is under way revives it.

    The clock is set on by a minute before each check, so that each writes.
    """
    actions = [resume_and_touch] * 3 + [destroy]
    with racers(database_url, actions, clock) as people:
        db = DB(database_url, clock)
        auth = Auth(db, Passwords(4))
        make_user(auth)
        for _ in range(ROUNDS):
            token = auth.create_session(EMAIL)
            clock.advance(seconds=61 * RESUMES)
            outcomes = people.run(token)
            assert errors_of(outcomes) == [], outcomes
            assert outcomes[-1].value == 0
            assert auth.get_user_from_session_id(token) is None
            assert count(db, "sessions") == 0
        db.close()


def log_in_with(auth: Auth, given: str) -> str:
    """Log in, presenting the session of this round."""
    return SignIn(auth.db, auth).with_password(
        EMAIL, PASSWORD, LIBRARY, given).session_token


def test_logins_that_present_one_session_end_it_together(
        database_url: str) -> None:
    """R010, R106: each gets a session of its own, and none is refused."""
    with racers(database_url, [log_in_with] * 4) as people:
        db = DB(database_url)
        auth = Auth(db, Passwords(4))
        user = make_user(auth)
        for _ in range(ROUNDS // 2):
            presented = auth.create_session(EMAIL)
            outcomes = people.run(presented)
            assert errors_of(outcomes) == [], outcomes
            tokens = {each.value for each in outcomes}
            assert len(tokens) == 4
            assert auth.get_user_from_session_id(presented) is None
            stored = {each.id for each in auth.sessions.live(user.id)}
            assert stored == {token[:36] for token in tokens}
            auth.destroy_session(user.id)
        db.close()


class Held:
    """A transaction in a thread of its own, held for a while at its end.

    By the time it commits, whoever has to wait for it does so.
    """

    def __init__(self, db: DB, action: Callable[[], Any]) -> None:
        """Do this in a transaction, and wait before it is committed."""
        self._db = db
        self._action = action
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> None:
        """Begin, and go on when all is done but the end."""
        self._thread.start()
        assert self._done.wait(5)

    def __exit__(self, *error: Any) -> None:
        """Wait until it has committed."""
        self._thread.join(5)
        assert not self._thread.is_alive()

    def _run(self) -> None:
        """Do the action and hold still, inside a transaction."""
        with self._db.transaction():
            self._action()
            self._done.set()
            time.sleep(HOLD_SECONDS)


@pytest.fixture
def bob(auth: Auth) -> User:
    """Return Bob, who is registered."""
    return make_user(auth)


@pytest.mark.parametrize("shut_out", [
    lambda auth, user: auth.update_password(
        auth.get_reset_password_token(EMAIL), "another password"),
    lambda auth, user: Users(auth.db, auth).disable(user),
    lambda auth, user: Erasure(auth.db, auth).erase_now(user),
    lambda auth, user: make_deletion(auth).by_operator(user)])
def test_a_login_waits_for_a_change_that_is_under_way(
        auth: Auth, bob: User, shut_out: Any) -> None:
    """R105, R015: the change has ended the sessions and is not committed.

    Who does not wait for the user's row reads the old one and starts a
    session that nobody ends.
    """
    proved = auth.authenticate(EMAIL, PASSWORD)
    with Held(auth.db, lambda: shut_out(auth, bob)):
        with pytest.raises(InvalidCredentials):
            auth.sessions.start(proved, ("pwd",))
    assert count(auth.db, "sessions") == 0


@pytest.mark.parametrize("shut_out", [
    lambda auth, user: auth.update_password(
        auth.get_reset_password_token(EMAIL), "another password"),
    lambda auth, user: Users(auth.db, auth).disable(user),
    lambda auth, user: Erasure(auth.db, auth).erase_now(user),
    lambda auth, user: make_deletion(auth).by_operator(user)])
def test_a_change_waits_for_a_login_that_is_under_way(
        auth: Auth, bob: User, shut_out: Any) -> None:
    """R105: and then it finds the session, and ends it."""
    proved = auth.authenticate(EMAIL, PASSWORD)
    with Held(auth.db, lambda: auth.sessions.start(proved, ("pwd",))):
        shut_out(auth, bob)
    assert count(auth.db, "sessions") == 0


def test_a_revocation_that_is_under_way_is_not_undone_by_a_touch(
        auth: Auth, bob: User, clock: SetClock) -> None:
    """R106: the check waits, and its UPDATE finds no row any more."""
    token = auth.sessions.start(bob, ("pwd",))
    clock.advance(minutes=2)
    with Held(auth.db, lambda: auth.destroy_session(bob.id)):
        auth.get_user_from_session_id(token)
    assert count(auth.db, "sessions") == 0
    assert auth.get_user_from_session_id(token) is None
