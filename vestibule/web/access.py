#!/usr/bin/env python3
"""One log line for each request, but for those that ask all day."""

import logging
import re
import time
from typing import Any, Callable, Dict, Iterable, List, Optional

from flask import Flask, request

from vestibule.base.config import Settings
from vestibule.web.asked import METHODS, OTHER_METHOD
from vestibule.web.context import address_of, request_id_of

RULE_KEY = "vestibule.rule"
# Asked again and again, and of no news when all is well.
FREQUENT = frozenset(["/session/check", "/profile", "/session"])
HEALTH = "/health/"
LONGEST_PATH = 200
# Whoever mistypes a link may have its token in the path, or an address.
TYPED = re.compile(r"[^/]*@[^/]*|[A-Za-z0-9_.~+=-]{20,}")
logger = logging.getLogger("vestibule.access")

WSGI = Callable[[Any, Any], Iterable[bytes]]


def init_app(app: Flask) -> None:
    """Note of every request which rule it goes by."""
    app.before_request(_note_rule)


def logged(settings: Settings, inner: WSGI) -> WSGI:
    """Write a line about each request that ``inner`` answers or fails."""
    def outer(environ: Any, start_response: Any) -> Iterable[bytes]:
        """Hand the request on, and look at what it is answered."""
        begun = time.monotonic()
        statuses: List[int] = []

        def note(status: str, *rest: Any) -> Any:
            """Note the status of the answer, which begins now."""
            statuses.append(int(status[:3]))
            return start_response(status, *rest)

        try:
            return inner(environ, note)
        finally:
            taken = time.monotonic() - begun
            _log(environ, settings, statuses[-1] if statuses else None,
                 taken)
    return outer


def _note_rule() -> None:
    """Put the rule beside the request, for who writes the line."""
    if request.url_rule is not None:
        request.environ[RULE_KEY] = request.url_rule.rule


def _log(environ: Dict[str, Any], settings: Settings,
         status: Optional[int], seconds: float) -> None:
    """Write the line, without anything that a person typed.

    No query, header or body is in it, and no id that stands in a path that
    we know (requirement R117).
    """
    method = environ["REQUEST_METHOD"]
    if method not in METHODS:
        method = OTHER_METHOD
    path = environ.get(RULE_KEY) or _masked(environ.get("PATH_INFO", ""))
    if status is not None and 200 <= status < 300 and _is_frequent(
            method, path):
        return
    logger.info("%s %s %s", method, path, status, extra={"fields": {
        "method": method, "path": path, "status": status,
        "milliseconds": round(seconds * 1000, 1),
        "ip": address_of(environ, settings),
        "request_id": request_id_of(environ)}})


def _is_frequent(method: str, path: str) -> bool:
    """Say whether a request is one of those that come all day."""
    return path.startswith(HEALTH) or (
        method in ("GET", "HEAD") and path in FREQUENT)


def _masked(path: str) -> str:
    """Return as much as is logged of a path that is none of ours."""
    text = path.encode("latin-1", "replace").decode("utf-8", "replace")
    return TYPED.sub("...", text.partition("?")[0])[:LONGEST_PATH]
