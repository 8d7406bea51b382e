#!/usr/bin/env python3
"""Delivery: sends what the outbox holds, and issues tokens as it does.

A letter is sent at least once. Whoever sends one claims it first, for longer
than a try can take; a worker that dies between sending and writing that down
leaves it to be sent once more, with the same Message-ID.
"""

import logging
import threading
from datetime import timedelta
from typing import Optional

from vestibule.kernel.letter_writer import LetterWriter
from vestibule.mail.letters import compose
from vestibule.mail.message import Mailer, MailRefused, MailUnavailable
from vestibule.store.db import DB
from vestibule.store.letter import (
    DEAD, DROPPED, QUEUED, SENT, Letter, LetterStore, Outcome)

BATCH = 20
# Longer than the slowest try: ten seconds for each answer of the mail server,
# a minute for each of the last two, and twice that where it has two addresses.
LEASE = timedelta(minutes=10)
# After the first try 30 s, then twice as long each time, up to an hour: the
# twentieth and last is half a day later.
FIRST_PAUSE = timedelta(seconds=30)
LONGEST_PAUSE = timedelta(hours=1)
MAXIMUM_ATTEMPTS = 20
POLL_SECONDS = 2.0
logger = logging.getLogger(__name__)


class Delivery:
    """Takes due letters from the outbox and sends them."""

    def __init__(self, db: DB, writer: LetterWriter, mailer: Mailer) -> None:
        """Send the letters of this database's outbox."""
        self._db = db
        self._writer = writer
        self._mailer = mailer
        self._letters = LetterStore(db)

    def run(self, stop: threading.Event) -> None:
        """Send letters as they fall due, until told to stop.

        What the database or the mail server cannot do now is tried again;
        nothing ends this loop but ``stop``.
        """
        while not stop.is_set():
            try:
                busy = self.send_due(stop) > 0
            except Exception as error:
                # The database is away, or something that nobody thought of:
                # the letter at hand is due again after its lease.
                logger.warning("Letters wait: %s", type(error).__name__)
                busy = False
            if not busy:
                stop.wait(POLL_SECONDS)

    def send_due(self, stop: Optional[threading.Event] = None) -> int:
        """Try a batch of the letters that are due now; return how many.

        Told to stop, it finishes the letter at hand and leaves the others.
        """
        tried = 0
        for letter in self._letters.due(self._db.clock.now(), BATCH):
            if stop is not None and stop.is_set():
                break
            until = self._db.clock.now() + LEASE
            if self._letters.claim(letter, until):
                self._try(letter)
                tried += 1
        return tried

    def _try(self, letter: Letter) -> None:
        """Send one claimed letter and write down what became of it."""
        attempts = letter.attempts + 1
        now = self._db.clock.now()
        again = Outcome(QUEUED, now + pause_after(attempts))
        try:
            outcome = self._send(letter)
        except MailRefused as error:
            outcome = Outcome(DEAD, now, str(error))
        except (MailUnavailable, ValueError) as error:
            # The latter for a kind that a newer version wrote, whose own
            # workers know it.
            outcome = again._replace(error=str(error))
            if attempts >= MAXIMUM_ATTEMPTS:
                outcome = outcome._replace(state=DEAD)
        if outcome.error:
            logger.warning("Letter %s (%s), try %d, %s: %s", letter.id,
                           letter.kind, attempts, outcome.state,
                           outcome.error)
        self._letters.settle(letter, outcome, self._db.clock.now())

    def _send(self, letter: Letter) -> Outcome:
        """Send one letter, unless there is no reason to any more."""
        now = self._db.clock.now()
        context = self._writer.write(letter)
        if context is None:
            return Outcome(DROPPED, now)
        self._mailer.send(compose(letter.kind, context))
        return Outcome(SENT, now)


def pause_after(attempts: int) -> timedelta:
    """Return how long to wait after so many tries."""
    doubled: timedelta = FIRST_PAUSE * 2 ** min(attempts - 1, 16)
    return min(doubled, LONGEST_PAUSE)
