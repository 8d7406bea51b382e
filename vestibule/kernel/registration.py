#!/usr/bin/env python3
"""Registration: how people make themselves users."""

from typing import NamedTuple

from vestibule.base.errors import IdentifierTaken
from vestibule.base.origin import Origin
from vestibule.kernel.auth import Auth
from vestibule.kernel.outbox import (
    ALREADY_REGISTERED_LETTER, MOST_AN_HOUR, VERIFY_LETTER)
from vestibule.kernel.registration_proof import registration_proof
from vestibule.store.db import DB, NoResultFound
from vestibule.store.tables import new_id

MOST_WARNINGS_AN_HOUR = 1


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

    def register(self, email: str, password: str,
                 origin: Origin) -> Registered:
        """Register somebody, and have the first letter sent.

        Raises ``InvalidInput`` like ``Auth.register_user``, and, where that
        is told, ``IdentifierTaken``. Elsewhere a taken address gets the same
        answer at the same cost, and only its owner learns of it, by mail
        (ASVS 5.0 6.3.8).
        """
        try:
            user = self._auth.register_user(
                email, password, origin, VERIFY_LETTER)
        except IdentifierTaken:
            if self._tells_taken:
                raise
            taken = self._auth.canonical(email)
            self._tell_owner(taken, origin)
            return Registered(taken, self._proof(new_id()))
        return Registered(user.email, self._proof(user.id))

    def _tell_owner(self, email: str, origin: Origin) -> None:
        """Write to the owner of an address that somebody tried to register.

        One who never proved it gets the letter for that once more: it may
        be the person who tries.
        """
        with self._db.transaction():
            self._auth.audit.record(
                "registration.refused", None, self._auth.audit.masked(email),
                origin)
            try:
                owner = self._db.find_user_by(email=email)
            except NoResultFound:
                return
            kind, most = ALREADY_REGISTERED_LETTER, MOST_WARNINGS_AN_HOUR
            if owner.email_verified_at is None:
                kind, most = VERIFY_LETTER, MOST_AN_HOUR
            self._auth.outbox.write_sparingly(kind, email, owner.id, most)

    def _proof(self, user_id: str) -> str:
        """Return a proof that begins to count now."""
        return registration_proof(
            self._key, user_id, self._db.clock.now())
