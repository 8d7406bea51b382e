#!/usr/bin/env python3
"""How each answer that `openapi.json` documents is provoked.

What every operation refuses alike is derived; the rest stands in a table.
"""

import json
from pathlib import Path
from typing import Any, Iterator, List, NamedTuple, Optional

from tests.support.client import BOB, make_client
from tests.support.clock import SetClock
from tests.support.contract import PROBLEM, Contract, Operation
from tests.support.contract_stage import (
    NEW_EMAIL, NEW_PASSWORD, PASSWORD, PASSWORDS, PROFILE, Arrange, Stage,
    closed, missing_pepper, other_schema, registered, sending, signed_in,
    undoing, verified, verifying, verifying_by_code, verifying_change,
    verifying_signed_in, verifying_too_often, verifying_where_registered,
    with_code, with_contact, with_key, with_old_proof, with_other_session,
    with_own_session, with_profile, with_token, without_database)
from vestibule.base.config import Settings

JSON_HEADERS = {"Content-Type": "application/json"}
HTML_HEADERS = {"Accept": "text/html"}
CROSS_SITE = {"Sec-Fetch-Site": "cross-site"}
# The name of a session that never was, well-formed, so that it is looked up.
NEVER_WAS = "12345678-1234-4234-8234-123456789012"
DEAD_COOKIE = {"Cookie": f"session_id={NEVER_WAS}.{'a' * 43}"}
MERGE_PATCH = "application/merge-patch+json"
# Fields that are wrong, where it is not enough to leave them out.
UNFIT = {"change_profile": {"email": "eve@example.com", "metadata": "dark"}}


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
             sending(environ_overrides={"CONTENT_LENGTH": "many"})),
            (411, "length_required",
             sending(headers={"Transfer-Encoding": "chunked"})),
            (413, "body_too_large",
             sending(data=b" " * 65537, headers=JSON_HEADERS)),
            (415, "unsupported_media_type",
             sending(data=b"{}", content_type="text/plain")),
            (421, "misdirected_request",
             sending(headers={"Host": "evil.org"}))):
        if status != 421 or not operation.path.startswith("/health/"):
            yield Case(operation.id, status, code, arrange)
    if operation.method != "GET":
        yield Case(operation.id, 403, "cross_site",
                   sending(headers=CROSS_SITE))


def session_cases(operation: Operation) -> Iterator[Case]:
    """Yield what an operation for people who are signed in refuses others.
    """
    if not operation.needs_session:
        return
    yield Case(operation.id, 403, "session_required", sending())
    yield Case(operation.id, 403, "session_required",
               sending(headers=DEAD_COOKIE))
    yield Case(operation.id, 503, "unavailable",
               without_database(headers=DEAD_COOKIE))


def body_cases(operation: Operation) -> Iterator[Case]:
    """Yield what an operation with a body refuses about it."""
    if not operation.content:
        return
    arranged = signed_in if operation.needs_session else sending
    yield Case(operation.id, 400, "malformed_body",
               arranged(data=b"{", headers=JSON_HEADERS))
    yield Case(operation.id, 400, "incomplete_body", arranged(
        data=b"{}", headers=JSON_HEADERS,
        environ_overrides={"CONTENT_LENGTH": "50"}))
    yield Case(operation.id, 422, "invalid_input",
               arranged(json=UNFIT.get(operation.id, {})))


