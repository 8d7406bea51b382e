#!/usr/bin/env python3
"""SignIn: how every login ends."""

from typing import NamedTuple, Optional, Sequence

from vestibule.base.errors import (
    DeletionPending, Forbidden, InvalidCredentials)
from vestibule.base.origin import Origin
from vestibule.kernel.auth import Auth
from vestibule.kernel.outbox import VERIFY_LETTER
from vestibule.store.db import DB, User
from vestibule.store.session import FoundSession

PASSWORD = "pwd"


class SignedIn(NamedTuple):
    """Who is signed in now, and what the browser keeps of it.

    That are the new session's token, and the cookie of a known device.
    """

    user: User
    session_token: str
    device: str


class SignIn:
    """The one door: every way in proves something and ends in ``finish``."""

    def __init__(self, db: DB, auth: Auth,
                 wants_verified: bool = False) -> None:
        """Sign in the users of ``auth``, perhaps those verified only."""
        self._db = db
        self._auth = auth
        self._wants_verified = wants_verified

    def with_password(self, email: str, password: str, origin: Origin,
                      presented: Optional[str] = None,
                      remember: bool = True) -> SignedIn:
        """Sign in by email and password; see ``finish``.

        Raises ``InvalidCredentials`` and leaves the session that was
        presented alone.
        """
        user = self._auth.authenticate(email, password, origin)
        try:
            return self.finish(
                user, (PASSWORD,), origin, presented, remember)
        except InvalidCredentials:
            self._auth.audit.record("login.refused", user.id, origin=origin,
                                    reason="changed_meanwhile")
            raise

    def finish(self, user: User, proved: Sequence[str], origin: Origin,
               presented: Optional[str] = None,
               remember: bool = True) -> SignedIn:
        """Start a session for a user who has proved these things.

        The session that the request presented, if it was live, ends in the
        same transaction: a login never goes on with an id from before
        (requirement R010). Raises ``InvalidCredentials`` where the user was
        disabled, deleted or given another password since the proof was
        checked, ``DeletionPending`` where their deletion is announced, and
        ``Forbidden`` with ``email_not_verified`` where the address has to be
        proved first; a letter for that is on its way then.
        """
        self._require_staying(user, origin)
        self._require_verified(user, origin)
        with self._db.transaction():
            # The user is locked before a session is, here as everywhere, and
            # the old session ends first: it must not cost another its place.
            self._db.lock_user(user.id)
            self._auth.sessions.revoke_presented(presented, origin)
            token = self._auth.sessions.start(
                user, proved, origin, remember)
        return SignedIn(user, token, self._auth.throttle.devices.remember(
            origin.device, user.id))

    def reauthenticate(self, found: FoundSession, password: str,
                       origin: Origin) -> str:
        """Take the password of a live session's user as fresh proof.

        Returns the session's new token; see ``Sessions.renew``. Raises
        ``InvalidCredentials``.
        """
        user = self._auth.authenticate(found.email, password, origin)
        if user.id != found.user_id:
            raise InvalidCredentials()
        return self._auth.sessions.renew(found, user, origin)

    def _require_staying(self, user: User, origin: Origin) -> None:
        """Refuse somebody whose deletion is pending, and say until when.

        Only who has proved enough to come in gets to know it.
        """
        if user.delete_after is None:
            return
        self._auth.audit.record("login.refused", user.id, user.id, origin,
                                reason="deletion_pending")
        raise DeletionPending(user.delete_after)

    def _require_verified(self, user: User, origin: Origin) -> None:
        """Refuse an address without proof where one is wanted (R009)."""
        if not self._wants_verified or user.email_verified_at is not None:
            return
        with self._db.transaction():
            self._auth.outbox.write_sparingly(
                VERIFY_LETTER, user.email, user.id)
            self._auth.audit.record(
                "login.refused", user.id, user.id, origin,
                reason="email_not_verified")
        raise Forbidden("Please confirm your email address first: a letter "
                        "is on its way to you.", "email_not_verified")
