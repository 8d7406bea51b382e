#!/usr/bin/env python3
"""What the benchmarks fill tables with is what our service expects."""

from pathlib import Path
from typing import Any, Dict, List

import pytest
from sqlalchemy import create_engine, inspect
from sqlalchemy.engine import Engine

from benchmarks import plan, report
from benchmarks.growing import QUESTIONS, SETTINGS, drawn
from benchmarks.http_client import Request
from benchmarks.plan import FULL
from benchmarks.results import Results, Run, read
from benchmarks.stores import (
    POSTGRESQL, SQLITE, PostgresStore, SqliteStore, Store, cookie_of, id_of,
    name_on)
from benchmarks.subjects import FLASK_LOGIN, OURS_UNCACHED, SUBJECTS
from tests.support.builders import HASH, count
from tests.support.databases import SQLITE as SQLITE_HERE
from vestibule.base.config import load
from vestibule.kernel.auth import Auth
from vestibule.store.db import DB
from vestibule.store.schema import upgrade
from vestibule.store.session import SessionStore

ROWS, EXPIRED = 30, 7


class OnThisServer(PostgresStore):
    """A store on the server of the tests."""

    def __init__(self, url: str) -> None:
        """Use this database, which has no tables yet."""
        Store.__init__(self)
        self._url = url
        self._engine: Engine = create_engine(url)

    @property
    def url(self) -> str:
        """The URL of the database."""
        return self._url

    def make(self) -> None:
        """Leave it as it is."""

    def remove(self) -> None:
        """Leave it to the server's end."""
        self._engine.dispose()

    def _run(self, *statements: str) -> str:
        """Run statements past SQLAlchemy, as the server's client does."""
        with self._engine.begin() as connection:
            cursor: Any = connection.connection.cursor()
            for statement in statements:
                cursor.execute(statement)
            return str(cursor.fetchone()[0]) if cursor.description else ""


@pytest.fixture(name="empty")
def fixture_empty(database_kind: str, bare_url: str, tmp_path: Path) -> Any:
    """Return a store with tables and nothing in them."""
    on_sqlite = database_kind == SQLITE_HERE
    store: Store = (SqliteStore(tmp_path / "store") if on_sqlite
                    else OnThisServer(bare_url))
    store.make()
    db = DB(store.url)
    if not on_sqlite:
        upgrade(db.engine)
    db.close()
    yield store
    store.remove()


@pytest.fixture(name="store")
def fixture_store(empty: Store) -> Store:
    """Return a store with people, and with sessions that are over."""
    empty.fill(ROWS, HASH)
    empty.expire(EXPIRED, ROWS)
    return empty


def test_every_session_is_live_and_its_own_users(store: Store) -> None:
    """Each number is one person: the user, the session and the address."""
    db = DB(store.url)
    auth = Auth(db)
    for number in range(1, ROWS + 1):
        found = auth.get_user_from_session_id(cookie_of(number))
        assert found is not None
        assert (found.id, found.email) == (
            id_of(f"user{number}"), f"user{number}@example.com")
        assert len(auth.sessions.live(found.id)) == 1
    db.close()


def test_rows_that_are_over_are_what_the_purge_removes(
        store: Store) -> None:
    """And none but those."""
    db = DB(store.url)
    assert store.count_expired() == EXPIRED
    assert SessionStore(db).purge(db.clock.now(), 100) == EXPIRED
    assert store.count_expired() == 0
    for table in ("users", "sessions", "events", "attempts", "failures"):
        assert count(db, table) == ROWS
    db.close()


def indexes(store: Store) -> Dict[str, List[Any]]:
    """Return what SQLAlchemy finds on each table."""
    engine = create_engine(store.url)
    found = inspect(engine)
    rules = {table: sorted(found.get_indexes(table), key=str)
             for table in found.get_table_names()}
    engine.dispose()
    return rules


