#!/usr/bin/env python3
"""How a database is opened: the engine and its settings for each kind."""

import os
import sqlite3
import time
from typing import Any, Tuple

from sqlalchemy import create_engine, event
from sqlalchemy.engine import Engine
from sqlalchemy.engine.url import make_url
from sqlalchemy.exc import ArgumentError, OperationalError
from sqlalchemy.pool import QueuePool

from vestibule.store.compat import (
    SEVERAL_ROWS, driver_connection, execute_raw)

try:
    import psycopg2
except ImportError:
    psycopg2 = None

# What the drivers raise, whichever of them there are.
DRIVER_ERRORS: Tuple[Any, ...] = (sqlite3.Error,) + (
    () if psycopg2 is None else (psycopg2.Error,))
BUSY_TIMEOUT_SECONDS = 5
CONNECT_TIMEOUT_SECONDS = 3
# How long PostgreSQL may be silent, or anybody make others wait there.
POSTGRESQL_PATIENCE = {
    "connect_timeout": CONNECT_TIMEOUT_SECONDS, "keepalives_idle": 30,
    "keepalives_interval": 5, "keepalives_count": 3,
    "tcp_user_timeout": 10000}
LOCK_TIMEOUT, STATEMENT_TIMEOUT = "5s", "10s"
# Of SQLite's pages, each connection keeps so many KiB instead of 2,048: each
# thread has one, the system keeps them anyway, and a write voids them all.
PAGES_KIB = 512
# Connections that are kept; a thread has one at most, so threads bound all.
POOL_SIZE = 16
WAL_TRIES = 50
# Execution option: what runs on such an engine only reads.
READS_ONLY = "vestibule_reads_only"


def open_engine(url: str) -> Engine:
    """Return the engine for a SQLite or PostgreSQL URL, settings applied.

    ``postgresql://`` means psycopg2, whatever the SQLAlchemy at hand would
    take it for. Raises ``ValueError`` with a sentence for an operator where
    the URL is unusable, and ``ModuleNotFoundError`` where its driver is not
    installed. Nothing is connected yet, but for SQLite, whose file is made
    and set to write-ahead logging.
    """
    kind, spelled = _kind_and_url(url)
    try:
        make_url(spelled)
    except (ArgumentError, ValueError):
        raise ValueError("the database URL is malformed") from None
    if kind == "sqlite":
        return _open_sqlite(spelled)
    try:
        engine = create_engine(
            spelled, pool_size=POOL_SIZE, max_overflow=-1,
            pool_pre_ping=True, hide_parameters=True,
            connect_args=POSTGRESQL_PATIENCE, **SEVERAL_ROWS)
    except ArgumentError as error:
        raise ValueError(f"the database URL is unusable: {error}") from None
    event.listen(engine, "connect", _set_up_postgresql)
    return engine


def own_connection(engine: Engine) -> Any:
    """Open a connection of the driver's that no pool takes back.

    Each of its statements commits by itself.
    """
    pooled = engine.raw_connection()
    pooled.detach()
    connection = driver_connection(pooled)
    if engine.dialect.name == "postgresql":
        connection.rollback()
        connection.autocommit = True
    return connection


def _kind_and_url(url: str) -> Tuple[str, str]:
    """Tell which kind of database a URL names, and spell its driver out."""
    scheme, colon, rest = url.partition(":")
    kind, _, driver = scheme.partition("+")
    if not colon or kind not in ("sqlite", "postgresql", "postgres"):
        raise ValueError(
            "the database URL must begin with sqlite: or postgresql:")
    if kind == "sqlite":
        return kind, url
    if driver not in ("", "psycopg2"):
        raise ValueError("PostgreSQL is spoken through psycopg2 only: "
                         "use postgresql+psycopg2://…")
    if psycopg2 is None:
        raise ModuleNotFoundError(
            "PostgreSQL needs its driver: pip install 'vestibule[postgres]'")
    return "postgresql", f"postgresql+psycopg2:{rest}"


