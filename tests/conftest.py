#!/usr/bin/env python3
"""What every test can ask for: a clock, a database, the kernel, a client.

Each test that needs a database runs once on each kind that is to be had.
"""

import gc
import os
import tempfile
from pathlib import Path
from typing import Any, Dict, Iterator, List

import hypothesis
import pytest

from tests.support import examples
from tests.support.client import Client, make_client
from tests.support.clock import SetClock
from tests.support.databases import Databases, available
from tests.support.folders import folder_in_memory
from tests.support.redis_server import RedisServer, why_no_redis
from tests.support.roomy import ROOMY
from tests.support.warm import warm, watch
from vestibule.base.config import Settings, load
from vestibule.kernel.auth import Auth
from vestibule.kernel.passwords import Passwords
from vestibule.store.db import DB

CHEAPEST = 4


def pytest_addoption(parser: Any) -> None:
    """Offer to do without PostgreSQL, or to insist on it."""
    parser.addoption(
        "--no-postgresql", action="store_true",
        help="run the tests on SQLite alone")
    parser.addoption(
        "--require-postgresql", action="store_true",
        help="fail at once where PostgreSQL or Redis cannot be started")
    parser.addoption(
        "--session-cache", action="store_true",
        help="look every session up in a warm cache")
    parser.addoption(
        "--sessions-alone", action="store_true",
        help="run only the tests for which --session-cache makes a difference")
    parser.addoption(
        "--fuzz", action="store_true",
        help="try many more examples wherever they are made up")


def pytest_configure(config: Any) -> None:
    """Find out which kinds of database there are, and how much to try.

    The folders of tests are gone after the run; ``--basetemp`` keeps them.
    """
    examples.register()
    hypothesis.settings.load_profile(
        examples.FUZZ if config.getoption("--fuzz") else examples.QUICK)
    folder = tempfile.TemporaryDirectory(
        prefix="vestibule-tests-", dir=folder_in_memory())
    if config.option.basetemp is None:
        config.option.basetemp = os.path.join(folder.name, "tests")
    config.databases_folder = folder
    config.databases = Databases(Path(folder.name))
    config.database_kinds = available(
        config.databases, not config.getoption("--no-postgresql"))
    reason = config.database_kinds["postgresql"]
    if reason and config.getoption("--require-postgresql"):
        pytest.exit(f"PostgreSQL is required, but {reason}", returncode=3)
    if why_no_redis() and config.getoption("--require-postgresql"):
        pytest.exit(f"Redis is required, but {why_no_redis()}", returncode=3)


def pytest_unconfigure(config: Any) -> None:
    """Stop what was started."""
    config.databases.stop()
    config.databases_folder.cleanup()


def pytest_generate_tests(metafunc: Any) -> None:
    """Run what needs a database on each kind that is to be had."""
    if "database_kind" in metafunc.fixturenames:
        kinds: Dict[str, str] = metafunc.config.database_kinds
        metafunc.parametrize(
            "database_kind", [kind for kind in kinds if not kinds[kind]])


def pytest_terminal_summary(terminalreporter: Any, config: Any) -> None:
    """Say which servers the suite ran on, and what was left out and why.
    """
    terminalreporter.section("databases")
    for kind, reason in config.database_kinds.items():
        said = f"left out: {reason}" if reason else "tested"
        terminalreporter.line(f"{kind}: {said}")
    reason = why_no_redis()
    said = f"left out: {reason}" if reason else "tested"
    terminalreporter.line(f"redis: {said}")


@pytest.fixture
def is_warm(request: Any) -> bool:
    """Return whether sessions are looked up in a warm cache."""
    return (request.config.getoption("--session-cache")
            and request.node.get_closest_marker("uncached") is None)


@pytest.fixture
def clock() -> SetClock:
    """Return a clock to be set."""
    return SetClock()


@pytest.fixture
def database_url(database_kind: str, pytestconfig: Any,
                 tmp_path: Path) -> str:
    """Return the URL of an empty database with all tables."""
    databases: Databases = pytestconfig.databases
    return databases.empty(database_kind, tmp_path)


