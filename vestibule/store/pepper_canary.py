#!/usr/bin/env python3
"""The table of peppers' canaries: by them a wrong pepper is noticed."""

from datetime import datetime
from typing import Dict, Optional, Sequence

from sqlalchemy import Column, String, func

from vestibule.store.db import DB
from vestibule.store.tables import HEX_DIGEST, Base, Timestamp
from vestibule.store.user import User

# How a hash with a pepper begins, and what follows: a bcrypt hash, where _ is
# any one character.
PEPPERED, HASHED = "{v1:", "%}$2_$__$%"


class PepperCanary(Base):
    """What a pepper makes of a constant: it tells peppers apart, no more."""

    __tablename__ = "pepper_canaries"

    key_id: str = Column(String(16), primary_key=True)
    digest: str = Column(HEX_DIGEST, nullable=False)
    created_at: datetime = Column(Timestamp, nullable=False)


class PepperCanaryStore:
    """Reads and writes canaries: one statement a method."""

    def __init__(self, db: DB) -> None:
        """Work on this database, inside its open transaction if any."""
        self._db = db

    def digests(self) -> Dict[str, str]:
        """Return the digests by the ids of their peppers."""
        with self._db.reading() as work:
            return {row[0]: row[1] for row in work.query(
                PepperCanary.key_id, PepperCanary.digest)}

    def add(self, key_id: str, digest: str) -> None:
        """Store the canary of a pepper that has none.

        Raises ``IntegrityError`` where it has one; an open transaction stays
        usable then.
        """
        canary = PepperCanary(
            key_id=key_id, digest=digest, created_at=self._db.clock.now())
        with self._db.transaction() as work, work.begin_nested():
            work.add(canary)
            work.flush()

    def hash_beyond(self, prefixes: Sequence[str]) -> Optional[str]:
        """Return a peppered hash with none of these prefixes, if there is.

        Where there is none, the whole table of users is read for it.
        """
        stored = User.__table__.c.hashed_password
        with self._db.reading() as work:
            # LIKE alone would take small letters and capitals for one.
            hashes = work.query(User.hashed_password).filter(
                func.substr(stored, 1, len(PEPPERED)) == PEPPERED,
                stored.like(HASHED),
                *(func.substr(stored, 1, len(prefix)) != prefix
                  for prefix in prefixes))
            found: Optional[str] = hashes.limit(1).scalar()
        return found
