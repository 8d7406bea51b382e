#!/usr/bin/env python3
"""What erasing a user asks of the tables of users, letters and events."""

import json
from datetime import datetime
from typing import Any, Dict, List

from sqlalchemy import and_, null, or_

from vestibule.store.compat import case_when
from vestibule.store.db import DB
from vestibule.store.event import Event
from vestibule.store.idempotency import IdempotentRequest
from vestibule.store.letter import QUEUED, Letter
from vestibule.store.purging import Doomed, purge
from vestibule.store.reservation import Reservation
from vestibule.store.user import User

# What an event says of a person besides who it was.
PERSONAL = ("ip", "user_agent", "request_id", "session_id", "detail")


class ErasureStore:
    """Finds who is to be erased, and removes what is about them."""

    def __init__(self, db: DB) -> None:
        """Work on this database, inside its open transaction if any."""
        self._db = db

    def due(self, before: datetime, limit: int) -> List[str]:
        """Return the ids of users who are to be erased, the longest due.
        """
        with self._db.reading() as work:
            return [row[0] for row in work.query(User.id)
                    .filter(User.__table__.c.delete_after <= before)
                    .order_by(User.__table__.c.delete_after)
                    .limit(limit)]

    def blur_events(self, user_id: str, pseudonym: str, limit: int) -> int:
        """Put a pseudonym for a user into their oldest events; count them.

        When something happened and what it was stays; where it came from
        and every other detail goes.
        """
        with self._db.transaction() as work:
            found = [row[0] for row in work.query(Event.id)
                     .filter(Event.user_id == user_id)
                     .order_by(Event.id).limit(limit)]
            if not found:
                return 0
            values: Dict[Any, Any] = {
                getattr(Event, name): None for name in PERSONAL}
            values[Event.user_id] = pseudonym
            values[Event.target] = case_when(
                Event.__table__.c.target == user_id, pseudonym, null())
            (work.query(Event).filter(Event.__table__.c.id.in_(found))
             .update(values, synchronize_session=False))
        return len(found)

    def remove_letters(self, user: User) -> None:
        """Delete letters about a user or to an address that is theirs."""
        with self._db.transaction() as work:
            addresses = self._addresses(user)
            (work.query(Letter)
             .filter(or_(Letter.user_id == user.id,
                         Letter.__table__.c.recipient.in_(addresses)))
             .delete(synchronize_session=False))

    def remove_answers(self, user: User) -> None:
        """Delete kept answers to registrations of the user's addresses."""
        body = IdempotentRequest.__table__.c.body
        with self._db.transaction() as work:
            for address in self._addresses(user):
                (work.query(IdempotentRequest)
                 .filter(body.contains(json.dumps(address), autoescape=True))
                 .delete(synchronize_session=False))

    def _addresses(self, user: User) -> List[str]:
        """Return the user's address, and those that are kept for them."""
        with self._db.reading() as work:
            kept = [row[0] for row in work.query(Reservation.email)
                    .filter(Reservation.user_id == user.id)]
        return [user.email, *kept]

    def purge_settled(self, kind: str, limit: int) -> int:
        """Delete letters of a kind, to nobody's address, that wait no more.

        Return how many. The index of users leads to them.
        """
        table = Letter.__table__.c
        return purge(self._db, Letter, Doomed(and_(
            table.user_id.is_(None), table.kind == kind,
            table.state != QUEUED), table.kind), limit)
