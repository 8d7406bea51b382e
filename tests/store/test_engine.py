#!/usr/bin/env python3
"""How a database is opened: what is refused, and how SQLite is set up."""

import os
import sqlite3
import stat
import threading
from pathlib import Path
from typing import Any, List

import pytest
from sqlalchemy import text

from vestibule.store import engine as store_engine
from vestibule.store.compat import driver_connection
from vestibule.store.db import DB
from vestibule.store.engine import open_engine
from vestibule.store.refusal import Refusal, RefusalStore

FULL = 2


@pytest.mark.parametrize("url, reason", [
    ("", "the database URL must begin with sqlite: or postgresql:"),
    ("users.db", "the database URL must begin with sqlite: or postgresql:"),
    ("mysql://host/db",
     "the database URL must begin with sqlite: or postgresql:"),
    ("SQLITE:///x.db",
     "the database URL must begin with sqlite: or postgresql:"),
    ("postgresql+asyncpg://host/db",
     "PostgreSQL is spoken through psycopg2 only: "
     "use postgresql+psycopg2://…"),
    ("postgresql+psycopg://host/db",
     "PostgreSQL is spoken through psycopg2 only: "
     "use postgresql+psycopg2://…"),
    ("sqlite:nowhere", "the database URL is malformed"),
    ("postgresql:nowhere", "the database URL is malformed"),
    ("postgresql://me:hunter2@host:port/db",
     "the database URL is malformed"),
])
def test_an_unusable_url_is_one_sentence(url: str, reason: str) -> None:
    """R148: for an operator, and without the password in it."""
    with pytest.raises(ValueError) as refusal:
        open_engine(url)
    assert str(refusal.value) == reason


@pytest.mark.parametrize("url", [
    "postgresql://host/db", "postgres://host/db",
    "postgresql+psycopg2://host/db"])
def test_postgresql_means_psycopg2_on_every_sqlalchemy(url: str) -> None:
    """SQLAlchemy 2.1 would take the plain name for another driver."""
    pytest.importorskip("psycopg2")
    engine = open_engine(url)
    assert engine.dialect.driver == "psycopg2"
    assert (engine.url.host, engine.url.database) == ("host", "db")


def test_a_missing_driver_is_named_with_the_way_to_it(
        monkeypatch: pytest.MonkeyPatch) -> None:
    """R148: psycopg2 is optional, and one sentence says how to get it."""
    monkeypatch.setattr(store_engine, "psycopg2", None)
    with pytest.raises(ModuleNotFoundError) as refusal:
        open_engine("postgresql://host/db")
    assert str(refusal.value) == (
        "PostgreSQL needs its driver: pip install 'vestibule[postgres]'")


def test_a_file_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    """R148: the name and the system's reason."""
    for name, reason in ((tmp_path / "no" / "x.db",
                          "no such file or directory"),
                         (tmp_path, "is a directory")):
        with pytest.raises(ValueError) as refusal:
            DB(f"sqlite:///{name}")
        assert str(refusal.value) == f"{name} cannot be used: {reason}"


def test_only_the_owner_reads_the_files(tmp_path: Path) -> None:
    """R111: the database, its log and its index are 0600 whatever the umask.
    """
    before = os.umask(0)
    try:
        db = DB(f"sqlite:///{tmp_path / 'users.db'}")
        db.add_user("bob@example.com", None)
        modes = {path.name: stat.S_IMODE(path.stat().st_mode)
                 for path in tmp_path.iterdir()}
        db.close()
    finally:
        os.umask(before)
    assert modes == {"users.db": 0o600, "users.db-wal": 0o600,
                     "users.db-shm": 0o600}


def test_a_file_that_was_there_keeps_its_mode(tmp_path: Path) -> None:
    """An operator's choice, for a backup group say, is not overruled."""
    path = tmp_path / "users.db"
    path.touch()
    path.chmod(0o640)
    DB(f"sqlite:///{path}").close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_every_connection_is_set_up(tmp_path: Path) -> None:
    """R137, R109: WAL, ``synchronous=FULL``, foreign keys, a busy timeout.

    Few pages are kept, too, for each thread has a connection. Looked at on
    several connections at once, since SQLite forgets all but the first
    between them.
    """
    db = DB(f"sqlite:///{tmp_path / 'users.db'}")
    connections = [db.engine.connect() for _ in range(3)]
    found: List[List[object]] = []
    for connection in connections:
        raw = connection.connection.cursor()
        found.append([
            raw.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("journal_mode", "synchronous", "foreign_keys",
                         "busy_timeout", "cache_size")])
        raw.close()
    for connection in connections:
        connection.close()
    db.close()
    assert found == [["wal", FULL, 1, 5000, -512]] * 3


