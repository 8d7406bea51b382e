#!/usr/bin/env python3
"""Addresses: who may have which, and for whom one is kept free."""

from datetime import datetime
from typing import Optional

from vestibule.base.errors import IdentifierTaken
from vestibule.store.db import DB, IntegrityError, NoResultFound, User
from vestibule.store.reservation import Reservation, ReservationStore


class Addresses:
    """Gives addresses to users, each to one, in the open transaction."""

    def __init__(self, db: DB) -> None:
        """Work on the users of this database."""
        self._db = db
        self._reservations = ReservationStore(db)

    def add_user(self, email: str, hashed_password: Optional[bytes]) -> User:
        """Store a new user under a canonical address and return it.

        Raises ``IdentifierTaken`` where somebody has it or it is kept for
        somebody, also since this very instant.
        """
        try:
            user = self._db.add_user(email, hashed_password)
        except IntegrityError:
            raise IdentifierTaken() from None
        if self._kept_for(email) is not None:
            # Looked at only now: whoever was leaving the address may not
            # have committed before it was free to be taken.
            self._db.delete_user(user.id)
            raise IdentifierTaken()
        return user

    def give(self, user: User, email: str) -> User:
        """Give a user whose lock is held an address that counts as proved.

        Returns the user as it is then. Raises ``IdentifierTaken``, after
        which the transaction has to be given up.
        """
        try:
            self._db.update_user(
                user.id, email=email, email_verified_at=self._db.clock.now())
        except IntegrityError:
            raise IdentifierTaken() from None
        if self._kept_for(email) not in (None, user.id):
            raise IdentifierTaken()
        self._reservations.remove(email)
        return self._db.find_user_by(id=user.id)

    def is_free(self, email: str, user_id: str) -> bool:
        """Say whether this user could have an address now."""
        try:
            owner = self._db.find_user_by(email=email).id
        except NoResultFound:
            owner = None
        return {owner, self._kept_for(email)} <= {None, user_id}

    def is_kept(self, email: str, user_id: str) -> bool:
        """Say whether an address is kept free for this user."""
        return self._kept_for(email) == user_id

    def keep(self, email: str, user_id: str, until: datetime) -> None:
        """Keep an address that a user left free for that user until then."""
        self._reservations.remove(email)
        self._reservations.add(Reservation(
            email=email, user_id=user_id, expires_at=until))

    def let_go(self, user_id: str) -> None:
        """Keep no address for this user any more."""
        self._reservations.remove_of_user(user_id)

    def _kept_for(self, email: str) -> Optional[str]:
        """Return the id of the user for whom an address is kept, if any."""
        return self._reservations.holder(email, self._db.clock.now())
