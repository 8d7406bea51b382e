#!/usr/bin/env python3
"""The SQL that really runs keeps to SQLite 3.22 and PostgreSQL 10.

The rules for the source see what we wrote; this sees what SQLAlchemy and
Alembic made of it.
"""

from typing import List, Sequence

from sqlalchemy.engine import Engine

from tests.support.builders import overheard
from tests.support.clock import SetClock
from tests.support.lifetime import live_through_everything
from tests.support.source_sql import TOO_NEW
from vestibule.kernel.auth import Auth
from vestibule.kernel.passwords import Passwords
from vestibule.store.db import DB
from vestibule.store.engine import open_engine
from vestibule.store.schema import EMPTY, downgrade, upgrade


def pretend_to_be_old(engine: Engine) -> None:
    """Have SQLAlchemy 2 take the SQLite at hand for one without RETURNING.

    It looks at the version by itself and says RETURNING from 3.35 on; 1.3
    never does.
    """
    if engine.dialect.name == "sqlite":
        engine.dialect.insert_returning = False
        engine.dialect.update_returning = False
        engine.dialect.delete_returning = False


def faults(engine: Engine, statements: List[str]) -> List[str]:
    """Return the statements that are too new, with what is new in them.

    PostgreSQL has had RETURNING and DROP COLUMN for ever.
    """
    allowed: Sequence[str] = ()
    if engine.dialect.name == "postgresql":
        allowed = ("RETURNING", "DROP COLUMN")
    return [f"{name}: {statement}" for statement in statements
            for pattern, name in TOO_NEW
            if name not in allowed and pattern.search(statement)]


def test_the_service_says_nothing_that_old_databases_refuse(
        db: DB, clock: SetClock) -> None:
    """DESIGN section 1: Ubuntu 18.04 has SQLite 3.22 and PostgreSQL 10."""
    pretend_to_be_old(db.engine)
    with overheard(db.engine) as statements:
        live_through_everything(Auth(db, Passwords(4)), clock)
    assert len(statements) > 60
    assert faults(db.engine, statements) == []


def test_migrations_say_nothing_that_old_databases_refuse(
        bare_url: str) -> None:
    """DESIGN section 1: up and down, statement by statement."""
    engine = open_engine(bare_url)
    pretend_to_be_old(engine)
    with overheard(engine) as statements:
        upgrade(engine)
        downgrade(engine, EMPTY)
    engine.dispose()
    assert len([each for each in statements if "TABLE" in each]) >= 10
    assert faults(engine, statements) == []