EMAIL = {"email": BOB["email"]}
RESET = {"reset_token": "none", "new_password": NEW_PASSWORD}
RESET_BY_CODE = dict(EMAIL, code="00000000", new_password=NEW_PASSWORD)
UNKNOWN = {"token": "none"}
WRONG_PASSWORDS = dict(PASSWORDS, current_password="a wrong one")
OTHER_VERSION = {"If-Match": '"99"'}
OWN_CASES = (
    Case("basic_flask_app", 200, "json", sending()),
    Case("basic_flask_app", 200, "html",
         sending(headers=HTML_HEADERS)),
    Case("register_user", 200, "json", sending(json=BOB)),
    Case("register_user", 200, "form", sending(data=BOB)),
    Case("register_user", 200, "https", sending(json=BOB), production=True),
    Case("register_user", 200, "taken and not told", registered(json=BOB),
         production=True),
    Case("register_user", 400, "email_taken", registered(json=BOB)),
    Case("register_user", 403, "registration_closed", closed),
    Case("register_user", 422, "invalid_input",
         sending(json={"email": "bob", "password": ""})),
    Case("register_user", 503, "unavailable", without_database(json=BOB)),
    Case("register_user", 200, "under a key", with_key(json=BOB)),
    Case("register_user", 200, "replayed", with_key("answered", json=BOB)),
    Case("register_user", 400, "malformed_idempotency_key",
         sending(json=BOB, headers={"Idempotency-Key": "two words"})),
    Case("register_user", 409, "request_running",
         with_key("running", json=BOB)),
    Case("register_user", 422, "invalid_input",
         with_key("another", json=BOB)),
    Case("log_in", 200, "json", registered(json=BOB)),
    Case("log_in", 200, "form", registered(data=BOB)),
    Case("log_in", 200, "https", verified(json=BOB), production=True),
    Case("log_in", 403, "email_not_verified", registered(json=BOB),
         production=True),
    Case("log_in", 401, "invalid_credentials", sending(json=BOB)),
    Case("log_in", 503, "unavailable", without_database(json=BOB)),
    Case("log_in", 200, "not remembered",
         registered(data=dict(BOB, remember="false"))),
    Case("log_in", 422, "invalid_input",
         registered(json=dict(BOB, remember=1))),
    Case("log_out", 303, "", signed_in()),
    Case("list_sessions", 200, "json", signed_in()),
    Case("revoke_others", 200, "json", signed_in()),
    Case("label_session", 200, "json",
         with_own_session(json={"label": "Desk"})),
    Case("label_session", 200, "form",
         with_own_session(data={"label": " Desk "})),
    Case("label_session", 404, "not_found", signed_in(json={"label": "x"})),
    Case("label_session", 422, "invalid_input",
         with_own_session(json={"label": "x" * 101})),
    Case("revoke_session", 204, "own", with_own_session()),
    Case("revoke_session", 204, "other", with_other_session),
    Case("revoke_session", 404, "not_found", signed_in()),
    Case("this_session", 200, "json", signed_in()),
    Case("check_session", 204, "", signed_in()),
    Case("reauthenticate", 200, "json", signed_in(json=PASSWORD)),
    Case("reauthenticate", 200, "form", signed_in(data=PASSWORD)),
    Case("reauthenticate", 401, "invalid_credentials",
         signed_in(json={"password": "a wrong one"})),
    Case("user_profile", 200, "json", with_profile),
    Case("change_profile", 200, "json", signed_in(json=PROFILE)),
    Case("change_profile", 200, "form", signed_in(data={"name": "Bob"})),
    Case("change_profile", 200, "merge patch", signed_in(
        data=json.dumps(PROFILE), content_type=MERGE_PATCH)),
    Case("change_profile", 200, "this version",
         signed_in(json={"name": "Bob"}, headers={"If-Match": '"1"'})),
    Case("change_profile", 412, "precondition_failed",
         signed_in(json={"name": "Bob"}, headers=OTHER_VERSION)),
    Case("list_activity", 200, "json", signed_in()),
    Case("list_activity", 200, "page", signed_in(query_string="limit=1")),
    Case("list_activity", 422, "invalid_input",
         signed_in(query_string="limit=0&cursor=x")),
    Case("change_password", 204, "json", signed_in(json=PASSWORDS)),
    Case("change_password", 204, "form", signed_in(data=PASSWORDS)),
    Case("change_password", 403, "wrong_password",
         signed_in(json=WRONG_PASSWORDS)),
    Case("get_reset_password_token", 200, "trusted caller",
         registered(json=EMAIL)),
    Case("get_reset_password_token", 200, "production",
         sending(json=EMAIL), production=True),
    Case("get_reset_password_token", 403, "unknown_email",
         sending(json=EMAIL)),
    Case("get_reset_password_token", 503, "unavailable",
         without_database(json=EMAIL)),
    Case("update_password", 200, "json", with_token),
    Case("update_password", 200, "code", with_code),
    Case("update_password", 403, "invalid_token", sending(json=RESET)),
    Case("update_password", 403, "invalid_token",
         registered(json=RESET_BY_CODE)),
    Case("update_password", 503, "unavailable",
         without_database(json=RESET)),
    Case("ask_for_verification", 200, "json", registered(json=EMAIL)),
    Case("ask_for_verification", 200, "form", sending(data=EMAIL)),
    Case("ask_for_verification", 200, "signed in", signed_in()),
    Case("ask_for_verification", 503, "unavailable",
         without_database(json=EMAIL)),
    Case("verify_email", 200, "registered here", verifying_where_registered),
    Case("verify_email", 200, "signed in", verifying_signed_in),
    Case("verify_email", 200, "password", verifying(**PASSWORD)),
    Case("verify_email", 200, "form", verifying("data", **PASSWORD)),
    Case("verify_email", 200, "code", verifying_by_code),
    Case("verify_email", 200, "new password",
         verifying(new_password=NEW_PASSWORD)),
    Case("verify_email", 200, "changed address", verifying_change),
    Case("verify_email", 403, "invalid_token", sending(json=UNKNOWN)),
    Case("verify_email", 403, "proof_needed", verifying()),
    Case("verify_email", 403, "wrong_password",
         verifying(password="a wrong one")),
    Case("verify_email", 429, "throttled", verifying_too_often),
    Case("verify_email", 503, "unavailable", without_database(json=UNKNOWN)),
    Case("change_email", 202, "json", signed_in(json={"email": NEW_EMAIL})),
    Case("change_email", 202, "form", signed_in(data={"email": NEW_EMAIL})),
    Case("change_email", 401, "reauthentication_required",
         with_old_proof(json={"email": NEW_EMAIL})),
    Case("change_email", 422, "invalid_input", signed_in(json=EMAIL)),
    Case("undo_change", 200, "json", undoing()),
    Case("undo_change", 200, "form", undoing("data")),
    Case("undo_change", 200, "html", undoing("data", headers=HTML_HEADERS)),
    Case("undo_change", 403, "invalid_token", sending(json=UNKNOWN)),
    Case("undo_change", 403, "invalid_token",
         sending(data=UNKNOWN, headers=HTML_HEADERS)),
    Case("undo_change", 503, "unavailable", without_database(json=UNKNOWN)),
    Case("health_live", 200, "json", sending()),
    Case("health_ready", 200, "json", sending()),
    Case("health_ready", 503, "unavailable", without_database()),
    Case("health_ready", 503, "schema", other_schema),
    Case("api_document", 200, "json", sending()),
)


def all_cases(contract: Contract) -> List[Case]:
    """Return every case, those of a document's own operations derived."""
    derived = [case for operation in contract.operations.values()
               for case in (*transport_cases(operation),
                            *session_cases(operation),
                            *body_cases(operation))]
    return [*OWN_CASES, *service_cases(), *derived]


def service_cases() -> Iterator[Case]:
    """Yield what is answered about the service and for those around it."""
    yield Case("health_ready", 503, "pepper", missing_pepper)
    yield Case("change_password_page", 303, "", sending())
    yield Case("security_txt", 200, "text", with_contact)
    yield Case("security_txt", 404, "not_found", sending())


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
        # What is streamed is read while the database is open.
        answers[-1].get_data()
    stage.client.services.db.close()
    return answers
