#!/usr/bin/env python3
"""The table of reservations: addresses kept free for whom they belonged to.
"""

from datetime import datetime
from typing import Optional

from sqlalchemy import Column, ForeignKey, Index, String

from vestibule.store.db import DB
from vestibule.store.purging import Doomed, purge
from vestibule.store.tables import UUID_TEXT, Base, Timestamp


class Reservation(Base):
    """An address that one user left, and that nobody else may take yet."""

    __tablename__ = "reservations"
    __table_args__ = (
        Index("ix_reservations_user_id", "user_id"),
        Index("ix_reservations_expires_at", "expires_at"))

    email: str = Column(String(254), primary_key=True)
    user_id: str = Column(
        UUID_TEXT, ForeignKey("users.id", ondelete="CASCADE"),
        nullable=False)
    expires_at: datetime = Column(Timestamp, nullable=False)


class ReservationStore:
    """Reads and writes reservations: one statement a method."""

    def __init__(self, db: DB) -> None:
        """Work on this database, inside its open transaction if any."""
        self._db = db

    def add(self, reservation: Reservation) -> None:
        """Store a reservation of an address that has none."""
        with self._db.transaction() as work:
            work.add(reservation)
            work.flush()

    def holder(self, email: str, now: datetime) -> Optional[str]:
        """Return the id of the user for whom an address is kept, if any."""
        with self._db.reading() as work:
            found: Optional[str] = (
                work.query(Reservation.user_id)
                .filter(Reservation.email == email,
                        Reservation.expires_at > now).scalar())
        return found

    def remove(self, email: str) -> None:
        """Let go of an address."""
        with self._db.transaction() as work:
            (work.query(Reservation).filter(Reservation.email == email)
             .delete(synchronize_session=False))

    def remove_of_user(self, user_id: str) -> None:
        """Let go of every address that is kept for a user."""
        with self._db.transaction() as work:
            (work.query(Reservation).filter(Reservation.user_id == user_id)
             .delete(synchronize_session=False))

    def purge(self, now: datetime, limit: int) -> int:
        """Delete up to ``limit`` expired reservations; return how many."""
        column = Reservation.__table__.c.expires_at
        return purge(
            self._db, Reservation, Doomed(column <= now, column), limit)
