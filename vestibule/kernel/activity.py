#!/usr/bin/env python3
"""Activity: what happened to a person's own account, page by page."""

import re
from typing import List, NamedTuple, Optional

from vestibule.base.digest import keyed_digest, same
from vestibule.base.errors import InvalidInput
from vestibule.store.db import DB
from vestibule.store.event import Event, EventStore

CURSOR = re.compile(r"(?P<id>[1-9][0-9]{0,18})\.(?P<seal>[0-9a-f]{32})")


class Page(NamedTuple):
    """Events, the newest first, and the cursor of those before them."""

    events: List[Event]
    next: Optional[str]


class Activity:
    """Reads a user's events; one user never sees another's."""

    def __init__(self, db: DB, key: str) -> None:
        """Read from this database; ``key`` seals the cursors."""
        self._events = EventStore(db)
        self._key = key

    def page(self, user_id: str, limit: int,
             cursor: Optional[str] = None) -> Page:
        """Return up to ``limit`` events, those before the cursor's.

        A cursor is good for the user whom it was given to alone, and cannot
        be made without the key. Raises ``InvalidInput`` for any other.
        """
        before = None if cursor is None else self._opened(cursor, user_id)
        events = self._events.page_of_user(user_id, limit + 1, before)
        if len(events) <= limit:
            return Page(events, None)
        shown = events[:limit]
        return Page(shown, self._sealed(shown[-1].id, user_id))

    def _opened(self, cursor: str, user_id: str) -> int:
        """Return the number of the event that a cursor stands at."""
        match = CURSOR.fullmatch(cursor)
        if match is None:
            raise InvalidInput({"cursor": ["unusable"]})
        number = int(match.group("id"))
        if not same(cursor, self._sealed(number, user_id)):
            raise InvalidInput({"cursor": ["unusable"]})
        return number

    def _sealed(self, number: int, user_id: str) -> str:
        """Return the cursor that stands at an event, for this user."""
        seal = keyed_digest(self._key, f"activity {user_id} {number}")
        return f"{number}.{seal[:32]}"
