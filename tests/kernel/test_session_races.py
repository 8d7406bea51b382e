#!/usr/bin/env python3
"""Sessions under fire: real processes on one database, many rounds."""

from typing import Any, List

import pytest

from tests.support.builders import make_deletion
from tests.support.processes import CHEAPEST, Outcome, errors_of, racers
from vestibule.base.errors import SessionRequired
from vestibule.kernel.auth import Auth
from vestibule.kernel.erasure import Erasure
from vestibule.kernel.passwords import Passwords
from vestibule.kernel.profiles import Profiles
from vestibule.kernel.sessions import MOST_SESSIONS
from vestibule.kernel.users import Users
from vestibule.store.db import DB

ROUNDS = 20
STREAMS = 6
EMAIL = "bob{}@example.com"
OLD, NEW = "the old password", "the new password"


def _people(database_url: str, count: int) -> List[str]:
    """Register people with the old password; return their ids."""
    db = DB(database_url)
    hashed_password = Passwords(CHEAPEST).hash(OLD)
    ids = [db.add_user(EMAIL.format(each), hashed_password).id
           for each in range(count)]
    db.close()
    return ids


def _live(database_url: str, user_ids: List[str]) -> List[int]:
    """Return how many sessions each of these users has."""
    db = DB(database_url)
    sessions = Auth(db).sessions
    counts = [len(sessions.live(each)) for each in user_ids]
    db.close()
    return counts


def _log_in(auth: Auth, number: Any) -> str:
    """Log in with the old password and return the token."""
    user = auth.authenticate(EMAIL.format(number), OLD)
    return auth.sessions.start(user, ("pwd",))


def _start(auth: Auth, number: Any) -> str:
    """Start a session without a proof, which is faster."""
    return str(auth.create_session(EMAIL.format(number)))


def _change_password(auth: Auth, number: Any) -> None:
    """Change the password from a session of one's own."""
    token = _log_in(auth, number)
    found = auth.sessions.resume(token)
    changed = auth.password_change.by_current(found, OLD, NEW)
    auth.sessions.revoke_presented(changed)


def _disable(auth: Auth, number: Any) -> None:
    """Disable the user as an operator does."""
    users = Users(auth.db, auth)
    users.disable(users.find(EMAIL.format(number)))


def _delete(auth: Auth, number: Any) -> None:
    """Delete the user as an operator does."""
    user = Users(auth.db, auth).find(EMAIL.format(number))
    Erasure(auth.db, auth).erase_now(user)


def _announce(auth: Auth, number: Any) -> None:
    """Announce the user's deletion."""
    make_deletion(auth).by_operator(
        auth.db.find_user_by(email=EMAIL.format(number)))


def _use(auth: Auth, token: Any) -> int:
    """Check a session many times; return in how many it was live."""
    auth.sessions.last_seen.defer()
    live = 0
    for _ in range(20):
        try:
            auth.sessions.resume(token)
            live += 1
        except SessionRequired:
            pass
        auth.sessions.last_seen.flush()
    return live


def _log_out(auth: Auth, token: Any) -> None:
    """End the session that the others use."""
    auth.sessions.revoke_presented(token)


def _rename(auth: Auth, version: Any) -> str:
    """Change the profile from one version; return the new name."""
    user_id, number = version
    profiles = Profiles(auth.db, auth.audit)
    name = str(id(auth))
    profiles.change(user_id, {"name": name}, {number})
    return name


def test_no_login_outlives_a_change_of_password(database_url: str) -> None:
    """R105: of logins with the old password none leaves a session behind."""
    ids = _people(database_url, ROUNDS)
    actions = [_change_password] + [_log_in] * 3
    with racers(database_url, actions) as processes:
        for number in range(ROUNDS):
            outcomes = processes.run(number)
            assert outcomes[0].error == ""
            assert set(errors_of(outcomes)) <= {"InvalidCredentials"}
    assert _live(database_url, ids) == [0] * ROUNDS


