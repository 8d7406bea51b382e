#!/usr/bin/env python3
"""The table of events: append-only, what later readers read."""

from datetime import datetime
from typing import Any, Dict, List, Optional

from sqlalchemy import Column, Index, String, Text, desc

from vestibule.store.db import DB
from vestibule.store.tables import (
    UUID_TEXT, Base, JSONText, Serial, Timestamp)


class Event(Base):
    """Something that happened: what, to whom, from where, when.

    ``user_id`` is no foreign key: an event outlives its user.
    """

    __tablename__ = "events"
    __table_args__ = (
        Index("ix_events_user_id", "user_id", "id"),
        Index("ix_events_request_id", "request_id"),
        {"sqlite_autoincrement": True})

    id: int = Column(Serial, primary_key=True, autoincrement=True)
    at: datetime = Column(Timestamp, nullable=False)
    what: str = Column(String(64), nullable=False)
    user_id: Optional[str] = Column(UUID_TEXT)
    target: Optional[str] = Column(String(128))
    ip: Optional[str] = Column(String(45))
    user_agent: Optional[str] = Column(Text)
    request_id: Optional[str] = Column(String(64))
    detail: Optional[Dict[str, Any]] = Column(JSONText)
    session_id: Optional[str] = Column(UUID_TEXT)


class EventStore:
    """Reads and writes events: one statement a method."""

    def __init__(self, db: DB) -> None:
        """Work on this database, inside its open transaction if any."""
        self._db = db

    def add(self, event: Event) -> None:
        """Store an event."""
        with self._db.transaction() as work:
            work.add(event)
            work.flush()

    def page_of_user(self, user_id: str, limit: int,
                     before: Optional[int] = None) -> List[Event]:
        """Return a user's newest events, those before a number if given."""
        with self._db.reading() as work:
            query = work.query(Event).filter(Event.user_id == user_id)
            if before is not None:
                query = query.filter(Event.id < before)
            found: List[Event] = (
                query.order_by(desc(Event.id)).limit(limit).all())
        return found

    def of_request(self, request_id: str, limit: int) -> List[Event]:
        """Return the first events of a request id, in their order."""
        with self._db.reading() as work:
            found: List[Event] = (
                work.query(Event).filter(Event.request_id == request_id)
                .order_by(Event.id).limit(limit).all())
        return found

    def of_user(self, user_id: str) -> List[Event]:
        """Return a user's events in the order in which they happened."""
        with self._db.reading() as work:
            found: List[Event] = (
                work.query(Event).filter(Event.user_id == user_id)
                .order_by(Event.id).all())
        return found
