#!/usr/bin/env python3
"""Sessions: start, resume, revoke.

The cookie's value is ``<uuid4>.<secret>``: the UUID is the session's public
id, by which it is looked up; of the secret, 256 random bits, only the digest
is stored (ASVS 5.0 7.2.3 asks for 128 bits, and a UUID4 has 122).
"""

import re
from datetime import datetime, timedelta
from typing import List, NamedTuple, Optional, Sequence

from vestibule.base.digest import (
    SECRET_LENGTH, digest_of, new_secret, same)
from vestibule.base.errors import (
    InvalidCredentials, NotFound, ReauthenticationRequired, SessionRequired)
from vestibule.base.origin import LIBRARY, Origin
from vestibule.kernel.audit import Audit, shortened
from vestibule.kernel.last_seen import LastSeen
from vestibule.kernel.one_time_tokens import CHANGE_EMAIL, OneTimeTokens
from vestibule.kernel.outbox import Outbox
from vestibule.kernel.pending import Pending
from vestibule.kernel.session_cache import SessionCache
from vestibule.store.db import DB, User
from vestibule.store.session import (
    FoundSession, Session, SessionStore, is_over)
from vestibule.store.tables import from_microseconds, new_id

BRIEF_LIFETIME = timedelta(hours=12)
PROOF_LIFETIME = timedelta(minutes=5)
MOST_SESSIONS = 50
LABEL_LENGTH = 100
# Why a session is not resumed, in words for operators.
NO_COOKIE = "session: no cookie came with the request"
MALFORMED = "session: the cookie's value is none that Vestibule gives"
UNKNOWN = "session: it was ended, or there never was one of this id"
WRONG_SECRET = "session: its secret is another one by now, or never was this"
DISABLED = "session: its user is disabled"
LEAVING = "session: its user is about to be deleted"
IDLE = "session: it was not used for too long"
EXPIRED = "session: it has lasted as long as a session may"
TOKEN = re.compile(
    r"(?P<id>[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}"
    r"-[0-9a-f]{12})\.(?P<secret>[A-Za-z0-9_-]{%d})" % SECRET_LENGTH)


class Lifetimes(NamedTuple):
    """How long sessions may lie idle, and how long they last at most."""

    idle: timedelta = timedelta(days=7)
    absolute: timedelta = timedelta(days=30)

    def absolute_of(self, remember: bool) -> timedelta:
        """Return how long a session lasts; a brief one, 12 hours at most."""
        if remember:
            return self.absolute
        return min(self.absolute, BRIEF_LIFETIME)


class _Presented(NamedTuple):
    """A cookie's value taken apart."""

    id: str
    secret: str


