#!/usr/bin/env python3
"""PasswordChange: how a user comes to another password, and what ends then.
"""

from typing import Any, Dict, NamedTuple, Optional

from vestibule.base.errors import (
    Busy, Forbidden, InvalidCredentials, InvalidToken, SessionRequired)
from vestibule.base.origin import LIBRARY, Origin
from vestibule.kernel.audit import Audit
from vestibule.kernel.hashing import Asker
from vestibule.kernel.one_time_tokens import (
    CHANGE_EMAIL, RESET, VERIFY, OneTimeTokens, Presented)
from vestibule.kernel.outbox import PASSWORD_CHANGED_LETTER, Outbox
from vestibule.kernel.password_check import Claimed, PasswordCheck
from vestibule.kernel.password_policy import PasswordPolicy, person_of
from vestibule.kernel.passwords import Passwords
from vestibule.kernel.pending import Pending
from vestibule.kernel.sessions import Sessions
from vestibule.kernel.throttle import Throttle
from vestibule.store.db import DB, NoResultFound, User
from vestibule.store.one_time_token import OneTimeToken
from vestibule.store.session import FoundSession


class Means(NamedTuple):
    """What a change of password touches besides the user."""

    policy: PasswordPolicy
    passwords: Passwords
    sessions: Sessions
    tokens: OneTimeTokens
    pending: Pending
    outbox: Outbox
    audit: Audit
    throttle: Throttle
    password_check: PasswordCheck


class PasswordChange:
    """Sets passwords, each with all its consequences in one transaction."""

    def __init__(self, db: DB, means: Means) -> None:
        """Change the passwords of this database's users."""
        self._db = db
        self._means = means

    def by_token(self, presented: Presented, password: str,
                 email: Optional[str] = None,
                 origin: Origin = LIBRARY) -> User:
        """Spend a reset token on a new password; return its owner.

        ``presented`` is its secret, or the code that was mailed with it. The
        token is used up, the password set, every session and every other
        reset token of the owner ended, and a letter about it written. A
        token that came by mail proves the mailbox. Policy comes first, as
        far as it is not about the owner: ``InvalidInput`` leaves the token
        good, and so does ``Unavailable``. Raises ``InvalidToken`` also
        where ``email``, a canonical address, is given and is not the
        owner's, or the owner is disabled; nothing is changed then. An owner
        whose deletion is pending gets the password, and nothing more. Raises
        ``Throttled`` where too many new passwords came from one address.
        """
        means = self._means
        means.policy.check_alone(password, "new_password")
        # Whoever has opened the letter is known; who has not, goes no
        # further than to the token.
        asker = Asker(True, origin.has_left)
        means.passwords.hashing.require_room(asker)
        counted = means.throttle.count_reset(origin)
        token = means.tokens.look_at(presented, RESET)
        owner = self._owner_of(token, email)
        means.policy.check_for(person_of(owner), password, "new_password")
        try:
            hashed_password = means.passwords.hash(password, asker)
        except Busy as busy:
            means.throttle.withdraw(counted, busy)
            raise
        with self._db.transaction():
            # The user is locked before the token, here as everywhere: two
            # tokens of one user spent at once must not wait for each other.
            user = self._db.lock_user(token.user_id)
            means.tokens.spend(token)
            if user is None or not self._may_reset(user, email):
                raise InvalidToken()
            self._set(user, hashed_password, token.sent_to)
            means.sessions.revoke_all(user.id, origin)
            means.audit.record("password.reset", user.id, user.id, origin)
            return self._db.find_user_by(id=user.id)

    def by_current(self, found: FoundSession, current: str, password: str,
                   origin: Origin = LIBRARY) -> str:
        """Set a new password for who knows the current one.

        Every other session and every reset token of the user ends; this
        session goes on under the token that is returned. Raises
        ``Forbidden`` with ``wrong_password``, which is no 401 so that no
        client takes it for the end of the session, also where somebody
        changed the password meanwhile; ``SessionRequired`` where the user is
        gone; ``Throttled`` after too many wrong ones, as at a login; and
        ``InvalidInput`` before anything is looked up, but for what is about
        the person.
        """
        means = self._means
        means.policy.check_alone(password, "new_password")
        user = self._proved_by(found, current, origin)
        means.policy.check_for(person_of(user), password, "new_password")
        hashed_password = means.passwords.hash(
            password, Asker(True, origin.has_left))
        try:
            with self._db.transaction():
                token = means.sessions.renew(found, user, origin)
                self._set(user, hashed_password)
                means.sessions.revoke_others(found, origin)
                means.audit.record(
                    "password.changed", user.id, user.id, origin)
        except InvalidCredentials:
            raise _wrong_password() from None
        return token

    def _owner_of(self, token: OneTimeToken, email: Optional[str]) -> User:
        """Return who may reset by a token, before anything is locked."""
        try:
            user = self._db.find_user_by(id=token.user_id)
        except NoResultFound:
            raise InvalidToken() from None
        if not self._may_reset(user, email):
            raise InvalidToken()
        return user

    def _may_reset(self, user: User, email: Optional[str]) -> bool:
        """Say whether a user may reset, by an address that is theirs if any.
        """
        return (user.disabled_at is None and email in (None, user.email)
                and not user.is_gone(self._db.clock.now()))

    def _proved_by(self, found: FoundSession, current: str,
                   origin: Origin) -> User:
        """Return the session's user, whose password this has to be."""
        try:
            user = self._db.find_user_by(id=found.user_id)
        except NoResultFound:
            raise SessionRequired(ended=True) from None
        claimed = Claimed(
            user.email, user, "password.refused", "current_password")
        if not self._means.password_check.is_right(claimed, current, origin):
            raise _wrong_password()
        return user

    def _set(self, user: User, hashed_password: bytes,
             proved_address: Optional[str] = None) -> None:
        """Store the hash with all that follows from it.

        What was asked for under the old password is void: resets, and a
        change of address that waits to be confirmed.
        """
        means = self._means
        changes: Dict[str, Any] = {"hashed_password": hashed_password}
        if proved_address == user.email and user.email_verified_at is None:
            changes["email_verified_at"] = self._db.clock.now()
            means.pending.void(user.id, VERIFY)
        self._db.update_user(user.id, **changes)
        means.pending.void(user.id, RESET, CHANGE_EMAIL)
        means.throttle.pardon(user.id, user.email)
        means.outbox.write(
            PASSWORD_CHANGED_LETTER, user.email, user.id,
            about=self._db.find_user_by(id=user.id).password_changed_at)


def _wrong_password() -> Forbidden:
    """Return the refusal of a current password that is none."""
    return Forbidden("The current password is not right.", "wrong_password")
