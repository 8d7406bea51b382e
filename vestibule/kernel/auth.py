#!/usr/bin/env python3
"""Auth: the public Python API, and tasks 5, 7 to 10, 12, 13, 16 and 18.

``Auth(DB("sqlite:///my.db"))`` is all a program needs. Each verb says in a
few lines what happens; the rules are in the modules beside this one.
"""

import uuid
from typing import Callable, List, NamedTuple, Optional

from vestibule.base.errors import (
    Busy, Forbidden, InvalidCredentials, InvalidInput, SessionRequired,
    merged)
from vestibule.base.identifiers import canonical_email
from vestibule.base.origin import LIBRARY, Origin
from vestibule.kernel.addresses import Addresses
from vestibule.kernel.audit import Audit
from vestibule.kernel.hashing import Asker
from vestibule.kernel.one_time_tokens import RESET, OneTimeTokens, Presented
from vestibule.kernel.outbox import RESET_LETTER, Outbox
from vestibule.kernel.password_change import Means, PasswordChange
from vestibule.kernel.password_check import Claimed, PasswordCheck
from vestibule.kernel.password_policy import PasswordPolicy, Person
from vestibule.kernel.passwords import Passwords
from vestibule.kernel.pending import Pending
from vestibule.kernel.sessions import Lifetimes, Sessions
from vestibule.kernel.throttle import Throttle
from vestibule.store.db import (
    DB, DBAPIError, NoResultFound, PoolTimeout, User)


def _hash_password(password: str) -> bytes:
    """Return the salted bcrypt hash of a password (task 5)."""
    return Passwords().hash(password)


def _generate_uuid() -> str:
    """Return a new random UUID as text (task 9)."""
    return str(uuid.uuid4())


class Rules(NamedTuple):
    """What people may choose, passwords and addresses, and how often.

    By default any password but the empty one will do, and so will addresses
    of ``local_names`` such as ``me@localhost``; nothing is throttled.
    """

    policy: PasswordPolicy = PasswordPolicy()
    local_names: bool = True
    throttle: Optional[Throttle] = None


