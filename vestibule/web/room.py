#!/usr/bin/env python3
"""Logins for which there is no room are refused before Flask sees them.

In a flood nearly all requests are such, and whoever floods does not wait
before the next one. What each of them costs is taken from those that do get
hashed, as hashing goes after everything else.
"""

import io
import threading
from typing import Any, Dict, Iterable

from flask import Flask

from vestibule.base.errors import Busy
from vestibule.kernel.hashing import Asker, Hashing
from vestibule.kernel.refusals import Asked
from vestibule.kernel.services import Services
from vestibule.web.access import RULE_KEY, WSGI
from vestibule.web.answers import JSON, PROBLEM_JSON, ready
from vestibule.web.body import MAXIMUM_BYTES
from vestibule.web.context import (
    EXTENSION, REQUEST_ID_HEADER, request_id_of)
from vestibule.web.cookies import presented_device
from vestibule.web.hosts import allowed_hosts
from vestibule.web.session_check import headers_of_all

STATUS = 503
STATUS_LINE = "503 Service Unavailable"
# With these an answer has more to it, or is another one.
NOT_PLAIN = ("HTTP_ORIGIN", "HTTP_SEC_FETCH_SITE", "HTTP_TRANSFER_ENCODING")


def refused_first(app: Flask, inner: WSGI, paths: Iterable[str]) -> WSGI:
    """Answer a plain ``POST`` to these paths here where the line is full.

    That promises nobody a place: the kernel looks again. Everything else is
    handed on, and refused there in the same words.
    """
    services: Services = app.extensions[EXTENSION]
    settings, door = services.settings, _Door(services.hashing)
    hosts = allowed_hosts(settings)
    same = headers_of_all(app)
    rules = {prefix + path: path for path in paths
             for prefix in ("", settings.public_url.prefix)}

    def outer(environ: Any, start_response: Any) -> Iterable[bytes]:
        """Refuse whom there is no room for, and hand all others on."""
        rule = rules.get(environ["PATH_INFO"])
        if (rule is None or environ["REQUEST_METHOD"] != "POST"
                or environ.get("HTTP_HOST", "").lower() not in hosts
                or not _is_plain(environ)):
            return inner(environ, start_response)
        _read_body(environ)
        # Whether the device is a known one is found out later.
        asker = Asker(presented_device(environ.get(
            "HTTP_COOKIE", ""), settings.public_url) is not None)
        try:
            door.admit(asker)
        except Busy as busy:
            environ[RULE_KEY] = rule
            services.refusals.note(
                Asked(request_id_of(environ), "POST", rule), STATUS,
                busy.code, busy.rule)
            refusal = ready({"message": busy.message},
                            ("Retry-After", str(busy.retry_after)))
            start_response(STATUS_LINE, [
                *refusal.headers, *same,
                ("Content-Length", str(len(refusal.body))),
                (REQUEST_ID_HEADER, request_id_of(environ))])
            return [refusal.body]
        try:
            return inner(environ, start_response)
        finally:
            door.dismiss(asker)
    return outer


class _Door:
    """How many strangers have been let in and are not answered yet.

    No more are on their way to the line than have room in it, so that what
    has to be done before it is done for these alone. Who may be known is not
    counted: strangers who say so would take the places of those who are.
    """

    def __init__(self, hashing: Hashing) -> None:
        """Stand before the line of this pool; nobody is let in yet."""
        self._hashing = hashing
        self._lock = threading.Lock()
        self._inside = 0

    def admit(self, asker: Asker) -> None:
        """Let somebody in until ``dismiss``; raises ``Busy`` otherwise."""
        with self._lock:
            self._hashing.require_room(
                asker, 0 if asker.known else self._inside)
            self._inside += not asker.known

    def dismiss(self, asker: Asker) -> None:
        """Note that one who was let in is answered."""
        with self._lock:
            self._inside -= not asker.known


def _read_body(environ: Dict[str, Any]) -> None:
    """Have the body here before anything is counted.

    Whoever sends it slowly would otherwise keep a place meanwhile.
    """
    environ["wsgi.input"] = io.BytesIO(environ["wsgi.input"].read(
        int(environ.get("CONTENT_LENGTH") or 0)))


def _is_plain(environ: Dict[str, Any]) -> bool:
    """Say whether nothing but the line could refuse a request unread.

    A body that is too long must not be left in the connection.
    """
    length = environ.get("CONTENT_LENGTH") or "0"
    return (not any(name in environ for name in NOT_PLAIN)
            and PROBLEM_JSON not in environ.get("HTTP_ACCEPT", "")
            and length.isdecimal() and len(length) <= len(str(MAXIMUM_BYTES))
            and int(length) <= MAXIMUM_BYTES)