def _open_sqlite(url: str) -> Engine:
    """Return an engine whose transactions are begun by us.

    ``isolation_level=None`` keeps the driver from beginning them its own
    way: a deferred transaction that reads and then writes fails at once with
    "database is locked", whatever the timeout (SQLite documentation,
    "Transactions", 2.2).
    """
    options: Any = {}
    if not is_in_memory(url):
        _make_private(str(make_url(url).database))
        options = {"poolclass": QueuePool, "pool_size": POOL_SIZE,
                   "max_overflow": -1}
    engine = create_engine(url, hide_parameters=True, connect_args={
        "timeout": BUSY_TIMEOUT_SECONDS, "isolation_level": None,
        "check_same_thread": False}, **options)
    event.listen(engine, "connect", _set_up_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    try:
        if not is_in_memory(url):
            _use_write_ahead_log(engine)
    except BaseException:
        engine.dispose()
        raise
    return engine


def is_in_memory(url: Any) -> bool:
    """Say whether a URL names a SQLite database that is no file."""
    parsed = make_url(url)
    return (parsed.get_backend_name() == "sqlite"
            and parsed.database in (None, "", ":memory:"))


def _make_private(name: str) -> None:
    """Make the file, where there is none yet, so that only its owner reads it.

    SQLite gives its log and index files the same permissions. A file that is
    there is never opened: to close it would take away the locks that other
    connections of this process hold on it (SQLite, "How To Corrupt An SQLite
    Database File", 2.2). Raises ``ValueError`` where the file cannot be made.
    """
    try:
        os.close(os.open(name, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    except FileExistsError:
        if os.path.isdir(name):
            raise ValueError(
                f"{name} cannot be used: is a directory") from None
    except OSError as error:
        raise ValueError(f"{name} cannot be used: "
                         f"{(error.strerror or str(error)).lower()}") from None


def _set_up_postgresql(connection: Any, record: Any) -> None:
    """Bound how long a statement of ours takes, and waits for a lock.

    Somebody's forgotten transaction then costs one request a 503, and does
    not take the threads of the service one by one.
    """
    cursor = connection.cursor()
    cursor.execute(f"SET lock_timeout = '{LOCK_TIMEOUT}'")
    cursor.execute(f"SET statement_timeout = '{STATEMENT_TIMEOUT}'")
    cursor.close()
    connection.commit()


def _set_up_sqlite(connection: Any, record: Any) -> None:
    """Give each new connection what SQLite does not remember in the file.

    ``synchronous=FULL``: a commit that was acknowledged survives a loss of
    power (requirement R137).
    """
    cursor = connection.cursor()
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.execute(f"PRAGMA cache_size=-{PAGES_KIB}")
    cursor.close()


def _begin_sqlite(connection: Any) -> None:
    """Take the write lock at once, unless the engine at hand only reads."""
    if connection.get_execution_options().get(READS_ONLY):
        return
    try:
        execute_raw(connection, "BEGIN IMMEDIATE")
    except sqlite3.OperationalError as error:
        # Past SQLAlchemy's own wrapping, which its callers rely on.
        raise OperationalError("BEGIN IMMEDIATE", None, error) from error


def _use_write_ahead_log(engine: Engine) -> None:
    """Switch the file to write-ahead logging, which it then remembers.

    The switch wants the file for itself and does not wait for it, so that
    two processes which open a new file at once have to take turns.
    """
    reader = engine.execution_options(**{READS_ONLY: True})
    for tries_left in reversed(range(WAL_TRIES)):
        try:
            with reader.connect() as connection:
                execute_raw(connection, "PRAGMA journal_mode=WAL")
            return
        except (OperationalError, sqlite3.OperationalError) as error:
            if not tries_left or "locked" not in str(error):
                raise
        time.sleep(0.1)
