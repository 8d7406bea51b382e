#!/usr/bin/env python3
"""Migrations: up, down, up again; and what is refused."""

from datetime import timedelta
from pathlib import Path
from typing import Any, Dict, Iterator, List

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text
from sqlalchemy.engine import Engine

from tests.support.builders import EMAIL, HASH, everything
from vestibule.base.limits import Budget
from vestibule.store.attempt import DatabaseAttempts, Wanted
from vestibule.store.db import DB
from vestibule.store.engine import open_engine
from vestibule.store.event import Event, EventStore
from vestibule.store.failure import UNKNOWN_DEVICES, FailureStore, Holder
from vestibule.store.idempotency import IdempotencyStore, IdempotentRequest
from vestibule.store.letter import QUEUED, Letter, LetterStore
from vestibule.store.models import METADATA
from vestibule.store.one_time_token import OneTimeToken, OneTimeTokenStore
from vestibule.store.pepper_canary import PepperCanaryStore
from vestibule.store.refusal import Refusal, RefusalStore
from vestibule.store.reservation import Reservation, ReservationStore
from vestibule.store.schema import (
    EMPTY, HEAD, SchemaError, downgrade, is_current, require_current,
    upgrade, version_of)
from vestibule.store.session import Session, SessionStore

NEWER = ("the database's schema is 9999, which this Vestibule, made for "
         f"{HEAD}, does not know: run a newer Vestibule")


@pytest.fixture
def engine(bare_url: str) -> Iterator[Engine]:
    """Return the engine of a database without tables."""
    opened = open_engine(bare_url)
    yield opened
    opened.dispose()


def set_version(engine: Engine, version: str) -> None:
    """Write another revision than the true one into the database."""
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = "
                                ":version"), {"version": version})


def tables_of(engine: Engine) -> List[str]:
    """Return the names of our tables: not Alembic's, nor SQLite's own."""
    names: List[str] = inspect(engine).get_table_names()
    return sorted(name for name in names if is_ours(None, name, "table"))


def is_ours(thing: Any, name: Any, kind: str, *rest: Any) -> bool:
    """Say whether Alembic is to compare a thing of the database."""
    return name not in ("alembic_version", "sqlite_sequence")


def shape_of(engine: Engine) -> Dict[str, Any]:
    """Return columns, keys and indexes of each table as the database has."""
    looked = inspect(engine)
    return {name: [
        [(column["name"], str(column["type"]), column["nullable"])
         for column in looked.get_columns(name)],
        looked.get_pk_constraint(name)["constrained_columns"],
        [(key["constrained_columns"], key["referred_table"],
          key["options"].get("ondelete"))
         for key in looked.get_foreign_keys(name)],
        sorted((index["name"], index["column_names"])
               for index in looked.get_indexes(name)),
        sorted(unique["column_names"]
               for unique in looked.get_unique_constraints(name))]
        for name in tables_of(engine)}


def fill(db: DB) -> None:
    """Write a row into each table."""
    now = db.clock.now()
    user = db.add_user(EMAIL, HASH)
    SessionStore(db).add(Session(
        id="s", secret_digest="d", user_id=user.id, amr="pwd",
        created_at=now, authenticated_at=now, last_seen_at=now,
        idle_expires_at=now, expires_at=now, remembered=True))
    OneTimeTokenStore(db).add(OneTimeToken(
        digest="d", purpose="reset", user_id=user.id, created_at=now,
        expires_at=now))
    LetterStore(db).add(Letter(
        recipient=EMAIL, kind="reset", state=QUEUED, next_try_at=now,
        created_at=now))
    ReservationStore(db).add(Reservation(
        email="old@example.com", user_id=user.id, expires_at=now))
    EventStore(db).add(Event(at=now, what="test.done", detail={"a": 1}))
    IdempotencyStore(db).add(IdempotentRequest(
        key_digest="d", request_digest="d", started_at=now, expires_at=now))
    PepperCanaryStore(db).add("old", "d" * 64)
    RefusalStore(db).add([Refusal(
        "request-1", now, 403, "forbidden", None, "GET", "/profile")])
    DatabaseAttempts(db).reserve(
        [Wanted("code_address:00000", Budget(1, timedelta(hours=1)))], now)
    FailureStore(db).add(Holder(user.id, user.id), UNKNOWN_DEVICES, 100)


def test_migrations_go_up_and_down_and_up_again(engine: Engine) -> None:
    """R144: nothing is left below, and the way back up leads to the same."""
    assert version_of(engine) is None
    upgrade(engine)
    assert version_of(engine) == HEAD
    assert tables_of(engine) == sorted(METADATA.tables)
    first = shape_of(engine)
    downgrade(engine, EMPTY)
    assert version_of(engine) is None
    assert tables_of(engine) == []
    upgrade(engine)
    assert shape_of(engine) == first


