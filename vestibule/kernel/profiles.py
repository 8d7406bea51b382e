#!/usr/bin/env python3
"""Profiles: what people say of themselves, and what may be said."""

import json
import math
import re
from typing import Any, Callable, Container, Dict, List, Optional
from urllib.parse import urlsplit

from vestibule.base.errors import (
    InvalidInput, PreconditionFailed, Reasons, SessionRequired)
from vestibule.base.origin import LIBRARY, Origin
from vestibule.base.texts import (
    has_characters_alone, is_clean, is_one_line)
from vestibule.kernel.audit import Audit
from vestibule.store.db import DB, User
from vestibule.store.session import SessionStore

NAME_LENGTH = 200
PICTURE_LENGTH = 2048
METADATA_BYTES = 8 * 1024
METADATA_LEVELS = 32
# Language, script, region and variants, as BCP 47 spells them.
LOCALE = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8}){0,4}")
READ_ONLY = frozenset([
    "id", "email", "email_verified", "password", "created_at", "updated_at",
    "version"])


class Profiles:
    """Changes the attributes that belong to the person."""

    def __init__(self, db: DB, audit: Audit) -> None:
        """Keep the profiles of this database's users."""
        self._db = db
        self._audit = audit
        self._sessions = SessionStore(db)

    def change(self, user_id: str, changes: Dict[str, Any],
               versions: Optional[Container[int]] = None,
               origin: Origin = LIBRARY) -> User:
        """Set or, by ``None``, remove attributes; return the user then.

        Metadata is merged into what is there, after RFC 7396: members that
        were not sent stay, and those sent as ``None`` go. Raises
        ``InvalidInput`` with a reason for each field at fault,
        ``unknown_field``, ``read_only`` and ``unusable`` among them, and
        ``PreconditionFailed`` where ``versions`` is given and does not hold
        the user's version: of two changes made from one version one
        succeeds. Nothing is changed then.
        """
        values = _judged(changes)
        with self._db.transaction():
            user = self._db.lock_user(user_id)
            if user is None or self._has_ended(origin):
                raise SessionRequired(ended=True)
            if versions is not None and user.version not in versions:
                raise PreconditionFailed()
            if values.get("app_metadata") is not None:
                values["app_metadata"] = _bounded(
                    _merged(user.app_metadata, values["app_metadata"]))
            if values:
                self._db.update_user(user_id, **values)
                self._audit.record("profile.changed", user_id, user_id,
                                   origin, fields=sorted(changes))
            return self._db.find_user_by(id=user_id)

    def _has_ended(self, origin: Origin) -> bool:
        """Say whether the session that asks ended while its body came."""
        return (origin.session_id is not None
                and self._sessions.find(origin.session_id) is None)


def _judged(changes: Dict[str, Any]) -> Dict[str, Any]:
    """Return the changes as attributes of the model, or refuse them."""
    reasons: Reasons = {}
    values: Dict[str, Any] = {}
    for field, value in changes.items():
        if field in READ_ONLY:
            reasons[field] = ["read_only"]
        elif field not in RULES:
            reasons[field] = ["unknown_field"]
        elif value is not None and RULES[field](value):
            reasons[field] = RULES[field](value)
        values["app_metadata" if field == "metadata" else field] = value
    if reasons:
        raise InvalidInput(reasons)
    return values


def _text(value: Any, length: int) -> List[str]:
    """Say what keeps a value from being one line of text."""
    if not isinstance(value, str):
        return ["not_a_text"]
    if len(value) > length:
        return ["too_long"]
    if not value.strip() or not is_one_line(value):
        return ["unusable"]
    return []


def _name(value: Any) -> List[str]:
    """Say what keeps a value from being a name."""
    return _text(value, NAME_LENGTH)


def _locale(value: Any) -> List[str]:
    """Say what keeps a value from being a language tag."""
    wrong = _text(value, NAME_LENGTH)
    if not wrong and not LOCALE.fullmatch(value):
        wrong = ["unusable"]
    return wrong


def _picture(value: Any) -> List[str]:
    """Say what keeps a value from being the https URL of a picture."""
    wrong = _text(value, PICTURE_LENGTH)
    if wrong:
        return wrong
    try:
        parts = urlsplit(value)
    except ValueError:
        return ["unusable"]
    if parts.scheme != "https" or not parts.hostname or " " in value:
        return ["unusable"]
    return []


def _metadata(value: Any) -> List[str]:
    """Say what keeps a value from being part of the app's JSON object.

    Every text and number within it has to be one that all databases store
    and all readers of JSON take. Deeper nesting than 32 levels would bring
    the encoder to its limit, which depends on who calls it.
    """
    if not isinstance(value, dict):
        return ["not_an_object"]
    waiting = [(value, 1)]
    while waiting:
        part, level = waiting.pop()
        if isinstance(part, (dict, list)) and level > METADATA_LEVELS:
            return ["too_deep"]
        if isinstance(part, dict):
            waiting.extend((each, level + 1)
                           for pair in part.items() for each in pair)
        elif isinstance(part, list):
            waiting.extend((each, level + 1) for each in part)
        elif not _is_storable(part):
            return ["unusable"]
    return []


def _is_storable(value: Any) -> bool:
    """Say whether a text is clean, and a number finite."""
    if isinstance(value, str):
        return is_clean(value) and has_characters_alone(value)
    return not isinstance(value, float) or math.isfinite(value)


def _merged(stored: Any, patch: Any) -> Any:
    """Return what a JSON merge patch makes of a stored value (RFC 7396)."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(stored) if isinstance(stored, dict) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = _merged(merged.get(name), value)
    return merged


def _bounded(metadata: Any) -> Any:
    """Return metadata that is small enough to be kept, or refuse it."""
    if len(json.dumps(metadata).encode("ascii")) > METADATA_BYTES:
        raise InvalidInput({"metadata": ["too_long"]})
    return metadata


RULES: Dict[str, Callable[[Any], List[str]]] = {
    "name": _name, "locale": _locale, "picture": _picture,
    "metadata": _metadata}
