#!/usr/bin/env python3
"""What happened is written down in the transaction in which it happened."""

import logging
from functools import partial
from typing import Any, Dict, Optional

from vestibule.base.digest import keyed_digest
from vestibule.base.log_lines import as_text
from vestibule.base.origin import LIBRARY, Origin
from vestibule.store.db import DB
from vestibule.store.event import Event, EventStore

USER_AGENT_LENGTH = 512
logger = logging.getLogger("vestibule.event")


class Audit:
    """Records events; a committed change always has its event beside it."""

    def __init__(self, db: DB, key: str = "") -> None:
        """Write to this database; ``key`` masks what strangers typed."""
        self._db = db
        self._events = EventStore(db)
        self._clock = db.clock
        self._key = key

    def record(self, what: str, user_id: Optional[str] = None,
               target: Optional[str] = None, origin: Origin = LIBRARY,
               **detail: Any) -> None:
        """Append an event, inside the open transaction if there is one.

        ``what`` is ``thing.past_participle``, like ``session.started``;
        ``target`` is the id of that thing; ``detail`` is for an operator and
        holds no secret. Once it is committed the log has it too.
        """
        at = self._clock.now()
        fields: Dict[str, Any] = dict(
            what=what, user_id=user_id, target=target, ip=origin.ip,
            request_id=origin.request_id, session_id=origin.session_id,
            detail=detail or None)
        self._events.add(Event(
            at=at, user_agent=shortened(origin.user_agent), **fields))
        self._db.after_commit(partial(
            logger.info, what, extra={
                "fields": dict(fields, at=as_text(at))}))

    def masked(self, typed: str) -> str:
        """Return what stands for an identifier that nobody is known by.

        People type passwords into the wrong field, so it is not kept in
        clear (requirement R123); equal texts still give equal masks.
        """
        return keyed_digest(self._key, typed)[:32]

    def pseudonym(self, user_id: str) -> str:
        """Return what stands for a user in events once they are erased.

        Whoever has the key can tell whether a given id was erased; nobody
        finds the id again. It is shorter than an id, so it is no other's.
        """
        return keyed_digest(self._key, f"erased {user_id}")[:32]


def shortened(user_agent: Optional[str]) -> Optional[str]:
    """Return as much of a user agent as is kept."""
    return user_agent and user_agent[:USER_AGENT_LENGTH]
