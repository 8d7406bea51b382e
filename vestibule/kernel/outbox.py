#!/usr/bin/env python3
"""Writing letters: each in the transaction of what causes it."""

from typing import Optional

from vestibule.store.db import DB
from vestibule.store.letter import QUEUED, Letter, LetterStore

RESET_LETTER = "reset"
PASSWORD_CHANGED_LETTER = "password_changed"


class Outbox:
    """Where letters wait for the delivery; none of them holds a secret."""

    def __init__(self, db: DB) -> None:
        """Keep the letters in this database."""
        self._store = LetterStore(db)
        self._clock = db.clock

    def write(self, kind: str, recipient: str,
              user_id: Optional[str] = None) -> None:
        """Put a letter to this address in the outbox, due at once."""
        now = self._clock.now()
        self._store.add(Letter(
            recipient=recipient, kind=kind, user_id=user_id, state=QUEUED,
            next_try_at=now, created_at=now))