class Auth:
    """Registration, credentials, sessions and recovery of users."""

    def __init__(self, db: DB, passwords: Optional[Passwords] = None,
                 key: str = "", lifetimes: Lifetimes = Lifetimes(),
                 rules: Rules = Rules()) -> None:
        """Work on this database.

        ``passwords`` hashes them; ``rules`` says which may be chosen. ``key``
        is the secret key, for codes and for masks; ``lifetimes`` is how long
        sessions last.
        """
        self.db = self._db = db
        self._local_names = rules.local_names
        self.policy = rules.policy
        self.passwords = passwords or Passwords()
        self.audit = Audit(db, key)
        self.throttle = rules.throttle or Throttle(db, key)
        self.password_check = PasswordCheck(
            db, self.passwords, self.throttle, self.audit)
        self.sessions = Sessions(db, self.audit, lifetimes)
        self.tokens = OneTimeTokens(db, self.audit, key, self.throttle)
        self.outbox = Outbox(db, self.throttle)
        self.pending = Pending(self.tokens, self.outbox)
        self.addresses = Addresses(db)
        self.password_change = PasswordChange(db, Means(
            self.policy, self.passwords, self.sessions, self.tokens,
            self.pending, self.outbox, self.audit, self.throttle,
            self.password_check))

    def register_user(self, email: str, password: str,
                      origin: Origin = LIBRARY,
                      also: Optional[Callable[[User], None]] = None
                      ) -> User:
        """Register somebody and return the new user (task 7).

        ``also`` is done with the user in the same transaction. Raises
        ``IdentifierTaken``, which is a ``ValueError``, where the address is
        registered, also by somebody else at the same instant,
        ``InvalidInput`` for an unfit address or password, ``Throttled`` for
        too many over HTTP, and ``Busy``, with nothing counted, where a
        service has no room to hash.
        """
        asker = Asker(has_left=origin.has_left)
        self.passwords.hashing.require_room(asker)
        canonical = self._fit_to_register(email, password)
        counted = self.throttle.count_registration(origin)
        try:
            hashed_password = self.passwords.hash(password, asker)
        except BaseException as error:
            self.throttle.withdraw(counted, error)
            raise
        with self._db.transaction():
            user = self.addresses.add_user(canonical, hashed_password)
            self.audit.record("user.registered", user.id, user.id, origin)
            if also is not None:
                also(user)
        return user

    def valid_login(self, email: str, password: str) -> bool:
        """Say whether these credentials let somebody in (task 8).

        Those of a user who is about to be deleted do not.
        """
        try:
            user = self.authenticate(email, password)
        except (InvalidCredentials, InvalidInput):
            return False
        return user.delete_after is None

    def authenticate(self, email: str, password: str,
                     origin: Origin = LIBRARY) -> User:
        """Check an email and its password and return the user.

        Raises ``InvalidCredentials`` for a wrong password and for a user who
        is unknown, disabled, without a usable hash or shut after too many
        failures alike, always at the cost of one hash; ``Throttled``, at no
        such cost, after too many tries; ``InvalidInput`` for what cannot be
        a password at all; and ``Busy`` where a service has no room to hash.
        """
        self.password_check.require_room(origin)
        user = self._find(email)
        claimed = Claimed(_identifier(email, self._local_names), user)
        right = self.password_check.is_right(claimed, password, origin)
        if user is None or not right:
            raise InvalidCredentials()
        self._keep_up_to_date(user, password, origin)
        return user

    def create_session(self, email: str) -> Optional[str]:
        """Start a session and return the cookie's whole value (task 10).

        It proves nothing: the caller has done that. ``None`` for somebody
        unknown, disabled or about to be deleted.
        """
        user = self._find(email)
        if user is None:
            return None
        try:
            return self.sessions.start(user, proved=())
        except InvalidCredentials:
            return None

    def get_user_from_session_id(
            self, session_id: Optional[str]) -> Optional[User]:
        """Return the user of a live session, by the cookie's value (task 12).
        """
        try:
            found = self.sessions.resume(session_id)
            return self._db.find_user_by(id=found.user_id)
        except (SessionRequired, NoResultFound):
            return None

    def destroy_session(self, user_id: str) -> None:
        """End every session of this user, at once (task 13)."""
        self.sessions.revoke_all(user_id)

    def get_reset_password_token(self, email: str) -> str:
        """Return a new token that resets the password once (task 16).

        Whoever holds it holds the account: it is for its owner alone. Raises
        ``Forbidden``, which is a ``ValueError``, for nobody to reset.
        """
        user = self._find(email)
        with self._db.transaction():
            # Locked like everywhere before a token is issued: whoever shuts
            # the user out next finds it, and whoever just did is seen.
            current = None if user is None else self._db.lock_user(user.id)
            if current is None or current.disabled_at is not None:
                raise Forbidden("There is no user with this email.",
                                "unknown_email")
            return self.tokens.issue(current.id, RESET)

    def request_reset(self, email: str, origin: Origin = LIBRARY) -> None:
        """Have a reset link mailed to this address, if it is somebody's.

        At most one row is written, the same for known and unknown addresses,
        five an hour; the delivery looks the person up (requirement R053).
        Raises ``InvalidInput`` for what is no address, and ``Throttled``
        where too many letters are asked for.
        """
        canonical = self.canonical(email)
        self.throttle.count_mail(origin)
        self.outbox.write_sparingly(RESET_LETTER, canonical)

    def update_password(self, reset_token: str, password: str) -> None:
        """Set a new password by a reset token (task 18).

        Raises ``InvalidToken``, which is a ``ValueError``; see ``recover``.
        """
        self.recover(reset_token, password)

    def recover(self, presented: Presented, password: str,
                email: Optional[str] = None,
                origin: Origin = LIBRARY) -> User:
        """Spend a reset token, or its code, on a new password.

        Returns its owner. ``email`` is an address in any spelling; where it
        is given, it must be the owner's. See ``PasswordChange.by_token``.
        """
        expected = None if email is None else self.canonical(email)
        return self.password_change.by_token(
            presented, password, expected, origin)

    def canonical(self, email: str) -> str:
        """Return the one spelling of an address, or raise ``InvalidInput``.
        """
        return canonical_email(email, self._local_names)

    def _fit_to_register(self, email: str, password: str) -> str:
        """Return the canonical address, or name what is unfit of both."""
        refusals: List[InvalidInput] = []
        canonical = ""
        try:
            canonical = self.canonical(email)
        except InvalidInput as refusal:
            refusals.append(refusal)
        try:
            self.policy.check_alone(password)
        except InvalidInput as refusal:
            refusals.append(refusal)
        if refusals:
            raise merged(refusals)
        self.policy.check_for(Person(canonical), password)
        return canonical

    def _find(self, email: str) -> Optional[User]:
        """Return the user with this address, if there is one.

        Whoever waits to be erased only is nobody any more.
        """
        try:
            user = self._db.find_user_by(email=self.canonical(email))
        except (NoResultFound, InvalidInput):
            return None
        return None if user.is_gone(self._db.clock.now()) else user

    def _keep_up_to_date(self, user: User, password: str,
                         origin: Origin) -> None:
        """Hash a password that was right anew, where its hash is outdated.

        That may fail without harm: the login goes on, the next one tries
        again, and a password changed meanwhile stays (requirement R016).
        """
        if not self.passwords.is_outdated(user.hashed_password):
            return
        try:
            better = self.passwords.hash_anew(
                password, user.hashed_password,
                Asker(True, origin.has_left)).decode("ascii")
            self._db.swap_hash(user.id, str(user.hashed_password), better)
        except (Busy, DBAPIError, PoolTimeout):
            return


def _identifier(email: str, local_names: bool) -> str:
    """Return what was typed in its one spelling, if it has one."""
    try:
        return canonical_email(email, local_names)
    except InvalidInput:
        return email
