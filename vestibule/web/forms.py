#!/usr/bin/env python3
"""One reader for the fields of a request, be it JSON or a form.

Only the body counts: nothing is ever taken from the query, and a field that
is sent twice is refused, since two readers might take one each (ASVS 5.0
15.3.7, GitLab CVE-2023-7028).
"""

import json
from typing import Any, Dict, Iterable, List, Tuple
from urllib.parse import unquote_plus

from flask import g, request

from vestibule.base.errors import InvalidInput, Reasons
from vestibule.base.texts import is_clean
from vestibule.web.body import FORM_TYPE, has_body, read_body
from vestibule.web.errors import Refused


MOST_DIGITS = 1000


def read_texts(required: Iterable[str],
               optional: Iterable[str] = ()) -> Dict[str, str]:
    """Return these fields of the request's body, each of them a text.

    An optional field that was not sent is not in the result. Raises
    ``InvalidInput`` with the reason for each field at fault: ``required``,
    ``not_a_text`` or ``unusable_characters``; other fields are ignored.
    """
    fields = read_fields()
    reasons: Reasons = {}
    texts: Dict[str, str] = {}
    for name in required:
        if name not in fields:
            reasons[name] = ["required"]
    for name in (*required, *optional):
        if name not in fields:
            continue
        value = fields[name]
        if not isinstance(value, str):
            reasons[name] = ["not_a_text"]
        elif not is_clean(value):
            reasons[name] = ["unusable_characters"]
        else:
            texts[name] = value
    if reasons:
        raise InvalidInput(reasons)
    return texts


def read_shown(names: Iterable[str]) -> Dict[str, str]:
    """Return those of these fields that a page can show once more.

    It refuses nothing: what is wrong with the others is said on the page,
    once they are read in earnest.
    """
    fields = read_fields()
    return {name: fields[name] for name in names
            if isinstance(fields.get(name), str) and is_clean(fields[name])}


def read_yes_no(field: str, default: bool) -> bool:
    """Return a field that is true or false, in JSON or as a form's word."""
    value = read_fields().get(field, default)
    if isinstance(value, bool):
        return value
    if value in ("true", "false"):
        return bool(value == "true")
    raise InvalidInput({field: ["not_true_or_false"]})


def read_fields() -> Dict[str, Any]:
    """Return all fields of the request's body; no body has none."""
    if "fields" not in g:
        g.fields = _read() if has_body() else {}
    found: Dict[str, Any] = g.fields
    return found


def _read() -> Dict[str, Any]:
    """Read the body, which can be done once, and take it apart."""
    try:
        text = read_body().decode("utf-8")
    except UnicodeDecodeError:
        raise _malformed("The body is not UTF-8.") from None
    if request.mimetype != FORM_TYPE:
        return _read_json(text)
    return _read_form(text)


def _read_json(text: str) -> Dict[str, Any]:
    """Return the members of a JSON object."""
    try:
        value = json.loads(text, object_pairs_hook=_without_doubles,
                           parse_constant=_refuse_constant,
                           parse_int=_read_int)
    except (ValueError, RecursionError):
        raise _malformed("The body is not well-formed JSON.") from None
    if not isinstance(value, dict):
        raise _malformed("The body must be a JSON object.")
    return value


def _read_form(text: str) -> Dict[str, Any]:
    """Return the fields of a urlencoded form.

    Split by hand: ``parse_qsl`` of Python before 3.7.10 also splits at
    semicolons, which stand in passwords.
    """
    if text.lstrip().startswith("{"):
        raise Refused(
            415, "unsupported_media_type", "This looks like JSON: please "
            "send it with Content-Type: application/json.")
    pairs: List[Tuple[str, str]] = []
    try:
        for part in text.split("&"):
            if part:
                name, _, value = part.partition("=")
                pairs.append((unquote_plus(name, errors="strict"),
                              unquote_plus(value, errors="strict")))
    except UnicodeDecodeError:
        raise _malformed("The body is not UTF-8.") from None
    return _without_doubles(pairs)


def _without_doubles(pairs: List[Tuple[str, Any]]) -> Dict[str, Any]:
    """Return name and value pairs as a dictionary, refusing repetitions."""
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise _malformed("A field was sent more than once.")
    return fields


def _read_int(digits: str) -> int:
    """Return a whole number of a size that every Python reads quickly."""
    if len(digits) > MOST_DIGITS:
        raise ValueError("too many digits")
    return int(digits)


def _refuse_constant(name: str) -> None:
    """Refuse ``NaN`` and ``Infinity``, which JSON does not have."""
    raise ValueError(name)


def _malformed(message: str) -> Refused:
    """Return the refusal of a body that cannot be read."""
    return Refused(400, "malformed_body", message)
