#!/usr/bin/env python3
"""When sessions were last used: noted at once, written down later."""

import logging
import threading
from datetime import datetime, timedelta
from typing import Dict, List

from vestibule.store.db import DB, DBAPIError, PoolTimeout
from vestibule.store.session import (
    FoundSession, Seen, SessionStore, is_over)
from vestibule.store.tables import from_microseconds

INTERVAL = timedelta(minutes=1)
BATCH = 200
MOST_WAITING = 10000
logger = logging.getLogger(__name__)


class LastSeen:
    """Keeps the idle time of sessions, at most one write a minute for each.

    By itself it writes at once. A service that calls ``flush`` every few
    seconds has it ``defer`` instead, so that no request waits for a write.
    """

    def __init__(self, db: DB, idle: timedelta) -> None:
        """Let sessions lie idle for this long."""
        self._db = db
        self._store = SessionStore(db)
        self._idle = idle
        self._deferred = False
        self._lock = threading.Lock()
        self._waiting: Dict[str, Seen] = {}

    def defer(self) -> None:
        """Keep what is noted until ``flush`` is called."""
        self._deferred = True

    def note(self, found: FoundSession, now: datetime) -> None:
        """Note that a live session was used, if it is time to."""
        if not is_over(found.last_seen_at, now - INTERVAL):
            return
        until = min(now + self._idle, from_microseconds(found.expires_at))
        with self._lock:
            self._waiting[found.id] = Seen(found.id, now, until)
            full = len(self._waiting) >= MOST_WAITING
        if full or not self._deferred:
            self.flush()

    def flush(self) -> None:
        """Write down everything noted, in transactions of 200 sessions.

        What cannot be written is forgotten: a check never fails for it, and
        the next one notes the same session again.
        """
        with self._lock:
            seen = list(self._waiting.values())
            self._waiting = {}
        try:
            for start in range(0, len(seen), BATCH):
                self._write(seen[start:start + BATCH])
        except (DBAPIError, PoolTimeout) as error:
            logger.warning("Last use of sessions is not written down: %s",
                           type(error).__name__)

    def _write(self, batch: List[Seen]) -> None:
        """Write one batch, but for sessions that somebody is changing.

        It never waits while it holds others, so that whoever ends many
        sessions at once never meets it in a circle. Who holds one ends it or
        notes its use, or else the next check does.
        """
        with self._db.transaction():
            held = self._store.hold([seen.session_id for seen in batch])
            for seen in batch:
                if seen.session_id in held:
                    self._store.note_seen(seen, seen.at - INTERVAL)
