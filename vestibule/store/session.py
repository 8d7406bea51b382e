#!/usr/bin/env python3
"""The table of sessions, and the one statement that a session check costs."""

from datetime import datetime
from typing import Any, List, NamedTuple, Optional, Set

from sqlalchemy import (
    Boolean, Column, ForeignKey, Index, String, Text, desc, text)

from vestibule.store.db import DB
from vestibule.store.purging import Doomed, purge
from vestibule.store.thread_connections import Statement
from vestibule.store.tables import (
    HEX_DIGEST, UUID_TEXT, Base, Timestamp, to_microseconds)

MOST_AT_ONCE = 500


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
    remembered: bool = Column(Boolean, nullable=False)


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
    remembered: bool
    email: str
    email_verified_at: Optional[int]
    disabled_at: Optional[int]
    delete_after: Optional[int]
    name: Optional[str]
    locale: Optional[str]
    picture: Optional[str]
    app_metadata: Optional[str]
    version: int
    user_created_at: int


class Seen(NamedTuple):
    """That a session was used, and how long it may now lie idle."""

    session_id: str
    at: datetime
    idle_expires_at: datetime


FIND = Statement("vestibule_session", """
    SELECT s.id, s.secret_digest, s.user_id, s.amr, s.created_at,
           s.authenticated_at, s.last_seen_at, s.idle_expires_at,
           s.expires_at, s.ip, s.user_agent, s.label, s.remembered,
           u.email, u.email_verified_at, u.disabled_at, u.delete_after,
           u.name, u.locale, u.picture, u.metadata, u.version, u.created_at
    FROM sessions AS s JOIN users AS u ON u.id = s.user_id
    WHERE s.id = %s
""")
FIND_IN_TRANSACTION = text(FIND.sql.replace("%s", ":id"))


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
        """Return a session and its user by the session's id, live or not.

        Outside of a transaction by one statement on the thread's own
        connection, prepared where that can be.
        """
        own = self._db.own_connections
        if own is not None:
            rows = own.read(FIND, session_id)
        else:
            with self._db.reading() as work:
                rows = work.execute(
                    FIND_IN_TRANSACTION, {"id": session_id}).fetchall()
        return FoundSession(*rows[0]) if rows else None

    def hold(self, session_ids: List[str]) -> Set[str]:
        """Lock those of these sessions that nobody else holds; return them.

        On SQLite the transaction holds them all anyway.
        """
        with self._db.transaction() as work:
            rows = (work.query(Session.id)
                    .filter(Session.__table__.c.id.in_(session_ids))
                    .with_for_update(skip_locked=True).all())
        return {row[0] for row in rows}

    def note_seen(self, seen: Seen, unless_since: datetime) -> bool:
        """Note that a session was used, unless that was noted since.

        An UPDATE brings no deleted row back, and of several at once only the
        first finds the older instant (requirement R039).
        """
        with self._db.transaction() as work:
            noted = (
                work.query(Session)
                .filter(Session.id == seen.session_id,
                        Session.last_seen_at <= unless_since)
                .update({Session.last_seen_at: seen.at,
                         Session.idle_expires_at: seen.idle_expires_at},
                        synchronize_session=False))
        return bool(noted)

    def change_secret(self, found: FoundSession, new_digest: str,
                      now: datetime) -> bool:
        """Replace the secret of a session just proved anew.

        Does so only while it is the one that was found: of two at once one
        is told yes.
        """
        with self._db.transaction() as work:
            self._db.changing(found.id)
            changed = (
                work.query(Session)
                .filter_by(id=found.id, secret_digest=found.secret_digest)
                .update({Session.secret_digest: new_digest,
                         Session.authenticated_at: now},
                        synchronize_session=False))
        return bool(changed)

    def set_label(self, session_id: str, user_id: str,
                  label: Optional[str], now: datetime) -> bool:
        """Name a live session of this user; say whether it was there."""
        with self._db.transaction() as work:
            self._db.changing(session_id)
            named = (
                work.query(Session)
                .filter_by(id=session_id, user_id=user_id)
                .filter(Session.idle_expires_at > now)
                .update({Session.label: label}, synchronize_session=False))
        return bool(named)

    def revoke(self, session_id: str, user_id: str, now: datetime) -> bool:
        """Delete one live session of this user; say whether it was there."""
        return bool(self._delete([session_id], Session.id == session_id,
                                 Session.user_id == user_id,
                                 Session.idle_expires_at > now))

    def revoke_all(self, user_id: str) -> int:
        """Delete every session of a user; return how many there were."""
        return self._delete([user_id], Session.user_id == user_id)

    def revoke_others(self, user_id: str, kept_id: str) -> int:
        """Delete every session of a user but one; return how many."""
        return self._delete([user_id], Session.user_id == user_id,
                            Session.id != kept_id)

    def revoke_oldest(self, user_id: str, kept: int) -> int:
        """Delete all but so many newest sessions of a user; return how many.

        Exact while the caller holds the user's lock.
        """
        with self._db.transaction() as work:
            doomed = [row[0] for row in work.query(Session.id)
                      .filter(Session.user_id == user_id)
                      .order_by(desc(Session.created_at), Session.id)
                      .offset(kept).limit(MOST_AT_ONCE)]
            return self._delete_ids(doomed)

    def live_of_user(self, user_id: str, now: datetime) -> List[Session]:
        """Return a user's sessions that have not expired, newest first."""
        with self._db.reading() as work:
            found: List[Session] = (
                work.query(Session)
                .filter(Session.user_id == user_id,
                        Session.idle_expires_at > now)
                .order_by(desc(Session.created_at), Session.id).all())
        return found

    def purge(self, now: datetime, limit: int) -> int:
        """Delete up to ``limit`` expired sessions; return how many."""
        column = Session.__table__.c.idle_expires_at
        return purge(self._db, Session, Doomed(column <= now, column), limit)

    def _delete_ids(self, session_ids: List[str]) -> int:
        """Delete these sessions and count them."""
        if not session_ids:
            return 0
        return self._delete(
            session_ids, Session.__table__.c.id.in_(session_ids))

    def _delete(self, keys: List[str], *conditions: Any) -> int:
        """Delete the sessions that meet all conditions and count them.

        ``keys`` are their ids, or their user's.
        """
        with self._db.transaction() as work:
            self._db.changing(*keys)
            deleted: int = (work.query(Session).filter(*conditions)
                            .delete(synchronize_session=False))
        return deleted


def is_over(instant: int, now: datetime) -> bool:
    """Say whether an instant of the table has come."""
    return instant <= to_microseconds(now)
