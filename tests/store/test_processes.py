#!/usr/bin/env python3
"""What several processes do to one database at the same instant."""

import os
import sqlite3
import time
from functools import partial
from pathlib import Path
from typing import Any, Dict, List

import pytest

from tests.support.builders import EMAIL, HASH, count, make_user
from tests.support.processes import Processes, errors_of, racers
from vestibule.kernel.auth import Auth
from vestibule.kernel.passwords import Passwords
from vestibule.store.db import DB
from vestibule.store.engine import open_engine
from vestibule.store.letter import LetterStore
from vestibule.store.schema import (
    EMPTY, HEAD, downgrade, is_current, upgrade, version_of)

MIGRATIONS = 5
NEW_FILES = 8
WRITERS, WRITES = 8, 20


def nothing() -> None:
    """Prepare nothing, for children that need nothing of their own."""


def migrate(url: str, made: None, given: Any) -> Any:
    """Open the database and bring it to this code's schema."""
    engine = open_engine(url)
    upgrade(engine)
    found = version_of(engine)
    engine.dispose()
    return found


def test_two_processes_that_migrate_at_once_both_succeed(
        bare_url: str) -> None:
    """R144: one runner at a time; the other finds nothing left to do."""
    with Processes(nothing, [partial(migrate, bare_url)] * 2) as runners:
        for _ in range(MIGRATIONS):
            outcomes = runners.run()
            assert errors_of(outcomes) == [], outcomes
            assert [each.value for each in outcomes] == [HEAD, HEAD]
            engine = open_engine(bare_url)
            assert is_current(engine)
            downgrade(engine, EMPTY)
            engine.dispose()


def open_and_add(folder: Path, number: int, made: None, given: int) -> str:
    """Open the file of this round, which nobody has made yet, and use it."""
    db = DB(f"sqlite:///{folder / f'new{given}.db'}")
    user = db.add_user(f"user{number}@example.com", HASH)
    db.close()
    return user.email


def test_eight_processes_open_one_new_file_at_once(tmp_path: Path) -> None:
    """R109: as the workers of a service do at its very first start."""
    actions = [partial(open_and_add, tmp_path, number) for number in range(8)]
    with Processes(nothing, actions) as workers:
        for number in range(NEW_FILES):
            outcomes = workers.run(number)
            assert errors_of(outcomes) == [], outcomes
            db = DB(f"sqlite:///{tmp_path / f'new{number}.db'}")
            assert count(db, "users") == 8
            db.close()


def hold(path: Path, held: Dict[str, Any], given: str) -> None:
    """Take the file's write lock, or let it go."""
    if given == "take":
        held["lock"] = sqlite3.connect(str(path), isolation_level=None)
        held["lock"].execute("BEGIN IMMEDIATE")
    else:
        held.pop("lock").close()


def test_a_read_never_takes_the_write_lock(tmp_path: Path) -> None:
    """R109: while one process writes, every other goes on reading.

    The lock is held by a process that does not let it go, so whoever wants
    it would wait for five seconds and then fail.
    """
    path = tmp_path / "users.db"
    url = f"sqlite:///{path}"
    with Processes(dict, [partial(hold, path)]) as holders:
        db = DB(url)
        auth = Auth(db, Passwords(4))
        user = make_user(auth)
        token = auth.create_session(EMAIL)
        reset = auth.get_reset_password_token(EMAIL)
        assert errors_of(holders.run("take")) == []
        before = time.monotonic()
        assert db.find_user_by(email=EMAIL).id == user.id
        assert len(db.list_users(9)) == 1
        assert auth.valid_login(EMAIL, "correct horse battery")
        assert auth.sessions.resume(token).user_id == user.id
        assert auth.tokens.look_at(reset, "reset").user_id == user.id
        assert LetterStore(db).due(db.clock.now(), 9) == []
        again = DB(url)
        assert is_current(again.engine)
        again.close()
        assert time.monotonic() - before < 3
        assert errors_of(holders.run("let go")) == []
        db.update_user(user.id, name="Bob")
        db.close()


