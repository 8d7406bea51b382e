#!/usr/bin/env python3
"""What a client, an operator and the loops see of a database in trouble."""

import os
import subprocess
import sys
import threading
from typing import Any, Dict, Iterator

import pytest
from sqlalchemy import create_engine, text

from tests.support.client import BOB, Client
from tests.support.clock import SetClock
from tests.support.service import ROOT
from vestibule.store import engine as store_engine


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nobody wait long for a lock, so that the tests need not either."""
    monkeypatch.setattr(store_engine, "BUSY_TIMEOUT_SECONDS", 0.2)
    monkeypatch.setattr(store_engine, "LOCK_TIMEOUT", "200ms")


@pytest.fixture
def held(database_url: str, hurried: None, client: Client) -> Iterator[Any]:
    """Hold what writers need: SQLite's lock, or Bob's row."""
    client.sign_up()
    client.sign_in()
    engine = create_engine(database_url)
    connection = engine.connect()
    if engine.dialect.name == "sqlite":
        driver = connection.connection
        driver.isolation_level = None
        driver.execute("BEGIN IMMEDIATE")
    else:
        transaction = connection.begin()
        connection.execute(text("SELECT id FROM users FOR UPDATE"))
    yield connection
    if engine.dialect.name == "sqlite":
        driver.execute("ROLLBACK")
    else:
        transaction.rollback()
    connection.close()
    engine.dispose()


def test_a_lock_held_too_long_is_503(held: Any, client: Client) -> None:
    """R108, R131: with Retry-After, nobody is logged out, checks go on."""
    answer = client.sign_in()
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) >= 1
    assert "Set-Cookie" not in answer.headers
    assert client.get("/session").status_code == 200


def test_no_loop_ends_for_a_lock(
        held: Any, client: Client, clock: SetClock,
        monkeypatch: pytest.MonkeyPatch) -> None:
    """R131: housekeeping goes on when the lock is gone."""
    monkeypatch.setattr("vestibule.kernel.housekeeping.FLUSH_SECONDS", 0.05)
    stop = threading.Event()
    thread = threading.Thread(
        target=client.services.housekeeping.run, args=(stop,))
    thread.start()
    clock.advance(minutes=2)
    client.get("/session")
    thread.join(1)
    assert thread.is_alive()
    stop.set()
    thread.join(10)
    assert not thread.is_alive()


def test_a_read_only_database_is_503(
        database_kind: str, client: Client) -> None:
    """R131: a node that a failover left behind writes nothing."""
    if database_kind != "postgresql":
        pytest.skip("SQLite files are not failed over")
    url = client.services.db.engine.url
    engine = create_engine(url)
    name = url.database
    with engine.connect() as connection:
        autocommit = connection.execution_options(
            isolation_level="AUTOCOMMIT")
        autocommit.execute(text(
            f"ALTER DATABASE {name} SET default_transaction_read_only = on"))
        client.services.db.engine.dispose()
        try:
            answer = client.sign_up(email="eve@example.com")
        finally:
            autocommit.execute(text("SET default_transaction_read_only = off"))
            autocommit.execute(text(
                f"ALTER DATABASE {name} RESET default_transaction_read_only"))
    engine.dispose()
    assert answer.status_code == 503


def test_a_fault_of_ours_puts_no_value_into_the_log(
        client: Client, caplog: pytest.LogCaptureFixture) -> None:
    """R113, R117: not the hash, not the address."""
    with client.services.db.transaction() as work:
        work.execute(text("ALTER TABLE events RENAME TO gone"))
    try:
        answer = client.sign_up()
    finally:
        with client.services.db.transaction() as work:
            work.execute(text("ALTER TABLE gone RENAME TO events"))
    assert answer.status_code in (500, 503)
    assert caplog.records
    for record in caplog.records:
        logged = f"{record.getMessage()} {record.exc_text}"
        assert "$2b$" not in logged
        assert BOB["email"] not in logged


def test_a_command_says_it_in_a_sentence(
        database_kind: str, held: Any, environ: Dict[str, str]) -> None:
    """R109: an operator sees no traceback for a lock."""
    if database_kind != "sqlite":
        pytest.skip("a row that is held keeps nobody from adding another")
    done = subprocess.run(
        [sys.executable, "-m", "vestibule", "users", "create",
         "ada@example.com", "--password-stdin"],
        input=b"a password", stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env=dict(environ, PATH=os.environ["PATH"], PYTHONPATH=str(ROOT)))
    assert done.returncode == 1
    assert b"Traceback" not in done.stderr
    assert b"locked" in done.stderr
