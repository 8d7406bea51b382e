#!/usr/bin/env python3
"""What an operator does with users; every verb writes its event."""

from typing import List

from vestibule.base.errors import NotFound
from vestibule.base.origin import LIBRARY, Origin
from vestibule.kernel.auth import Auth
from vestibule.kernel.one_time_tokens import VERIFY
from vestibule.kernel.outbox import DISABLED_LETTER
from vestibule.kernel.pending import EVERYTHING
from vestibule.store.db import DB, NoResultFound, User
from vestibule.store.session import Session


class Users:
    """The operator's verbs; an operator never sees or sets a password."""

    def __init__(self, db: DB, auth: Auth) -> None:
        """Work on the users of ``auth``."""
        self._db = db
        self._auth = auth

    def find(self, email_or_id: str) -> User:
        """Return the user with this address or id, or raise ``NotFound``."""
        attributes = {"id": email_or_id}
        if "@" in email_or_id:
            attributes = {"email": self._auth.canonical(email_or_id)}
        try:
            return self._db.find_user_by(**attributes)
        except (NoResultFound, ValueError):
            # The latter for NUL and lone surrogates, which are in no id.
            raise NotFound(f"There is no user {email_or_id}.") from None

    def page(self, limit: int, after: str = "") -> List[User]:
        """Return up to ``limit`` users by address, those after ``after``."""
        return self._db.list_users(limit, after)

    def sessions_of(self, user: User) -> List[Session]:
        """Return the user's sessions, the newest first."""
        return self._auth.sessions.live(user.id)

    def create(self, email: str, password: str,
               origin: Origin = LIBRARY) -> User:
        """Register somebody whose address the operator vouches for."""
        user = self._auth.register_user(email, password, origin)
        self.verify(user, origin)
        return self.find(user.id)

    def invite(self, email: str, origin: Origin = LIBRARY) -> User:
        """Make a user without a password, who then gets a reset link."""
        canonical = self._auth.canonical(email)
        with self._db.transaction():
            user = self._auth.addresses.add_user(canonical, None)
            self._auth.audit.record(
                "user.registered", user.id, user.id, origin)
            self.verify(user, origin)
        return self.find(user.id)

    def verify(self, user: User, origin: Origin = LIBRARY) -> None:
        """Count the user's address as proved."""
        with self._db.transaction():
            self._db.update_user(
                user.id, email_verified_at=self._db.clock.now())
            self._auth.pending.void(user.id, VERIFY)
            self._auth.audit.record(
                "email.verified", user.id, user.id, origin)

    def set_email(self, user: User, email: str,
                  origin: Origin = LIBRARY) -> None:
        """Give the user another address, for which the operator vouches.

        This is final: whatever went to the old one ends, undos too, and it
        is free for others at once. Raises ``IdentifierTaken``, and
        ``NotFound`` for a user who was deleted meanwhile.
        """
        canonical = self._auth.canonical(email)
        with self._db.transaction():
            current = self._db.lock_user(user.id)
            if current is None:
                raise NotFound(f"There is no user {user.id}.")
            self._auth.addresses.give(current, canonical)
            self._auth.addresses.let_go(user.id)
            self._auth.pending.void(user.id, *EVERYTHING)
            self._auth.audit.record(
                "email.changed", user.id, user.id, origin)

    def disable(self, user: User, origin: Origin = LIBRARY) -> None:
        """Shut the user out at once, and tell them by a letter.

        Sessions and tokens end, so that enabling again revives none.
        """
        with self._db.transaction():
            self._db.update_user(user.id, disabled_at=self._db.clock.now())
            self._auth.sessions.revoke_all(user.id, origin)
            self._auth.pending.void(user.id, *EVERYTHING)
            # Whoever was looked up may have moved meanwhile.
            address = self._db.find_user_by(id=user.id).email
            self._auth.outbox.write(DISABLED_LETTER, address, user.id)
            self._auth.audit.record("user.disabled", user.id, user.id, origin)

    def enable(self, user: User, origin: Origin = LIBRARY) -> None:
        """Let a disabled user sign in again."""
        with self._db.transaction():
            self._db.update_user(user.id, disabled_at=None)
            self._auth.audit.record("user.enabled", user.id, user.id, origin)

    def revoke_sessions(self, user: User, origin: Origin = LIBRARY) -> int:
        """End every session of the user; return how many there were."""
        return self._auth.sessions.revoke_all(user.id, origin)

    def reset_link(self, user: User, origin: Origin = LIBRARY) -> str:
        """Return a reset token for the support desk to hand on."""
        with self._db.transaction():
            token = self._auth.get_reset_password_token(user.email)
            self._auth.audit.record("reset.issued", user.id, user.id, origin)
        return token
