#!/usr/bin/env python3
"""Registration: how people make themselves users."""

from typing import Callable, NamedTuple, Optional

from vestibule.base.errors import IdentifierTaken
from vestibule.base.origin import Origin
from vestibule.kernel.auth import Auth
from vestibule.kernel.outbox import (
    ALREADY_REGISTERED_LETTER, MOST_WARNINGS, VERIFY_LETTER)
from vestibule.kernel.registration_proof import registration_proof
from vestibule.store.db import DB, NoResultFound, User
from vestibule.store.tables import new_id


def nothing_else(email: str) -> None:
    """Do nothing more in the transaction that registers."""


class Registered(NamedTuple):
    """The canonical address, and a proof for the browser to keep."""

    email: str
    proof: str


class Registration:
    """Registers, and keeps quiet about who is registered already."""

    def __init__(self, db: DB, auth: Auth, key: str,
                 tells_taken: bool) -> None:
        """Register users of ``auth``; ``key`` signs the proofs.

        ``tells_taken`` is whether a taken address is refused as such.
        """
        self._db = db
        self._auth = auth
        self._key = key
        self._tells_taken = tells_taken

    def register(self, email: str, password: str, origin: Origin,
                 also: Callable[[str], None] = nothing_else) -> Registered:
        """Register somebody, and have the first letter sent.

        ``also`` is done with the canonical address in the transaction that
        does so, or that finds it taken where that is not told.
        Raises ``InvalidInput`` like ``Auth.register_user``, and, where that
        is told, ``IdentifierTaken``. Elsewhere a taken address gets the same
        answer at the same cost, and only its owner learns of it, by mail
        (ASVS 5.0 6.3.8).
        """
        try:
            user = self._auth.register_user(
                email, password, origin,
                lambda new: self._greet(new, also))
        except IdentifierTaken:
            if self._tells_taken:
                raise
            taken = self._auth.canonical(email)
            with self._db.transaction():
                self._tell_owner(taken, origin)
                also(taken)
            return Registered(taken, self._proof(new_id()))
        return Registered(user.email, self._proof(user.id))

    def _greet(self, user: User, also: Callable[[str], None]) -> None:
        """Write the first letter to a user who is being registered."""
        self._auth.outbox.write(VERIFY_LETTER, user.email, user.id)
        also(user.email)

    def _tell_owner(self, email: str, origin: Origin) -> None:
        """Write to the owner of an address that somebody tried to register.

        One who never proved it gets the letter for that once more: it may
        be the person who tries. While a deletion is pending nothing can be
        proved by it, and the way in is a new password.
        """
        try:
            owner = self._db.find_user_by(email=email)
        except NoResultFound:
            self._record_refused(email, None, origin)
            return
        self._record_refused(email, owner.id, origin)
        kind: str = ALREADY_REGISTERED_LETTER
        most: Optional[int] = MOST_WARNINGS
        if owner.email_verified_at is None and not owner.delete_after:
            kind, most = VERIFY_LETTER, None
        self._auth.outbox.write_sparingly(kind, email, owner.id, most)

    def _record_refused(self, email: str, owner_id: Optional[str],
                        origin: Origin) -> None:
        """Write down that a taken address was tried, for its owner to see.
        """
        self._auth.audit.record("registration.refused", owner_id,
                                self._auth.audit.masked(email), origin)

    def _proof(self, user_id: str) -> str:
        """Return a proof that begins to count now."""
        return registration_proof(
            self._key, user_id, self._db.clock.now())
