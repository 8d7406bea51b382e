#!/usr/bin/env python3
"""The table of requests that carried an Idempotency-Key, and their answers.
"""

from datetime import datetime
from typing import Any, Optional

from sqlalchemy import Column, Index, Integer, Text

from vestibule.store.db import DB, IntegrityError
from vestibule.store.purging import Doomed, purge
from vestibule.store.tables import HEX_DIGEST, Base, Timestamp


class IdempotentRequest(Base):
    """A request under a key: running, or answered with a status and a body.

    Neither the key nor the request is kept, only a keyed digest of each.
    ``started_at`` is the ticket of whoever runs the request.
    """

    __tablename__ = "idempotency"
    __table_args__ = (Index("ix_idempotency_expires_at", "expires_at"),)

    key_digest: str = Column(HEX_DIGEST, primary_key=True)
    request_digest: str = Column(HEX_DIGEST, nullable=False)
    started_at: datetime = Column(Timestamp, nullable=False)
    expires_at: datetime = Column(Timestamp, nullable=False)
    status: Optional[int] = Column(Integer)
    body: Optional[str] = Column(Text)
    mismatches: int = Column(
        Integer, nullable=False, default=0, server_default="0")


class IdempotencyStore:
    """Reads and writes these requests: one statement a method."""

    def __init__(self, db: DB) -> None:
        """Work on this database, inside its open transaction if any."""
        self._db = db

    def add(self, request: IdempotentRequest) -> bool:
        """Store a request that begins; say whether its key was free."""
        try:
            with self._db.transaction() as work, work.begin_nested():
                work.add(request)
                work.flush()
        except IntegrityError:
            return False
        return True

    def lock(self, key_digest: str) -> Optional[IdempotentRequest]:
        """Return what is known under a key, held for the transaction."""
        with self._db.transaction() as work:
            found: Optional[IdempotentRequest] = (
                work.query(IdempotentRequest).populate_existing()
                .filter_by(key_digest=key_digest)
                .with_for_update().first())
        return found

    def count_mismatch(self, key_digest: str) -> None:
        """Count another request under a key."""
        with self._db.transaction() as work:
            work.query(IdempotentRequest).filter_by(
                key_digest=key_digest).update(
                    {IdempotentRequest.mismatches:
                     IdempotentRequest.mismatches + 1},
                    synchronize_session=False)

    def answer(self, begun: IdempotentRequest, status: int,
               body: str) -> bool:
        """Store the answer, while the request is run under this ticket."""
        with self._db.transaction() as work:
            stored = self._running(work, begun).update(
                {IdempotentRequest.status: status,
                 IdempotentRequest.body: body}, synchronize_session=False)
        return bool(stored)

    def give_up(self, begun: IdempotentRequest) -> None:
        """Free the key of a request that has no answer, by its ticket."""
        with self._db.transaction() as work:
            self._running(work, begun).delete(synchronize_session=False)

    def remove(self, begun: IdempotentRequest) -> bool:
        """Free a key, while it is held by this ticket; say if it was."""
        with self._db.transaction() as work:
            removed = (
                work.query(IdempotentRequest)
                .filter_by(key_digest=begun.key_digest,
                           started_at=begun.started_at)
                .delete(synchronize_session=False))
        return bool(removed)

    def purge(self, now: datetime, limit: int) -> int:
        """Delete up to ``limit`` expired requests; return how many."""
        column = IdempotentRequest.__table__.c.expires_at
        return purge(
            self._db, IdempotentRequest, Doomed(column <= now, column), limit)

    def _running(self, work: Any, begun: IdempotentRequest) -> Any:
        """Return the query for a request without an answer, by its ticket.
        """
        return work.query(IdempotentRequest).filter_by(
            key_digest=begun.key_digest, started_at=begun.started_at,
            status=None)
