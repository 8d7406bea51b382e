#!/usr/bin/env python3
"""Races of logins, resets, revocations and session checks.

What must never be: a session that lives although its password, its user or
itself was ended before. Real processes on both databases, and where a race
is too narrow to be hit, two threads that are held at the very point.
"""

import random
import threading
import time
from functools import partial
from typing import Any, Callable, List, NamedTuple

import pytest

from tests.support.builders import (
    EMAIL, PASSWORD, count, make_deletion, make_user, run_sql)
from tests.support.clock import SetClock
from tests.support.processes import errors_of, racers
from tests.support.recovering import course, hesitate
from vestibule.base.errors import InvalidCredentials, SessionRequired
from vestibule.base.origin import LIBRARY
from vestibule.kernel.auth import Auth
from vestibule.kernel.erasure import Erasure
from vestibule.kernel.passwords import Passwords
from vestibule.kernel.profiles import Profiles
from vestibule.kernel.sessions import MOST_SESSIONS
from vestibule.kernel.sign_in import SignIn
from vestibule.kernel.users import Users
from vestibule.store.db import DB, User

ROUNDS = 20
LOGINS = 4
RESUMES = 12
HOLD_SECONDS = 0.2
ANOTHER = "another password"


class Keys(NamedTuple):
    """What a round gives to whoever changes the password."""

    reset_token: str
    session_token: str


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


def reset(auth: Auth, given: Keys) -> None:
    """Set another password in the midst of the logins."""
    hesitate()
    auth.update_password(given.reset_token, ANOTHER)


def change_password(auth: Auth, given: Keys) -> None:
    """Change the password from a session, and end that one, too."""
    hesitate()
    found = auth.sessions.resume(given.session_token)
    renewed = auth.password_change.by_current(found, PASSWORD, ANOTHER)
    auth.sessions.revoke_presented(renewed)


def disable(auth: Auth, given: Keys) -> None:
    """Disable the user in the midst of the logins."""
    hesitate()
    users = Users(auth.db, auth)
    users.disable(users.find(EMAIL))


def delete(auth: Auth, given: Keys) -> None:
    """Delete the user in the midst of the logins."""
    hesitate()
    Erasure(auth.db, auth).erase_now(Users(auth.db, auth).find(EMAIL))


def announce(auth: Auth, given: Keys) -> None:
    """Announce the user's deletion in the midst of the logins."""
    hesitate()
    make_deletion(auth).by_operator(auth.db.find_user_by(email=EMAIL))


@pytest.mark.parametrize("shut_out", [
    reset, change_password, disable, delete, announce])
def test_no_session_survives_what_shuts_its_user_out(
        database_url: str, shut_out: Any) -> None:
    """R105, R015, R034, R038: a login is before the change and ended by it,
    or after it and refused; no session is born of what holds no more.
    """
    with course(database_url, [log_in] * LOGINS + [shut_out]) as (
            people, auth):
        for _ in range(ROUNDS):
            run_sql(auth.db, "DELETE FROM users")
            make_user(auth)
            outcomes = people.run(Keys(
                auth.get_reset_password_token(EMAIL),
                str(auth.create_session(EMAIL))))
            assert errors_of(outcomes) == [], outcomes
            tokens: List[str] = sum(
                (each.value for each in outcomes[:-1]), [])
            assert [auth.get_user_from_session_id(token)
                    for token in tokens] == [None] * len(tokens)
            assert count(auth.db, "sessions") == 0


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
        finally:
            auth.sessions.last_seen.flush()
    return RESUMES


def resume_and_touch_later(auth: Auth, given: str) -> int:
    """Do the same as a service does, which writes later."""
    auth.sessions.last_seen.defer()
    return resume_and_touch(auth, given)


def destroy(auth: Auth, given: str) -> int:
    """End every session of the user in the midst of the checks."""
    time.sleep(random.random() / 50)
    auth.destroy_session(auth.db.find_user_by(email=EMAIL).id)
    return _is_live(auth, given)


def log_out(auth: Auth, given: str) -> int:
    """End the one session in the midst of the checks."""
    time.sleep(random.random() / 50)
    auth.sessions.revoke_presented(given)
    return _is_live(auth, given)