class Sessions:
    """Every sign-in that lasts, and the only way to begin or end one."""

    def __init__(self, db: DB, audit: Optional[Audit] = None,
                 lifetimes: Lifetimes = Lifetimes()) -> None:
        """Keep the sessions in this database."""
        self._db = db
        self._store = SessionStore(db)
        self._audit = audit or Audit(db)
        self._lifetimes = lifetimes
        self._pending = Pending(
            OneTimeTokens(db, self._audit), Outbox(db))
        self.last_seen = LastSeen(db, lifetimes.idle)
        self.cache = SessionCache(db.clock)

    def start(self, user: User, proved: Sequence[str],
              origin: Origin = LIBRARY, remember: bool = True) -> str:
        """Start a session for a user who proved enough; return its token.

        ``user`` is the user as it was when the proof was checked. The row is
        locked and looked at again: one that was disabled, deleted, is about
        to be, or was given another password meanwhile gets no session, and
        whoever changes it next finds this session there to be ended
        (requirements R015, R105). Raises ``InvalidCredentials`` then. Of more
        than 50 sessions of one user the oldest end, which the lock makes
        exact.
        """
        session_id, secret = new_id(), new_secret()
        with self._db.transaction():
            current = self._db.lock_user(user.id)
            if not is_unchanged(current, user):
                raise InvalidCredentials()
            self._make_room(user.id, origin)
            session = _timed(
                self._lifetimes, self._db.clock.now(), remember)
            session.id, session.user_id = session_id, user.id
            session.secret_digest = digest_of(secret)
            session.amr = " ".join(proved)
            session.ip = origin.ip
            session.user_agent = shortened(origin.user_agent)
            self._store.add(session)
            self._audit.record(
                "session.started", user.id, session_id, origin)
        return f"{session_id}.{secret}"

    def resume(self, token: Optional[str],
               from_cache: bool = False) -> FoundSession:
        """Return the live session that the token opens.

        What changes nothing may have it from the cache, if there is one.

        Raises ``SessionRequired`` for anything else; its ``ended`` says that
        there is no such session any more. A live id with a wrong secret is
        refused without that: it may be a late tab's, from before the secret
        was changed.
        """
        kept = self.cache.get(token) if from_cache else None
        if kept is not None:
            return kept
        presented = _taken_apart(token)
        if presented is None or token is None:
            raise SessionRequired(ended=bool(token)).decided_by(
                MALFORMED if token else NO_COOKIE)
        now = self._db.clock.now()
        place = self.cache.place(token, presented.id) if from_cache else None
        found = self._store.find(presented.id)
        if found is None or _is_dead(found, now):
            raise SessionRequired(ended=True).decided_by(
                _end_of(found, now))
        if not same(found.secret_digest, digest_of(presented.secret)):
            raise SessionRequired().decided_by(WRONG_SECRET)
        self.last_seen.note(found, now)
        if place is not None:
            self.cache.keep(place, token, found, now)
        return found

    def renew(self, found: FoundSession, user: User,
              origin: Origin = LIBRARY) -> str:
        """Give a session whose user proved themselves anew another secret.

        Returns the new token; the old one opens the session no more, and of
        two calls at once with one token one succeeds. Raises
        ``SessionRequired`` for the other, and ``InvalidCredentials`` where
        the user changed since the proof was checked.
        """
        secret = new_secret()
        with self._db.transaction():
            if not is_unchanged(self._db.lock_user(user.id), user):
                raise InvalidCredentials()
            if not self._store.change_secret(
                    found, digest_of(secret), self._db.clock.now()):
                raise SessionRequired().decided_by(WRONG_SECRET)
            self._audit.record(
                "session.renewed", found.user_id, found.id, origin)
        return f"{found.id}.{secret}"

    def require_recent_proof(self, found: FoundSession) -> None:
        """Raise ``ReauthenticationRequired`` for a proof that is too old.

        That is five minutes after signing in or reauthenticating (ASVS 5.0
        7.5.1: what can take an account over wants a fresh proof).
        """
        proved_at = from_microseconds(found.authenticated_at)
        if self._db.clock.now() - proved_at > PROOF_LIFETIME:
            raise ReauthenticationRequired()

    def live(self, user_id: str) -> List[Session]:
        """Return the user's live sessions, the newest first."""
        return self._store.live_of_user(user_id, self._db.clock.now())

    def may_go_on(self, user_id: str, origin: Origin) -> bool:
        """Say whether the session that asks, if it is one, has not ended.

        Its cookie was checked before, and a body may come long after that:
        who was shut out meanwhile must not get or change anything. It is
        asked under the user's lock.
        """
        return origin.session_id is None or any(
            session.id == origin.session_id
            for session in self.live(user_id))

    def label(self, session_id: str, user_id: str, label: Optional[str],
              origin: Origin = LIBRARY) -> None:
        """Name a live session of this user, or take its name away.

        Raises ``NotFound`` for one that is not there or not the user's.
        """
        with self._db.transaction():
            if not self._store.set_label(
                    session_id, user_id, label, self._db.clock.now()):
                raise NotFound()
            self._audit.record(
                "session.labelled", user_id, session_id, origin)

    def revoke(self, session_id: str, user_id: str,
               origin: Origin = LIBRARY) -> None:
        """End one session of this user at once, everywhere.

        Raises ``NotFound`` for one that is not there, or somebody else's:
        the two look the same (requirement R070). Who ends a session from
        another one may be shutting a thief out: what was asked for in it,
        a change of address, ends too.
        """
        with self._db.transaction():
            if session_id != origin.session_id:
                self._db.lock_user(user_id)
                self._pending.void(user_id, CHANGE_EMAIL)
            self._end(session_id, user_id, origin)

    def revoke_presented(self, token: Optional[str],
                         origin: Origin = LIBRARY) -> None:
        """End the session that a token opens, if it opens one.

        The token is checked whole: to know somebody's session id, which
        stands in lists and logs, is not enough to end the session.
        """
        try:
            found = self.resume(token)
            with self._db.transaction():
                self._end(found.id, found.user_id, origin)
        except (SessionRequired, NotFound):
            return

    def revoke_others(self, found: FoundSession,
                      origin: Origin = LIBRARY) -> int:
        """End every other session of this session's user; return how many.

        The user is locked before many sessions are, here as everywhere.
        """
        with self._db.transaction():
            self._db.lock_user(found.user_id)
            self._pending.void(found.user_id, CHANGE_EMAIL)
            count = self._store.revoke_others(found.user_id, found.id)
            self._record_ended(count, found.user_id, origin)
        return count

    def revoke_all(self, user_id: str, origin: Origin = LIBRARY) -> int:
        """End every session of the user at once; return how many."""
        with self._db.transaction():
            self._db.lock_user(user_id)
            self._pending.void(user_id, CHANGE_EMAIL)
            count = self._store.revoke_all(user_id)
            self._record_ended(count, user_id, origin)
        return count

    def _end(self, session_id: str, user_id: str, origin: Origin) -> None:
        """End a session in the open transaction, or raise ``NotFound``."""
        if not self._store.revoke(session_id, user_id, self._db.clock.now()):
            raise NotFound()
        self._audit.record("session.revoked", user_id, session_id, origin)

    def _make_room(self, user_id: str, origin: Origin) -> None:
        """End the oldest sessions of a user who could not have one more."""
        count = self._store.revoke_oldest(user_id, MOST_SESSIONS - 1)
        if count:
            self._audit.record("session.crowded_out", user_id, origin=origin,
                               count=count)

    def _record_ended(self, count: int, user_id: str,
                      origin: Origin) -> None:
        """Write one event about any number of sessions that ended."""
        if count:
            self._audit.record("session.all_revoked", user_id, origin=origin,
                               count=count)


