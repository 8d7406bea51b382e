#!/usr/bin/env python3
"""The schema's version: which it is, and how to get to this code's own.

Migrations are Alembic's, one file each in ``vestibule/migrations/versions``.
Who finds the schema as it should be does without Alembic.
"""

from typing import Any, Optional

from sqlalchemy import text
from sqlalchemy.engine import Engine
from sqlalchemy.exc import OperationalError, ProgrammingError

from vestibule.base.deferred import Deferred
from vestibule.store.engine import READS_ONLY

alembic_command = Deferred("alembic.command")
alembic_config = Deferred("alembic.config")
alembic_util = Deferred("alembic.util")

HEAD = "0008"
EMPTY = "base"
# Any number will do, as long as all Vestibules agree on it: "vest" in ASCII.
MIGRATION_LOCK = 0x76657374


class SchemaError(Exception):
    """The database's schema is not one that this code can work with."""


def version_of(engine: Engine) -> Optional[str]:
    """Return the schema's revision, ``None`` for a database without one.

    It only reads: a writer at work keeps nobody from opening a database.
    """
    reader = engine.execution_options(**{READS_ONLY: True})
    try:
        with reader.connect() as connection:
            found: Optional[str] = connection.execute(
                text("SELECT version_num FROM alembic_version")).scalar()
    except (OperationalError, ProgrammingError) as error:
        if "alembic_version" not in str(error.orig):
            raise
        return None
    return found


def is_current(engine: Engine) -> bool:
    """Say whether the schema is the one that this code was written for."""
    return version_of(engine) == HEAD


def require_current(engine: Engine) -> None:
    """Raise ``SchemaError``, with what to do, where the schema is another."""
    found = version_of(engine)
    if found == HEAD:
        return
    if found is not None and not _is_known(found):
        raise SchemaError(_newer(found))
    raise SchemaError(
        f"the database's schema is {found or 'missing'}, this Vestibule needs "
        f"{HEAD}: run `vestibule migrate`")


def upgrade(engine: Engine) -> None:
    """Bring the schema to this code's own, all steps in one transaction.

    One runner at a time: on SQLite the transaction holds the write lock, on
    PostgreSQL an advisory lock; who comes second finds nothing to do.
    Raises ``SchemaError`` for a schema that a newer Vestibule made.
    """
    try:
        _run(engine, alembic_command.upgrade, HEAD)
    except alembic_util.CommandError:
        found = version_of(engine)
        if found is None or _is_known(found):
            raise
        raise SchemaError(_newer(found)) from None


def downgrade(engine: Engine, revision: str) -> None:
    """Take the schema back to a revision, ``base`` for an empty database."""
    _run(engine, alembic_command.downgrade, revision)


def _run(engine: Engine, command: Any, revision: str) -> None:
    """Run an Alembic command inside one locked transaction of the engine."""
    config = alembic_config.Config()
    config.set_main_option("script_location", "vestibule:migrations")
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            # A migration may take its time, and waits for the one before.
            connection.execute(text("SET LOCAL statement_timeout = 0"))
            connection.execute(text("SET LOCAL lock_timeout = 0"))
            connection.execute(
                text("SELECT pg_advisory_xact_lock(:key)"),
                {"key": MIGRATION_LOCK})
        config.attributes["connection"] = connection
        command(config, revision)


def _is_known(revision: str) -> bool:
    """Say whether this code's own history holds the revision.

    Revisions are numbered in order, so an older one sorts before ours.
    """
    return revision.isdigit() and revision <= HEAD


def _newer(revision: str) -> str:
    """Return the sentence about a schema that this code does not know."""
    return (f"the database's schema is {revision}, which this Vestibule, "
            f"made for {HEAD}, does not know: run a newer Vestibule")
