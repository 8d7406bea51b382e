#!/usr/bin/env python3
"""How each answer that `openapi.json` documents is provoked.

What every operation refuses alike is derived; the rest stands in a table.
"""

import json
import shutil
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Optional

from tests.support.client import BOB, Client, make_client
from tests.support.clock import SetClock
from tests.support.contract import PROBLEM, Contract, Operation
from vestibule.base.config import Settings
from vestibule.store.schema import EMPTY, downgrade

JSON_HEADERS = {"Content-Type": "application/json"}
CROSS_SITE = {"Sec-Fetch-Site": "cross-site"}
# The name of a session that never was, well-formed, so that it is looked up.
NEVER_WAS = "12345678-1234-4234-8234-123456789012"
DEAD_COOKIE = {"Cookie": f"session_id={NEVER_WAS}.{'a' * 43}"}
FIREFOX = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:120.0) "
                         "Gecko/20100101 Firefox/120.0"}
NEW_PASSWORD = "four new words instead"
PROFILE = {"name": "Bob", "locale": "en",
           "picture": "https://example.com/bob.png",
           "metadata": {"theme": "dark"}}
MERGE_PATCH = "application/merge-patch+json"
# Fields that are wrong, where it is not enough to leave them out.
UNFIT = {"change_profile": {"email": "eve@example.com", "metadata": "dark"}}

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


def session_cases(operation: Operation) -> Iterator[Case]:
    """Yield what an operation for people who are signed in refuses others.
    """
    if not operation.needs_session:
        return
    yield Case(operation.id, 403, "session_required", _sending())
    yield Case(operation.id, 403, "session_required",
               _sending(headers=DEAD_COOKIE))
    yield Case(operation.id, 503, "unavailable",
               _without_database(headers=DEAD_COOKIE))


def body_cases(operation: Operation) -> Iterator[Case]:
    """Yield what an operation with a body refuses about it."""
    if not operation.content:
        return
    sending = _signed_in if operation.needs_session else _sending
    yield Case(operation.id, 400, "malformed_body",
               sending(data=b"{", headers=JSON_HEADERS))
    yield Case(operation.id, 400, "incomplete_body", sending(
        data=b"{}", headers=JSON_HEADERS,
        environ_overrides={"CONTENT_LENGTH": "50"}))
    yield Case(operation.id, 422, "invalid_input",
               sending(json=UNFIT.get(operation.id, {})))


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


def _signed_in(**options: Any) -> Arrange:
    """Return an arrangement for which Bob is signed in."""
    def arrange(stage: Stage) -> Dict[str, Any]:
        """Sign Bob in and return the options with his cookie."""
        return _as_bob(stage, options)
    return arrange


def _as_bob(stage: Stage, options: Dict[str, Any]) -> Dict[str, Any]:
    """Sign Bob up and in; return the options with his session."""
    stage.client.sign_up()
    answer = stage.client.post("/sessions", BOB, headers=FIREFOX)
    cookie = answer.headers["Set-Cookie"].partition(";")[0]
    headers = {**options.get("headers", {}), "Cookie": cookie}
    return {**options, "headers": headers}


def _with_profile(stage: Stage) -> Dict[str, Any]:
    """Let Bob be signed in and have said of himself all that there is."""
    options = _as_bob(stage, {})
    assert stage.client.request(
        "PATCH", "/profile", json=PROFILE).status_code == 200
    return options


def _with_own_session(**options: Any) -> Arrange:
    """Return an arrangement in which the path names the session that asks.
    """
    def arrange(stage: Stage) -> Dict[str, Any]:
        """Sign Bob in and put the session's id into the path."""
        signed_in = _as_bob(stage, options)
        session = stage.client.get("/session").get_json()
        return {**signed_in, "session_id": session["id"]}
    return arrange


def _with_other_session(stage: Stage) -> Dict[str, Any]:
    """Let the path name a session in Bob's other browser."""
    other = stage.client.another()
    options = _as_bob(stage, {})
    other.sign_in()
    return {**options, "session_id": other.get("/session").get_json()["id"]}


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
PASSWORD = {"password": BOB["password"]}
PASSWORDS = {"current_password": BOB["password"],
             "new_password": NEW_PASSWORD}
WRONG_PASSWORDS = dict(PASSWORDS, current_password="a wrong one")
OTHER_VERSION = {"If-Match": '"99"'}
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
    Case("log_in", 200, "not remembered",
         _registered(data=dict(BOB, remember="false"))),
    Case("log_in", 422, "invalid_input",
         _registered(json=dict(BOB, remember=1))),
    Case("log_out", 303, "", _signed_in()),
    Case("list_sessions", 200, "json", _signed_in()),
    Case("revoke_others", 200, "json", _signed_in()),
    Case("label_session", 200, "json",
         _with_own_session(json={"label": "Desk"})),
    Case("label_session", 200, "form",
         _with_own_session(data={"label": " Desk "})),
    Case("label_session", 404, "not_found", _signed_in(json={"label": "x"})),
    Case("label_session", 422, "invalid_input",
         _with_own_session(json={"label": "x" * 101})),
    Case("revoke_session", 204, "own", _with_own_session()),
    Case("revoke_session", 204, "other", _with_other_session),
    Case("revoke_session", 404, "not_found", _signed_in()),
    Case("this_session", 200, "json", _signed_in()),
    Case("check_session", 204, "", _signed_in()),
    Case("reauthenticate", 200, "json", _signed_in(json=PASSWORD)),
    Case("reauthenticate", 200, "form", _signed_in(data=PASSWORD)),
    Case("reauthenticate", 401, "invalid_credentials",
         _signed_in(json={"password": "a wrong one"})),
    Case("user_profile", 200, "json", _with_profile),
    Case("change_profile", 200, "json", _signed_in(json=PROFILE)),
    Case("change_profile", 200, "form", _signed_in(data={"name": "Bob"})),
    Case("change_profile", 200, "merge patch", _signed_in(
        data=json.dumps(PROFILE), content_type=MERGE_PATCH)),
    Case("change_profile", 200, "this version",
         _signed_in(json={"name": "Bob"}, headers={"If-Match": '"1"'})),
    Case("change_profile", 412, "precondition_failed",
         _signed_in(json={"name": "Bob"}, headers=OTHER_VERSION)),
    Case("change_password", 204, "json", _signed_in(json=PASSWORDS)),
    Case("change_password", 204, "form", _signed_in(data=PASSWORDS)),
    Case("change_password", 403, "wrong_password",
         _signed_in(json=WRONG_PASSWORDS)),
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
                            *session_cases(operation),
                            *body_cases(operation))]
    return [*OWN_CASES, *derived]


def provoke(case: Case, operation: Operation, settings: Settings,
            folder: Path) -> List[Any]:
    """Send a case's request and return the answer.

    A refusal is sent for twice: the second time as a problem. No cookie is
    sent but that of the arrangement.
    """
    stage = Stage(make_client(settings, SetClock()), folder)
    options = case.arrange(stage)
    path = operation.path.format(
        session_id=options.pop("session_id", NEVER_WAS))
    kinds: List[Optional[str]] = [None]
    if case.status >= 400:
        kinds.append(PROBLEM)
    answers = []
    for kind in kinds:
        headers = dict(options.get("headers", {}))
        if kind is not None:
            headers["Accept"] = kind
        sent = dict(options, headers=headers)
        answers.append(
            stage.client.program().request(operation.method, path, **sent))
    stage.client.services.db.close()
    return answers