def test_a_writer_waits_for_another(tmp_path: Path) -> None:
    """R109: the busy timeout, for the time that a transaction takes."""
    path = tmp_path / "users.db"
    url = f"sqlite:///{path}"
    DB(url).close()
    with racers(url, [add_late, add_late]) as writers:
        outcomes = writers.run(time.monotonic())
    assert errors_of(outcomes) == [], outcomes
    assert max(each.value for each in outcomes) > 0.6


def add_late(auth: Auth, began: float) -> float:
    """Hold the write lock for a while; return when it was let go."""
    with auth.db.transaction():
        auth.db.add_user(f"user{os.getpid()}@example.com", HASH)
        time.sleep(0.3)
    return time.monotonic() - began


def read_and_write(auth: Auth, given: int) -> int:
    """Change a row that was read in the same transaction, many times."""
    for _ in range(WRITES):
        with auth.db.transaction():
            user = auth.db.find_user_by(email=EMAIL)
            auth.db.update_user(
                user.id, name=str(int(user.name or "0") + 1))
            auth.audit.record("test.done", user.id)
    return WRITES


def test_writers_lose_nothing_and_never_find_it_locked(
        database_url: str) -> None:
    """R108, R109: 8 processes read and write one row; each write counts.

    Without the write lock from the beginning, SQLite refuses the second of
    two such transactions at once. On PostgreSQL the last writer would win
    over a number read before, so the row is locked as it is read.
    """
    action = read_and_write if "sqlite" in database_url else lock_and_write
    with racers(database_url, [action] * WRITERS) as writers:
        db = DB(database_url)
        db.add_user(EMAIL, HASH)
        outcomes = writers.run()
        assert errors_of(outcomes) == [], outcomes
        assert db.find_user_by(email=EMAIL).name == str(WRITERS * WRITES)
        assert count(db, "events") == WRITERS * WRITES
        db.close()


def lock_and_write(auth: Auth, given: int) -> int:
    """Do the same with the row locked before it is read."""
    for _ in range(WRITES):
        with auth.db.transaction():
            user = auth.db.lock_user(auth.db.find_user_by(email=EMAIL).id)
            assert user is not None
            auth.db.update_user(
                user.id, name=str(int(user.name or "0") + 1))
            auth.audit.record("test.done", user.id)
    return WRITES


def fail(made: None, given: Any) -> None:
    """Fail as an action can that is not of our making."""
    raise KeyboardInterrupt(f"told {given}")


def test_a_process_that_fails_is_an_outcome() -> None:
    """The machinery of these tests: what was raised, and by name."""
    actions = [fail, lambda made, given: given * 2]
    with Processes(nothing, actions) as children:
        outcomes = children.run(21)
    assert outcomes[0].error == "KeyboardInterrupt"
    assert outcomes[0].text == "told 21"
    assert outcomes[1].value == 42
    assert errors_of(outcomes) == ["KeyboardInterrupt"]


def test_no_process_outlives_its_test() -> None:
    """The machinery of these tests: however a test ends, and by force."""
    ids: List[int] = []
    with pytest.raises(AssertionError, match="on purpose"):
        with Processes(nothing, [fail, fail]) as children:
            ids = children.ids
            raise AssertionError("on purpose")
    assert len(ids) == 2
    for each in ids:
        with pytest.raises(ProcessLookupError):
            os.kill(each, 0)


def test_an_open_file_is_not_carried_into_a_process(tmp_path: Path) -> None:
    """The machinery of these tests: SQLite forbids it, so it is refused."""
    db = DB(f"sqlite:///{tmp_path / 'users.db'}")
    db.list_users(1)
    with pytest.raises(AssertionError, match="close the database"):
        with racers(f"sqlite:///{tmp_path / 'users.db'}", []):
            pass
    db.close()
