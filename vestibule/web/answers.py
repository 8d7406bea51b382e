#!/usr/bin/env python3
"""How an answer is given: JSON for programs, pages for people."""

import json
from typing import Any, Dict, NamedTuple, Optional, Tuple

from flask import Response, render_template, request

from vestibule.base.setting_values import BaseURL

JSON = "application/json"
PROBLEM_JSON = "application/problem+json"
PAGE_POLICY = ("default-src 'none'; style-src 'self'; img-src 'self'; "
               "form-action 'self'; base-uri 'none'; frame-ancestors 'none'")


class Ready(NamedTuple):
    """An answer that is whole before Flask has been asked for it.

    ``web/session_check.py`` gives it past Flask, and a view by ``respond``.
    """

    status: str
    headers: Tuple[Tuple[str, str], ...]
    body: bytes


def ready(body: Dict[str, Any], *headers: Tuple[str, str]) -> Ready:
    """Return a JSON object as an answer without Flask."""
    return Ready("200 OK", (("Content-Type", JSON), *headers), _json(body))


def respond(given: Ready) -> Response:
    """Return an answer as one of Flask's."""
    return Response(given.body, given.status, headers=list(given.headers))


def answer(body: Dict[str, Any], status: int = 200,
           media_type: str = JSON) -> Response:
    """Return a JSON object as a response."""
    return Response(_json(body), status, mimetype=media_type)


def _json(body: Dict[str, Any]) -> bytes:
    """Write an object as a line of JSON, in ASCII."""
    return (json.dumps(body) + "\n").encode()


def page(template: str, status: int = 200, **values: Any) -> Response:
    """Return a page for people, allowed its own style sheet and forms."""
    response = Response(render_template(template, **values), status,
                        mimetype="text/html")
    response.headers["Content-Security-Policy"] = PAGE_POLICY
    return response


def see_other(public_url: BaseURL, path: str) -> Response:
    """Return 303 to a path of ours, which begins with a slash."""
    return Response(status=303,
                    headers={"Location": f"{public_url.prefix}{path}"})


def wants_page() -> bool:
    """Say whether the client would rather have HTML than JSON."""
    best: Optional[str] = request.accept_mimetypes.best_match(
        [JSON, "text/html"])
    return best == "text/html"


def wants_problem() -> bool:
    """Say whether the client names RFC 9457's media type in Accept."""
    return any(media_type == PROBLEM_JSON and quality > 0
               for media_type, quality in request.accept_mimetypes)
