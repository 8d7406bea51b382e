#!/usr/bin/env python3
"""The table of one-time tokens, for every purpose."""

from datetime import datetime
from typing import Any, NamedTuple, Optional

from sqlalchemy import Column, ForeignKey, Index, String, or_

from vestibule.store.db import DB
from vestibule.store.tables import HEX_DIGEST, UUID_TEXT, Base, Timestamp


class OneTimeToken(Base):
    """A secret that may be redeemed once, for one purpose, by one user.

    Only its digest is kept. ``sent_to`` is the address that it was mailed
    to, and ``None`` for a token that was handed to a trusted caller.
    """

    __tablename__ = "one_time_tokens"
    __table_args__ = (
        Index("ix_one_time_tokens_user_id", "user_id", "purpose"),
        Index("ix_one_time_tokens_expires_at", "expires_at"))

    digest: str = Column(HEX_DIGEST, primary_key=True)
    purpose: str = Column(String(32), nullable=False)
    user_id: str = Column(
        UUID_TEXT, ForeignKey("users.id", ondelete="CASCADE"),
        nullable=False)
    sent_to: Optional[str] = Column(String(254))
    created_at: datetime = Column(Timestamp, nullable=False)
    expires_at: datetime = Column(Timestamp, nullable=False)
    used_at: Optional[datetime] = Column(Timestamp)


class TokenKey(NamedTuple):
    """Which token is meant: the digest of its secret, and its purpose."""

    digest: str
    purpose: str


class OneTimeTokenStore:
    """Reads and writes one-time tokens: one statement a method."""

    def __init__(self, db: DB) -> None:
        """Work on this database, inside its open transaction if any."""
        self._db = db

    def add(self, token: OneTimeToken) -> None:
        """Store a new token."""
        with self._db.transaction() as work:
            work.add(token)
            work.flush()

    def find_open(self, key: TokenKey,
                  now: datetime) -> Optional[OneTimeToken]:
        """Return the token while it can still be redeemed."""
        with self._db.reading() as work:
            found: Optional[OneTimeToken] = (
                _open_ones(work, key, now).populate_existing().first())
        return found

    def use_up(self, key: TokenKey, now: datetime) -> bool:
        """Mark the token used; say whether this call was the one to do it.

        One conditional UPDATE whose row count is the verdict: of any number
        of calls at once exactly one is told yes (requirement R058).
        """
        with self._db.transaction() as work:
            used = _open_ones(work, key, now).update(
                {OneTimeToken.used_at: now}, synchronize_session=False)
        return bool(used)

    def revoke_all(self, user_id: str, purpose: str) -> int:
        """Delete the user's tokens of this purpose; return how many."""
        return self._delete(OneTimeToken.user_id == user_id,
                            OneTimeToken.purpose == purpose)

    def revoke_superseded(self, user_id: str, purpose: str,
                          requested_at: datetime) -> int:
        """Delete what a letter requested at this instant takes the place of.

        That is every token mailed before, and every token handed out before
        the request; one handed out together with it stays good.
        """
        return self._delete(
            OneTimeToken.user_id == user_id, OneTimeToken.purpose == purpose,
            or_(OneTimeToken.__table__.c.sent_to.isnot(None),
                OneTimeToken.created_at < requested_at))

    def purge(self, now: datetime, limit: int) -> int:
        """Delete up to ``limit`` expired tokens; return how many.

        Those that somebody holds are left for the next time.
        """
        with self._db.transaction() as work:
            doomed = [row[0] for row in work.query(OneTimeToken.digest)
                      .filter(OneTimeToken.expires_at <= now)
                      .limit(limit).with_for_update(skip_locked=True)]
            if not doomed:
                return 0
            return self._delete(OneTimeToken.__table__.c.digest.in_(doomed))

    def _delete(self, *conditions: Any) -> int:
        """Delete the tokens that meet all conditions and count them."""
        with self._db.transaction() as work:
            deleted: int = (work.query(OneTimeToken).filter(*conditions)
                            .delete(synchronize_session=False))
        return deleted


def _open_ones(work: Any, key: TokenKey, now: datetime) -> Any:
    """Return the query for a token while it can be redeemed."""
    return (work.query(OneTimeToken)
            .filter_by(digest=key.digest, purpose=key.purpose, used_at=None)
            .filter(OneTimeToken.expires_at > now))
