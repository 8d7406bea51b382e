#!/usr/bin/env python3
"""Delivery: sends what the outbox holds, and issues tokens as it does.

A letter is sent at least once. Whoever sends one claims it first, for longer
than a try can take; a worker that dies between sending and writing that down
leaves it to be sent once more, with the same Message-ID.
"""

import logging
import threading
from datetime import timedelta
from typing import Callable, Dict, NamedTuple, Optional

from vestibule.kernel.auth import Auth
from vestibule.kernel.one_time_tokens import LIFETIMES, RESET
from vestibule.kernel.outbox import RESET_LETTER, SUPERSEDING
from vestibule.mail.letters import LetterContext, compose
from vestibule.mail.message import (
    Mailer, MailRefused, MailUnavailable, message_id)
from vestibule.store.db import DB, NoResultFound
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


class Sender(NamedTuple):
    """Who letters come from, and how they leave the house."""

    mailer: Mailer
    service_name: str
    base_url: str
    support: Optional[str] = None


class Delivery:
    """Takes due letters from the outbox and sends them."""

    def __init__(self, db: DB, auth: Auth, sender: Sender) -> None:
        """Send the letters of this database's outbox."""
        self._db = db
        self._auth = auth
        self._sender = sender
        self._letters = LetterStore(db)
        self._prepare: Dict[str, Callable[[Letter], Optional[LetterContext]]]
        self._prepare = {RESET_LETTER: self._reset}

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
        try:
            outcome = self._send(letter)
        except MailRefused as error:
            outcome = Outcome(DEAD, now, str(error))
        except MailUnavailable as error:
            outcome = Outcome(QUEUED, now + pause_after(attempts), str(error))
            if attempts >= MAXIMUM_ATTEMPTS:
                outcome = outcome._replace(state=DEAD)
        except ValueError as error:
            # A kind that this version does not know, after a step back.
            outcome = Outcome(DEAD, now, str(error))
        if outcome.error:
            logger.warning("Letter %s (%s), try %d, %s: %s", letter.id,
                           letter.kind, attempts, outcome.state,
                           outcome.error)
        self._letters.settle(letter.id, outcome, self._db.clock.now())

    def _send(self, letter: Letter) -> Outcome:
        """Send one letter, unless there is no reason to any more."""
        now = self._db.clock.now()
        if (letter.kind in SUPERSEDING
                and self._letters.has_newer(letter)):
            return Outcome(DROPPED, now, None)
        prepare = self._prepare.get(letter.kind, self._plain)
        context = prepare(letter)
        if context is None:
            return Outcome(DROPPED, now, None)
        self._sender.mailer.send(compose(letter.kind, context))
        return Outcome(SENT, now, None)

    def _plain(self, letter: Letter) -> LetterContext:
        """Return what every letter may speak of."""
        return LetterContext(
            to=letter.recipient, date=self._db.clock.now(),
            message_id=message_id(letter.id, self._sender.base_url),
            service_name=self._sender.service_name,
            base_url=self._sender.base_url, support=self._sender.support)

    def _reset(self, letter: Letter) -> Optional[LetterContext]:
        """Issue a reset token for the person behind the address, if any.

        It goes to the address as stored, and takes the place of every token
        mailed before: the newest letter is the one that works.
        """
        try:
            user = self._db.find_user_by(email=letter.recipient)
        except NoResultFound:
            return None
        with self._db.transaction():
            locked = self._db.lock_user(user.id)
            if (locked is None or locked.disabled_at is not None
                    or locked.email != letter.recipient):
                return None
            self._auth.tokens.revoke_superseded(
                user.id, RESET, letter.created_at)
            secret = self._auth.tokens.issue(user.id, RESET, user.email)
        minutes = int(LIFETIMES[RESET].total_seconds()) // 60
        return self._plain(letter)._replace(
            to=user.email, minutes=minutes,
            link=f"{self._sender.base_url}/reset?token={secret}")


def pause_after(attempts: int) -> timedelta:
    """Return how long to wait after so many tries."""
    doubled: timedelta = FIRST_PAUSE * 2 ** min(attempts - 1, 16)
    return min(doubled, LONGEST_PAUSE)
