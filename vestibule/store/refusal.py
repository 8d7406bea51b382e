#!/usr/bin/env python3
"""The table of refusals: what was answered with an error, and by which rule.
"""

from datetime import datetime
from typing import Dict, List, NamedTuple, Optional

from sqlalchemy import Column, Index, Integer, String, and_, func, or_

from vestibule.store.db import DB
from vestibule.store.purging import Doomed, purge
from vestibule.store.tables import Base, Serial, Timestamp

CODE_LENGTH = 64
RULE_LENGTH = 300
METHOD_LENGTH = 16
PATH_LENGTH = 128


class Refusal(NamedTuple):
    """A request that was refused: what it asked, and which rule decided.

    It names nobody: no user, no address, nothing that was typed. Events of
    the same request id do, and are blurred when a user is erased.
    """

    request_id: str
    at: datetime
    status: int
    code: str
    rule: Optional[str]
    method: str
    path: str


class StoredRefusal(Base):
    """A refusal as it is stored, for a few days.

    Its columns but ``id`` are the fields of ``Refusal``.
    """

    __tablename__ = "refusals"
    __table_args__ = (Index("ix_refusals_request_id", "request_id"),)

    id: int = Column(Serial, primary_key=True, autoincrement=True)
    request_id: str = Column(String(64), nullable=False)
    at: datetime = Column(Timestamp, nullable=False)
    status: int = Column(Integer, nullable=False)
    code: str = Column(String(CODE_LENGTH), nullable=False)
    rule: Optional[str] = Column(String(RULE_LENGTH))
    method: str = Column(String(METHOD_LENGTH), nullable=False)
    path: str = Column(String(PATH_LENGTH), nullable=False)


class RefusalStore:
    """Reads and writes refusals."""

    def __init__(self, db: DB) -> None:
        """Work on this database, inside its open transaction if any."""
        self._db = db

    def add(self, refusals: List[Refusal]) -> None:
        """Store any number of refusals by one prepared statement.

        To write many rows into one statement would take SQLAlchemy ten times
        as long, which on SQLite is time under the one write lock; for
        PostgreSQL its driver does it.
        """
        rows: List[Dict[str, object]] = [
            dict(refusal._asdict()) for refusal in refusals]
        with self._db.transaction() as work:
            work.execute(StoredRefusal.__table__.insert(), rows)

    def of_request(self, request_id: str, limit: int) -> List[Refusal]:
        """Return the first refusals of a request id, in their order."""
        columns = StoredRefusal.__table__.c
        with self._db.reading() as work:
            found = (
                work.query(*(columns[name] for name in Refusal._fields))
                .filter(columns.request_id == request_id)
                .order_by(columns.at, columns.id).limit(limit).all())
        return [Refusal(*row) for row in found]

    def purge(self, before: datetime, most: int, limit: int) -> int:
        """Delete old refusals among the ``limit`` oldest; return how many.

        Those are old that were noted before an instant, or that have
        ``most`` newer ones, as far as their numbers tell. No more rows are
        looked at than may go: an index of instants would cost every write.
        """
        columns = StoredRefusal.__table__.c
        with self._db.transaction() as work:
            oldest = work.query(func.min(columns.id)).scalar() or 0
            newest = work.query(func.max(columns.id)).scalar() or 0
            doomed = Doomed(and_(
                columns.id < oldest + limit, or_(
                    columns.at <= before, columns.id <= newest - most)),
                columns.id)
            return purge(self._db, StoredRefusal, doomed, limit)
