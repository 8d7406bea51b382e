#!/usr/bin/env python3
"""Bodies are bounded and of a known type before anybody reads them.

Werkzeug 2.2, the newest for Python 3.7, applies no limit to JSON bodies and
parses multipart ones in quadratic time (CVE-2023-46136), so this decides.
"""

from flask import Flask, request

from vestibule.web.errors import Refused

MAXIMUM_BYTES = 64 * 1024
JSON_TYPE = "application/json"
FORM_TYPE = "application/x-www-form-urlencoded"
MERGE_PATCH_TYPE = "application/merge-patch+json"


def init_app(app: Flask) -> None:
    """Look at what every request says of its body."""
    app.before_request(_refuse_unreadable)


def read_body() -> bytes:
    """Return the whole body; it has been found to be small.

    A client that goes away while it sends is no fault of ours.
    """
    length = _length()
    try:
        body: bytes = request.environ["wsgi.input"].read(length)
    except OSError:
        body = b""
    if len(body) != length:
        raise Refused(400, "incomplete_body", "The body ended early.")
    return body


def has_body() -> bool:
    """Say whether the request carries a body at all."""
    return _length() > 0


def _refuse_unreadable() -> None:
    """Refuse a body of unknown length, too long, or of a foreign type."""
    if "HTTP_TRANSFER_ENCODING" in request.environ:
        raise Refused(411, "length_required",
                      "Please send the body with a Content-Length.")
    length = _length()
    if length > MAXIMUM_BYTES:
        raise Refused(413, "body_too_large",
                      f"A body may have {MAXIMUM_BYTES} bytes at most.")
    if length and not _is_known_type():
        raise Refused(415, "unsupported_media_type",
                      "Please send JSON or a urlencoded form, in UTF-8.")


def _length() -> int:
    """Return the body's length as the request states it."""
    text = request.environ.get("CONTENT_LENGTH") or "0"
    if not text.isascii() or not text.isdecimal() or len(text) > 18:
        raise Refused(400, "malformed_length",
                      "The Content-Length is not a number.")
    return int(text)


def _is_known_type() -> bool:
    """Say whether the content type is one of ours, and UTF-8.

    Taken apart by hand: Werkzeug 2.2 and 3 do not agree on odd ones.
    """
    kind, *parameters = request.headers.get("Content-Type", "").split(";")
    charset = "utf-8"
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "charset":
            charset = value.strip().strip('"').lower()
    known = [JSON_TYPE, FORM_TYPE]
    if request.method == "PATCH":
        known.append(MERGE_PATCH_TYPE)
    return (kind.strip().lower() in known
            and charset in ("utf-8", "utf8"))
