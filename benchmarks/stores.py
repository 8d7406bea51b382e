#!/usr/bin/env python3
"""The two kinds of databases that tables grow in, filled directly."""

import hashlib
import json
import shutil
import sqlite3
import time
import uuid
from pathlib import Path
from typing import Dict, Iterable, Sequence

from benchmarks.postgres import Postgres, forget_pages

POSTGRESQL, SQLITE = "PostgreSQL", "SQLite"
FILE = "vestibule.db"
DAY = 86400 * 10 ** 6
# The secret half of every cookie: the ids are what differs.
SECRET = "0" * 43
DIGEST = hashlib.sha256(SECRET.encode()).hexdigest()
# How each kind counts, and makes up an id by a name and a number.
WORDS: Dict[str, Dict[str, str]] = {
    POSTGRESQL: {
        "series": "generate_series({low}, {high}) AS g",
        "id": "overlay(overlay(md5('{name}' || {number})::uuid::text "
              "placing '4' from 15) placing '8' from 20)"},
    SQLITE: {
        "series": "(WITH RECURSIVE n(g) AS (SELECT {low} UNION ALL SELECT "
                  "g + 1 FROM n WHERE g < {high}) SELECT g FROM n)",
        "id": "id_of('{name}' || {number})"},
}
USERS = """
    INSERT INTO users (id, email, email_verified_at, hashed_password,
        version, created_at, updated_at)
    SELECT {user}, 'user' || g || '@example.com', {now}, '{hashed}', 1,
        {now}, {now} FROM {series}"""
SESSIONS = """
    INSERT INTO sessions (id, secret_digest, user_id, amr, created_at,
        authenticated_at, last_seen_at, idle_expires_at, expires_at,
        remembered)
    SELECT {session}, '{digest}', {user}, 'pwd', {now}, {now}, {now},
        {now} + 7 * {day}, {now} + 30 * {day}, '1' FROM {series}"""
EVENTS = """
    INSERT INTO events (at, what, user_id, session_id)
    SELECT {now}, 'session.started', {user}, {session} FROM {series}"""
ATTEMPTS = """
    INSERT INTO attempts (key, count, open, burst, ends_at)
    SELECT 'p ' || {user}, 1, 0, 0, {now} + {day} FROM {series}"""
FAILURES = """
    INSERT INTO failures (holder, device, count, changed_at, user_id)
    SELECT {user}, '', 1, {now}, {user} FROM {series}"""
EXPIRED = """
    INSERT INTO sessions (id, secret_digest, user_id, amr, created_at,
        authenticated_at, last_seen_at, idle_expires_at, expires_at,
        remembered)
    SELECT {expired}, '{digest}', {some_user}, 'pwd', {now} - 8 * {day},
        {now} - 8 * {day}, {now} - 8 * {day}, {now} - {day}, {now} - {day},
        '1' FROM {series}"""
COUNT_EXPIRED = "SELECT count(*) FROM sessions WHERE idle_expires_at < {now}"
EVERYTHING = (USERS, SESSIONS, EVENTS, ATTEMPTS, FAILURES)
# What a session of a kind's client does before it fills. Every row refers to
# one that is there, so nothing is looked up for that.
BEFORE_FILLING: Dict[str, Sequence[str]] = {
    POSTGRESQL: ("SET session_replication_role = replica",
                 "SET work_mem = '256MB'",
                 "SET maintenance_work_mem = '512MB'"),
    SQLITE: ("PRAGMA synchronous = OFF", "PRAGMA cache_size = -1000000")}
# Indexes that belong to no constraint: names, and how each is made.
INDEXES: Dict[str, str] = {
    POSTGRESQL: """
        SELECT coalesce(json_object_agg(indexname, indexdef), '{}')::text
        FROM pg_indexes WHERE schemaname = 'public' AND indexname NOT IN (
            SELECT conname FROM pg_constraint)""",
    SQLITE: """
        SELECT json_group_object(name, sql) FROM sqlite_master
        WHERE type = 'index' AND sql IS NOT NULL"""}


