#!/usr/bin/env python3
"""Each statement that the service sends is a look-up by an index.

What it sends is collected from a service that answers every request of the
API document, does its housekeeping, and is asked by its operator; then each
database says how it would go about it.
"""

import importlib
import pkgutil
import threading
from pathlib import Path
from typing import Any, Dict, Iterator, List, NamedTuple

import pytest

import vestibule.store
from tests.support.client import make_client
from tests.support.clock import SetClock
from tests.support.contract import Contract
from tests.support.contract_cases import NEVER_WAS, OWN_CASES, Case
from tests.support.contract_cases_rights import RIGHTS_CASES
from tests.support.contract_stage import Stage
from tests.support.databases import POSTGRESQL, SQLITE
from tests.support.lifetime import live_through_everything
from tests.support.plans import faults, fill
from tests.support.sent import Sent, recorded, verbs_of
from vestibule.base.config import load
from vestibule.features.api_document.routes import DOCUMENT
from vestibule.kernel.auth import Auth
from vestibule.kernel.passwords import Passwords
from vestibule.store.db import DB
from vestibule.store.models import METADATA

CONTRACT = Contract(DOCUMENT)
# What costs no other statements than another case of the same operation.
ALIKE = ("unavailable", "schema", "invalid_input", "form", "https")
CASES = [case for case in (*OWN_CASES, *RIGHTS_CASES)
         if case.code not in ALIKE]
KEY = "a key for tests, 0123456789abcdef"
# Who may read a table from end to end, or sort it, and why.
EXCEPTIONS = {
    "schema.version_of": "the table has one row, and is read at the start",
    "pepper_canary.digests":
        "the table has a row for each pepper, and is read at the start",
    "pepper_canary.hash_beyond":
        "only at the start, and only where peppers were taken out",
    "failure._holders_of_more_than":
        "what has changed since the last look, a minute or a day ago",
    "erasure.remove_answers":
        "once for each user who is erased: answers to registrations under a "
        "key are kept for one day, and nothing else leads to an address in "
        "them",
    "letter.newest":
        "an operator's list, and letters are kept for 30 days: an index "
        "would cost each letter that is written",
}
# Public methods that send nothing themselves.
SILENT = {"db.after_commit", "db.changing", "db.close", "db.reading",
          "db.transaction", "news.ask", "news.run", "news.when_lost",
          "letter.lock_recipient"}


class Collected(NamedTuple):
    """What was sent, and a database with rows to ask about it."""

    sent: List[Sent]
    db: DB


@pytest.fixture(name="collected", scope="module",
                params=[SQLITE, POSTGRESQL])
def fixture_collected(request: Any, pytestconfig: Any,
                      tmp_path_factory: Any) -> Iterator[Collected]:
    """Return all that a service sends on one kind of database."""
    kind, databases = request.param, pytestconfig.databases
    if pytestconfig.database_kinds[kind]:
        pytest.skip(pytestconfig.database_kinds[kind])
    folder = tmp_path_factory.mktemp("plans")
    sent: List[Sent] = []
    for case in CASES:
        sent += sent_for(case, databases.empty(kind, folder), folder)
    with recorded() as more:
        live(databases.empty(kind, folder))
    db = DB(databases.filled(kind, folder, fill))
    yield Collected(sent + more, db)
    db.close()


def live(url: str) -> None:
    """Have the kernel do everything that it can."""
    clock = SetClock()
    db = DB(url, clock)
    live_through_everything(Auth(db, Passwords(4)), clock)
    db.close()


def sent_for(case: Case, url: str, folder: Path) -> List[Sent]:
    """Return what one request sends, with all that comes before and after.
    """
    client = make_client(
        load(environment(url, case.production)).settings._replace(
            bcrypt_cost=4), SetClock())
    services, operation = client.services, CONTRACT.operations[case.operation]
    with recorded() as sent:
        options = case.arrange(Stage(client, folder))
        path = operation.path.format(
            session_id=options.pop("session_id", NEVER_WAS))
        answer = client.program().request(operation.method, path, **options)
        answer.get_data()
        services.sessions.last_seen.flush()
        services.refusals.flush()
        tidy_up(client)
    services.db.close()
    assert answer.status_code == case.status
    return sent


