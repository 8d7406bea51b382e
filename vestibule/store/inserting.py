#!/usr/bin/env python3
"""How a row is written that somebody else may write at the same time."""

from functools import lru_cache
from typing import Any, Tuple

from sqlalchemy import text

from vestibule.store.db import DB, IntegrityError


def insert_new(db: DB, table: str, **values: Any) -> bool:
    """Insert a row, unless there is one with its key; say whether it was.

    It waits for whoever writes the same key at this moment, and the open
    transaction stays usable. SQLite needs no savepoint for that. Values are
    as the table holds them.
    """
    with db.transaction() as work:
        if db.is_sqlite:
            return bool(work.execute(_statement(
                "INSERT OR IGNORE", table, tuple(values)), values).rowcount)
        try:
            with work.begin_nested():
                work.execute(
                    _statement("INSERT", table, tuple(values)), values)
        except IntegrityError:
            return False
        return True


@lru_cache(maxsize=None)
def _statement(verb: str, table: str, columns: Tuple[str, ...]) -> Any:
    """Return the statement, made once."""
    places = ", ".join(f":{name}" for name in columns)
    return text(f"{verb} INTO {table} ({', '.join(columns)}) "
                f"VALUES ({places})")