def test_migrations_go_down_over_rows(bare_url: str) -> None:
    """R144: with a row in each table, and they hold new ones after it."""
    engine = open_engine(bare_url)
    upgrade(engine)
    db = DB(bare_url)
    fill(db)
    assert len(everything(db).split("\n")) == len(METADATA.tables)
    downgrade(engine, EMPTY)
    upgrade(engine)
    assert everything(db) == ""
    fill(db)
    db.close()
    engine.dispose()


def test_migrating_twice_changes_nothing(engine: Engine) -> None:
    """R144: idempotent, so that a deployment may always run it."""
    upgrade(engine)
    first = shape_of(engine)
    upgrade(engine)
    assert shape_of(engine) == first


def test_models_and_migrations_do_not_drift(engine: Engine) -> None:
    """R144: what Alembic would still do to the migrated schema is nothing.
    """
    upgrade(engine)
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True,
                              "include_object": is_ours})
        assert compare_metadata(context, METADATA) == []


def test_migrations_make_what_the_models_describe(engine: Engine) -> None:
    """R144: lengths, keys and cascades, which Alembic does not all compare.
    """
    upgrade(engine)
    migrated = shape_of(engine)
    downgrade(engine, EMPTY)
    METADATA.create_all(engine)
    assert shape_of(engine) == migrated


def test_sqlite_is_told_not_to_reuse_numbers(tmp_path: Path) -> None:
    """R038: the one word that no comparison of schemas looks at."""
    db = DB(f"sqlite:///{tmp_path / 'users.db'}")
    with db.reading() as work:
        made = work.execute(text(
            "SELECT sql FROM sqlite_master WHERE name = 'events'")).scalar()
    db.close()
    assert "AUTOINCREMENT" in made


def test_this_code_knows_the_newest_migration() -> None:
    """R145: ``HEAD`` is Alembic's, and the history has no branches."""
    config = Config()
    config.set_main_option("script_location", "vestibule:migrations")
    scripts = ScriptDirectory.from_config(config)
    assert scripts.get_heads() == [HEAD]
    revisions = [script.revision for script in scripts.walk_revisions()]
    assert revisions == sorted(revisions, reverse=True)
    assert all(len(each) == 4 and each.isdigit() for each in revisions)


def test_sqlite_migrates_itself(tmp_path: Path) -> None:
    """R144: opening the file is enough, new or at an older schema."""
    url = f"sqlite:///{tmp_path / 'users.db'}"
    db = DB(url)
    assert is_current(db.engine)
    downgrade(db.engine, EMPTY)
    db.close()
    again = DB(url)
    assert is_current(again.engine)
    require_current(again.engine)
    assert again.add_user(EMAIL, HASH).email == EMAIL
    again.close()


def test_elsewhere_the_operator_migrates(engine: Engine) -> None:
    """R145: without tables, or at an older schema, it is said what to run.
    """
    with pytest.raises(SchemaError) as refusal:
        require_current(engine)
    assert str(refusal.value) == (
        f"the database's schema is missing, this Vestibule needs {HEAD}: "
        "run `vestibule migrate`")
    upgrade(engine)
    require_current(engine)
    set_version(engine, "0000")
    with pytest.raises(SchemaError) as refusal:
        require_current(engine)
    assert str(refusal.value) == (
        f"the database's schema is 0000, this Vestibule needs {HEAD}: "
        "run `vestibule migrate`")


def test_only_a_file_is_migrated_as_it_is_opened(
        engine: Engine, bare_url: str) -> None:
    """R145: a shared database is the operator's; only a file is ours."""
    DB(bare_url).close()
    made = engine.dialect.name == "sqlite"
    assert tables_of(engine) == (sorted(METADATA.tables) if made else [])


@pytest.mark.parametrize("version", ["9999", "abcdef"])
def test_a_newer_schema_is_refused(engine: Engine, version: str) -> None:
    """R145: by the service and by ``migrate``, in one sentence, unharmed."""
    upgrade(engine)
    before = shape_of(engine)
    set_version(engine, version)
    for refuse in (require_current, upgrade):
        with pytest.raises(SchemaError) as refusal:
            refuse(engine)
        assert str(refusal.value) == NEWER.replace("9999", version)
    assert version_of(engine) == version
    assert shape_of(engine) == before


def test_a_file_of_a_newer_vestibule_is_refused(tmp_path: Path) -> None:
    """R145: as it is opened, before anything could be written."""
    url = f"sqlite:///{tmp_path / 'users.db'}"
    db = DB(url)
    set_version(db.engine, "9999")
    db.close()
    with pytest.raises(SchemaError) as refusal:
        DB(url)
    assert str(refusal.value) == NEWER


def test_a_database_that_is_away_is_no_missing_schema() -> None:
    """It is let through as what it is, and nobody runs a migration."""
    pytest.importorskip("psycopg2")
    engine = open_engine("postgresql://nobody@127.0.0.1:9/none")
    with pytest.raises(Exception, match="onnection refused"):
        version_of(engine)
