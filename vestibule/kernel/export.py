#!/usr/bin/env python3
"""Export: everything that is held about a person, for that person.

No secret is in it, no digest of one and no hash. The shape is that of
``docs/reference/export.schema.json``.
"""

import re
from datetime import datetime, timedelta
from typing import (
    Any, Dict, Iterator, List, NamedTuple, Optional, Tuple, Union)

from vestibule.base.errors import SessionRequired, Throttled
from vestibule.base.origin import LIBRARY, Origin
from vestibule.base.texts import rfc3339
from vestibule.kernel.auth import Auth
from vestibule.kernel.one_time_tokens import CHANGE_EMAIL
from vestibule.store.db import DB, User
from vestibule.store.event import Event
from vestibule.store.export import ExportStore
from vestibule.store.letter import Letter
from vestibule.store.one_time_token import OneTimeToken
from vestibule.store.session import Session

FORMAT = "vestibule-export-1"
PAUSE = timedelta(days=1)
EXPORTED = "profile.exported"
# After one of these the user's address was not theirs before.
MOVED = ("email.changed", "change.undone")
BATCH = 200
# What else stands as the target of an event is a mask of what was typed.
ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")

Entry = Dict[str, Any]
# A member of the document: a value, or the batches of a list.
Part = Tuple[str, Union[str, Entry, Iterator[List[Entry]]]]


class _Begun(NamedTuple):
    """Whose export it is, when it began, and up to which event it goes."""

    user: User
    at: datetime
    last_event: int


class Export:
    """Hands people what is held about them, once a day."""

    def __init__(self, db: DB, auth: Auth) -> None:
        """Export users of ``auth``."""
        self._db = db
        self._auth = auth
        self._store = ExportStore(db)

    def begin(self, user_id: str, origin: Origin = LIBRARY
              ) -> Iterator[Part]:
        """Count an export, and return the members of its document.

        They are read as they are asked for, a batch at a time; no
        transaction is open meanwhile. Counted is under the user's lock, so
        that of any number at once one succeeds. Raises ``Throttled`` within
        a day of the last one, and ``SessionRequired`` for a user who is gone
        and for a session that ended since it was looked up.
        """
        with self._db.transaction():
            user = self._db.lock_user(user_id)
            if (user is None
                    or not self._auth.sessions.may_go_on(user_id, origin)):
                raise SessionRequired(ended=True)
            self._require_pause(user_id)
            self._auth.audit.record(EXPORTED, user_id, user_id, origin)
            counted = self._store.last_event(user_id, (EXPORTED,))
        assert counted is not None
        return self._parts(_Begun(user, counted.at, counted.id))

    def _require_pause(self, user_id: str) -> None:
        """Raise ``Throttled`` where the last export is too new."""
        last = self._store.last_event(user_id, (EXPORTED,))
        if last is None:
            return
        left = min(last.at + PAUSE - self._db.clock.now(), PAUSE)
        if left > timedelta(0):
            raise Throttled(
                -(-left // timedelta(seconds=1)),
                "Your data can be exported once a day.").decided_by(
                    "export: one a day for each user")

    def _parts(self, begun: _Begun) -> Iterator[Part]:
        """Yield the members of the document."""
        user_id = begun.user.id
        yield "format", FORMAT
        yield "exported_at", rfc3339(begun.at)
        yield "profile", _profile(begun.user)
        yield "addresses", iter([self._addresses(begun.user)])
        yield "sessions", iter(
            [[_session(each) for each in self._store.sessions(user_id)]])
        yield "one_time_tokens", iter(
            [[_token(each) for each in self._store.tokens(user_id)
              if each.purpose != CHANGE_EMAIL]])
        yield "letters", self._letters(begun.user)
        yield "events", self._events(begun)

    def _addresses(self, user: User) -> List[Entry]:
        """Return the user's address, and those that are kept for them."""
        own = {"email": user.email, "use": "current",
               "verified_at": _instant(user.email_verified_at),
               "kept_until": None}
        return [own] + [
            {"email": each.email, "use": "kept", "verified_at": None,
             "kept_until": _instant(each.expires_at)}
            for each in self._store.reservations(user.id)]

    def _letters(self, user: User) -> Iterator[List[Entry]]:
        """Yield the user's letters; none of who had the address before."""
        moved = self._store.last_event(user.id, MOVED)
        since = user.created_at if moved is None else moved.at
        found = self._store.letters(user, since, None, BATCH)
        while found:
            yield [_letter(each) for each in found]
            found = self._store.letters(user, since, found[-1], BATCH)

    def _events(self, begun: _Begun) -> Iterator[List[Entry]]:
        """Yield the user's events, this export being the last of them."""
        after, last = 0, begun.last_event
        while after < last:
            found = self._store.events(
                begun.user.id, (after, last), BATCH)
            yield [_event(each) for each in found]
            after = found[-1].id if found else last


def _profile(user: User) -> Entry:
    """Return what is held about a user in the user's own row."""
    return {
        "id": user.id, "email": user.email,
        "email_verified_at": _instant(user.email_verified_at),
        "name": user.name, "locale": user.locale, "picture": user.picture,
        "metadata": user.app_metadata,
        "has_password": user.hashed_password is not None,
        "password_changed_at": _instant(user.password_changed_at),
        "disabled_at": _instant(user.disabled_at),
        "delete_after": _instant(user.delete_after),
        "version": user.version, "created_at": _instant(user.created_at),
        "updated_at": _instant(user.updated_at)}


def _session(session: Session) -> Entry:
    """Return what is held about a session, but for its secret's digest."""
    return {
        "id": session.id, "created_at": _instant(session.created_at),
        "authenticated_at": _instant(session.authenticated_at),
        "last_seen_at": _instant(session.last_seen_at),
        "idle_expires_at": _instant(session.idle_expires_at),
        "expires_at": _instant(session.expires_at),
        "proved": session.amr.split(), "remembered": session.remembered,
        "label": session.label, "ip": session.ip,
        "user_agent": session.user_agent}


def _token(token: OneTimeToken) -> Entry:
    """Return that there is a one-time token, and nothing it is known by.

    Those for a change of address are left out: that there is one would tell
    that the address which was asked for is nobody's.
    """
    return {
        "purpose": token.purpose, "sent_to": token.sent_to,
        "created_at": _instant(token.created_at),
        "expires_at": _instant(token.expires_at),
        "used_at": _instant(token.used_at)}


def _letter(letter: Letter) -> Entry:
    """Return what is held about a letter; its text is not.

    What became of it is left out: it would tell whether an address that was
    asked for is somebody else's, and what the mail server said.
    """
    return {
        "id": letter.id, "kind": letter.kind, "recipient": letter.recipient,
        "created_at": _instant(letter.created_at)}


def _event(event: Event) -> Entry:
    """Return what is held about an event, without masks of what was typed.
    """
    is_id = event.target is not None and ID.fullmatch(event.target)
    return {
        "at": _instant(event.at), "what": event.what,
        "target": event.target if is_id else None, "ip": event.ip,
        "user_agent": event.user_agent, "request_id": event.request_id,
        "session_id": event.session_id, "detail": event.detail}


def _instant(moment: Optional[datetime]) -> Optional[str]:
    """Return an instant as it is written, where there is one."""
    return None if moment is None else rfc3339(moment)
