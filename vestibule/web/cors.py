#!/usr/bin/env python3
"""Pages of listed origins may call with the cookie; no others learn a thing.

The list is exact, and never is an origin answered that is not on it
(ASVS 5.0 3.4.2). Cookies are SameSite=Lax, so only origins of the same site
as ours have any use of it.
"""

from typing import Optional

from flask import Flask, Response, request

from vestibule.web.context import services

METHODS = "GET, HEAD, POST, PUT, PATCH, DELETE"
REQUEST_HEADERS = "Content-Type, Idempotency-Key, If-Match, X-Request-Id"
RESPONSE_HEADERS = ("ETag, Idempotency-Replayed, Link, RateLimit, "
                    "RateLimit-Policy, Retry-After, WWW-Authenticate, "
                    "X-Request-Id")
PREFLIGHT_SECONDS = "600"


def init_app(app: Flask) -> None:
    """Answer preflights and mark the answers for listed origins."""
    app.before_request(_answer_preflight)
    app.after_request(_allow)


def _listed_origin() -> Optional[str]:
    """Return the request's origin where it is on the list."""
    source = request.headers.get("Origin")
    return source if source in services().settings.cors_origins else None


def _answer_preflight() -> Optional[Response]:
    """Answer what a browser asks before it sends a request of a page's."""
    asked = "Access-Control-Request-Method" in request.headers
    if request.method != "OPTIONS" or not asked or _listed_origin() is None:
        return None
    return Response(status=204, headers={
        "Access-Control-Allow-Methods": METHODS,
        "Access-Control-Allow-Headers": REQUEST_HEADERS,
        "Access-Control-Max-Age": PREFLIGHT_SECONDS})


def _allow(response: Response) -> Response:
    """Let pages of a listed origin read the answer."""
    if not services().settings.cors_origins:
        return response
    response.vary.add("Origin")
    origin = _listed_origin()
    if origin is not None:
        response.headers["Access-Control-Allow-Origin"] = origin
        response.headers["Access-Control-Allow-Credentials"] = "true"
        response.headers["Access-Control-Expose-Headers"] = RESPONSE_HEADERS
    return response
