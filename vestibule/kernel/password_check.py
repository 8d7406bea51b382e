#!/usr/bin/env python3
"""PasswordCheck: whether a typed password is a user's, asked with care.

Everybody who asks for a password asks here: it is counted before it is
hashed, costs one hash whatever is wrong, and a refusal is written down.
"""

from typing import Callable, NamedTuple, Optional

from vestibule.base.errors import Busy, InvalidInput
from vestibule.base.origin import Origin
from vestibule.kernel.audit import Audit
from vestibule.kernel.hashing import Asker
from vestibule.kernel.passwords import Passwords, normal_form
from vestibule.kernel.throttle import Throttle, Try
from vestibule.store.db import DB, User


def nothing_else() -> None:
    """Count nothing else before the password is hashed."""


class Also(NamedTuple):
    """What else a try is counted against, and how that is given back."""

    reserve: Callable[[], None] = nothing_else
    give_back: Callable[[], None] = nothing_else


class Claimed(NamedTuple):
    """Whose password is claimed to be known, and what a refusal is called.

    ``identifier`` is what was typed, in its one spelling; ``user`` who has
    it, if anybody; ``field`` the one that holds the password.
    """

    identifier: str
    user: Optional[User]
    event: str = "login.refused"
    field: str = "password"


class PasswordCheck:
    """Checks passwords, each try counted first."""

    def __init__(self, db: DB, passwords: Passwords, throttle: Throttle,
                 audit: Audit) -> None:
        """Check the passwords of this database's users."""
        self._db = db
        self._passwords = passwords
        self._throttle = throttle
        self._audit = audit

    def require_room(self, origin: Origin) -> None:
        """Raise ``Busy`` where whoever asks so would find no room.

        That is seen before anybody is looked up, so that a refusal costs
        next to nothing. A device cookie may turn out to be good.
        """
        may_be_known = (origin.device, origin.session_id) != (None, None)
        self._passwords.hashing.require_room(Asker(may_be_known))

    def is_right(self, claimed: Claimed, password: str, origin: Origin,
                 also: Also = Also()) -> bool:
        """Say whether this is the password, always at the cost of one hash.

        Never for a disabled user, and never after too many failures, so
        that nobody learns of either. Raises ``Throttled`` before anything
        is hashed, and ``InvalidInput`` for what cannot be a password at
        all, which counts as a try like any other. ``also`` counts what else
        limits it, for a try that is not throttled alone; what it raises is
        let through, and no try was made. Raises ``Busy`` where there is no
        room for hashing: before anything is counted, if that can be seen
        then; else what was counted is given back, as nothing was judged,
        but for a try of the address where the client has left.
        """
        user = claimed.user
        asker = self._asker(user, origin)
        self._passwords.hashing.require_room(asker)
        tried = self._throttle.begin(
            claimed.identifier, None if user is None else user.id, origin)
        try:
            also.reserve()
            normal_form(password, claimed.field)
            right = self._passwords.verify(
                password, _stored(user, tried), asker)
        except InvalidInput:
            self._throttle.fail(tried)
            raise
        except BaseException as error:
            if isinstance(error, Busy):
                # By the hashing alone, so that all is counted by now.
                also.give_back()
            self._throttle.withdraw(tried, error)
            raise
        if right:
            self._throttle.succeed(tried)
            return True
        with self._db.transaction():
            self._throttle.fail(tried)
            self._audit.record(
                claimed.event, None if user is None else user.id,
                self._audit.masked(claimed.identifier), origin,
                reason=self._reason(user, tried))
        return False

    def _asker(self, user: Optional[User], origin: Origin) -> Asker:
        """Return how somebody lines up: who is known goes before strangers.

        Whether there is such a user makes no difference to strangers.
        """
        device = self._throttle.devices.behind(
            origin, None if user is None else user.id)
        return Asker(device is not None, origin.has_left)

    def _reason(self, user: Optional[User], tried: Try) -> str:
        """Return why a password was refused, for an operator's eyes."""
        if user is None:
            return "unknown_email"
        if user.disabled_at is not None:
            return "disabled"
        if not tried.allowed:
            return "too_many_failures"
        return (self._passwords.fault_of(user.hashed_password)
                or "wrong_password")


def _stored(user: Optional[User], tried: Try) -> Optional[str]:
    """Return the hash to ask, ``None`` where no password is to be right.

    A disabled user's hash is not asked: were it right and cheap, the refusal
    would cost less than others and tell so.
    """
    if user is None or user.disabled_at is not None or not tried.allowed:
        return None
    return user.hashed_password
