#!/usr/bin/env python3
"""The table of failures: wrong passwords in a row, by user and device."""

from datetime import datetime
from typing import Any, List, NamedTuple, Optional

from sqlalchemy import (
    Column, ForeignKey, Index, Integer, String, and_, desc, or_, text)

from vestibule.store.db import DB
from vestibule.store.inserting import insert_new
from vestibule.store.tables import (
    UUID_TEXT, Base, Timestamp, to_microseconds)

# Stands for all devices that are not known.
UNKNOWN_DEVICES = ""


class Failure(Base):
    """How many wrong passwords in a row a device, or strangers, have sent.

    Unlike a window of tries it has no end: only a right password, a reset or
    an operator takes it away, and time alone what is no user's, or of a
    device that nobody uses any more. ``holder`` is the id of the user, or
    stands for an identifier that nobody has: those cost the same rows.
    """

    __tablename__ = "failures"
    __table_args__ = (Index("ix_failures_user_id", "user_id"),
                      Index("ix_failures_changed_at", "changed_at"))

    holder: str = Column(String(64), primary_key=True)
    device: str = Column(String(64), primary_key=True)
    count: int = Column(Integer, nullable=False)
    changed_at: datetime = Column(Timestamp, nullable=False)
    user_id: Optional[str] = Column(
        UUID_TEXT, ForeignKey("users.id", ondelete="CASCADE"))


ROW = Failure.__table__.c
# Made once, like those of ``attempts``: it runs for each password.
COUNT = text("UPDATE failures SET count = count + 1, changed_at = :now "
             "WHERE holder = :holder AND device = :device AND count < :most")


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
                              device=device, count=1, changed_at=self._now(),
                              user_id=holder.user_id)
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

    def purge(self, before: datetime, limit: int) -> int:
        """Delete up to ``limit`` rows that nobody has touched since then.

        Not those of strangers at a user: they have no end. Whether what is
        nobody's is counted on makes no difference that anybody could see.
        """
        return self._delete(and_(
            ROW.changed_at <= before,
            or_(ROW.device != UNKNOWN_DEVICES, ROW.user_id.is_(None))),
            limit)

    def trim(self, most: int, since: datetime, limit: int) -> int:
        """Delete up to ``limit`` rows of users with too many known devices.

        The ``most`` that were touched last stay. Only who knows the password
        makes devices known, so nobody else wins a guess by it. Who has had
        no failure since then is not looked at: the table is long, and
        nobody gets one device more without any.
        """
        removed = 0
        for holder in self._holders_of_more_than(most, since):
            removed += self._delete(
                and_(ROW.holder == holder, ROW.device != UNKNOWN_DEVICES),
                limit - removed, but_the_last=most)
        return removed

    def _holders_of_more_than(self, most: int, since: datetime) -> List[str]:
        """Return who has failed since, and on more known devices than that.
        """
        known = and_(ROW.user_id.isnot(None), ROW.device != UNKNOWN_DEVICES)
        with self._db.reading() as work:
            touched = {row[0] for row in work.query(Failure.holder)
                       .filter(ROW.changed_at >= since, known)}
            return [holder for holder in sorted(touched)
                    if work.query(Failure).filter(
                        ROW.holder == holder, known).count() > most]

    def _delete(self, doomed: Any, limit: int, but_the_last: int = 0) -> int:
        """Delete up to so many rows; those that somebody holds are left."""
        with self._db.transaction() as work:
            found = work.query(Failure.holder, Failure.device).filter(doomed)
            if but_the_last:
                found = (found.order_by(desc(ROW.changed_at), ROW.device)
                         .offset(but_the_last))
            else:
                found = found.order_by(ROW.changed_at)
            keys = found.limit(limit).with_for_update(skip_locked=True).all()
            for holder, device in keys:
                (work.query(Failure)
                 .filter_by(holder=holder, device=device)
                 .delete(synchronize_session=False))
        return len(keys)

    def _now(self) -> int:
        """Return this instant as the table holds it."""
        return to_microseconds(self._db.clock.now())

    def _count(self, holder: Holder, device: str, most: int) -> bool:
        """Count one more, while there is room."""
        with self._db.transaction() as work:
            counted = work.execute(COUNT, {
                "holder": holder.name, "device": device, "most": most,
                "now": self._now()})
        return bool(counted.rowcount)
