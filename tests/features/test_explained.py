#!/usr/bin/env python3
"""Each refusal of the contract, over HTTP, is explained to the operator."""

from pathlib import Path
from typing import Any, Dict, Iterator, List

import pytest

from tests.cli.commands import run
from tests.support.client import BOB, Client, make_client
from tests.support.clock import SetClock
from tests.support.contract import Contract
from tests.support.contract_cases import (
    NEVER_WAS, OWN_CASES, Case, body_cases, service_cases, session_cases,
    transport_cases)
from tests.support.contract_cases_rights import RIGHTS_CASES
from tests.support.contract_stage import Stage
from tests.support.databases import SQLITE
from vestibule.base.config import load
from vestibule.cli.explanations import OF_CODES
from vestibule.features.api_document.routes import DOCUMENT
from vestibule.web.errors import STATUS

CONTRACT = Contract(DOCUMENT)
ID = "test-0123456789"
KEY = "a key for tests, 0123456789abcdef"


def refused() -> Iterator[Case]:
    """Yield every case of a refusal; those of all operations but once.

    What takes the database away is a test of its own.
    """
    some = CONTRACT.operations["change_profile"]
    for case in (*OWN_CASES, *RIGHTS_CASES, *service_cases(),
                 *transport_cases(some), *session_cases(some),
                 *body_cases(some)):
        if case.status >= 400 and case.code not in ("unavailable", "schema"):
            yield case


CASES: List[Case] = list(refused())


def environment(url: str, production: bool) -> Dict[str, str]:
    """Return the settings of a service, and of the command beside it."""
    environ = {"VESTIBULE_DATABASE_URL": url, "VESTIBULE_SECRET_KEY": KEY,
               "VESTIBULE_PROFILE": "development"}
    if production:
        environ.update(VESTIBULE_PROFILE="production",
                       VESTIBULE_BASE_URL="https://example.com",
                       VESTIBULE_SMTP_URL="smtp://127.0.0.1:9",
                       VESTIBULE_MAIL_FROM="mail@example.com")
    return environ


def explained(environ: Dict[str, str]) -> str:
    """Return what the command says of the test's request, on one line."""
    ran = run(environ, "explain", ID)
    assert (ran.status, ran.err) == (0, "")
    return " ".join(ran.out.split())


@pytest.mark.parametrize(
    "case", CASES, ids=lambda case: f"{case.operation} {case.code}")
def test_every_refusal_is_explained(
        case: Case, pytestconfig: Any, tmp_path: Path) -> None:
    """R118, R122: the request, the answer, and which rule decided."""
    environ = environment(
        pytestconfig.databases.empty(SQLITE, tmp_path), case.production)
    client = make_client(
        load(environ).settings._replace(bcrypt_cost=4), SetClock())
    options = case.arrange(Stage(client, tmp_path))
    operation = CONTRACT.operations[case.operation]
    path = operation.path.format(
        session_id=options.pop("session_id", NEVER_WAS))
    headers = {**options.pop("headers", {}), "X-Request-Id": ID}
    answer = client.program().request(
        operation.method, path, headers=headers, **options)
    client.services.refusals.flush()
    stored, = client.services.refusals.of_request(ID, 9)
    client.services.db.close()
    assert (answer.status_code, stored.status) == (case.status, case.status)
    told = explained(environ)
    assert (f"{operation.method} {stored.path} was refused with "
            f"{case.status} {case.code}.") in told
    assert OF_CODES[case.code].why in told
    assert stored.rule is None or f"decided: {stored.rule}." in told


def test_a_database_that_was_away_is_explained_once_it_is_back(
        pytestconfig: Any, tmp_path: Path) -> None:
    """R122: the refusals of its absence wait in memory."""
    home, away = tmp_path / "home", tmp_path / "away"
    home.mkdir()
    environ = environment(pytestconfig.databases.empty(SQLITE, home), False)
    client = make_client(load(environ).settings)
    client.services.db.close()
    home.rename(away)
    answer = client.post("/users", BOB, headers={"X-Request-Id": ID})
    assert answer.status_code == 503
    client.services.refusals.flush()
    away.rename(home)
    client.services.refusals.flush()
    client.services.db.close()
    assert ("503 unavailable. The rule that decided: the database does not "
            "answer: OperationalError.") in explained(environ)


@pytest.mark.parametrize("disabled, reason, hint", [
    (False, "wrong_password", "`vestibule users reset-link {id}`"),
    (True, "disabled", "`vestibule users enable {id}`")])
def test_a_refused_login_is_explained_by_its_event(
        client: Client, environ: Dict[str, str], disabled: bool,
        reason: str, hint: str) -> None:
    """R118: on every database; the client is told neither."""
    client.sign_up()
    users = client.services.users
    user = users.find(BOB["email"])
    if disabled:
        users.disable(user)
    answer = client.post("/sessions", dict(BOB, password="another"),
                         headers={"X-Request-Id": ID})
    assert answer.status_code == 401
    client.services.refusals.flush()
    told = explained(environ)
    assert f"login.refused was recorded about the user {user.id}" in told
    assert f"The reason: {reason}." in told
    assert hint.format(id=user.id) in told
    assert told.index("login.refused") < told.index("was refused with 401")


def test_every_code_has_its_meaning() -> None:
    """R122: those of the document, and those of every kind of error."""
    known = set(DOCUMENT["components"]["schemas"]["Code"]["enum"])
    known |= {kind.default_code for kind in STATUS}
    assert known <= set(OF_CODES)
    for code, meaning in OF_CODES.items():
        assert meaning.why.endswith("."), code
        assert not meaning.hint or meaning.hint.endswith("."), code
