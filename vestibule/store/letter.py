#!/usr/bin/env python3
"""The table of letters: the outbox, written with what causes a letter.

A letter holds no secret. Its life: ``queued`` until it is ``sent``, or
``dropped`` (there is nobody to send it to, or a newer one of its kind takes
its place), or ``dead`` after the last try.
"""

import hashlib
from datetime import datetime
from typing import List, NamedTuple, Optional

from sqlalchemy import (
    Column, Index, Integer, String, Text, desc, func, text, or_)

from vestibule.store.db import DB
from vestibule.store.purging import Doomed, purge
from vestibule.store.tables import UUID_TEXT, Base, Timestamp, new_id

QUEUED, SENT, DROPPED, DEAD = "queued", "sent", "dropped", "dead"
STATES = (QUEUED, SENT, DROPPED, DEAD)


class Letter(Base):
    """A mail to be sent to one address, or that was."""

    __tablename__ = "letters"
    __table_args__ = (
        Index("ix_letters_settled_at", "settled_at"),
        Index("ix_letters_due", "state", "next_try_at"),
        Index("ix_letters_user_id", "user_id", "kind"),
        Index("ix_letters_recipient", "recipient", "kind", "created_at"))

    id: str = Column(UUID_TEXT, primary_key=True, default=new_id)
    recipient: str = Column(String(254), nullable=False)
    kind: str = Column(String(32), nullable=False)
    user_id: Optional[str] = Column(UUID_TEXT)
    state: str = Column(String(16), nullable=False)
    attempts: int = Column(Integer, nullable=False, default=0)
    next_try_at: datetime = Column(Timestamp, nullable=False)
    created_at: datetime = Column(Timestamp, nullable=False)
    settled_at: Optional[datetime] = Column(Timestamp)
    last_error: Optional[str] = Column(Text)


class Outcome(NamedTuple):
    """What became of a try: the letter's new state, and why."""

    state: str
    next_try_at: datetime
    error: Optional[str] = None


class Written(NamedTuple):
    """How many letters of a kind went to an address, and when the last."""

    kind: str
    number: int
    last_at: datetime