@pytest.fixture
def bare_url(database_kind: str, pytestconfig: Any, tmp_path: Path) -> str:
    """Return the URL of a database without tables."""
    databases: Databases = pytestconfig.databases
    return databases.bare(database_kind, tmp_path)


@pytest.fixture
def db(database_url: str, clock: SetClock) -> Iterator[DB]:
    """Return an empty database, opened."""
    opened = DB(database_url, clock)
    watch(opened)
    yield opened
    opened.close()


def running_redis() -> Iterator[RedisServer]:
    """Yield a Redis, or skip the test where there is none."""
    if why_no_redis():
        pytest.skip(why_no_redis())
    server = RedisServer()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def one_redis() -> Iterator[RedisServer]:
    """Return the Redis of this run, started when first asked for."""
    yield from running_redis()


@pytest.fixture
def redis_server(one_redis: RedisServer) -> RedisServer:
    """Return a Redis that runs and holds nothing; no test may end it."""
    one_redis.command("FLUSHALL")
    return one_redis


@pytest.fixture
def mortal_redis() -> Iterator[RedisServer]:
    """Return a Redis that a test may end."""
    yield from running_redis()


@pytest.fixture
def auth(db: DB, is_warm: bool) -> Auth:
    """Return the API on an empty database, hashing at the least cost."""
    made = Auth(db, Passwords(CHEAPEST))
    if is_warm:
        warm(made.sessions, db)
    return made


@pytest.fixture
def environ(database_url: str, tmp_path: Path,
            monkeypatch: pytest.MonkeyPatch) -> Dict[str, str]:
    """Return the environment of a development service, hashing cheaply.

    The test runs in a folder of its own, for that is where such a service
    keeps its mailbox when the database is no file.
    """
    monkeypatch.chdir(tmp_path)
    return {"VESTIBULE_PROFILE": "development",
            "VESTIBULE_DATABASE_URL": database_url,
            "VESTIBULE_LIMITS": ROOMY,
            "VESTIBULE_SECRET_KEY": "a key for tests, 0123456789abcdef",
            "VESTIBULE_BCRYPT_COST": str(CHEAPEST)}


@pytest.fixture
def settings(environ: Dict[str, str]) -> Settings:
    """Return the settings of a development service."""
    return load(environ).settings


@pytest.fixture
def client(settings: Settings, clock: SetClock,
           is_warm: bool) -> Iterator[Client]:
    """Return a client of a development service on an empty database."""
    made = make_client(settings, clock, is_warm)
    yield made
    made.services.db.close()


@pytest.fixture
def production(environ: Dict[str, str], clock: SetClock,
               is_warm: bool) -> Iterator[Client]:
    """Return a client of a production service at https://example.com.

    Its letters wait in the outbox: nobody delivers them.
    """
    # Hashing at production's least cost would take the suite its time; the
    # cost is the one thing that is not as in production.
    settings = load(dict(
        environ, VESTIBULE_PROFILE="production",
        VESTIBULE_BCRYPT_COST="10", VESTIBULE_BASE_URL="https://example.com",
        VESTIBULE_SMTP_URL="smtp://127.0.0.1:9",
        VESTIBULE_MAIL_FROM="mail@example.com")).settings
    made = make_client(
        settings._replace(bcrypt_cost=CHEAPEST), clock, is_warm)
    yield made
    made.services.db.close()


def pytest_collection_modifyitems(config: Any, items: List[Any]) -> None:
    """Run the rules for the source first: they are fast and tell most."""
    items.sort(key=lambda item: "test_architecture" not in item.nodeid)
    if config.getoption("--sessions-alone"):
        left_out = [item for item in items if not _looks_sessions_up(item)]
        items[:] = [item for item in items if _looks_sessions_up(item)]
        config.hook.pytest_deselected(items=left_out)


def _looks_sessions_up(item: Any) -> bool:
    """Say whether a cache of sessions could change how a test ends."""
    return ("is_warm" in getattr(item, "fixturenames", ())
            and item.get_closest_marker("uncached") is None)


def pytest_collection_finish() -> None:
    """Keep what lives to the end out of the garbage collector's rounds.

    That is all modules and thousands of tests, through which it would go
    again and again for what the running test has left.
    """
    gc.collect()
    gc.freeze()
