#!/usr/bin/env python3
"""The table of users: task 1."""

from datetime import datetime
from typing import Any, Dict, Optional

from sqlalchemy import Column, Index, Integer, String, Text

from vestibule.store.tables import (
    UUID_TEXT, Base, JSONText, Timestamp, new_id)


class User(Base):
    """A person who can sign in.

    ``email`` is canonical. ``hashed_password`` is self-describing, and
    ``None`` for somebody who has no password. ``delete_after`` is set while
    a deletion is pending. ``app_metadata`` is the column ``metadata``: that
    attribute name belongs to SQLAlchemy.
    """

    __tablename__ = "users"
    __table_args__ = (Index("ix_users_delete_after", "delete_after"),)

    id: str = Column(UUID_TEXT, primary_key=True, default=new_id)
    email: str = Column(String(254), nullable=False, unique=True)
    email_verified_at: Optional[datetime] = Column(Timestamp)
    hashed_password: Optional[str] = Column(String(255))
    password_changed_at: Optional[datetime] = Column(Timestamp)
    disabled_at: Optional[datetime] = Column(Timestamp)
    delete_after: Optional[datetime] = Column(Timestamp)
    name: Optional[str] = Column(Text)
    locale: Optional[str] = Column(Text)
    picture: Optional[str] = Column(Text)
    app_metadata: Optional[Dict[str, Any]] = Column("metadata", JSONText)
    version: int = Column(Integer, nullable=False, default=1)
    created_at: datetime = Column(Timestamp, nullable=False)
    updated_at: datetime = Column(Timestamp, nullable=False)

    def is_gone(self, now: datetime) -> bool:
        """Say whether the user counts as deleted, erased already or not.

        There is no way back from then on, whatever rows are left.
        """
        return self.delete_after is not None and self.delete_after <= now

    def __repr__(self) -> str:
        """Show the id alone: addresses and hashes do not belong in logs."""
        return f"<User {self.id}>"