def test_no_login_survives_being_disabled(database_url: str) -> None:
    """R015, R034: whichever comes first, no session is left."""
    ids = _people(database_url, ROUNDS)
    with racers(database_url, [_disable] + [_log_in] * 3) as processes:
        for number in range(ROUNDS):
            outcomes = processes.run(number)
            assert outcomes[0].error == ""
            assert set(errors_of(outcomes)) <= {"InvalidCredentials"}
    assert _live(database_url, ids) == [0] * ROUNDS


@pytest.mark.parametrize("delete", [_delete, _announce])
def test_no_login_survives_being_deleted(
        database_url: str, delete: Any) -> None:
    """R034, R038: nor does any fault show."""
    ids = _people(database_url, ROUNDS)
    with racers(database_url, [delete] + [_log_in] * 3) as processes:
        for number in range(ROUNDS):
            outcomes = processes.run(number)
            assert outcomes[0].error == ""
            assert set(errors_of(outcomes)) <= {"InvalidCredentials"}
    assert _live(database_url, ids) == [0] * ROUNDS


def test_nothing_resurrects_a_session_that_was_ended(
        database_url: str) -> None:
    """R031, R106: a logout against six streams of checks."""
    ids = _people(database_url, 1)
    with racers(database_url, [_log_out] + [_use] * STREAMS) as processes:
        for _ in range(ROUNDS):
            db = DB(database_url)
            token = Auth(db).create_session(EMAIL.format(0))
            db.close()
            outcomes = processes.run(token)
            assert errors_of(outcomes) == []
            again = processes.run(token)
            assert [each.value for each in again[1:]] == [0] * STREAMS
    assert _live(database_url, ids) == [0]


def test_parallel_logins_never_exceed_the_cap(database_url: str) -> None:
    """R037: thirty at once, on top of almost as many as are allowed."""
    ids = _people(database_url, 1)
    with racers(database_url, [_start] * 30) as processes:
        for _ in range(4):
            outcomes = processes.run(0)
            assert errors_of(outcomes) == []
            assert _live(database_url, ids)[0] <= MOST_SESSIONS
    assert _live(database_url, ids) == [MOST_SESSIONS]


def test_of_two_changes_from_one_version_one_wins(
        database_url: str) -> None:
    """R071: the other is told, and nothing of it is kept."""
    ids = _people(database_url, ROUNDS)
    with racers(database_url, [_rename] * 2) as processes:
        for user_id in ids:
            outcomes: List[Outcome] = processes.run((user_id, 1))
            assert errors_of(outcomes) == ["PreconditionFailed"]


def test_two_reauthentications_of_one_session_have_one_winner(
        database_url: str) -> None:
    """R035: the secret changes once; the other finds its own outdated."""
    _people(database_url, 1)
    with racers(database_url, [_renew] * 4) as processes:
        for _ in range(ROUNDS):
            db = DB(database_url)
            token = Auth(db).create_session(EMAIL.format(0))
            db.close()
            outcomes = processes.run(token)
            assert errors_of(outcomes) == ["SessionRequired"] * 3


def test_of_two_changes_of_password_at_once_one_is_refused(
        database_url: str) -> None:
    """R035, R066: with what a wrong password gets, or as signed out."""
    ids = _people(database_url, ROUNDS)
    with racers(database_url, [_change_own] * 2) as processes:
        for number in range(ROUNDS):
            db = DB(database_url)
            token = Auth(db).create_session(EMAIL.format(number))
            db.close()
            [error] = errors_of(processes.run(token))
            assert error in ("Forbidden", "SessionRequired")
    assert _live(database_url, ids) == [1] * ROUNDS


def _change_own(auth: Auth, token: Any) -> None:
    """Change the password from a session that others use, too."""
    found = auth.sessions.resume(token)
    auth.password_change.by_current(found, OLD, NEW)


def _renew(auth: Auth, token: Any) -> str:
    """Give the session another secret."""
    found = auth.sessions.resume(token)
    user = auth.db.find_user_by(id=found.user_id)
    return auth.sessions.renew(found, user)
