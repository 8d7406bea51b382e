#!/usr/bin/env python3
"""What the cache of sessions serves, and what it never does (decision 44).
"""

import os
import threading
from typing import Any, Callable, Dict, Iterator
from unittest import mock

import pytest

from tests.support.builders import EMAIL, overheard, run_sql
from tests.support.clock import SetClock
from vestibule.base.errors import SessionRequired
from vestibule.kernel import session_cache
from vestibule.kernel.auth import Auth
from vestibule.kernel.sessions import Sessions
from vestibule.kernel.users import Users
from vestibule.store.db import DB, User
from vestibule.store.generations import slot_of
from vestibule.store.news import News
from vestibule.store.session import FoundSession

pytestmark = pytest.mark.uncached


@pytest.fixture(name="sessions")
def fixture_sessions(auth: Auth) -> Sessions:
    """Return sessions that are kept."""
    auth.sessions.cache.begin(News(auth.db))
    return auth.sessions


@pytest.fixture(name="token")
def fixture_token(sessions: Sessions, bob: User) -> str:
    """Return the token of a session that is in the cache."""
    token = sessions.start(bob, ("pwd",))
    for _ in range(2):
        sessions.resume(token, from_cache=True)
    return token


@pytest.fixture(name="elsewhere")
def fixture_elsewhere(auth: Auth, database_url: str, clock: SetClock,
                      token: str) -> Iterator[Auth]:
    """Return another program on the same database and machine."""
    db = DB(database_url, clock)
    yield Auth(db, auth.passwords)
    db.close()


def is_kept(sessions: Sessions, token: str) -> bool:
    """Say whether a look-up asks nobody."""
    with overheard(getattr(sessions, "_db").engine) as statements:
        sessions.resume(token, from_cache=True)
    return not statements


def test_the_third_look_up_asks_nobody(sessions: Sessions, bob: User) -> None:
    """R041: the first one notes whose it is, and the second one fills."""
    token = sessions.start(bob, ("pwd",))
    assert [is_kept(sessions, token) for _ in range(4)] == [
        False, False, True, True]
    assert sessions.resume(token) == sessions.resume(token, from_cache=True)


def test_what_changes_something_asks_the_database(
        sessions: Sessions, token: str) -> None:
    """R041: on whatever machine the session was ended."""
    with overheard(getattr(sessions, "_db").engine) as statements:
        sessions.resume(token)
    assert len(statements) == 1


def test_a_library_keeps_nothing(auth: Auth, bob: User) -> None:
    """Only a service begins to."""
    token = auth.sessions.start(bob, ("pwd",))
    assert not auth.sessions.cache.is_on
    assert not any(is_kept(auth.sessions, token) for _ in range(4))


CHANGES: Dict[str, Callable[[Auth, User, str], Any]] = {
    "revoked": lambda auth, user, id: auth.sessions.revoke(id, user.id),
    "all revoked": lambda auth, user, id: auth.sessions.revoke_all(user.id),
    "logged out": lambda auth, user, id: auth.destroy_session(user.id),
    "disabled": lambda auth, user, id: Users(auth.db, auth).disable(user),
    "deleted": lambda auth, user, id: auth.db.delete_user(user.id),
}
ROTATIONS: Dict[str, Callable[[Auth, User, str], Any]] = {
    "renewed": lambda auth, user, token: auth.sessions.renew(
        auth.sessions.resume(token), user),
}


@pytest.mark.parametrize("how", CHANGES)
def test_what_ended_elsewhere_is_not_served(
        sessions: Sessions, token: str, elsewhere: Auth, bob: User,
        how: str) -> None:
    """R031, R034, R041: from the moment at which it was done."""
    CHANGES[how](elsewhere, bob, token[:36])
    with pytest.raises(SessionRequired):
        sessions.resume(token, from_cache=True)


def test_an_old_secret_is_not_served(
        sessions: Sessions, token: str, elsewhere: Auth, bob: User) -> None:
    """R041, R067: the new one is, and becomes kept like any."""
    found = elsewhere.sessions.resume(token)
    new = elsewhere.sessions.renew(found, bob)
    with pytest.raises(SessionRequired):
        sessions.resume(token, from_cache=True)
    assert [is_kept(sessions, new) for _ in range(3)] == [
        False, False, True]


