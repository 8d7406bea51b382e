#!/usr/bin/env python3
"""Erasure: what is left of a user who is gone, which is nothing personal.

What happened stays in the table of events, under a pseudonym and without all
that could lead to a person.
"""

from datetime import datetime, timedelta
from typing import Optional

from vestibule.base.errors import NotFound
from vestibule.base.origin import LIBRARY, Origin
from vestibule.kernel.auth import Auth
from vestibule.kernel.outbox import DELETED_LETTER
from vestibule.store.db import DB, User
from vestibule.store.erasure import ErasureStore
from vestibule.store.tables import EPOCH

# Whoever checked a password just before the date writes an event after it.
MARGIN = timedelta(minutes=1)
USERS_AT_ONCE = 20
EVENTS_AT_ONCE = 500
LETTERS_AT_ONCE = 500


class Erasure:
    """Erases users, in steps that keep nobody waiting for long."""

    def __init__(self, db: DB, auth: Auth) -> None:
        """Erase users of ``auth``, whose key makes the pseudonyms."""
        self._db = db
        self._auth = auth
        self._store = ErasureStore(db)

    def erase_due(self) -> int:
        """Do a step for some whose date has come; return how many.

        Any number of processes may do so at once: each step holds the
        user's lock, and one of them is the last.
        """
        before = self._db.clock.now() - MARGIN
        return sum(self._step(user_id, before, LIBRARY)
                   for user_id in self._store.due(before, USERS_AT_ONCE))

    def erase_now(self, user: User, origin: Origin = LIBRARY) -> None:
        """Erase a user whatever the date, as an operator.

        A request that is being answered at this moment may still write an
        event about the user. Raises ``NotFound`` where the user is gone.
        """
        if not self._step(user.id, None, origin):
            raise NotFound(f"There is no user {user.id}.")
        while self._step(user.id, None, origin):
            pass

    def purge_farewells(self) -> int:
        """Remove letters about erasures that were sent; return how many.

        Other letters are kept for a while, for operators to look at; these
        hold the address of somebody of whom nothing is kept.
        """
        return self._store.purge_settled(DELETED_LETTER, LETTERS_AT_ONCE)

    def _step(self, user_id: str, before: Optional[datetime],
              origin: Origin) -> bool:
        """Erase some of a user, if not all; say whether there was one.

        The date is looked at again under the lock: whoever was restored
        stays whole. Where there is more than one step can do the first one
        leaves no way back, whatever another machine's clock says.
        """
        with self._db.transaction():
            user = self._db.lock_user(user_id)
            if user is None or not _is_due(user, before):
                return False
            pseudonym = self._auth.audit.pseudonym(user_id)
            done = self._store.blur_events(
                user_id, pseudonym, EVENTS_AT_ONCE)
            if done < EVENTS_AT_ONCE:
                self._finish(user, pseudonym, origin)
            elif user.delete_after != EPOCH:
                self._db.update_user(
                    user_id, delete_after=EPOCH, hashed_password=None)
        return True

    def _finish(self, user: User, pseudonym: str, origin: Origin) -> None:
        """Remove every row, say so to the person, and prove it.

        Sessions, tokens and reservations go with the user's row. The last
        letter is the only thing that holds the address, until it is sent.
        """
        self._store.remove_letters(user)
        self._store.remove_answers(user)
        self._db.delete_user(user.id)
        self._auth.outbox.write(DELETED_LETTER, user.email)
        self._auth.audit.record("user.erased", pseudonym, pseudonym, origin)


def _is_due(user: User, before: Optional[datetime]) -> bool:
    """Say whether a user is to be erased; without a date everybody is."""
    return before is None or user.is_gone(before)