def is_unchanged(current: Optional[User], proved: User) -> bool:
    """Say whether what was proved of a user still holds of the row now."""
    return (current is not None and current.delete_after is None
            and is_still_proved(current, proved))


def is_still_proved(current: Optional[User], proved: User) -> bool:
    """Say so also of a user about to be deleted, who may be restored."""
    return (current is not None and current.disabled_at is None
            and current.password_changed_at == proved.password_changed_at)


def _timed(lifetimes: Lifetimes, now: datetime, remember: bool) -> Session:
    """Return a session that begins now, with its lifetimes."""
    ends = now + lifetimes.absolute_of(remember)
    return Session(
        created_at=now, authenticated_at=now, last_seen_at=now,
        idle_expires_at=min(now + lifetimes.idle, ends),
        expires_at=ends, remembered=remember)


def _is_dead(found: FoundSession, now: datetime) -> bool:
    """Say whether a session that is still stored counts no more."""
    return (is_over(found.expires_at, now)
            or is_over(found.idle_expires_at, now)
            or found.disabled_at is not None
            or found.delete_after is not None)


def _end_of(found: Optional[FoundSession], now: datetime) -> str:
    """Return why a session counts no more, for an operator's eyes alone."""
    if found is None:
        return UNKNOWN
    if found.disabled_at is not None:
        return DISABLED
    if found.delete_after is not None:
        return LEAVING
    return EXPIRED if is_over(found.expires_at, now) else IDLE


def _taken_apart(token: Optional[str]) -> Optional[_Presented]:
    """Return the parts of a well-formed token, else ``None``."""
    match = TOKEN.fullmatch(token) if token else None
    if match is None:
        return None
    return _Presented(match.group("id"), match.group("secret"))
