#!/usr/bin/env python3
"""The headers that every answer carries, error pages included."""

from flask import Flask, Response

from vestibule.web.context import (
    REQUEST_ID_HEADER, request_id, services)

HSTS = "max-age=63072000; includeSubDomains"
FIXED = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
}


def init_app(app: Flask) -> None:
    """Add the headers to every answer."""
    app.after_request(_add)


def _add(response: Response) -> Response:
    """Add what the answer does not already say for itself."""
    for name, value in FIXED.items():
        response.headers.setdefault(name, value)
    response.headers[REQUEST_ID_HEADER] = request_id()
    if response.status_code in (204, 303):
        response.headers.pop("Content-Type", None)
    response.vary.update(["Cookie", "Accept"])
    if services().settings.public_url.scheme == "https":
        response.headers["Strict-Transport-Security"] = HSTS
    return response