def tidy_up(client: Any) -> None:
    """Have the service do by itself what a year later is to be done."""
    stopping = threading.Event()
    stopping.set()
    client.services.db.clock.advance(days=400)
    client.services.housekeeping.purge(stopping)


def environment(url: str, production: bool) -> Dict[str, str]:
    """Return the settings of a service."""
    environ = {"VESTIBULE_DATABASE_URL": url, "VESTIBULE_SECRET_KEY": KEY,
               "VESTIBULE_PROFILE": "development"}
    if production:
        environ.update(VESTIBULE_PROFILE="production",
                       VESTIBULE_BASE_URL="https://example.com",
                       VESTIBULE_SMTP_URL="smtp://127.0.0.1:9",
                       VESTIBULE_MAIL_FROM="mail@example.com")
    return environ


def faults_by_sender(collected: Collected) -> Dict[str, List[str]]:
    """Return what is wrong with any plan, by who sends the statement."""
    found: Dict[str, List[str]] = {}
    for sent in {each.statement: each for each in reversed(collected.sent)
                 }.values():
        wrong = faults(collected.db.engine, sent)
        if wrong:
            excused = [name for name in sent.senders if name in EXCEPTIONS]
            name = (excused or sent.senders)[0]
            found.setdefault(name, []).append(
                f"{', '.join(wrong)}: {' '.join(sent.statement.split())}")
    return found


def test_every_statement_is_a_look_up_by_an_index(
        collected: Collected) -> None:
    """R042, R082: nothing costs more for there being more of it."""
    found = faults_by_sender(collected)
    assert {name: found[name] for name in found
            if name not in EXCEPTIONS} == {}


def test_every_exception_is_still_needed(collected: Collected) -> None:
    """Whoever mends one takes it out of the list."""
    assert set(EXCEPTIONS) <= set(faults_by_sender(collected))


def test_everything_that_the_store_can_send_was_sent(
        collected: Collected) -> None:
    """A new method has to be lived through, or its plan is never read."""
    modules = [importlib.import_module(f"vestibule.store.{each.name}")
               for each in pkgutil.iter_modules(vestibule.store.__path__)]
    seen = {name for each in collected.sent for name in each.senders}
    assert verbs_of(*modules) - seen - SILENT == set()


@pytest.mark.parametrize("statement", [
    "SELECT * FROM users WHERE name = 'Bob'",
    "SELECT id FROM sessions WHERE label IS NULL ORDER BY id LIMIT 5",
    "SELECT id FROM sessions ORDER BY last_seen_at",
    "UPDATE sessions SET label = NULL WHERE last_seen_at < 9",
    "DELETE FROM events WHERE at < 9",
    "SELECT holder FROM failures GROUP BY holder HAVING count(*) > 9",
    "SELECT id FROM letters WHERE state = 'queued' AND next_try_at < 9",
    "SELECT id FROM letters WHERE state = 'queued' AND next_try_at < 9 "
    "ORDER BY created_at LIMIT 9"])
def test_a_statement_without_an_index_would_be_seen(
        collected: Collected, statement: str) -> None:
    """R042: whatever it does with the whole table."""
    assert faults(collected.db.engine, Sent(statement, (), ())) != []


def test_rows_that_go_with_a_user_are_found_by_an_index(
        collected: Collected) -> None:
    """R042: no plan shows what the database deletes on its own."""
    for table in METADATA.sorted_tables:
        for key in table.foreign_keys:
            statement = f"DELETE FROM {table.name} WHERE {key.parent.name}"
            sent = Sent(f"{statement} = 'id7'", (), ())
            assert faults(collected.db.engine, sent) == []
