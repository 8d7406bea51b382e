#!/usr/bin/env python3
"""The hot path: a session check is answered before Flask's router sees it.

Only what is plain, and answered with success, is answered here. Everything
else, each refusal above all, goes on to the ordinary views, which have the
same rules from the same places.
"""

from typing import (
    Any, Callable, Dict, Iterable, List, Mapping, NamedTuple, Tuple)

from flask import Flask, Response

from vestibule.kernel.services import Services
from vestibule.store.session import FoundSession
from vestibule.web.access import WSGI
from vestibule.web.answers import Ready
from vestibule.web.context import (
    EXTENSION, REQUEST_ID_HEADER, request_id_of)
from vestibule.web.cookies import presented_token
from vestibule.web.hosts import allowed_hosts

View = Callable[[FoundSession], Ready]
Headers = List[Tuple[str, str]]
# What is each answer's own, and not the same for all.
OWN_HEADERS = frozenset([
    REQUEST_ID_HEADER.lower(), "content-type", "content-length"])
MOST_WRITTEN = 10000


class _Written(NamedTuple):
    """An answer as it goes out, and the session that it was written for."""

    found: FoundSession
    status: str
    headers: Headers
    body: List[bytes]


def answered_first(app: Flask, inner: WSGI,
                   views: Mapping[str, View]) -> WSGI:
    """Answer ``GET`` of these paths here where it can be, else by ``inner``.
    """
    services: Services = app.extensions[EXTENSION]
    settings = services.settings
    hosts = allowed_hosts(settings)
    same = headers_of_all(app)
    doors: Dict[str, _Door] = {}
    for path, view in views.items():
        door = _Door(services, view, same)
        doors[path] = doors[settings.public_url.prefix + path] = door

    def outer(environ: Any, start_response: Any) -> Iterable[bytes]:
        """Answer a plain question, and hand everything else on."""
        door = doors.get(environ["PATH_INFO"])
        if (door is None or environ["REQUEST_METHOD"] != "GET"
                or environ.get("HTTP_HOST", "").lower() not in hosts
                or environ.get("CONTENT_LENGTH") not in (None, "", "0")
                or "HTTP_TRANSFER_ENCODING" in environ
                or "HTTP_ORIGIN" in environ):
            return inner(environ, start_response)
        try:
            written = door.answer(environ.get("HTTP_COOKIE", ""))
        except Exception:
            # The view meets the same, and says what it is.
            return inner(environ, start_response)
        start_response(written.status, written.headers + [
            (REQUEST_ID_HEADER, request_id_of(environ))])
        return written.body
    return outer


class _Door:
    """Answers one path, for whoever has a live session."""

    def __init__(self, services: Services, view: View,
                 same: Headers) -> None:
        """Show what ``view`` shows, with the headers that are the same."""
        self._sessions = services.sessions
        self._url = services.settings.public_url
        self._view = view
        self._same = same
        self._written: Dict[str, _Written] = {}

    def answer(self, cookies: str) -> _Written:
        """Return the answer to a live session's cookie; raise for others.

        It is written once for each session in the cache.
        """
        token = presented_token(cookies, self._url)
        found = self._sessions.resume(token, from_cache=True)
        if token is None or not self._sessions.cache.is_on:
            return self._write(found)
        written = self._written.get(token)
        if written is None or written.found is not found:
            if len(self._written) >= MOST_WRITTEN:
                self._written = {}
            written = self._written[token] = self._write(found)
        return written

    def _write(self, found: FoundSession) -> _Written:
        """Write the answer."""
        shown = self._view(found)
        headers = [*shown.headers, *self._same]
        if shown.body:
            headers.append(("Content-Length", str(len(shown.body))))
        return _Written(found, shown.status, headers, [shown.body])


def headers_of_all(app: Flask) -> Headers:
    """Return the headers that every plain answer has, from who adds them."""
    with app.test_request_context():
        response = app.process_response(Response())
    return [(name, value) for name, value in response.headers
            if name.lower() not in OWN_HEADERS]
