#!/usr/bin/env python3
"""How each answer that `openapi.json` documents is provoked.

What every operation refuses alike is derived; the rest stands in a table.
"""

import shutil
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Optional

from tests.support.client import BOB, Client, make_client
from tests.support.contract import PROBLEM, Contract, Operation
from vestibule.base.config import Settings
from vestibule.store.schema import EMPTY, downgrade

JSON_HEADERS = {"Content-Type": "application/json"}
CROSS_SITE = {"Sec-Fetch-Site": "cross-site"}
# The name of a session that never was, well-formed, so that it is looked up.
UNKNOWN_SESSION = ("session_id=12345678-1234-4234-8234-123456789012."
                   + "a" * 43)
NEW_PASSWORD = "four new words instead"

Arrange = Callable[["Stage"], Dict[str, Any]]


class Stage(NamedTuple):
    """A service with a client, to be put into the state that a case needs."""

    client: Client
    folder: Path


class Case(NamedTuple):
    """A request, and what the document says of its answer.

    ``arrange`` prepares the service and returns the options of the request.
    ``code`` is the problem's, or says which success it is.
    """

    operation: str
    status: int
    code: str
    arrange: Arrange
    production: bool = False


def transport_cases(operation: Operation) -> Iterator[Case]:
    """Yield what an operation refuses without having been called."""
    for status, code, arrange in (
            (400, "malformed_length",
             _sending(environ_overrides={"CONTENT_LENGTH": "many"})),
            (411, "length_required",
             _sending(headers={"Transfer-Encoding": "chunked"})),
            (413, "body_too_large",
             _sending(data=b" " * 65537, headers=JSON_HEADERS)),
            (415, "unsupported_media_type",
             _sending(data=b"{}", content_type="text/plain")),
            (421, "misdirected_request",
             _sending(headers={"Host": "evil.org"}))):
        if status != 421 or not operation.path.startswith("/health/"):
            yield Case(operation.id, status, code, arrange)
    if operation.method != "GET":
        yield Case(operation.id, 403, "cross_site",
                   _sending(headers=CROSS_SITE))


def body_cases(operation: Operation) -> Iterator[Case]:
    """Yield what an operation with a body refuses about it."""
    if not operation.content:
        return
    yield Case(operation.id, 400, "malformed_body",
               _sending(data=b"{", headers=JSON_HEADERS))
    yield Case(operation.id, 400, "incomplete_body", _sending(
        data=b"{}", headers=JSON_HEADERS,
        environ_overrides={"CONTENT_LENGTH": "50"}))
    yield Case(operation.id, 422, "invalid_input",
               _sending(json={}))


def _sending(**options: Any) -> Arrange:
    """Return an arrangement that needs no preparation."""
    def arrange(stage: Stage) -> Dict[str, Any]:
        """Return the options as they are."""
        return options
    return arrange


def _registered(**options: Any) -> Arrange:
    """Return an arrangement for which Bob is registered."""
    def arrange(stage: Stage) -> Dict[str, Any]:
        """Register Bob and return the options."""
        stage.client.sign_up()
        return options
    return arrange


def _signed_in(stage: Stage) -> Dict[str, Any]:
    """Sign Bob in and give him a profile."""
    stage.client.sign_up()
    stage.client.sign_in()
    db = stage.client.services.db
    db.update_user(db.find_user_by(email=BOB["email"]).id, name="Bob",
                   locale="en", picture="https://example.com/bob.png",
                   app_metadata={"theme": "dark"})
    return {}


def _with_token(stage: Stage) -> Dict[str, Any]:
    """Let Bob have a reset token."""
    stage.client.sign_up()
    answer = stage.client.post("/reset_password", {"email": BOB["email"]})
    return {"json": {"email": BOB["email"], "new_password": NEW_PASSWORD,
                     "reset_token": answer.get_json()["reset_token"]}}


def _closed(stage: Stage) -> Dict[str, Any]:
    """Let only the operator register users."""
    services = stage.client.services
    settings = services.settings._replace(registration="closed")
    stage.client.app.extensions["vestibule"] = services._replace(
        settings=settings)
    return {"json": BOB}


