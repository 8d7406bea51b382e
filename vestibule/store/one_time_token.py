#!/usr/bin/env python3
"""The table of one-time tokens, for every purpose."""

from datetime import datetime
from typing import Any, List, NamedTuple, Optional, Sequence

from sqlalchemy import Column, ForeignKey, Index, Integer, String, desc, or_

from vestibule.store.db import DB
from vestibule.store.purging import Doomed, purge
from vestibule.store.tables import HEX_DIGEST, UUID_TEXT, Base, Timestamp


class OneTimeToken(Base):
    """A secret that may be redeemed once, for one purpose, by one user.

    Only its digest is kept. ``sent_to`` is the address that it was mailed
    to, and ``None`` for a token that was handed to a trusted caller. What
    was mailed with a code to type has the digest of that too, and counts
    the tries. ``changed_at`` is of an undo: the instant of the change that
    it takes back.
    """

    __tablename__ = "one_time_tokens"
    __table_args__ = (
        Index("ix_one_time_tokens_user_id", "user_id", "purpose"),
        Index("ix_one_time_tokens_sent_to", "sent_to", "purpose"),
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
    code_digest: Optional[str] = Column(HEX_DIGEST)
    code_expires_at: Optional[datetime] = Column(Timestamp)
    code_tries: int = Column(
        Integer, nullable=False, default=0, server_default="0")
    password_tries: int = Column(
        Integer, nullable=False, default=0, server_default="0")
    changed_at: Optional[datetime] = Column(Timestamp)


class TokenKey(NamedTuple):
    """Which token is meant: the digest of its secret, and its purpose."""

    digest: str
    purpose: str


class Limit(NamedTuple):
    """How many tries a token allows, and which column counts them."""

    column: str
    most: int


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

    def find_open(self, digest: str, purposes: Sequence[str],
                  now: datetime) -> Optional[OneTimeToken]:
        """Return the token of one of these purposes while it is good."""
        with self._db.reading() as work:
            found: Optional[OneTimeToken] = (
                work.query(OneTimeToken).populate_existing()
                .filter_by(digest=digest, used_at=None)
                .filter(OneTimeToken.__table__.c.purpose.in_(purposes),
                        OneTimeToken.expires_at > now).first())
        return found

    def sent_with_code(self, address: str, purposes: Sequence[str],
                       now: datetime, limit: int) -> List[OneTimeToken]:
        """Return the newest tokens whose code this address may type now."""
        columns = OneTimeToken.__table__.c
        with self._db.reading() as work:
            found: List[OneTimeToken] = (
                work.query(OneTimeToken).populate_existing()
                .filter_by(sent_to=address, used_at=None)
                .filter(columns.purpose.in_(purposes),
                        columns.expires_at > now,
                        columns.code_expires_at > now)
                .order_by(desc(columns.created_at), columns.digest)
                .limit(limit).all())
        return found

    def count_try(self, digest: str, limit: Limit) -> bool:
        """Count a try against a token; say whether it still had one left.

        One conditional UPDATE: of any number of tries at once, no more than
        the limit are told yes.
        """
        counter = OneTimeToken.__table__.c[limit.column]
        with self._db.transaction() as work:
            counted = (work.query(OneTimeToken)
                       .filter_by(digest=digest)
                       .filter(counter < limit.most)
                       .update({limit.column: counter + 1},
                               synchronize_session=False))
        return bool(counted)

    def give_back_try(self, digest: str, limit: Limit) -> None:
        """Take back a try that was counted."""
        counter = OneTimeToken.__table__.c[limit.column]
        with self._db.transaction() as work:
            work.query(OneTimeToken).filter_by(digest=digest).update(
                {limit.column: counter - 1}, synchronize_session=False)

    def use_up(self, key: TokenKey, now: datetime) -> bool:
        """Mark the token used; say whether this call was the one to do it.

        One conditional UPDATE whose row count is the verdict: of any number
        of calls at once exactly one is told yes (requirement R058).
        """
        with self._db.transaction() as work:
            used = (
                work.query(OneTimeToken)
                .filter_by(digest=key.digest, purpose=key.purpose,
                           used_at=None)
                .filter(OneTimeToken.expires_at > now)
                .update({OneTimeToken.used_at: now},
                        synchronize_session=False))
        return bool(used)

    def revoke_all(self, user_id: str, purpose: str) -> int:
        """Delete the user's tokens of this purpose; return how many."""
        return self._delete(OneTimeToken.user_id == user_id,
                            OneTimeToken.purpose == purpose)

    def revoke_changed_since(self, user_id: str, purpose: str,
                             changed_at: datetime) -> int:
        """Delete the tokens about changes of this instant and later."""
        return self._delete(
            OneTimeToken.user_id == user_id, OneTimeToken.purpose == purpose,
            OneTimeToken.__table__.c.changed_at >= changed_at)

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
        """Delete up to ``limit`` expired tokens; return how many."""
        column = OneTimeToken.__table__.c.expires_at
        return purge(
            self._db, OneTimeToken, Doomed(column <= now, column), limit)

    def _delete(self, *conditions: Any) -> int:
        """Delete the tokens that meet all conditions and count them."""
        with self._db.transaction() as work:
            deleted: int = (work.query(OneTimeToken).filter(*conditions)
                            .delete(synchronize_session=False))
        return deleted
