#!/usr/bin/env python3
"""The only file that knows which SQLAlchemy this is, 1.3 or 2.x."""

from typing import Any

from sqlalchemy import __version__ as SQLALCHEMY_VERSION
from sqlalchemy import case
from sqlalchemy.engine import Engine

try:
    from sqlalchemy.orm import declarative_base
except ImportError:
    from sqlalchemy.ext.declarative import declarative_base

__all__ = ["SEVERAL_ROWS", "SQLALCHEMY_VERSION", "case_when",
           "declarative_base", "driver_connection", "execute_raw", "url_text"]

# Many rows in one statement, with psycopg2: 2.x does so by itself.
SEVERAL_ROWS = ({"executemany_mode": "values"}
                if SQLALCHEMY_VERSION.startswith("1.3.") else {})


def case_when(condition: Any, value: Any, otherwise: Any) -> Any:
    """Return SQL's CASE of one condition, which 1.3 takes in a list."""
    if SQLALCHEMY_VERSION.startswith("1.3."):
        return case([(condition, value)], else_=otherwise)
    return case((condition, value), else_=otherwise)


def execute_raw(connection: Any, statement: str) -> None:
    """Send a statement to the driver as it is, past SQLAlchemy.

    What 1.3 calls ``execute(str)`` and 2.x ``exec_driver_sql`` is one call
    on the driver's own connection.
    """
    cursor = connection.connection.cursor()
    try:
        cursor.execute(statement)
    finally:
        cursor.close()


def driver_connection(pooled: Any) -> Any:
    """Return the driver's own connection behind one of the pool's."""
    if SQLALCHEMY_VERSION.startswith("1.3."):
        return pooled.connection
    return pooled.dbapi_connection


def url_text(engine: Engine) -> str:
    """Return the engine's URL with its password masked."""
    return repr(engine.url)
