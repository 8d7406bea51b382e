#!/usr/bin/env python3
"""The one table from kind of error to status, and how errors are answered.
"""

import http
import logging
from typing import Any, Dict, Iterable, Optional, Type, Union

from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException
from werkzeug.routing import RequestRedirect

from vestibule.base.errors import (
    AuthError, Busy, ClientLeft, Conflict, DeletionPending, FactorRequired,
    Forbidden, IdentifierTaken, InvalidCredentials, InvalidInput, InvalidToken,
    NotFound, PreconditionFailed, Quota, ReauthenticationRequired,
    SessionRequired, Throttled, Unavailable)
from vestibule.store.db import (
    DataError, DBAPIError, IntegrityError, PoolTimeout, ProgrammingError)
from vestibule.web.access import WSGI
from vestibule.web.answers import (
    PROBLEM_JSON, answer, page, wants_problem)
from vestibule.web.asked import asked
from vestibule.web.context import request_id, services
from vestibule.web.cookies import clear_session

STATUS: Dict[Type[AuthError], int] = {
    InvalidInput: 422,
    IdentifierTaken: 400,
    InvalidCredentials: 401,
    FactorRequired: 401,
    SessionRequired: 403,
    ReauthenticationRequired: 401,
    Forbidden: 403,
    DeletionPending: 403,
    InvalidToken: 403,
    Throttled: 429,
    NotFound: 404,
    Conflict: 409,
    PreconditionFailed: 412,
    Unavailable: 503,
    Busy: 503,
    ClientLeft: 503,
}
CHALLENGE = 'Session realm="vestibule"'
STEP_UP = ', error="insufficient_user_authentication", max_age=300'
# RFC 9110's names of these, which Python before 3.13 has otherwise.
TITLES = {413: "Content Too Large", 422: "Unprocessable Content"}
NO_ROUTE = "no route answers this path"
UNKNOWN_FIELD, OTHER_FIELD = "unknown_field", "another field"
# What means to end a process is none of ours to answer.
ENDING = (KeyboardInterrupt, SystemExit, GeneratorExit)
logger = logging.getLogger(__name__)


class Refused(Exception):
    """A refusal of the transport: the request is not one we can read.

    ``rule`` is for operators, and says no more than the code by itself.
    """

    def __init__(self, status: int, code: str, message: str,
                 rule: Optional[str] = None) -> None:
        """Keep the status, the stable code and a sentence."""
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.rule = rule or f"transport: {code}"


def init_app(app: Flask) -> None:
    """Answer every error in the one form, whoever raised it."""
    app.before_request(_refuse_redirects)
    app.register_error_handler(AuthError, _answer_kind)
    app.register_error_handler(Refused, _answer_refused)
    app.register_error_handler(HTTPException, _answer_http)
    for storage_error in (DBAPIError, PoolTimeout):
        app.register_error_handler(storage_error, _answer_storage)
    for fault in (DataError, IntegrityError, ProgrammingError):
        app.register_error_handler(fault, _answer_unforeseen)
    app.register_error_handler(Exception, _answer_unforeseen)


def last_resort(app: Flask, inner: WSGI) -> WSGI:
    """Answer what Flask lets through, which is what is no ``Exception``.

    Native code raises such things, ``PanicException`` of bcrypt for one, and
    the server's worker would end by them (requirement R122).
    """
    def outer(environ: Any, start_response: Any) -> Iterable[bytes]:
        """Hand the request on, and answer for whoever cannot."""
        try:
            return inner(environ, start_response)
        except ENDING:
            raise
        except BaseException as error:
            with app.request_context(environ):
                response = app.process_response(_answer_unforeseen(error))
            answered: Iterable[bytes] = response(environ, start_response)
            return answered
    return outer


def _refuse_redirects() -> None:
    """Answer 404 where the router would send the client elsewhere.

    Werkzeug 2.2 merges double slashes whatever it is told, and takes the
    place to go to from a Host that may be anybody's.
    """
    if isinstance(request.routing_exception, RequestRedirect):
        raise NotFound().decided_by(NO_ROUTE)


def refused_page(template: str, error: AuthError, **values: Any) -> Response:
    """Answer one of our own kinds of error with a page that says it.

    The page shows the request id, so that people can tell it to who asks.
    """
    status = _status_of(error)
    response = page(template, status, problem=error.message,
                    reason=error.code, settings=services().settings,
                    request_id=request_id(), **values)
    _add_headers(response, error)
    _note(status, error)
    return response