def _other_schema(stage: Stage) -> Dict[str, Any]:
    """Take the database back to a schema that is not this version's."""
    downgrade(stage.client.services.db.engine, EMPTY)
    return {}


def _without_database(**options: Any) -> Arrange:
    """Return an arrangement for which the database has gone."""
    def arrange(stage: Stage) -> Dict[str, Any]:
        """Take the folder of the database away."""
        stage.client.services.db.close()
        shutil.rmtree(stage.folder)
        return options
    return arrange


RESET = {"reset_token": "none", "new_password": NEW_PASSWORD}
DEAD_COOKIE = {"Cookie": UNKNOWN_SESSION}
OWN_CASES = (
    Case("basic_flask_app", 200, "json", _sending()),
    Case("basic_flask_app", 200, "html",
         _sending(headers={"Accept": "text/html"})),
    Case("register_user", 200, "json", _sending(json=BOB)),
    Case("register_user", 200, "form", _sending(data=BOB)),
    Case("register_user", 400, "email_taken", _registered(json=BOB)),
    Case("register_user", 403, "registration_closed", _closed),
    Case("register_user", 422, "invalid_input",
         _sending(json={"email": "bob", "password": ""})),
    Case("register_user", 503, "unavailable", _without_database(json=BOB)),
    Case("log_in", 200, "json", _registered(json=BOB)),
    Case("log_in", 200, "form", _registered(data=BOB)),
    Case("log_in", 200, "https", _registered(json=BOB), production=True),
    Case("log_in", 401, "invalid_credentials", _sending(json=BOB)),
    Case("log_in", 503, "unavailable", _without_database(json=BOB)),
    Case("log_out", 303, "", _signed_in),
    Case("log_out", 403, "session_required", _sending()),
    Case("log_out", 403, "session_required", _sending(headers=DEAD_COOKIE)),
    Case("log_out", 503, "unavailable",
         _without_database(headers=DEAD_COOKIE)),
    Case("user_profile", 200, "json", _signed_in),
    Case("user_profile", 403, "session_required", _sending()),
    Case("user_profile", 403, "session_required",
         _sending(headers=DEAD_COOKIE)),
    Case("user_profile", 503, "unavailable",
         _without_database(headers=DEAD_COOKIE)),
    Case("get_reset_password_token", 200, "trusted caller",
         _registered(json={"email": BOB["email"]})),
    Case("get_reset_password_token", 200, "production",
         _sending(json={"email": BOB["email"]}), production=True),
    Case("get_reset_password_token", 403, "unknown_email",
         _sending(json={"email": BOB["email"]})),
    Case("get_reset_password_token", 503, "unavailable",
         _without_database(json={"email": BOB["email"]})),
    Case("update_password", 200, "json", _with_token),
    Case("update_password", 403, "invalid_token", _sending(json=RESET)),
    Case("update_password", 503, "unavailable",
         _without_database(json=RESET)),
    Case("health_live", 200, "json", _sending()),
    Case("health_ready", 200, "json", _sending()),
    Case("health_ready", 503, "unavailable", _without_database()),
    Case("health_ready", 503, "schema", _other_schema),
    Case("api_document", 200, "json", _sending()),
)


def all_cases(contract: Contract) -> List[Case]:
    """Return every case, those of a document's own operations derived."""
    derived = [case for operation in contract.operations.values()
               for case in (*transport_cases(operation),
                            *body_cases(operation))]
    return [*OWN_CASES, *derived]


def provoke(case: Case, operation: Operation, settings: Settings,
            folder: Path) -> List[Any]:
    """Send a case's request and return the answer.

    A refusal is sent for twice: the second time as a problem.
    """
    client = make_client(settings)
    options = case.arrange(Stage(client, folder))
    kinds: List[Optional[str]] = [None]
    if case.status >= 400:
        client = client.program()
        kinds.append(PROBLEM)
    answers = []
    for kind in kinds:
        headers = dict(options.get("headers", {}))
        if kind is not None:
            headers["Accept"] = kind
        sent = dict(options, headers=headers)
        answers.append(
            client.request(operation.method, operation.path, **sent))
    client.services.db.close()
    return answers
