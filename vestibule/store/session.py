#!/usr/bin/env python3
"""The table of sessions, and the one statement that a session check costs."""

from datetime import datetime
from typing import Any, List, NamedTuple, Optional

from sqlalchemy import Column, ForeignKey, Index, String, Text, desc, text

from vestibule.store.db import DB
from vestibule.store.tables import (
    HEX_DIGEST, UUID_TEXT, Base, Timestamp, from_microseconds,
    to_microseconds)


class Session(Base):
    """A sign-in that lasts.

    ``id`` is public: it stands in lists and logs. ``secret_digest`` is all
    that is kept of the cookie's secret half. ``amr`` holds what was proved,
    separated by blanks (RFC 8176's name for it).
    """

    __tablename__ = "sessions"
    __table_args__ = (
        Index("ix_sessions_user_id", "user_id", "created_at"),
        Index("ix_sessions_idle_expires_at", "idle_expires_at"))

    id: str = Column(UUID_TEXT, primary_key=True)
    secret_digest: str = Column(HEX_DIGEST, nullable=False)
    user_id: str = Column(
        UUID_TEXT, ForeignKey("users.id", ondelete="CASCADE"),
        nullable=False)
    amr: str = Column(String(255), nullable=False)
    created_at: datetime = Column(Timestamp, nullable=False)
    authenticated_at: datetime = Column(Timestamp, nullable=False)
    last_seen_at: datetime = Column(Timestamp, nullable=False)
    idle_expires_at: datetime = Column(Timestamp, nullable=False)
    expires_at: datetime = Column(Timestamp, nullable=False)
    ip: Optional[str] = Column(String(45))
    user_agent: Optional[str] = Column(Text)
    label: Optional[str] = Column(Text)


class FoundSession(NamedTuple):
    """A session as the look-up finds it, its user's columns beside it.

    Instants are microseconds since 1970, as they stand in the table.
    """

    id: str
    secret_digest: str
    user_id: str
    amr: str
    created_at: int
    authenticated_at: int
    last_seen_at: int
    idle_expires_at: int
    expires_at: int
    ip: Optional[str]
    user_agent: Optional[str]
    label: Optional[str]
    email: str
    email_verified_at: Optional[int]
    disabled_at: Optional[int]
    name: Optional[str]
    locale: Optional[str]
    picture: Optional[str]
    app_metadata: Optional[str]
    version: int
    user_created_at: int


FIND = text("""
    SELECT s.id, s.secret_digest, s.user_id, s.amr, s.created_at,
           s.authenticated_at, s.last_seen_at, s.idle_expires_at,
           s.expires_at, s.ip, s.user_agent, s.label,
           u.email, u.email_verified_at, u.disabled_at, u.name, u.locale,
           u.picture, u.metadata, u.version, u.created_at
    FROM sessions AS s JOIN users AS u ON u.id = s.user_id
    WHERE s.id = :id
""")


class SessionStore:
    """Reads and writes sessions: one statement a method."""

    def __init__(self, db: DB) -> None:
        """Work on this database, inside its open transaction if any."""
        self._db = db

    def add(self, session: Session) -> None:
        """Store a new session."""
        with self._db.transaction() as work:
            work.add(session)
            work.flush()

    def find(self, session_id: str) -> Optional[FoundSession]:
        """Return a session and its user by the session's id, live or not."""
        with self._db.reading() as work:
            row = work.execute(FIND, {"id": session_id}).fetchone()
        return None if row is None else FoundSession(*row)

    def touch(self, found: FoundSession, now: datetime,
              idle_until: datetime) -> None:
        """Note that a session was used, unless somebody just noted it.

        An UPDATE brings no deleted row back, and of several at once only the
        first still finds the instant that it read (requirement R039).
        """
        with self._db.transaction() as work:
            work.query(Session).filter(
                Session.id == found.id,
                Session.last_seen_at == from_microseconds(found.last_seen_at)
            ).update({Session.last_seen_at: now,
                      Session.idle_expires_at: idle_until},
                     synchronize_session=False)

    def revoke(self, session_id: str) -> bool:
        """Delete one session; say whether it was there."""
        return bool(self._delete(Session.id == session_id))

    def revoke_all(self, user_id: str) -> int:
        """Delete every session of a user; return how many there were."""
        return self._delete(Session.user_id == user_id)

    def of_user(self, user_id: str) -> List[Session]:
        """Return a user's sessions, the newest first."""
        with self._db.reading() as work:
            found: List[Session] = (
                work.query(Session).filter(Session.user_id == user_id)
                .order_by(desc(Session.created_at), Session.id).all())
        return found

    def purge(self, now: datetime, limit: int) -> int:
        """Delete up to ``limit`` sessions that have expired."""
        with self._db.transaction() as work:
            doomed = [row[0] for row in work.query(Session.id)
                      .filter(Session.idle_expires_at <= now).limit(limit)]
            return (self._delete(Session.__table__.c.id.in_(doomed))
                    if doomed else 0)

    def _delete(self, condition: Any) -> int:
        """Delete the sessions that meet a condition and count them."""
        with self._db.transaction() as work:
            deleted: int = (work.query(Session).filter(condition)
                            .delete(synchronize_session=False))
        return deleted


def is_over(instant: int, now: datetime) -> bool:
    """Say whether an instant of the table has come."""
    return instant <= to_microseconds(now)