class Store:
    """A database of ours that is filled past the service.

    Everything has a number: the user, the session and the event of a number
    belong together.
    """

    name = ""

    def __init__(self) -> None:
        """Keep the instant at which all rows are made."""
        self._now = round(time.time() * 10 ** 6)

    @property
    def url(self) -> str:
        """The URL by which the service finds it."""
        raise NotImplementedError

    def make(self) -> None:
        """Make it anew, and empty."""
        raise NotImplementedError

    def remove(self) -> None:
        """Give the room back that it takes."""
        raise NotImplementedError

    def settle(self) -> None:
        """Write everything down, and count rows for the planner, if any."""
        raise NotImplementedError

    def cool(self) -> None:
        """Let nothing of it be in memory; no service may be running."""
        raise NotImplementedError

    def fill(self, count: int, hashed: str) -> None:
        """Add rows to each table that grows with people; it is empty.

        Rows go in by the order of the first column's index, and all other
        indexes are made afterwards: in any other order a large database
        would be read and written all over.
        """
        indexes: Dict[str, str] = json.loads(self._run(INDEXES[self.name]))
        self._run(
            *BEFORE_FILLING[self.name],
            *(f'DROP INDEX "{name}"' for name in indexes),
            *(self._written(each, 1, count, hashed=hashed)
              + ("" if each is EVENTS else " ORDER BY 1")
              for each in EVERYTHING),
            *indexes.values())

    def expire(self, count: int, users: int) -> None:
        """Add sessions that are over, of these users."""
        some = self._id("user", f"(1 + g % {users})")
        self._run(self._written(EXPIRED, 1, count, some_user=some))

    def count_expired(self) -> int:
        """Return how many sessions are over and not removed yet."""
        return int(self._run(COUNT_EXPIRED.format(now=self._now)))

    def _written(self, template: str, low: int, high: int,
                 **more: str) -> str:
        """Return a statement for these numbers as this kind takes it."""
        words = WORDS[self.name]
        return template.format(
            series=words["series"].format(low=low, high=high),
            user=self._id("user"), session=self._id("session"),
            expired=self._id("expired"), digest=DIGEST,
            now=self._now, day=DAY, **more)

    def _id(self, name: str, number: str = "g") -> str:
        """Return how the id of something is written."""
        return WORDS[self.name]["id"].format(name=name, number=number)

    def _run(self, *statements: str) -> str:
        """Run statements in one session; return what the last one found."""
        raise NotImplementedError


class PostgresStore(Store):
    """A database of the run's own server."""

    name = POSTGRESQL

    def __init__(self, postgres: Postgres, database: str) -> None:
        """Use a database of this name on this server."""
        super().__init__()
        self._postgres, self._database = postgres, database

    @property
    def url(self) -> str:
        """The URL, with the driver that we use."""
        return self._postgres.url(self._database).replace(
            "postgresql:", "postgresql+psycopg2:", 1)

    def make(self) -> None:
        """Make it in place of an older one."""
        self._postgres.create(self._database)

    def remove(self) -> None:
        """Drop the whole database."""
        self._postgres.drop(self._database)

    def settle(self) -> None:
        """Do what the server does by itself after a while."""
        self._run("VACUUM ANALYZE", "CHECKPOINT")

    def cool(self) -> None:
        """Start the server anew, and have the system forget its files."""
        self._postgres.restart_cold()

    def _run(self, *statements: str) -> str:
        """Run statements by the server's own client."""
        return self._postgres.sql(self._database, *statements)


class SqliteStore(Store):
    """A file in a folder of its own, on the same disk as the rest."""

    name = SQLITE

    def __init__(self, folder: Path) -> None:
        """Keep the file in this folder, which is its own."""
        super().__init__()
        self._folder = folder

    @property
    def url(self) -> str:
        """The URL of the file."""
        return f"sqlite:///{self._folder / FILE}"

    def make(self) -> None:
        """Make an empty folder for it; the service makes the file."""
        self.remove()
        self._folder.mkdir(parents=True)

    def remove(self) -> None:
        """Remove it, for it may be large."""
        shutil.rmtree(str(self._folder), ignore_errors=True)

    def settle(self) -> None:
        """Write the log into the file."""
        self._run("PRAGMA wal_checkpoint(TRUNCATE)")

    def cool(self) -> None:
        """Have the system forget the file."""
        self.settle()
        forget_pages(self._folder)

    def _run(self, *statements: str) -> str:
        """Run statements, each in a transaction of its own."""
        connection = sqlite3.connect(
            str(self._folder / FILE), timeout=60,
            isolation_level=None)
        try:
            connection.create_function("id_of", 1, id_of)
            found: Iterable[object] = ()
            for statement in statements:
                found = connection.execute(statement).fetchone() or ()
            return " ".join(map(str, found))
        finally:
            connection.close()


def name_on(kind: str) -> str:
    """Return what our service on this kind of database is called."""
    return f"Vestibule on {kind}"


def id_of(text: str) -> str:
    """Return the id of something by its name and number, as the SQL does."""
    found = str(uuid.UUID(hashlib.md5(text.encode()).hexdigest()))
    return f"{found[:14]}4{found[15:19]}8{found[20:]}"


def cookie_of(number: int) -> str:
    """Return the cookie's value of the session of a number."""
    return f"{id_of(f'session{number}')}.{SECRET}"
