#!/usr/bin/env python3
"""AddressChange: how a user comes to another address."""

from vestibule.base.errors import (
    IdentifierTaken, InvalidInput, InvalidToken, SessionRequired)
from vestibule.base.origin import Origin
from vestibule.kernel.auth import Auth
from vestibule.kernel.one_time_tokens import (
    CHANGE_EMAIL, LIFETIMES, RESET, UNDO, VERIFY)
from vestibule.kernel.outbox import (
    CHANGE_EMAIL_LETTER, EMAIL_CHANGED_LETTER)
from vestibule.store.db import DB, User
from vestibule.store.one_time_token import OneTimeToken


class AddressChange:
    """Lets users move to an address that they prove to be theirs."""

    def __init__(self, db: DB, auth: Auth) -> None:
        """Change the addresses of the users of ``auth``."""
        self._db = db
        self._auth = auth

    def request(self, user_id: str, email: str, origin: Origin) -> str:
        """Have a letter sent to the new address; return its one spelling.

        Nothing changes until a token from that letter is spent. A request
        voids the one before, unless the box has had its letters for this
        hour: then the last one stays good. A taken address is answered the
        same; nobody gets a letter then. Raises ``InvalidInput`` for what is
        no address, or is the user's own already, ``SessionRequired`` where
        the user is gone, and ``Throttled`` where too many letters are asked
        for.
        """
        canonical = self._auth.canonical(email)
        self._auth.throttle.count_mail(origin)
        outbox = self._auth.outbox
        with self._db.transaction():
            user = self._db.lock_user(user_id)
            if (user is None or user.delete_after is not None
                    or not self._auth.sessions.may_go_on(user_id, origin)):
                raise SessionRequired(ended=True)
            if user.email == canonical:
                raise InvalidInput({"email": ["unchanged"]},
                                   "This is your address already.")
            if outbox.box.allows(CHANGE_EMAIL_LETTER, canonical):
                self._auth.pending.void(user_id, CHANGE_EMAIL)
                outbox.write(CHANGE_EMAIL_LETTER, canonical, user_id)
            self._auth.audit.record(
                "email_change.requested", user_id,
                self._auth.audit.masked(canonical), origin)
        return canonical

    def confirm(self, token: OneTimeToken, origin: Origin) -> User:
        """Spend a token on the address that it was mailed to, exactly.

        Returns the user. What was mailed to the old address is void; that
        address is told, and kept free for as long as this can be undone.
        Raises ``InvalidToken``, also where somebody else has the address by
        now; nothing is changed then.
        """
        with self._db.transaction():
            user = self._db.lock_user(token.user_id)
            self._auth.tokens.spend(token)
            if (user is None or user.disabled_at is not None
                    or user.delete_after is not None):
                raise InvalidToken()
            old, proved = user.email, user.email_verified_at is not None
            try:
                changed = self._auth.addresses.give(
                    user, str(token.sent_to))
            except IdentifierTaken:
                raise InvalidToken() from None
            self._auth.pending.void(user.id, RESET, VERIFY, CHANGE_EMAIL)
            if proved:
                self._tell(old, changed)
            else:
                # It may be a stranger's, by a slip of the hand: it gets no
                # power over the user, and loses what it had.
                self._auth.pending.void(user.id, UNDO)
            self._auth.audit.record(
                "email.changed", user.id, user.id, origin)
        return changed

    def _tell(self, old: str, changed: User) -> None:
        """Tell the old address how to undo this, and keep it free."""
        self._auth.addresses.keep(
            old, changed.id, changed.updated_at + LIFETIMES[UNDO])
        self._auth.outbox.write(EMAIL_CHANGED_LETTER, old, changed.id,
                                about=changed.updated_at)