class LetterStore:
    """Reads and writes letters: one statement a method."""

    def __init__(self, db: DB) -> None:
        """Work on this database, inside its open transaction if any."""
        self._db = db

    def add(self, letter: Letter) -> None:
        """Store a letter to be sent."""
        with self._db.transaction() as work:
            work.add(letter)
            work.flush()

    def lock_recipient(self, recipient: str) -> None:
        """Let nobody else count the letters to an address meanwhile.

        On PostgreSQL by a lock of this transaction on the address's number;
        on SQLite the transaction holds the write lock anyway.
        """
        if self._db.is_sqlite:
            return
        digest = hashlib.sha256(recipient.encode("utf-8")).digest()
        number = int.from_bytes(digest[:8], "big", signed=True)
        with self._db.transaction() as work:
            work.execute(text("SELECT pg_advisory_xact_lock(:number)"),
                         {"number": number})

    def count_since(self, kind: str, recipient: str, since: datetime) -> int:
        """Return how many letters of a kind an address was written since."""
        with self._db.reading() as work:
            found: int = (
                work.query(Letter)
                .filter(Letter.recipient == recipient, Letter.kind == kind,
                        Letter.created_at > since).count())
        return found

    def written_since(self, recipient: str,
                      since: datetime) -> List[Written]:
        """Return what an address was written since then, by kind."""
        last_at = func.max(Letter.created_at, type_=Timestamp)
        with self._db.reading() as work:
            rows = (
                work.query(Letter.kind, func.count(), last_at)
                .filter(Letter.recipient == recipient,
                        Letter.created_at > since)
                .group_by(Letter.kind).order_by(Letter.kind).all())
        return [Written(*row) for row in rows]

    def due(self, now: datetime, limit: int) -> List[Letter]:
        """Return up to ``limit`` queued letters, the longest due first.

        In the index's own order: however many are due, no others are read.
        """
        with self._db.reading() as work:
            found: List[Letter] = (
                work.query(Letter)
                .filter(Letter.state == QUEUED, Letter.next_try_at <= now)
                .order_by(Letter.next_try_at).limit(limit).all())
        return found

    def claim(self, letter: Letter, until: datetime) -> bool:
        """Take a due letter for oneself until an instant; say whether it is.

        The number of attempts is the ticket: of any number of workers that
        saw the letter with it, one UPDATE finds it unchanged.
        """
        with self._db.transaction() as work:
            claimed = (
                work.query(Letter)
                .filter(Letter.id == letter.id, Letter.state == QUEUED,
                        Letter.attempts == letter.attempts)
                .update({Letter.attempts: letter.attempts + 1,
                         Letter.next_try_at: until},
                        synchronize_session=False))
        return bool(claimed)

    def has_newer(self, letter: Letter) -> bool:
        """Say whether a newer letter of this kind takes this one's place.

        That is one that waits for the address, or that went to it already.
        """
        with self._db.reading() as work:
            return work.query(Letter.id).filter(
                Letter.recipient == letter.recipient,
                Letter.kind == letter.kind,
                or_(Letter.state == QUEUED, Letter.state == SENT),
                Letter.created_at > letter.created_at).first() is not None

    def is_queued(self, letter_id: str) -> bool:
        """Say whether a letter is still to be sent."""
        with self._db.reading() as work:
            return work.query(Letter.id).filter_by(
                id=letter_id, state=QUEUED).first() is not None

    def withdraw(self, user_id: str, kind: str, since: datetime,
                 now: datetime) -> None:
        """Drop what a user could still be sent, of a kind, written since then.

        Dead letters count, since an operator may have them tried anew.
        """
        with self._db.transaction() as work:
            (work.query(Letter)
             .filter(Letter.user_id == user_id, Letter.kind == kind,
                     or_(Letter.state == QUEUED, Letter.state == DEAD),
                     Letter.created_at >= since)
             .update({Letter.state: DROPPED, Letter.settled_at: now},
                     synchronize_session=False))

    def settle(self, letter: Letter, outcome: Outcome, now: datetime) -> None:
        """Write down what became of a try at a letter that was claimed.

        The ticket is the one that was claimed: who took longer than the
        lease, or whose letter was withdrawn meanwhile, changes nothing.
        """
        over = None if outcome.state == QUEUED else now
        with self._db.transaction() as work:
            (work.query(Letter)
             .filter(Letter.id == letter.id, Letter.state == QUEUED,
                     Letter.attempts == letter.attempts + 1)
             .update({Letter.state: outcome.state,
                      Letter.next_try_at: outcome.next_try_at,
                      Letter.last_error: outcome.error,
                      Letter.settled_at: over}, synchronize_session=False))

    def next_due_at(self) -> Optional[datetime]:
        """Return when the next queued letter is due, if there is one."""
        with self._db.reading() as work:
            found: Optional[datetime] = (
                work.query(func.min(Letter.next_try_at))
                .filter(Letter.state == QUEUED).scalar())
        return found

    def purge(self, settled_before: datetime, limit: int) -> int:
        """Delete up to ``limit`` letters settled so long ago; return how many.
        """
        column = Letter.__table__.c.settled_at
        return purge(self._db, Letter,
                     Doomed(column < settled_before, column), limit)

    def requeue(self, letter_id: str, now: datetime) -> bool:
        """Let a dead letter be tried anew; say whether there was such one."""
        with self._db.transaction() as work:
            requeued = (
                work.query(Letter).filter_by(id=letter_id, state=DEAD)
                .update({Letter.state: QUEUED, Letter.attempts: 0,
                         Letter.next_try_at: now, Letter.settled_at: None},
                        synchronize_session=False))
        return bool(requeued)

    def newest(self, limit: int, state: Optional[str] = None) -> List[Letter]:
        """Return the newest letters, of one state or of any."""
        with self._db.reading() as work:
            query = work.query(Letter)
            if state is not None:
                query = query.filter_by(state=state)
            found: List[Letter] = (
                query.order_by(desc(Letter.created_at), Letter.id)
                .limit(limit).all())
        return found