def test_a_profile_is_shown_as_it_was_changed(
        sessions: Sessions, token: str, elsewhere: Auth, bob: User) -> None:
    """R041: the very next time, and kept again at once."""
    for name in ("Bob", "Rob"):
        elsewhere.db.update_user(bob.id, name=name)
        assert sessions.resume(token, from_cache=True).name == name
        assert is_kept(sessions, token)


def test_other_sessions_stay_where_they_are(
        sessions: Sessions, token: str, auth: Auth, bob: User) -> None:
    """One session's end is nobody else's."""
    other = sessions.start(bob, ("pwd",))
    for _ in range(3):
        sessions.resume(other, from_cache=True)
    sessions.revoke(token[:36], bob.id)
    assert is_kept(sessions, other)


def test_a_change_that_is_not_over_is_read_through(
        sessions: Sessions, token: str, elsewhere: Auth, bob: User) -> None:
    """R041: and filled again only after it."""
    generations = elsewhere.db.generations.get()
    assert generations is not None
    slots = [slot_of(bob.id)]
    generations.doubt(slots)
    assert not any(is_kept(sessions, token) for _ in range(3))
    generations.settle(slots)
    assert [is_kept(sessions, token) for _ in range(2)] == [False, True]


def resume_while(sessions: Sessions, token: str,
                 happens: Callable[[], Any]) -> FoundSession:
    """Resume a session; something happens once its row has been read."""
    store = getattr(sessions, "_store")
    find = store.find

    def find_and_be_late(session_id: str) -> Any:
        """Read the row, and go on only after that."""
        found = find(session_id)
        happens()
        return found

    with mock.patch.object(store, "find", find_and_be_late):
        return sessions.resume(token, from_cache=True)


def test_what_changed_while_it_was_read_is_not_kept(
        sessions: Sessions, token: str, elsewhere: Auth, bob: User) -> None:
    """R041: the row is of before, and so are the numbers it is kept with.
    """
    elsewhere.db.update_user(bob.id, name="Bob")
    late = resume_while(sessions, token, lambda: elsewhere.db.update_user(
        bob.id, name="Rob"))
    assert late.name == "Bob"
    assert sessions.resume(token, from_cache=True).name == "Rob"


def test_what_is_read_while_the_cache_is_emptied_is_not_kept(
        sessions: Sessions, token: str, bob: User, elsewhere: Auth) -> None:
    """R041: news may have been missed since its row was read."""
    elsewhere.db.update_user(bob.id, name="Bob")
    resume_while(sessions, token, sessions.cache.empty)
    assert [is_kept(sessions, token) for _ in range(3)] == [
        False, False, True]


def test_nothing_is_kept_for_long(
        sessions: Sessions, token: str, clock: SetClock) -> None:
    """R041: SQL typed by hand is seen after half a minute."""
    run_sql_unseen(sessions, "UPDATE users SET name = 'Bob'")
    clock.advance(seconds=29)
    assert sessions.resume(token, from_cache=True).name is None
    clock.advance(seconds=1)
    assert sessions.resume(token, from_cache=True).name == "Bob"


def run_sql_unseen(sessions: Sessions, statement: str) -> None:
    """Run SQL as somebody does who has never heard of caches."""
    with getattr(sessions, "_db").engine.begin() as connection:
        connection.exec_driver_sql(statement) if hasattr(
            connection, "exec_driver_sql") else connection.execute(statement)


def test_no_session_outlives_its_time(
        sessions: Sessions, bob: User, clock: SetClock) -> None:
    """R032, R033: neither the idle one nor the absolute one."""
    token = sessions.start(bob, ("pwd",))
    clock.advance(days=7, seconds=-20)
    for _ in range(2):
        sessions.resume(token, from_cache=True)
    assert is_kept(sessions, token)
    clock.advance(seconds=21)
    with pytest.raises(SessionRequired):
        sessions.last_seen.defer()
        getattr(sessions.last_seen, "_waiting").clear()
        run_sql(getattr(sessions, "_db"),
                "UPDATE sessions SET idle_expires_at = idle_expires_at - "
                "604800000000")
        sessions.resume(token, from_cache=True)