def _answer_kind(error: AuthError) -> Response:
    """Answer one of our own kinds of error."""
    response = _error(_status_of(error), error)
    _add_headers(response, error)
    return response


def _status_of(error: AuthError) -> int:
    """Return the status that answers an error of this kind."""
    return next(STATUS[kind] for kind in type(error).__mro__
                if kind in STATUS)


def _add_headers(response: Response, error: AuthError) -> None:
    """Add what a client needs to go on from a refusal."""
    if isinstance(error, (Throttled, Unavailable)):
        response.headers["Retry-After"] = str(error.retry_after)
    if isinstance(error, Throttled) and error.quota is not None:
        _add_rate_limit(response, error.quota, error.retry_after)
    if response.status_code == 401:
        step_up = isinstance(error, ReauthenticationRequired)
        response.headers["WWW-Authenticate"] = (
            CHALLENGE + (STEP_UP if step_up else ""))
    if isinstance(error, SessionRequired) and error.ended:
        clear_session(response, services().settings.public_url)


def _add_rate_limit(response: Response, quota: Quota, wait: int) -> None:
    """Tell a client's program of the limit that it has used up.

    After draft-ietf-httpapi-ratelimit-headers-11: quota, window and time in
    seconds, and how much remains.
    """
    response.headers["RateLimit-Policy"] = (
        f'"{quota.name}";q={quota.most};w={quota.seconds}')
    response.headers["RateLimit"] = f'"{quota.name}";r=0;t={wait}'


def _answer_refused(error: Refused) -> Response:
    """Answer a request that is not ours to read."""
    return _error(error.status, error)


def _answer_http(error: HTTPException) -> Any:
    """Answer what the router refuses: 404, and 405 with its Allow."""
    status = error.code or 500
    if status < 400:
        return error
    if status == 404:
        return _answer_kind(NotFound().decided_by(NO_ROUTE))
    title = _title(status)
    response = _answer_refused(Refused(
        status, title.lower().replace(" ", "_"), f"{title}."))
    allowed = getattr(error, "valid_methods", None)
    if allowed:
        response.headers["Allow"] = ", ".join(sorted(allowed))
    return response


def _answer_storage(error: Exception) -> Response:
    """Answer that the database does not; nobody loses a cookie by it."""
    logger.error("The database does not answer: %s", type(error).__name__,
                 extra={"fields": {"request_id": request_id()}})
    return _answer_kind(Unavailable().decided_by(
        f"the database does not answer: {type(error).__name__}"))


def _answer_unforeseen(error: BaseException) -> Response:
    """Answer a fault of ours, which goes to the log and not to the client.
    """
    logger.error("A request failed.", exc_info=error,
                 extra={"fields": {"request_id": request_id()}})
    return _answer_refused(Refused(
        500, "internal_error", "Something went wrong on our side.",
        f"a fault of Vestibule's own: {type(error).__name__}"))


def _error(status: int, error: Union[AuthError, Refused]) -> Response:
    """Return the body of a refusal, as RFC 9457 where the client likes it.
    """
    _note(status, error)
    errors: Optional[Dict[str, Any]] = getattr(error, "errors", None)
    members: Dict[str, Any] = getattr(error, "members", {})
    if not wants_problem():
        plain: Dict[str, Any] = {"message": error.message}
        if errors:
            plain["errors"] = errors
        return answer(plain, status)
    problem = {"type": "about:blank", "status": status,
               "detail": error.message, "title": _title(status),
               "code": error.code, "request_id": request_id(), **members}
    if errors:
        problem["errors"] = errors
    return answer(problem, status, PROBLEM_JSON)


def _note(status: int, error: Union[AuthError, Refused]) -> None:
    """Note for operators which rule decided; that never fails a request."""
    try:
        services().refusals.note(
            asked(), status, error.code, _rule_of(error))
    except Exception as fault:
        logger.warning("A refusal is not noted: %s", type(fault).__name__)


def _rule_of(error: Union[AuthError, Refused]) -> Optional[str]:
    """Return the rule that decided, in words without anything typed.

    The name of a field that does not exist is the client's own word.
    """
    if isinstance(error, InvalidInput) and error.rule is None:
        return "; ".join(
            f"{OTHER_FIELD if UNKNOWN_FIELD in reasons else field}: "
            + ", ".join(reasons) for field, reasons in error.errors.items())
    return error.rule


def _title(status: int) -> str:
    """Return the name of a status, the same on every Python."""
    return TITLES.get(status) or http.HTTPStatus(status).phrase
