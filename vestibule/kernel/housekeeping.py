#!/usr/bin/env python3
"""Housekeeping: what the service does by itself, beside all requests."""

import logging
import threading
from datetime import datetime, timedelta
from typing import Any, Callable, Optional, Tuple

from vestibule.kernel.devices import KNOWN_FOR
from vestibule.kernel.erasure import Erasure
from vestibule.kernel.last_seen import LastSeen
from vestibule.kernel.refusals import Refusals
from vestibule.store.attempt import DatabaseAttempts
from vestibule.store.db import DB
from vestibule.store.failure import FailureStore
from vestibule.store.idempotency import IdempotencyStore
from vestibule.store.letter import LetterStore
from vestibule.store.one_time_token import OneTimeTokenStore
from vestibule.store.reservation import ReservationStore
from vestibule.store.session import SessionStore

FLUSH_SECONDS = 5.0
FLUSHES_A_PURGE = 12
PAUSE_SECONDS = 0.05
BATCH = 500
BATCHES_A_FLUSH = 50
LETTERS_KEPT = timedelta(days=30)
# Of so many known devices of a user failures are kept.
MOST_DEVICES = 100
FIRST_LOOK_BACK = timedelta(days=1)
# What another machine is late by, its clock and its commit.
CLOCKS_DIFFER_BY = timedelta(minutes=5)
logger = logging.getLogger(__name__)


class Housekeeping:
    """Writes down what is noted in memory, and removes what has expired.

    That is when sessions were used, and which rules refused what.
    """

    def __init__(self, db: DB, last_seen: LastSeen,
                 erasure: Optional[Erasure] = None,
                 refusals: Optional[Refusals] = None) -> None:
        """Keep this database in order, and erase whose time has come."""
        self._db = db
        self._last_seen = last_seen
        self._trimmed_at: Optional[datetime] = None
        self._refusals = noted = refusals or Refusals(db)
        sessions, tokens = SessionStore(db), OneTimeTokenStore(db)
        letters, reservations = LetterStore(db), ReservationStore(db)
        idempotency, attempts = IdempotencyStore(db), DatabaseAttempts(db)
        failures = FailureStore(db)
        self._purges: Tuple[Callable[[], int], ...] = (
            lambda: sessions.purge(db.clock.now(), BATCH),
            lambda: tokens.purge(db.clock.now(), BATCH),
            lambda: reservations.purge(db.clock.now(), BATCH),
            lambda: attempts.purge(db.clock.now(), BATCH),
            lambda: failures.purge(db.clock.now() - KNOWN_FOR, BATCH),
            lambda: self._trim(failures),
            lambda: idempotency.purge(db.clock.now(), BATCH),
            lambda: letters.purge(db.clock.now() - LETTERS_KEPT, BATCH),
            lambda: noted.purge(BATCH))
        if erasure is not None:
            self._purges += (erasure.purge_farewells, erasure.erase_due)

    def run(self, stop: threading.Event) -> None:
        """Go on every few seconds until told to stop, then finish."""
        self._last_seen.defer()
        self._refusals.defer()
        rounds = 0
        while not stop.wait(FLUSH_SECONDS):
            rounds += 1
            self._flush()
            if rounds % FLUSHES_A_PURGE == 0:
                self._attempt(self._settle_abandoned)
                self._attempt(lambda: self.purge(stop))
        self._flush()

    def purge(self, stop: threading.Event) -> int:
        """Remove what has expired from every table; return how many rows.

        In small batches with pauses between them, so that nobody who wants
        to write waits for long (requirement R042). It may go on for minutes:
        what is noted meanwhile is written down as often as ever.
        """
        removed = batches = 0
        for purge_batch in self._purges:
            count = purge_batch()
            while count and not stop.wait(PAUSE_SECONDS):
                removed += count
                batches += 1
                if batches % BATCHES_A_FLUSH == 0:
                    self._flush()
                count = purge_batch()
            removed += count
        return removed

    def _trim(self, failures: FailureStore) -> int:
        """Remove failures on more known devices than are kept; count them.

        Only of users who failed since the last look, or in the last day
        where there was none: all of the table would take its time.
        """
        now = self._db.clock.now()
        since = self._trimmed_at or now - FIRST_LOOK_BACK
        removed = failures.trim(MOST_DEVICES, since, BATCH)
        if not removed:
            self._trimmed_at = now - CLOCKS_DIFFER_BY
        return removed

    def _flush(self) -> None:
        """Write down everything that is noted in memory alone."""
        self._attempt(self._last_seen.flush)
        self._attempt(self._refusals.flush)

    def _settle_abandoned(self) -> None:
        """Clean up after processes that ended in the middle of a change."""
        generations = self._db.generations.get()
        if generations is not None:
            generations.settle_abandoned()

    def _attempt(self, work: Callable[[], Any]) -> None:
        """Do one thing, or leave it to the next round.

        The database may be away, or something be wrong that nobody thought
        of: the loop goes on, for the idle time of sessions hangs on it.
        """
        try:
            work()
        except Exception as error:
            logger.warning("Housekeeping waits: %s", type(error).__name__)