def test_a_filled_store_has_the_indexes_it_had(empty: Store) -> None:
    """They are made after the rows, by the words of those before."""
    before = indexes(empty)
    assert before["sessions"]
    empty.fill(ROWS, HASH)
    assert indexes(empty) == before


def test_limits_of_the_benchmark_are_such_as_there_are() -> None:
    """Or else the service would not start, and nothing be measured."""
    settings = load(
        {"VESTIBULE_PROFILE": "development", **SETTINGS}).settings
    assert settings.session_cache == "off"


def test_questions_are_about_numbered_people() -> None:
    """With a session's cookie, or with an address and a password."""
    asked: List[Request] = [
        each.make(7) for each in QUESTIONS.values()]
    cookie = f"Cookie: session_id={cookie_of(7)}"
    assert [each.headers for each in asked[:3]] == [(cookie,)] * 3
    for each in asked[3:]:
        assert b"user7@example.com" in (each.body or b"")
    assert asked[3].body != asked[4].body


def test_people_are_drawn_from_all_there_are() -> None:
    """The same ones in each run, others for each question, none twice."""
    numbers = drawn(10 ** 6, 300, "check")
    assert numbers == drawn(10 ** 6, 300, "check")
    assert numbers != drawn(10 ** 6, 300, "login")
    assert len(set(numbers)) == 300
    assert min(numbers) >= 1 and 10 ** 5 < max(numbers) <= 10 ** 6
    assert sorted(drawn(9, 300, "check")) == list(range(1, 10))


def test_time_is_planned_for_what_is_ours_alone() -> None:
    """Only where our service without its cache is measured."""
    ours = [each for each in SUBJECTS if each.name == OURS_UNCACHED]
    peers = [each for each in SUBJECTS if each.name == FLASK_LOGIN]
    form = FULL._replace(parts=(plan.PURGE,))
    assert plan.planned_seconds(peers, form) == 0
    assert plan.planned_seconds(ours, form) == 2 * (
        plan.filling_seconds(plan.USERS_OF_PURGE) + plan.purge_seconds(form))


def grown(folder: Path) -> Run:
    """Return a run of both parts on both kinds of databases."""
    results = Results(folder / "results.jsonl")
    results.add("run", "", form=FULL._asdict())
    for kind in (POSTGRESQL, SQLITE):
        for size in (1000, 10000000):
            for heat, p50 in (("warm", 0.5), ("cold", 2.0)):
                results.add(f"growth-{size}-check-{heat}", name_on(kind),
                            p50_ms=p50, p99_ms=p50 * 2)
        for what, p99 in (("purge-quiet", 4.0), ("purge", 5.0)):
            results.add(what, name_on(kind), rows=10 ** 6, rows_per_s=5000.0,
                        checks={"p50_ms": 1.0, "p99_ms": p99, "bad": 0})
    return read(results.file)


def test_growth_of_ours_has_a_row_for_each_question(tmp_path: Path) -> None:
    """Two columns for each size, warm and cold apart."""
    text = report.grown(grown(tmp_path))
    assert "| p50 at 1,000 rows, ms | p99 | p50 at 10,000,000 rows" in text
    for kind in (POSTGRESQL, SQLITE):
        assert (f"| {name_on(kind)} | check, cold "
                "| 2.00 | 4.00 | 2.00 | 4.00 |") in text
    assert report.grown(Run({}, [])) == report.purges(Run({}, [])) == ""


def test_the_purge_is_held_against_the_quiet(tmp_path: Path) -> None:
    """By the p99 of session checks, which is also a goal."""
    run = grown(tmp_path)
    for kind in (POSTGRESQL, SQLITE):
        assert (f"| {name_on(kind)} | 1,000,000 | 5,000 | 1.00 | 1.00 "
                "| 4.00 | 5.00 | 1.25 × | 0.00 |") in report.purges(run)
        assert f"in quiet: {name_on(kind)} | at most 1.5 | 1.25 | yes |" in (
            report.goals(run))
