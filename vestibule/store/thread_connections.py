#!/usr/bin/env python3
"""Connections that belong to threads, for statements past SQLAlchemy.

Taking one from a pool and giving it back costs more than the one look-up
that is the service's everyday work.
"""

import threading
from typing import Any, List, Optional, Sequence, Set
from weakref import WeakSet

from sqlalchemy.engine import Engine
from sqlalchemy.exc import DBAPIError

from vestibule.store.engine import DRIVER_ERRORS, own_connection

# What is wrong with a connection alone: a prepared statement that it does
# not know, or one that was prepared before a table was changed.
FORGOTTEN = frozenset(["26000", "0A000"])


class Statement:
    """A statement that asks for texts, as each kind of database takes it."""

    def __init__(self, name: str, sql: str) -> None:
        """Take a name, and SQL with ``%s`` for each text."""
        count = sql.count("%s")
        numbered = sql % tuple(f"${n + 1}" for n in range(count))
        self.name = name
        self.sql = sql
        self.for_sqlite = sql.replace("%s", "?")
        self.prepare = "PREPARE {} ({}) AS {}".format(
            name, ", ".join(["text"] * count), numbered)
        self.execute = "EXECUTE {} ({})".format(
            name, ", ".join(["%s"] * count))


class _Own:
    """A thread's connection, closed when the thread is gone."""

    def __init__(self, connection: Any) -> None:
        """Begin with a connection that nobody has used."""
        self.connection = connection
        self.prepared: Set[str] = set()

    def __del__(self) -> None:
        """Close it; a driver that is gone at the very end cannot."""
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self.connection.close()


class ThreadConnections:
    """One connection for each thread that asks; each statement commits.

    On PostgreSQL each statement is prepared once on each connection, unless
    something between us and the server shares connections out.
    """

    def __init__(self, engine: Engine, prepares: bool = True) -> None:
        """Open connections as this engine does, none so far."""
        self.engine = engine
        self._is_sqlite = engine.dialect.name == "sqlite"
        self._prepares = prepares and not self._is_sqlite
        self._thread = threading.local()
        self._lock = threading.Lock()
        self._all: "WeakSet[_Own]" = WeakSet()

    def read(self, statement: Statement, *values: str) -> List[Any]:
        """Return all rows of a statement that changes nothing.

        A connection that is found broken is replaced once, for the database
        may have been started again since (requirement R132). Raises what
        SQLAlchemy would.
        """
        try:
            own: Optional[_Own] = getattr(self._thread, "own", None)
            try:
                return self._read(own or self._open(), statement, values)
            except DRIVER_ERRORS as error:
                if own is None or not _is_lost(own, error):
                    raise
                own.close()
                return self._read(self._open(), statement, values)
        except DRIVER_ERRORS as error:
            raise DBAPIError.instance(
                statement.sql, None, error, Exception) from error

    def close(self) -> None:
        """Close the connections of all threads."""
        with self._lock:
            opened, self._all = list(self._all), WeakSet()
            self._thread = threading.local()
        for own in opened:
            own.close()

    def _read(self, own: _Own, statement: Statement, values: Sequence[str]
              ) -> List[Any]:
        """Send the statement on a connection.

        All rows are taken, for SQLite keeps what it read from until then.
        """
        cursor = own.connection.cursor()
        try:
            if not self._prepares:
                text = (statement.for_sqlite if self._is_sqlite
                        else statement.sql)
            else:
                text = statement.execute
                if statement.name not in own.prepared:
                    cursor.execute(statement.prepare)
                    own.prepared.add(statement.name)
            cursor.execute(text, values)
            rows: List[Any] = cursor.fetchall()
            return rows
        finally:
            cursor.close()

    def _open(self) -> _Own:
        """Open this thread's connection."""
        own = _Own(own_connection(self.engine))
        with self._lock:
            self._all.add(own)
        self._thread.own = own
        return own


def _is_lost(own: _Own, error: Exception) -> bool:
    """Say whether another connection may do what this one could not."""
    return bool(getattr(own.connection, "closed", False)
                or getattr(error, "pgcode", None) in FORGOTTEN)
