#!/usr/bin/env python3
"""Undo: how an owner takes back a change that was not theirs.

A letter about a change of address or password holds an undo token, good for
seven days. Whoever spends it gets the account as it can be trusted: at the
address that the letter went to, with nobody signed in.
"""

from datetime import datetime

from vestibule.base.errors import IdentifierTaken, InvalidToken
from vestibule.base.origin import Origin
from vestibule.kernel.auth import Auth
from vestibule.kernel.one_time_tokens import (
    CHANGE_EMAIL, RESET, UNDO, VERIFY)
from vestibule.kernel.outbox import (
    DELETION_ANNOUNCED_LETTER, RESET_LETTER)
from vestibule.store.db import DB, User


class Undo:
    """Takes back a change and everything that came after it."""

    def __init__(self, db: DB, auth: Auth) -> None:
        """Undo changes of the users of ``auth``."""
        self._db = db
        self._auth = auth

    def by_token(self, secret: str, origin: Origin) -> User:
        """Spend an undo token; return its owner as it is then.

        The address that the letter went to is the user's again. A password
        that was set by the change or after it is disabled: no old hash is
        kept that could be put back. Sessions and all other tokens end, but
        for undos of still earlier changes: the earliest of a chain wins. A
        letter for choosing a new password goes to the owner. A deletion that
        is pending stays so, and the owner is told until when it can be taken
        back. All of it happens at once or not at all. Raises
        ``InvalidToken``.
        """
        auth = self._auth
        token = auth.tokens.look_at(secret, UNDO)
        with self._db.transaction():
            user = self._db.lock_user(token.user_id)
            auth.tokens.spend(token)
            since = token.changed_at
            if (user is None or user.disabled_at is not None or since is None
                    or user.is_gone(self._db.clock.now())):
                raise InvalidToken()
            self._put_back(user, str(token.sent_to), since)
            auth.sessions.revoke_all(user.id, origin)
            auth.pending.void(user.id, RESET, VERIFY, CHANGE_EMAIL)
            auth.pending.void_undos_since(user.id, since)
            auth.outbox.write(RESET_LETTER, str(token.sent_to), user.id)
            if user.delete_after is not None:
                auth.outbox.write(DELETION_ANNOUNCED_LETTER,
                                  str(token.sent_to), user.id)
            auth.audit.record("change.undone", user.id, user.id, origin)
            return self._db.find_user_by(id=user.id)

    def _put_back(self, user: User, address: str, since: datetime) -> None:
        """Restore the address, and disable a password that came since.

        The address was kept free for the user; were it not, there would be
        nothing to put back.
        """
        try:
            self._auth.addresses.give(user, address)
        except IdentifierTaken:
            raise InvalidToken() from None
        changed_at = user.password_changed_at
        if changed_at is not None and changed_at >= since:
            self._db.update_user(user.id, hashed_password=None)
