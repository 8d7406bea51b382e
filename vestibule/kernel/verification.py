#!/usr/bin/env python3
"""Verification: proving that an address is one's own.

Who gets a letter and who registered need not be the same person. So the
first proof of an address wants a sign that they are; and whoever has none
makes the account theirs, which leaves nothing to whoever registered it
(Better Auth GHSA-qq9h-g4jm-xgf3, PocketBase CVE-2024-38351).
"""

from typing import Any, Dict, NamedTuple, Optional

from vestibule.base.errors import Forbidden, InvalidToken, Throttled
from vestibule.base.origin import LIBRARY, Origin
from vestibule.kernel.address_change import AddressChange
from vestibule.kernel.auth import Auth
from vestibule.kernel.one_time_tokens import (
    CHANGE_EMAIL, VERIFY, Presented)
from vestibule.kernel.outbox import VERIFY_LETTER
from vestibule.kernel.hashing import Asker
from vestibule.kernel.password_check import Also, Claimed
from vestibule.kernel.password_policy import Person
from vestibule.kernel.passwords import normal_form
from vestibule.kernel.pending import EVERYTHING
from vestibule.kernel.registration_proof import proves_registration
from vestibule.kernel.sessions import is_unchanged
from vestibule.store.db import DB, NoResultFound, User
from vestibule.store.one_time_token import (
    Limit, OneTimeToken, OneTimeTokenStore)

PASSWORD_TRIES = Limit("password_tries", 5)
PROFILE = ("name", "locale", "picture", "app_metadata")


class Claim(NamedTuple):
    """What somebody who confirms an address can show, or asks for.

    ``user_id`` is of a live session; ``registration`` the proof that the
    registering browser keeps; ``password`` the one chosen then. With
    ``new_password`` they make the account theirs instead.
    """

    user_id: Optional[str] = None
    registration: Optional[str] = None
    password: Optional[str] = None
    new_password: Optional[str] = None


class Verification:
    """Confirms addresses, those registered with and those changed to."""

    def __init__(self, db: DB, auth: Auth, key: str,
                 address_change: AddressChange) -> None:
        """Verify the users of ``auth``; ``key`` signed their proofs."""
        self._db = db
        self._auth = auth
        self._key = key
        self._address_change = address_change
        self._store = OneTimeTokenStore(db)

    def request(self, email: str, origin: Origin = LIBRARY) -> str:
        """Have the letter sent again; return the address's one spelling.

        Equally for everybody: the delivery finds out whether there is
        anything to prove. Raises ``InvalidInput`` for what is no address,
        and ``Throttled`` where too many letters are asked for.
        """
        canonical = self._auth.canonical(email)
        self._auth.throttle.count_mail(origin)
        self._auth.outbox.write_sparingly(VERIFY_LETTER, canonical)
        return canonical

    def confirm(self, presented: Presented, claim: Claim,
                origin: Origin) -> User:
        """Spend the token of a letter; return whose address it proved.

        A changed address needs nothing but the token, for the change was
        asked for with a fresh proof. A first one needs a claim: ``Forbidden``
        with ``proof_needed`` leaves the token good, and so does
        ``wrong_password``. ``Throttled`` after five wrong passwords,
        ``InvalidInput`` for an unfit new one, ``InvalidToken`` for a token
        that is not or no longer good.
        """
        if claim.new_password is not None:
            self._auth.policy.check_alone(
                claim.new_password, "new_password")
        if claim.password is not None:
            normal_form(claim.password)
        token = self._auth.tokens.look_at(presented, VERIFY, CHANGE_EMAIL)
        if token.purpose == CHANGE_EMAIL:
            return self._address_change.confirm(token, origin)
        user = self._owner_of(token)
        if claim.new_password is not None:
            return self._take_over(token, user, claim.new_password, origin)
        self._require_claim(token, user, claim, origin)
        return self._prove(token, user, {}, "email.verified", origin)

    def _owner_of(self, token: OneTimeToken) -> User:
        """Return the user whose address a token is to prove.

        That is nobody who is disabled: no password would be theirs.
        """
        try:
            user = self._db.find_user_by(id=token.user_id)
        except NoResultFound:
            raise InvalidToken() from None
        if user.disabled_at is not None:
            raise InvalidToken()
        return user

    def _require_claim(self, token: OneTimeToken, user: User, claim: Claim,
                       origin: Origin) -> None:
        """Raise ``Forbidden`` where nothing shows who registered."""
        if claim.user_id == user.id:
            return
        if claim.registration is not None and proves_registration(
                claim.registration, self._key, user.id,
                self._db.clock.now()):
            return
        if claim.password is None:
            raise Forbidden(
                "Confirm this where you registered, or send the password "
                "that you chose then, or a new_password to make the account "
                "yours.", "proof_needed")
        self._require_password(token, user, claim.password, origin)

    def _require_password(self, token: OneTimeToken, user: User,
                          password: str, origin: Origin) -> None:
        """Raise ``Forbidden`` for a wrong password, five times a token.

        The try is counted before the hash is computed, and only where the
        limits of passwords have room for it.
        """
        claimed = Claimed(user.email, user, "password.refused")
        also = Also(
            lambda: self._count_try(token),
            lambda: self._store.give_back_try(token.digest, PASSWORD_TRIES))
        if not self._auth.password_check.is_right(
                claimed, password, origin, also):
            raise Forbidden(
                "This is not the password that was chosen at registration.",
                "wrong_password")

    def _count_try(self, token: OneTimeToken) -> None:
        """Count a password for a letter; ``Throttled`` after five."""
        if not self._auth.tokens.count_try(token, PASSWORD_TRIES):
            left = token.expires_at - self._db.clock.now()
            raise Throttled(int(left.total_seconds()) + 1).decided_by(
                "verification: five passwords are tried for each letter")

    def _take_over(self, token: OneTimeToken, user: User, password: str,
                   origin: Origin) -> User:
        """Make the account its mailbox's: nothing set before is left.

        The name neither, which need not be that of who takes it over.
        """
        self._auth.policy.check_for(
            Person(user.email), password, "new_password")
        values: Dict[str, Any] = dict.fromkeys(PROFILE)
        # Whoever has opened the letter is known.
        values["hashed_password"] = self._auth.passwords.hash(
            password, Asker(True, origin.has_left))
        with self._db.transaction():
            proved = self._prove(
                token, user, values, "user.taken_over", origin)
            self._auth.sessions.revoke_all(user.id, origin)
            self._auth.pending.void(user.id, *EVERYTHING)
            self._auth.throttle.pardon(user.id, user.email)
        return proved

    def _prove(self, token: OneTimeToken, user: User,
               values: Dict[str, Any], event: str, origin: Origin) -> User:
        """Spend the token, and count its address as proved.

        ``user`` is the user as it was when the claim was checked.
        """
        with self._db.transaction():
            current = self._db.lock_user(user.id)
            self._auth.tokens.spend(token)
            if (current is None or not is_unchanged(current, user)
                    or current.email != token.sent_to
                    or current.email_verified_at is not None):
                raise InvalidToken()
            self._db.update_user(
                user.id, email_verified_at=self._db.clock.now(), **values)
            self._auth.pending.void(user.id, VERIFY)
            self._auth.audit.record(event, user.id, user.id, origin)
            return self._db.find_user_by(id=user.id)
