#!/usr/bin/env python3
"""What all tables share: the declarative base and the column types."""

import json
import uuid
from datetime import datetime, timedelta, timezone
from typing import Any, Dict, Optional

from sqlalchemy import BigInteger, Integer, String, Text
from sqlalchemy.types import TypeDecorator

from vestibule.store.compat import declarative_base

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
MICROSECOND = timedelta(microseconds=1)

# Auto-numbered keys: SQLite numbers only a column of type INTEGER by itself.
Serial = BigInteger().with_variant(Integer, "sqlite")
UUID_TEXT = String(36)
HEX_DIGEST = String(64)


class _Declared:
    """What every model inherits besides SQLAlchemy's own base."""

    # Annotations on our models are for readers and mypy; without this
    # SQLAlchemy 2 takes them for its own Mapped[] form.
    __allow_unmapped__ = True


Base: Any = declarative_base(cls=_Declared)


class Timestamp(TypeDecorator):
    """An instant: aware UTC in Python, microseconds since 1970 in the table.

    A whole number is the one form that both databases store, index and
    compare alike, and that a raw statement reads without parsing; times
    before 1970 are of no use here.
    """

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: Optional[datetime],
                           dialect: Any) -> Optional[int]:
        """Turn an instant into microseconds; naive ones are refused."""
        return None if value is None else to_microseconds(value)

    def process_result_value(self, value: Optional[int],
                             dialect: Any) -> Optional[datetime]:
        """Turn microseconds into an instant."""
        return None if value is None else from_microseconds(value)


class JSONText(TypeDecorator):
    """A JSON object kept as text, so that both databases store the same."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Optional[Dict[str, Any]],
                           dialect: Any) -> Optional[str]:
        """Write the object with sorted keys, in plain ASCII."""
        return None if value is None else json.dumps(value, sort_keys=True)

    def process_result_value(self, value: Optional[str],
                             dialect: Any) -> Optional[Dict[str, Any]]:
        """Read the object back."""
        if value is None:
            return None
        found: Dict[str, Any] = json.loads(value)
        return found


def to_microseconds(instant: datetime) -> int:
    """Return the whole microseconds since 1970 of an aware instant."""
    return (instant - EPOCH) // MICROSECOND


def from_microseconds(count: int) -> datetime:
    """Return the aware instant so many microseconds after 1970 began."""
    return EPOCH + count * MICROSECOND


def new_id() -> str:
    """Return a fresh random UUID as text: keys are never used again."""
    return str(uuid.uuid4())
