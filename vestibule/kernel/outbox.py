#!/usr/bin/env python3
"""Writing letters: each in the transaction of what causes it."""

from datetime import datetime
from typing import Optional

from vestibule.kernel.mail_box import MailBox
from vestibule.kernel.throttle import Throttle
from vestibule.store.db import DB
from vestibule.store.letter import QUEUED, Letter, LetterStore
from vestibule.store.tables import EPOCH

RESET_LETTER = "reset"
VERIFY_LETTER = "verify"
ALREADY_REGISTERED_LETTER = "already_registered"
CHANGE_EMAIL_LETTER = "change_email"
EMAIL_CHANGED_LETTER = "email_changed"
PASSWORD_CHANGED_LETTER = "password_changed"
DISABLED_LETTER = "account_disabled"
DELETION_ANNOUNCED_LETTER = "deletion_announced"
DELETED_LETTER = "account_deleted"
# Letters that anybody can cause. Of a warning one is enough.
MOST_WARNINGS = 1
LIMITED = {RESET_LETTER: None, VERIFY_LETTER: None,
           CHANGE_EMAIL_LETTER: None,
           ALREADY_REGISTERED_LETTER: MOST_WARNINGS}
# Letters whose newest is the only one that counts. A notice of what happened
# is no such letter: each is sent.
SUPERSEDING = frozenset([RESET_LETTER, VERIFY_LETTER])


class Outbox:
    """Where letters wait for the delivery; none of them holds a secret."""

    def __init__(self, db: DB,
                 throttle: Optional[Throttle] = None) -> None:
        """Keep the letters in this database.

        ``throttle`` says how many of a kind that anybody can cause go to one
        address.
        """
        self._db = db
        self.box = MailBox(db, throttle or Throttle(db))
        self._store = LetterStore(db)

    def write(self, kind: str, recipient: str,
              user_id: Optional[str] = None,
              about: Optional[datetime] = None) -> None:
        """Put a letter to this address in the outbox, due at once.

        ``about`` is the instant of the change that a notice speaks of.
        """
        now = self._db.clock.now()
        self._store.add(Letter(
            recipient=recipient, kind=kind, user_id=user_id, state=QUEUED,
            next_try_at=now, created_at=about or now))

    def write_sparingly(self, kind: str, recipient: str,
                        user_id: Optional[str] = None,
                        most: Optional[int] = None) -> None:
        """Write a letter that anybody can cause, so many a while at most.

        More would bomb somebody's box. It is counted by address, known or
        not, so that the limit tells nothing, and exactly, however many ask
        at once (requirement R065). ``most`` is for those of which one is
        enough.
        """
        with self._db.transaction():
            if self.box.allows(kind, recipient, most):
                self.write(kind, recipient, user_id)

    def withdraw(self, user_id: str, *kinds: str,
                 since: datetime = EPOCH) -> None:
        """Drop what is still to be sent to a user of these kinds since then.

        Whoever calls holds the user's lock, and so does the delivery when it
        issues a token: a letter that was withdrawn never holds one.
        """
        for kind in kinds:
            self._store.withdraw(
                user_id, kind, since, self._db.clock.now())
