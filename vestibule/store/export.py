#!/usr/bin/env python3
"""Reads all that is held about one user, a batch at a time.

Each method is a statement of its own, and its session is closed when it
returns: a slow reader of an export holds nothing.
"""

from datetime import datetime
from typing import List, Optional, Sequence, Tuple

from sqlalchemy import and_, desc, or_

from vestibule.store.db import DB
from vestibule.store.event import Event
from vestibule.store.letter import Letter
from vestibule.store.one_time_token import OneTimeToken
from vestibule.store.reservation import Reservation
from vestibule.store.session import Session
from vestibule.store.user import User


class ExportStore:
    """Reads what belongs to a user, from every table that holds some."""

    def __init__(self, db: DB) -> None:
        """Work on this database, inside its open transaction if any."""
        self._db = db

    def last_event(self, user_id: str,
                   kinds: Sequence[str]) -> Optional[Event]:
        """Return the newest event of these kinds, if there is one."""
        with self._db.reading() as work:
            found: Optional[Event] = (
                work.query(Event)
                .filter(Event.user_id == user_id,
                        Event.__table__.c.what.in_(kinds))
                .order_by(desc(Event.id)).first())
        return found

    def events(self, user_id: str, between: Tuple[int, int],
               limit: int) -> List[Event]:
        """Return a user's events by number, from behind one up to another.
        """
        after, last = between
        with self._db.reading() as work:
            found: List[Event] = (
                work.query(Event)
                .filter(Event.user_id == user_id,
                        Event.id > after, Event.id <= last)
                .order_by(Event.id).limit(limit).all())
        return found

    def reservations(self, user_id: str) -> List[Reservation]:
        """Return the addresses that are kept free for a user."""
        with self._db.reading() as work:
            found: List[Reservation] = (
                work.query(Reservation)
                .filter(Reservation.user_id == user_id)
                .order_by(Reservation.email).all())
        return found

    def sessions(self, user_id: str) -> List[Session]:
        """Return a user's sessions, those too that are over by now."""
        with self._db.reading() as work:
            found: List[Session] = (
                work.query(Session).filter(Session.user_id == user_id)
                .order_by(Session.created_at, Session.id).all())
        return found

    def tokens(self, user_id: str) -> List[OneTimeToken]:
        """Return a user's one-time tokens."""
        with self._db.reading() as work:
            found: List[OneTimeToken] = (
                work.query(OneTimeToken)
                .filter(OneTimeToken.user_id == user_id)
                .order_by(OneTimeToken.created_at, OneTimeToken.digest)
                .all())
        return found

    def letters(self, user: User, since: datetime,
                after: Optional[Letter], limit: int) -> List[Letter]:
        """Return letters about a user, and to their address since then.

        They come by instant, from behind one on.
        """
        table = Letter.__table__.c
        theirs = or_(table.user_id == user.id, and_(
            table.user_id.is_(None), table.recipient == user.email,
            table.created_at >= since))
        with self._db.reading() as work:
            query = work.query(Letter).filter(theirs)
            if after is not None:
                query = query.filter(or_(
                    table.created_at > after.created_at,
                    and_(table.created_at == after.created_at,
                         table.id > after.id)))
            found: List[Letter] = (
                query.order_by(table.created_at, table.id)
                .limit(limit).all())
        return found
