#!/usr/bin/env python3
"""What a request asks for, in words of our own alone."""

from flask import current_app, request

from vestibule.kernel.refusals import Asked
from vestibule.web.context import request_id

METHODS = frozenset([
    "CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT",
    "TRACE"])
OTHER_METHOD = "another"
OTHER_WORD = "…"
MOST_WORDS = 10


def asked() -> Asked:
    """Return the request's id, its method and its path, for operators.

    The path is that of the route. One that no route answers may hold
    anything: a token, an address, a password in the wrong place. Only the
    words of it that stand in our routes too are kept.
    """
    rule = request.url_rule
    path = _in_our_words(request.path) if rule is None else rule.rule
    method = request.method if request.method in METHODS else OTHER_METHOD
    return Asked(request_id(), method, path)


def _in_our_words(path: str) -> str:
    """Return a path with an ellipsis for each word that is not ours."""
    ours = {word for rule in current_app.url_map.iter_rules()
            for word in rule.rule.split("/")}
    words = path.split("/", MOST_WORDS)
    return "/".join(word if word in ours else OTHER_WORD for word in words)
