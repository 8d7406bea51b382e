#!/usr/bin/env python3
"""How instants are written in answers."""

from vestibule.store.tables import from_microseconds


def written(microseconds: int) -> str:
    """Return an instant of the table as RFC 3339 has it, UTC, to the second.
    """
    return from_microseconds(microseconds).strftime("%Y-%m-%dT%H:%M:%SZ")
