#!/usr/bin/env python3
"""Refusals: noted in memory as they are answered, written down later."""

import logging
import threading
from datetime import timedelta
from typing import List, NamedTuple, Optional

from vestibule.store.db import (
    DB, DataError, DBAPIError, IntegrityError, PoolTimeout, ProgrammingError)
from vestibule.store.refusal import (
    CODE_LENGTH, METHOD_LENGTH, PATH_LENGTH, RULE_LENGTH, Refusal,
    RefusalStore)

MOST_WAITING = 1000
KEPT = timedelta(days=7)
MOST_KEPT = 100000
logger = logging.getLogger(__name__)


class Asked(NamedTuple):
    """What a request asked for, without anything that a stranger typed."""

    request_id: str
    method: str
    path: str


class Refusals:
    """Which rule refused which request, for whoever asks why.

    By itself it writes at once. A service that calls ``flush`` every few
    seconds has it ``defer`` instead: then a flood of refusals costs a
    thousand rows every few seconds at most, and no request waits for them.
    """

    def __init__(self, db: DB) -> None:
        """Keep the refusals in this database."""
        self._db = db
        self._store = RefusalStore(db)
        self._deferred = False
        self._lock = threading.Lock()
        self._waiting: List[Refusal] = []
        self._dropped = 0

    def defer(self) -> None:
        """Keep what is noted until ``flush`` is called."""
        self._deferred = True

    def note(self, asked: Asked, status: int, code: str,
             rule: Optional[str] = None) -> None:
        """Note that a request was refused; where too many wait, count it.

        It raises nothing for a database that cannot be written to.
        """
        self._keep([Refusal(
            asked.request_id, self._db.clock.now(), status,
            code[:CODE_LENGTH], rule and rule[:RULE_LENGTH],
            asked.method[:METHOD_LENGTH], asked.path[:PATH_LENGTH])])
        if not self._deferred:
            self.flush()

    def flush(self) -> None:
        """Write down everything noted, in one transaction.

        While the database does not answer, what fits into memory waits for
        the next time; what it will not have is forgotten.
        """
        with self._lock:
            waiting, dropped = self._waiting, self._dropped
            self._waiting, self._dropped = [], 0
        if dropped:
            logger.warning(
                "%d refusals are not written down: more than %d came within "
                "seconds.", dropped, MOST_WAITING)
        try:
            if waiting:
                self._store.add(waiting)
        except (DataError, IntegrityError, ProgrammingError) as error:
            logger.warning("%d refusals are not written down: %s",
                           len(waiting), type(error).__name__)
        except (DBAPIError, PoolTimeout) as error:
            self._keep(waiting)
            logger.warning("%d refusals wait to be written down: %s",
                           len(waiting), type(error).__name__)

    def of_request(self, request_id: str, limit: int) -> List[Refusal]:
        """Return the first refusals of a request id, in their order.

        A client may choose its request id, so there may be many.
        """
        return self._store.of_request(request_id, limit)

    def purge(self, limit: int) -> int:
        """Delete some of what is older than a week, or more than is kept."""
        return self._store.purge(
            self._db.clock.now() - KEPT, MOST_KEPT, limit)

    def _keep(self, refusals: List[Refusal]) -> None:
        """Have refusals wait, as long as there is room for them.

        The newest are dropped: a flood does not hide how it began.
        """
        with self._lock:
            room = max(0, MOST_WAITING - len(self._waiting))
            self._waiting += refusals[:room]
            self._dropped += len(refusals[room:])
