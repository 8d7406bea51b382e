#!/usr/bin/env python3
"""Writing letters: each in the transaction of what causes it."""

from datetime import timedelta
from typing import Optional

from vestibule.store.db import DB
from vestibule.store.letter import QUEUED, Letter, LetterStore

RESET_LETTER = "reset"
PASSWORD_CHANGED_LETTER = "password_changed"
# Letters whose newest is the only one that counts. A notice of what happened
# is no such letter: each is sent.
SUPERSEDING = frozenset([RESET_LETTER])
MOST_AN_HOUR = 5
HOUR = timedelta(hours=1)


class Outbox:
    """Where letters wait for the delivery; none of them holds a secret."""

    def __init__(self, db: DB) -> None:
        """Keep the letters in this database."""
        self._db = db
        self._store = LetterStore(db)

    def write(self, kind: str, recipient: str,
              user_id: Optional[str] = None) -> None:
        """Put a letter to this address in the outbox, due at once."""
        now = self._db.clock.now()
        self._store.add(Letter(
            recipient=recipient, kind=kind, user_id=user_id, state=QUEUED,
            next_try_at=now, created_at=now))

    def write_sparingly(self, kind: str, recipient: str) -> None:
        """Write a letter that anybody can cause, five an hour at most.

        More would bomb somebody's box. It is counted by address, known or
        not, so that the limit tells nothing, and exactly, however many ask
        at once (requirement R065).
        """
        with self._db.transaction():
            self._store.lock_recipient(recipient)
            since = self._db.clock.now() - HOUR
            if self._store.count_since(kind, recipient, since) < MOST_AN_HOUR:
                self.write(kind, recipient)
