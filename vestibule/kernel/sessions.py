#!/usr/bin/env python3
"""Sessions: start, resume, revoke.

The cookie's value is ``<uuid4>.<secret>``: the UUID is the session's public
id, by which it is looked up; of the secret, 256 random bits, only the digest
is stored (ASVS 5.0 7.2.3 asks for 128 bits, and a UUID4 has 122).
"""

import re
from datetime import timedelta
from typing import NamedTuple, Optional, Sequence

from vestibule.base.digest import (
    SECRET_LENGTH, digest_of, new_secret, same)
from vestibule.base.errors import InvalidCredentials, SessionRequired
from vestibule.base.origin import LIBRARY, Origin
from vestibule.kernel.audit import Audit, shortened
from vestibule.store.db import DB, User
from vestibule.store.session import (
    FoundSession, Session, SessionStore, is_over)
from vestibule.store.tables import new_id

IDLE_LIFETIME = timedelta(days=7)
ABSOLUTE_LIFETIME = timedelta(days=30)
SEEN_INTERVAL = timedelta(minutes=1)
TOKEN = re.compile(
    r"(?P<id>[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}"
    r"-[0-9a-f]{12})\.(?P<secret>[A-Za-z0-9_-]{%d})" % SECRET_LENGTH)


class _Presented(NamedTuple):
    """A cookie's value taken apart."""

    id: str
    secret: str


class Sessions:
    """Every sign-in that lasts, and the only way to begin or end one."""

    def __init__(self, db: DB, audit: Optional[Audit] = None) -> None:
        """Keep the sessions in this database."""
        self._db = db
        self._store = SessionStore(db)
        self._audit = audit or Audit(db)

    def start(self, user: User, proved: Sequence[str],
              origin: Origin = LIBRARY) -> str:
        """Start a session for a user who proved enough; return its token.

        ``user`` is the user as it was when the proof was checked. The row is
        locked and looked at again: one that was disabled, deleted or given
        another password meanwhile gets no session, and whoever changes it
        next finds this session there to be ended (requirements R015, R105).
        Raises ``InvalidCredentials`` then.
        """
        now = self._db.clock.now()
        session_id, secret = new_id(), new_secret()
        with self._db.transaction():
            current = self._db.lock_user(user.id)
            if current is None or not _still_good(current, user):
                raise InvalidCredentials()
            self._store.add(Session(
                id=session_id, secret_digest=digest_of(secret),
                user_id=user.id, amr=" ".join(proved), created_at=now,
                authenticated_at=now, last_seen_at=now,
                idle_expires_at=now + IDLE_LIFETIME,
                expires_at=now + ABSOLUTE_LIFETIME,
                ip=origin.ip, user_agent=shortened(origin.user_agent)))
            self._audit.record(
                "session.started", user.id, session_id, origin)
        return f"{session_id}.{secret}"

    def resume(self, token: Optional[str]) -> FoundSession:
        """Return the live session that the token opens.

        Raises ``SessionRequired`` for anything else; its ``ended`` says that
        there is no such session any more. A live id with a wrong secret is
        refused without that: it may be a late tab's, from before the secret
        was changed.
        """
        presented = _taken_apart(token)
        if presented is None:
            raise SessionRequired(ended=bool(token))
        found = self._store.find(presented.id)
        if found is None or self._is_dead(found):
            raise SessionRequired(ended=True)
        if not same(found.secret_digest, digest_of(presented.secret)):
            raise SessionRequired()
        return self._seen(found)

    def revoke(self, session_id: str, origin: Origin = LIBRARY) -> bool:
        """End one session at once, everywhere; say whether it was there."""
        with self._db.transaction():
            found = self._store.find(session_id)
            if found is None or not self._store.revoke(session_id):
                return False
            self._audit.record(
                "session.revoked", found.user_id, session_id, origin)
        return True

    def revoke_presented(self, token: Optional[str],
                         origin: Origin = LIBRARY) -> None:
        """End the session that a token opens, if it opens one.

        The token is checked whole: to know somebody's session id, which
        stands in lists and logs, is not enough to end the session.
        """
        try:
            found = self.resume(token)
        except SessionRequired:
            return
        self.revoke(found.id, origin)

    def revoke_all(self, user_id: str, origin: Origin = LIBRARY) -> int:
        """End every session of the user at once; return how many."""
        with self._db.transaction():
            count = self._store.revoke_all(user_id)
            if count:
                self._audit.record("session.all_revoked", user_id,
                                   origin=origin, count=count)
        return count

    def _is_dead(self, found: FoundSession) -> bool:
        """Say whether a session that is still stored counts no more."""
        now = self._db.clock.now()
        return (is_over(found.expires_at, now)
                or is_over(found.idle_expires_at, now)
                or found.disabled_at is not None)

    def _seen(self, found: FoundSession) -> FoundSession:
        """Let the idle lifetime begin anew, at most once a minute."""
        now = self._db.clock.now()
        if is_over(found.last_seen_at, now - SEEN_INTERVAL):
            self._store.touch(found, now, now + IDLE_LIFETIME)
        return found


def _still_good(current: User, proved: User) -> bool:
    """Say whether what was proved of a user still holds of the row now."""
    return (current.disabled_at is None
            and current.password_changed_at == proved.password_changed_at)


def _taken_apart(token: Optional[str]) -> Optional[_Presented]:
    """Return the parts of a well-formed token, else ``None``."""
    match = TOKEN.fullmatch(token) if token else None
    if match is None:
        return None
    return _Presented(match.group("id"), match.group("secret"))
