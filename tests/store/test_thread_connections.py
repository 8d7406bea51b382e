#!/usr/bin/env python3
"""The connections that belong to threads, and what they survive."""

import threading
from typing import Any, Dict, List

import pytest
from sqlalchemy import text

from tests.support.builders import HASH, run_sql
from tests.support.clock import SetClock
from vestibule.store.db import DB, DBAPIError, OperationalError
from vestibule.store.thread_connections import Statement, ThreadConnections

WHOSE = Statement("whose", "SELECT name FROM users WHERE email = %s "
                           "OR email = %s")
PREPARED = Statement("prepared", "SELECT name FROM pg_prepared_statements "
                                 "WHERE name <> %s")
WHO = Statement("who", "SELECT pg_backend_pid(), %s")


@pytest.fixture(name="reader")
def fixture_reader(db: DB) -> ThreadConnections:
    """Return connections to a database that knows Bob."""
    user = db.add_user("bob@example.com", HASH)
    db.update_user(user.id, name="Bob")
    found = db.own_connections
    assert found is not None
    return found


def own_of(reader: ThreadConnections) -> Any:
    """Return this thread's connection."""
    return getattr(reader, "_thread").own.connection


def test_a_statement_is_read_on_both_databases(
        reader: ThreadConnections) -> None:
    """All rows, and none, whatever stands in the values."""
    assert reader.read(WHOSE, "bob@example.com", "x") == [("Bob",)]
    assert reader.read(WHOSE, "x", "'; DROP TABLE users; --%s?") == []


def test_what_others_committed_is_seen_at_once(
        db: DB, reader: ThreadConnections) -> None:
    """R031: no transaction stays open between two readings."""
    for name in ("Rob", "Bobby"):
        run_sql(db, "UPDATE users SET name = :name", name=name)
        assert reader.read(WHOSE, "bob@example.com", "x") == [(name,)]


def test_inside_of_a_transaction_there_are_none(db: DB) -> None:
    """Who has changed something reads it where it was changed."""
    assert db.own_connections is not None
    with db.transaction():
        assert db.own_connections is None
    in_memory = DB("sqlite://")
    assert in_memory.own_connections is None
    in_memory.close()


def test_each_thread_has_one(db: DB, reader: ThreadConnections) -> None:
    """Two threads never meet on a connection."""
    if db.is_sqlite:
        pytest.skip("SQLite's connections have no number")
    found: List[Any] = [reader.read(WHO, "")[0][0] for _ in range(2)]
    thread = threading.Thread(
        target=lambda: found.append(reader.read(WHO, "")[0][0]))
    thread.start()
    thread.join()
    assert found[0] == found[1] != found[2]


@pytest.mark.parametrize("prepares, names", [
    (True, ["prepared", "whose"]), (False, [])])
def test_statements_are_prepared_once_on_each_connection(
        db: DB, database_url: str, clock: SetClock, prepares: bool,
        names: List[str]) -> None:
    """Unless a setting says that a connection may be another's next."""
    if db.is_sqlite:
        pytest.skip("SQLite prepares by itself")
    other = DB(database_url, clock, prepares)
    reader = other.own_connections
    assert reader is not None
    for _ in range(3):
        reader.read(WHOSE, "x", "y")
    assert sorted(row[0] for row in reader.read(PREPARED, "")) == names
    other.close()


def test_a_connection_that_was_ended_is_replaced(
        db: DB, reader: ThreadConnections) -> None:
    """R132: the database may have been started again since."""
    if db.is_sqlite:
        pytest.skip("nobody ends SQLite's connections")
    for _ in range(3):
        process, = reader.read(WHO, "")[0][:1]
        with db.transaction() as work:
            work.execute(text("SELECT pg_terminate_backend(:pid)"),
                         {"pid": process})
        assert reader.read(WHOSE, "bob@example.com", "x") == [("Bob",)]


def test_a_statement_that_was_forgotten_is_prepared_again(
        db: DB, reader: ThreadConnections) -> None:
    """R132: by a pooler that the setting does not tell of."""
    if db.is_sqlite:
        pytest.skip("SQLite forgets nothing")
    reader.read(WHOSE, "x", "y")
    own_of(reader).cursor().execute("DEALLOCATE ALL")
    assert reader.read(WHOSE, "bob@example.com", "x") == [("Bob",)]


def test_a_table_that_was_changed_is_no_hindrance(
        db: DB, reader: ThreadConnections) -> None:
    """R132: a migration while the service runs."""
    assert reader.read(WHOSE, "bob@example.com", "x") == [("Bob",)]
    change: Dict[str, str] = {
        "sqlite": "ALTER TABLE users ADD COLUMN later TEXT",
        "postgresql": "ALTER TABLE users ALTER COLUMN name TYPE varchar(99)"}
    undo = {"postgresql": "ALTER TABLE users ALTER COLUMN name TYPE text"}
    kind = db.engine.dialect.name
    with db.transaction() as work:
        work.execute(text(change[kind]))
    try:
        assert reader.read(WHOSE, "bob@example.com", "x") == [("Bob",)]
    finally:
        if kind in undo:
            with db.transaction() as work:
                work.execute(text(undo[kind]))


def test_what_is_wrong_is_said_as_sqlalchemy_says_it(
        reader: ThreadConnections) -> None:
    """R131: and the connection is used again, without its values."""
    with pytest.raises(DBAPIError) as caught:
        reader.read(Statement("wrong", "SELECT nothing FROM x WHERE y = %s"),
                    "a secret")
    assert "a secret" not in str(caught.value)
    assert reader.read(WHOSE, "bob@example.com", "x") == [("Bob",)]


def test_a_database_that_is_away_is_told_so(
        clock: SetClock) -> None:
    """R131: within the time that a connection may take."""
    away = DB("postgresql+psycopg2://nobody@127.0.0.1:9/nowhere", clock)
    reader = away.own_connections
    assert reader is not None
    with pytest.raises(OperationalError):
        reader.read(WHOSE, "x", "y")


def test_a_thread_that_ends_takes_its_connection_along(
        reader: ThreadConnections) -> None:
    """R130: a program may start as many as it likes."""
    opened: List[Any] = []

    def look() -> None:
        """Read something on a connection."""
        reader.read(WHOSE, "x", "y")
        opened.append(own_of(reader))

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    with pytest.raises(Exception, match="closed"):
        opened[0].cursor().execute("SELECT 1")


def test_none_is_left_open(db: DB, reader: ThreadConnections) -> None:
    """R130: when the database is closed; asked again, one is opened."""
    reader.read(WHOSE, "x", "y")
    connection = own_of(reader)
    reader.close()
    with pytest.raises(Exception, match="closed"):
        connection.cursor().execute("SELECT 1")
    assert reader.read(WHOSE, "bob@example.com", "x") == [("Bob",)]
    reader.close()