def _is_live(auth: Auth, given: str) -> int:
    """Return 1 for a session that is there yet, else 0."""
    try:
        auth.sessions.resume(given)
    except SessionRequired:
        return 0
    return 1


@pytest.mark.parametrize("end", [destroy, log_out])
def test_no_touch_brings_a_session_back(
        database_url: str, clock: SetClock, end: Any) -> None:
    """R106, R031, R039: once it was ended, no check that is under way
    revives it, and no process takes it for live any more.

    The clock is set on by a minute before each check, so that each writes.
    """
    actions = [resume_and_touch, resume_and_touch_later] * 2 + [end]
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
            again = people.run(token)
            assert [each.value for each in again] == [0] * len(actions)
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
    with course(database_url, [log_in_with] * 4) as (people, auth):
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


def start(auth: Auth, given: Any) -> str:
    """Start a session without a proof, which is faster."""
    return str(auth.create_session(EMAIL))


def test_parallel_logins_never_exceed_the_cap(database_url: str) -> None:
    """R037: thirty at once, on top of almost as many as are allowed."""
    with course(database_url, [start] * 30) as (people, auth):
        user = make_user(auth)
        for _ in range(4):
            assert errors_of(people.run()) == []
            assert len(auth.sessions.live(user.id)) <= MOST_SESSIONS
        assert len(auth.sessions.live(user.id)) == MOST_SESSIONS


def rename(number: int, auth: Auth, given: User) -> None:
    """Change the profile from the version that the round gave."""
    Profiles(auth.db, auth.audit).change(
        given.id, {"name": f"Bob {number}"}, {given.version})


def test_of_two_changes_from_one_version_one_wins(
        database_url: str) -> None:
    """R071: the other is told, and nothing of it is kept."""
    actions = [partial(rename, number) for number in range(2)]
    with course(database_url, actions) as (people, auth):
        make_user(auth)
        for _ in range(ROUNDS):
            user = auth.db.find_user_by(email=EMAIL)
            outcomes = people.run(user)
            assert errors_of(outcomes) == ["PreconditionFailed"]
            winner = [each.error for each in outcomes].index("")
            changed = auth.db.find_user_by(email=EMAIL)
            assert changed.name == f"Bob {winner}"
            assert changed.version == user.version + 1


def renew(auth: Auth, given: str) -> str:
    """Give the session another secret."""
    found = auth.sessions.resume(given)
    user = auth.db.find_user_by(id=found.user_id)
    return auth.sessions.renew(found, user)


def test_two_reauthentications_of_one_session_have_one_winner(
        database_url: str) -> None:
    """R035: the secret changes once; the other finds its own outdated."""
    with course(database_url, [renew] * 4) as (people, auth):
        make_user(auth)
        for _ in range(ROUNDS):
            outcomes = people.run(auth.create_session(EMAIL))
            assert errors_of(outcomes) == ["SessionRequired"] * 3


def change_own(auth: Auth, given: str) -> None:
    """Change the password from a session that others use, too."""
    found = auth.sessions.resume(given)
    auth.password_change.by_current(found, PASSWORD, ANOTHER)


def test_of_two_changes_of_password_at_once_one_is_refused(
        database_url: str) -> None:
    """R035, R066: with what a wrong password gets, or as signed out."""
    with course(database_url, [change_own] * 2) as (people, auth):
        for _ in range(ROUNDS):
            run_sql(auth.db, "DELETE FROM users")
            user = make_user(auth)
            [error] = errors_of(people.run(auth.create_session(EMAIL)))
            assert error in ("Forbidden", "SessionRequired")
            assert len(auth.sessions.live(user.id)) == 1


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


SHUT_OUTS = pytest.mark.parametrize("shut_out", [
    lambda auth, user: auth.update_password(
        auth.get_reset_password_token(EMAIL), ANOTHER),
    lambda auth, user: Users(auth.db, auth).disable(user),
    lambda auth, user: Erasure(auth.db, auth).erase_now(user),
    lambda auth, user: make_deletion(auth).by_operator(user)])


@SHUT_OUTS
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


@SHUT_OUTS
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