def test_the_use_of_a_kept_session_is_noted(
        sessions: Sessions, token: str, clock: SetClock) -> None:
    """R032, R039: once a minute, as of any other."""
    for _ in range(13):
        clock.advance(seconds=10)
        sessions.resume(token, from_cache=True)
        sessions.resume(token, from_cache=True)
    found = sessions.resume(token)
    seen = (found.last_seen_at - found.created_at) / 1e6
    assert 119 < seen < 132


def test_a_clock_that_goes_back_serves_nothing_kept(
        sessions: Sessions, token: str, clock: SetClock) -> None:
    """R138: what was kept later than now is not trusted."""
    clock.advance(hours=-1)
    assert not is_kept(sessions, token)


def test_a_refusal_is_never_kept(
        sessions: Sessions, token: str, bob: User) -> None:
    """R041: nor does the right id with a wrong secret get anything."""
    wrong = token[:-1] + ("A" if token[-1] != "A" else "B")
    for _ in range(4):
        with pytest.raises(SessionRequired):
            sessions.resume(wrong, from_cache=True)
        with pytest.raises(SessionRequired):
            sessions.resume(None, from_cache=True)
        with pytest.raises(SessionRequired):
            sessions.resume(token[:36], from_cache=True)
    assert is_kept(sessions, token)


def test_the_cache_is_bounded(
        sessions: Sessions, bob: User, monkeypatch: pytest.MonkeyPatch
        ) -> None:
    """R130: the oldest give way, and none is wrong for it."""
    monkeypatch.setattr(session_cache, "MOST", 3)
    tokens = [sessions.start(bob, ("pwd",)) for _ in range(5)]
    for token in tokens:
        for _ in range(2):
            sessions.resume(token, from_cache=True)
    assert len(getattr(sessions.cache, "_kept")) == 3
    assert [is_kept(sessions, token) for token in tokens[2:]] == [True] * 3
    assert not is_kept(sessions, tokens[0])


def test_without_the_file_nothing_is_kept(
        sessions: Sessions, token: str, auth: Auth,
        monkeypatch: pytest.MonkeyPatch) -> None:
    """R041: whoever cannot hear of changes asks the database."""
    monkeypatch.setattr(type(auth.db.generations), "get", lambda shared: None)
    monkeypatch.setattr(getattr(sessions.cache, "_news"), "until", 0.0)
    assert not any(is_kept(sessions, token) for _ in range(4))


def test_a_file_that_was_taken_away_is_noticed_within_a_second(
        sessions: Sessions, token: str, elsewhere: Auth,
        bob: User, monkeypatch: pytest.MonkeyPatch) -> None:
    """R041: an operator's command may have made another one."""
    opened = getattr(sessions, "_db").generations.get()
    assert opened is not None
    os.unlink(str(getattr(opened, "_path")))
    elsewhere.db.generations.close()
    elsewhere.db.update_user(bob.id, name="Bob")
    monkeypatch.setattr(getattr(sessions.cache, "_news"), "until", 0.0)
    assert sessions.resume(token, from_cache=True).name == "Bob"
    sessions.resume(token, from_cache=True)
    assert is_kept(sessions, token)
    elsewhere.db.update_user(bob.id, name="Rob")
    assert sessions.resume(token, from_cache=True).name == "Rob"


def test_many_threads_are_served_what_is_true(
        sessions: Sessions, token: str, elsewhere: Auth, bob: User) -> None:
    """R031, R041: a session that was ended is served to none of them."""
    for round_ in range(5):
        live = sessions.start(bob, ("pwd",))
        ended = threading.Event()
        late: Dict[str, int] = {"served": 0, "asked": 0}

        def ask() -> None:
            """Ask until it is over, and look at what comes after that."""
            while True:
                was_ended = ended.is_set()
                try:
                    sessions.resume(live, from_cache=True)
                    late["served"] += was_ended
                except SessionRequired:
                    return
                late["asked"] += 1

        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        while late["asked"] < 200:
            pass
        elsewhere.sessions.revoke(live[:36], bob.id)
        ended.set()
        for thread in threads:
            thread.join()
        assert late["served"] == 0
    assert elsewhere.db.find_user_by(email=EMAIL).id == bob.id
