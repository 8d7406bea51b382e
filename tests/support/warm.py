#!/usr/bin/env python3
"""The cache of sessions in tests: on, warm, and watched.

``--session-cache`` has every test look each session up three times, so that
the third one is answered from the cache if any is; what a test then expects
of a session that has ended, it expects of the cache.
"""

import re
import sys
from typing import Any, Optional

from sqlalchemy import event as sqlalchemy_event

from vestibule.kernel.sessions import Sessions
from vestibule.store.db import DB
from vestibule.store.generations import SLOTS
from vestibule.store.news import News
from vestibule.store.session import FoundSession

OF_INTEREST = re.compile(r"\s*(UPDATE|DELETE FROM) (sessions|users)\b")
# What a cache need not know: it keeps no hash, and ends before both.
OF_NONE = re.compile(
    r"\s*UPDATE (users SET hashed_password=\S+|sessions SET last_seen_at)")


def warm(sessions: Sessions, db: DB) -> None:
    """Have sessions kept, and each look-up be one of a warm cache."""
    look_up = sessions.resume

    def resume(token: Optional[str],
               from_cache: bool = True) -> FoundSession:
        """Look a session up so often that the last time is from the cache.
        """
        for _ in range(2):
            look_up(token, from_cache=True)
        return look_up(token, from_cache=True)

    sessions.cache.begin(News(db))
    sessions.resume = resume  # type: ignore[method-assign]


def forget(db: DB) -> None:
    """Void every cache, as half a minute does after SQL typed by hand."""
    generations = db.generations.get()
    if generations is not None:
        generations.renew(range(SLOTS))


def watch(db: DB) -> None:
    """Fail whoever changes sessions or users and lets no cache know."""
    def look(connection: Any, cursor: Any, statement: str,
             *rest: Any) -> None:
        """Look at a statement that is about to run."""
        changes = _of_thread(db)
        if (changes is not None and OF_INTEREST.match(statement)
                and not OF_NONE.match(statement) and not _is_purge()):
            assert changes.is_announced, statement

    sqlalchemy_event.listen(db.engine, "before_cursor_execute", look)


def _of_thread(db: DB) -> Any:
    """Return what this thread's open transaction has announced, if any."""
    opened: Any = getattr(db, "_open")
    return opened.changes if getattr(opened, "session", None) else None


def _is_purge() -> bool:
    """Say whether it is the purge, of sessions that have expired."""
    frame: Any = sys._getframe()
    while frame is not None:
        if frame.f_code.co_name == "purge":
            return True
        frame = frame.f_back
    return False
