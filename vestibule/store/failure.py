#!/usr/bin/env python3
"""The table of failures: wrong passwords in a row, by user and device."""

from typing import List, NamedTuple, Optional

from sqlalchemy import Column, ForeignKey, Index, Integer, String, text

from vestibule.store.db import DB
from vestibule.store.inserting import insert_new
from vestibule.store.tables import UUID_TEXT, Base

# Stands for all devices that are not known.
UNKNOWN_DEVICES = ""


class Failure(Base):
    """How many wrong passwords in a row a device, or strangers, have sent.

    Unlike a window of tries it has no end: only a right password, a reset or
    an operator takes it away. ``holder`` is the id of the user, or stands
    for an identifier that nobody has: those cost the same rows.
    """

    __tablename__ = "failures"
    __table_args__ = (Index("ix_failures_user_id", "user_id"),)

    holder: str = Column(String(64), primary_key=True)
    device: str = Column(String(64), primary_key=True)
    count: int = Column(Integer, nullable=False)
    user_id: Optional[str] = Column(
        UUID_TEXT, ForeignKey("users.id", ondelete="CASCADE"))


# Made once, like those of ``attempts``: it runs for each password.
COUNT = text("UPDATE failures SET count = count + 1 WHERE holder = :holder "
             "AND device = :device AND count < :most")


class Holder(NamedTuple):
    """Whose failures are meant: a user's, or those of a name of nobody's."""

    name: str
    user_id: Optional[str] = None


class FailureStore:
    """Reads and writes failures: one statement a method, but for ``add``."""

    def __init__(self, db: DB) -> None:
        """Work on this database, inside its open transaction if any."""
        self._db = db

    def add(self, holder: Holder, device: str, most: int) -> bool:
        """Count a try as failed; say whether there was room for it.

        It is atomic: of any number of tries at once no more than ``most``
        are told yes.
        """
        return (self._count(holder, device, most)
                or insert_new(self._db, "failures", holder=holder.name,
                              device=device, count=1, user_id=holder.user_id)
                or self._count(holder, device, most))

    def give_back(self, holder: Holder, device: str) -> None:
        """Take back one that was counted and then not tried."""
        with self._db.transaction() as work:
            (work.query(Failure)
             .filter_by(holder=holder.name, device=device)
             .filter(Failure.count > 0)
             .update({Failure.count: Failure.count - 1},
                     synchronize_session=False))

    def forget(self, user_id: str, device: Optional[str] = None) -> None:
        """Forget a user's failures, or those of one device."""
        with self._db.transaction() as work:
            found = work.query(Failure).filter_by(holder=user_id)
            if device is not None:
                found = found.filter_by(device=device)
            found.delete(synchronize_session=False)

    def of_user(self, user_id: str) -> List[Failure]:
        """Return a user's failures, those of strangers first."""
        with self._db.reading() as work:
            found: List[Failure] = (
                work.query(Failure).filter_by(holder=user_id)
                .order_by(Failure.device).all())
        return found

    def _count(self, holder: Holder, device: str, most: int) -> bool:
        """Count one more, while there is room."""
        with self._db.transaction() as work:
            counted = work.execute(COUNT, {
                "holder": holder.name, "device": device, "most": most})
        return bool(counted.rowcount)
