#!/usr/bin/env python3
"""Races of deleting, restoring, erasing and exporting, with real processes.

Each runs on SQLite and on PostgreSQL. What must never be: a user half
erased, erased twice, or erased and signed in.
"""

import random
import time
from datetime import timedelta
from typing import Any, List

from tests.support.builders import (
    EMAIL, PASSWORD, count, everything, letters, make_deletion, make_user)
from tests.support.processes import errors_of, racers
from vestibule.base.clock import Clock
from vestibule.base.origin import LIBRARY
from vestibule.kernel.auth import Auth
from vestibule.kernel.erasure import Erasure
from vestibule.kernel.export import Export
from vestibule.kernel.passwords import Passwords
from vestibule.store.db import DB
from vestibule.store.event import EventStore

ROUNDS = 20
MANY = 8
FAST_AND_SLOW = timedelta(minutes=10)


def erase(auth: Auth, given: Any) -> int:
    """Erase who is due, as the housekeeping does, until nobody is.

    It begins when a password may just have been checked.
    """
    time.sleep(random.random() / 100)
    erasure = Erasure(auth.db, auth)
    steps = done = erasure.erase_due()
    while done:
        done = erasure.erase_due()
        steps += done
    return steps


def restore(auth: Auth, given: Any) -> str:
    """Restore Bob by his password; return the session's token."""
    return make_deletion(auth).restore(
        EMAIL, PASSWORD, LIBRARY).session_token


def restore_late(auth: Auth, given: Any) -> str:
    """Restore Bob on a machine whose clock is behind by ten minutes."""
    auth.db.clock = _Slow()
    return restore(auth, given)


def announce(auth: Auth, given: Any) -> str:
    """Announce Bob's deletion from the session that the round gave."""
    found = auth.sessions.resume(given)
    return str(make_deletion(auth).by_session(found).delete_after)


def export(auth: Auth, user_id: Any) -> List[str]:
    """Export what is held about a user; return the members' names."""
    return [name for name, _ in Export(auth.db, auth).begin(user_id)]


class _Slow(Clock):
    """A clock that is behind."""

    def now(self) -> Any:
        """Return what was ten minutes ago."""
        return super().now() - FAST_AND_SLOW


def _open(database_url: str) -> Auth:
    """Return an API on the database, hashing at the least cost."""
    return Auth(DB(database_url), Passwords(4))


def test_two_housekeepers_erase_once(database_url: str) -> None:
    """R034: one proof and one letter for each user, and no fault."""
    with racers(database_url, [erase] * 3) as keepers:
        auth = _open(database_url)
        now = auth.db.clock.now()
        for number in range(1, ROUNDS + 1):
            users = [make_user(auth, f"user{each}@example.com")
                     for each in range(3)]
            for user in users:
                auth.create_session(user.email)
                auth.db.update_user(
                    user.id, delete_after=now - timedelta(minutes=5))
            outcomes = keepers.run()
            assert errors_of(outcomes) == [], outcomes
            assert sum(each.value for each in outcomes) == 3
            assert count(auth.db, "users") == 0
            assert len(letters(auth.db)) <= 3
            for user in users:
                proofs = EventStore(auth.db).of_user(
                    auth.audit.pseudonym(user.id))
                assert [each.what for each in proofs].count(
                    "user.erased") == 1
            assert not any(user.id in everything(auth.db) for user in users)
        auth.db.close()


def test_restoring_and_erasing_exclude_each_other(database_url: str) -> None:
    """R034, R138: also where clocks differ: all is there, or nothing is."""
    actions = [restore_late, erase, erase]
    with racers(database_url, actions) as people:
        auth = _open(database_url)
        for _ in range(ROUNDS):
            user = make_user(auth)
            auth.db.update_user(
                user.id, delete_after=auth.db.clock.now()
                - timedelta(minutes=5))
            outcomes = people.run()
            assert set(errors_of(outcomes)) <= {"InvalidCredentials"}
            steps = outcomes[1].value + outcomes[2].value
            if outcomes[0].error:
                assert steps == 1 and count(auth.db, "users") == 0
                assert user.id not in everything(auth.db)
                continue
            assert steps == 0
            assert auth.get_user_from_session_id(outcomes[0].value)
            whats = [each.what
                     for each in EventStore(auth.db).of_user(user.id)]
            assert whats == [
                "user.registered", "user.restored", "session.started"]
            auth.db.delete_user(user.id)
        auth.db.close()


def test_of_many_who_restore_all_get_in_and_one_restores(
        database_url: str) -> None:
    """R110: one event, and each has a session."""
    with racers(database_url, [restore] * 4) as people:
        auth = _open(database_url)
        user = make_user(auth)
        for number in range(1, ROUNDS // 2 + 1):
            make_deletion(auth).by_operator(user)
            outcomes = people.run()
            assert errors_of(outcomes) == [], outcomes
            whats = [each.what
                     for each in EventStore(auth.db).of_user(user.id)]
            assert whats.count("user.restored") == number
        auth.db.close()


def test_of_many_who_announce_one_does(database_url: str) -> None:
    """R110: one event, one letter; the others get the same date, or find
    the session ended.
    """
    with racers(database_url, [announce] * MANY) as people:
        auth = _open(database_url)
        user = make_user(auth)
        for number in range(1, ROUNDS // 2 + 1):
            outcomes = people.run(auth.create_session(EMAIL))
            assert set(errors_of(outcomes)) <= {"SessionRequired"}
            assert len({each.value for each in outcomes
                        if not each.error}) == 1
            whats = [each.what
                     for each in EventStore(auth.db).of_user(user.id)]
            assert whats.count("user.deletion_announced") == number
            assert len(letters(auth.db)) == number
            make_deletion(auth).restore_by_operator(user)
        auth.db.close()


def test_of_many_exports_one_is_given(database_url: str) -> None:
    """R107: eight at once are one, and one event."""
    with racers(database_url, [export] * MANY) as people:
        auth = _open(database_url)
        for number in range(ROUNDS // 2):
            user = make_user(auth, f"user{number}@example.com")
            outcomes = people.run(user.id)
            assert errors_of(outcomes) == ["Throttled"] * (MANY - 1)
            whats = [each.what
                     for each in EventStore(auth.db).of_user(user.id)]
            assert whats.count("profile.exported") == 1
        auth.db.close()
