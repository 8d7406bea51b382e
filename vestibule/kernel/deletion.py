#!/usr/bin/env python3
"""Deletion: people leave, with a way back for a while.

From its announcement on nobody can sign in; once the date has come the user
counts as unknown, and the housekeeping erases what is left (``erasure.py``).
"""

from datetime import timedelta
from typing import Optional

from vestibule.base.errors import (
    InvalidCredentials, NotFound, SessionRequired)
from vestibule.base.origin import LIBRARY, Origin
from vestibule.kernel.auth import Auth
from vestibule.kernel.one_time_tokens import CHANGE_EMAIL, RESET, VERIFY
from vestibule.kernel.outbox import DELETION_ANNOUNCED_LETTER
from vestibule.kernel.sessions import is_still_proved
from vestibule.kernel.sign_in import PASSWORD, SignedIn, SignIn
from vestibule.store.db import DB, User
from vestibule.store.session import FoundSession

GRACE = timedelta(days=14)


class Deletion:
    """Announces deletions, and takes them back until their date."""

    def __init__(self, db: DB, auth: Auth, sign_in: SignIn,
                 grace: timedelta = GRACE) -> None:
        """Delete the users of ``auth`` when this long has passed."""
        self._db = db
        self._auth = auth
        self._sign_in = sign_in
        self._grace = grace

    def by_session(self, found: FoundSession,
                   origin: Origin = LIBRARY) -> User:
        """Announce the deletion of a session's user; return them then.

        Of any number of requests at once one announces it, and the others
        get the same date. Raises ``SessionRequired`` where the user is gone,
        or the session ended since it was looked up: whoever was shut out
        must not delete the account on the way.
        """
        with self._db.transaction():
            user = self._db.lock_user(found.user_id)
            if user is None:
                raise SessionRequired(ended=True)
            if user.delete_after is None and not (
                    self._auth.sessions.may_go_on(
                        user.id, origin._replace(session_id=found.id))):
                raise SessionRequired(ended=True)
            return self._announce(user, origin)

    def by_operator(self, user: User, origin: Origin = LIBRARY) -> User:
        """Announce the deletion of a user; return them then.

        Raises ``NotFound`` where the user is gone.
        """
        with self._db.transaction():
            return self._announce(
                _there(self._db.lock_user(user.id), user), origin)

    def restore(self, email: str, password: str, origin: Origin,
                presented: Optional[str] = None,
                remember: bool = True) -> SignedIn:
        """Take a deletion back for who knows the password, and sign in.

        A user who is not about to be deleted is signed in as by a login, so
        that a repeated request has the same end. Raises what ``SignIn``
        does: ``InvalidCredentials`` alike for a wrong password and for
        somebody unknown, and ``Forbidden`` for an address to be proved
        first, whose user is restored nevertheless.
        """
        user = self._auth.authenticate(email, password, origin)
        if user.delete_after is not None:
            user = self._restore_proved(user, origin)
        return self._sign_in.finish(
            user, (PASSWORD,), origin, presented, remember)

    def restore_by_operator(self, user: User,
                            origin: Origin = LIBRARY) -> None:
        """Take the deletion of a user back, if there is one.

        Raises ``NotFound`` where the date has come.
        """
        with self._db.transaction():
            current = _there(self._db.lock_user(user.id), user)
            if current.is_gone(self._db.clock.now()):
                raise NotFound(f"The date to restore {user.email} is over.")
            if current.delete_after is not None:
                self._take_back(current, origin)

    def _announce(self, user: User, origin: Origin) -> User:
        """Set the date, and end what lets somebody in or changes anything.

        Undos of earlier changes stay good: they are what an owner has
        against a thief, who may be the one to delete. The date is a whole
        second, so that it is the one that is told.
        """
        if user.delete_after is not None:
            return user
        date = (self._db.clock.now() + self._grace).replace(microsecond=0)
        self._db.update_user(user.id, delete_after=date)
        self._auth.sessions.revoke_all(user.id, origin)
        self._auth.pending.void(user.id, RESET, VERIFY, CHANGE_EMAIL)
        self._auth.outbox.write(
            DELETION_ANNOUNCED_LETTER, user.email, user.id)
        self._auth.audit.record(
            "user.deletion_announced", user.id, user.id, origin)
        return self._db.find_user_by(id=user.id)

    def _restore_proved(self, user: User, origin: Origin) -> User:
        """Take the deletion back while the proof and the date still hold."""
        with self._db.transaction():
            current = self._db.lock_user(user.id)
            if (current is None or not is_still_proved(current, user)
                    or current.is_gone(self._db.clock.now())):
                raise InvalidCredentials()
            if current.delete_after is not None:
                self._take_back(current, origin)
            return self._db.find_user_by(id=user.id)

    def _take_back(self, user: User, origin: Origin) -> None:
        """Let a user whose lock is held stay."""
        self._db.update_user(user.id, delete_after=None)
        self._auth.outbox.withdraw(user.id, DELETION_ANNOUNCED_LETTER)
        self._auth.audit.record("user.restored", user.id, user.id, origin)


def _there(current: Optional[User], user: User) -> User:
    """Return the user as stored now, or raise ``NotFound``."""
    if current is None:
        raise NotFound(f"There is no user {user.id}.")
    return current