def test_the_log_mode_outlives_the_program(tmp_path: Path) -> None:
    """R137: whoever opens the file later finds it in WAL mode."""
    url = f"sqlite:///{tmp_path / 'users.db'}"
    DB(url).close()
    again = DB(url)
    again.add_user("bob@example.com", None)
    assert (tmp_path / "users.db-wal").exists()
    again.close()


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:"])
def test_a_database_in_memory_serves_one_thread(url: str) -> None:
    """A program may try things out without a file."""
    db = DB(url)
    user = db.add_user("bob@example.com", None)
    assert db.find_user_by(email="bob@example.com").id == user.id
    db.close()


def test_a_database_in_memory_makes_no_file(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing named ``:memory:`` is left in the folder."""
    monkeypatch.chdir(tmp_path)
    DB("sqlite:///:memory:").close()
    assert list(tmp_path.iterdir()) == []


def test_a_new_file_that_another_writes_to_is_waited_for(
        tmp_path: Path) -> None:
    """R109: SQLite refuses to switch such a file to WAL, and at once.

    So it is tried again; the first start of several workers depends on it.
    """
    path = tmp_path / "users.db"
    writer = sqlite3.connect(
        str(path), isolation_level=None, check_same_thread=False)
    writer.execute("BEGIN IMMEDIATE")
    lets_go = threading.Timer(0.2, writer.rollback)
    lets_go.start()
    db = DB(f"sqlite:///{path}")
    lets_go.join()
    writer.close()
    assert db.add_user("bob@example.com", None).email == "bob@example.com"
    db.close()


def test_a_relative_file_lies_where_the_program_runs(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``sqlite:///users.db`` has no folder, so it is the current one."""
    monkeypatch.chdir(tmp_path)
    DB("sqlite:///users.db").close()
    assert (tmp_path / "users.db").exists()


def test_a_server_is_not_connected_before_the_first_use() -> None:
    """A service can be put together while its database is away."""
    pytest.importorskip("psycopg2")
    DB("postgresql://nobody@127.0.0.1:9/none").close()


def test_many_rows_are_few_statements(db: DB) -> None:
    """R124: what a flood leaves to be written holds nobody up for long."""
    if db.is_sqlite:
        pytest.skip("no row costs a way to the server and back")
    rows = [Refusal(f"request {number}", db.clock.now(), 503, "busy",
                    None, "POST", "/sessions") for number in range(300)]
    sent: List[int] = []
    psycopg2 = pytest.importorskip("psycopg2")

    ordinary: Any = psycopg2.extensions.cursor

    class Counting(ordinary):  # type: ignore[misc]
        """A cursor that counts what it sends."""

        def execute(self, *arguments: Any) -> None:
            """Send one statement."""
            sent.append(1)
            super().execute(*arguments)

        def executemany(self, statement: Any, values: Any) -> None:
            """Send one statement for each row."""
            sent.append(len(values))
            super().executemany(statement, values)

    with db.transaction() as work:
        driver_connection(work.connection().connection
                          ).cursor_factory = Counting
        RefusalStore(db).add(rows)
    assert 0 < sum(sent) < 5
    assert len(RefusalStore(db).of_request("request 299", 9)) == 1


def test_a_postgresql_connection_keeps_the_pool_alive(db: DB) -> None:
    """R132: a dead connection is noticed before it is used."""
    with db.reading() as work:
        assert work.execute(text("SELECT 1")).scalar() == 1
    if not db.is_sqlite:
        _cut_the_connections(db)
    assert db.list_users(1) == []


def _cut_the_connections(db: DB) -> None:
    """Have the server end every other connection of this database."""
    with db.engine.connect() as connection:
        own = connection.execute(text("SELECT pg_backend_pid()")).scalar()
        idle = db.engine.connect()
        idle.close()
        connection.execute(text(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE "
            "datname = current_database() AND pid <> :own"), {"own": own})
