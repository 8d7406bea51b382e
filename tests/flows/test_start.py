#!/usr/bin/env python3
"""The start of a service: quick because it leaves out what it can.

Nothing is timed here. What takes time is importing, so what need not be
imported is named; and after that, statements.
"""

import sys
from pathlib import Path
from typing import Any, Dict, Iterator

import pytest

from tests.support.service import Service

# A service that tells how it started, from its first process on.
TALKATIVE = """
import gc, json, os, sys, threading
from sqlalchemy import event
from sqlalchemy.engine import Engine
from vestibule import server
from vestibule.base.config import load
statements = []
def note(connection, cursor, statement, *rest):
    if threading.current_thread() is threading.main_thread():
        statements.append(statement)
event.listen(Engine, "before_cursor_execute", note)
make = server.create_app
def create_app(settings):
    app = make(settings)
    app.add_url_rule("/started", "started", lambda: json.dumps(
        {"modules": sorted(sys.modules), "statements": statements,
         "frozen": gc.get_freeze_count()}))
    return app
server.create_app = create_app
server.serve(load(os.environ).settings)
"""
# Each takes a twentieth of a start or more, or memory in each process.
# Migrations want the first, a Redis the second, lists of sessions the third.
SPARED = ("alembic", "redis", "ua_parser")
# In the first process and in one of those that it starts, together: which
# the schema is, and one about peppers. SQLite is asked about the schema as
# its file is opened, too, in each of both.
STATEMENTS = {"sqlite": 4, "postgresql": 2}
# Far fewer than a start makes, and far more than an empty Python has.
MANY = 20000


@pytest.fixture(name="service")
def fixture_service(environ: Dict[str, str],
                    tmp_path: Path) -> Iterator[Service]:
    """Return a service that is not started yet."""
    service = Service(environ, tmp_path, (sys.executable, "-c", TALKATIVE))
    yield service
    service.kill()


def test_a_start_imports_nothing_that_it_does_not_need(
        service: Service) -> None:
    """On a current schema, without Redis, before anybody lists sessions."""
    modules = started(service)["modules"]
    assert "vestibule.app" in modules
    assert [name for name in modules
            if name.partition(".")[0] in SPARED] == []


def test_a_start_takes_few_statements(
        service: Service, database_kind: str) -> None:
    """A change of these is no accident."""
    statements = started(service)["statements"]
    assert len(statements) == STATEMENTS[database_kind], statements


def test_processes_share_what_was_imported(service: Service) -> None:
    """No search for rubbish looks at it, and so writes to it, in any."""
    assert started(service)["frozen"] > MANY


def started(service: Service) -> Any:
    """Start the service on its second day, and return what it tells.

    On the first one SQLite has to be migrated.
    """
    service.start()
    assert service.terminate() == 0
    service.start()
    return service.request("GET", "/started").json
