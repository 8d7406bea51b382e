#!/usr/bin/env python3
"""One-time tokens: issue, redeem, revoke.

A token that goes by mail is a link, and for some purposes a code to type
besides. Either spends the one token.
"""

import secrets
from datetime import datetime, timedelta
from typing import Dict, List, NamedTuple, Optional, Tuple, Union

from vestibule.base.digest import digest_of, keyed_digest, new_secret, same
from vestibule.base.errors import InvalidToken
from vestibule.base.origin import LIBRARY, Origin
from vestibule.kernel.audit import Audit
from vestibule.kernel.throttle import Throttle
from vestibule.store.db import DB, NoResultFound
from vestibule.store.one_time_token import (
    Limit, OneTimeToken, OneTimeTokenStore, TokenKey)

RESET = "reset"
VERIFY = "verify"
CHANGE_EMAIL = "change_email"
UNDO = "undo"
LIFETIMES: Dict[str, timedelta] = {
    RESET: timedelta(minutes=30), VERIFY: timedelta(hours=24),
    CHANGE_EMAIL: timedelta(hours=24), UNDO: timedelta(days=7)}
CODE_LIFETIME = timedelta(minutes=10)
CODE_DIGITS = 8
CODE_TRIES = Limit("code_tries", 5)
# Why a token is not redeemed, in words for operators.
NO_OPEN_LINK = ("token: there is no open one for this purpose; it was used, "
                "is void or too old, or never was one")
SPENT_MEANWHILE = "token: another request was first, or it is void by now"
WRONG_CODE = "token: the code is another one"
NO_OPEN_CODE = ("token: no code for this purpose is open for this address, "
                "or all of its tries are used up")
# So many users may have asked for one and the same new address at a time.
MOST_CANDIDATES = 5


class TypedCode(NamedTuple):
    """A code that somebody typed, where, and the address it was sent to.

    The address is canonical. Blanks in the code do not count.
    """

    email: str
    code: str
    origin: Origin = LIBRARY


# What a person has in hands: the secret of a link, or a code.
Presented = Union[str, TypedCode]


class Mailed(NamedTuple):
    """The two keys of one token: the secret of its link, and its code."""

    secret: str
    code: str


class OneTimeTokens:
    """Secrets that are good once, for one purpose, for a while."""

    def __init__(self, db: DB, audit: Optional[Audit] = None,
                 key: str = "", throttle: Optional[Throttle] = None) -> None:
        """Keep the digests of the tokens in this database.

        ``key`` is the service's secret key: codes are too short for a plain
        digest, and cannot be found again from the table without it. By
        default codes are limited by token alone.
        """
        self._store = OneTimeTokenStore(db)
        self._db = db
        self._audit = audit or Audit(db)
        self._key = key
        self._throttle = throttle or Throttle(db)

    def issue(self, user_id: str, purpose: str,
              sent_to: Optional[str] = None,
              changed_at: Optional[datetime] = None) -> str:
        """Return a new secret for this user and purpose.

        ``sent_to`` is the address to which the caller is about to mail it;
        ``changed_at``, for an undo, the instant of what it takes back.
        """
        secret = new_secret()
        token = self._new(secret, user_id, purpose)
        token.sent_to, token.changed_at = sent_to, changed_at
        self._store.add(token)
        return secret

    def issue_with_code(self, user_id: str, purpose: str,
                        sent_to: str) -> Mailed:
        """Return a new secret and a code, about to be mailed together.

        The code is eight random digits and good for ten minutes.
        """
        secret = new_secret()
        code = f"{secrets.randbelow(10 ** CODE_DIGITS):0{CODE_DIGITS}}"
        token = self._new(secret, user_id, purpose)
        token.sent_to = sent_to
        token.code_digest = self._code_digest(purpose, sent_to, code)
        token.code_expires_at = token.created_at + CODE_LIFETIME
        self._store.add(token)
        return Mailed(secret, code)

    def look_at(self, presented: Presented, *purposes: str) -> OneTimeToken:
        """Return the token while it can be redeemed, and leave it so.

        Raises ``InvalidToken`` for an unknown, used, expired or misdirected
        token alike: who may not use it has no business learning why. A wrong
        code costs a try; too many raise ``Throttled``.
        """
        if isinstance(presented, TypedCode):
            return self._by_code(presented, purposes)
        token = self._store.find_open(
            digest_of(presented), purposes, self._db.clock.now())
        if token is None:
            raise InvalidToken().decided_by(NO_OPEN_LINK)
        return token

    def spend(self, token: OneTimeToken) -> None:
        """Use up a token that was looked at.

        Raises ``InvalidToken`` where it is good no more. It is atomic: of
        any number of calls at once one returns.
        """
        key = TokenKey(token.digest, token.purpose)
        if not self._store.use_up(key, self._db.clock.now()):
            raise InvalidToken().decided_by(SPENT_MEANWHILE)

    def redeem(self, secret: str, purpose: str) -> OneTimeToken:
        """Use up the token of this secret and return it.

        Raises ``InvalidToken`` like ``look_at`` and ``spend``.
        """
        token = self.look_at(secret, purpose)
        self.spend(token)
        return token

    def count_try(self, token: OneTimeToken, limit: Limit) -> bool:
        """Count a try at something that a token allows; say if it may be.

        What is tried may fail or hang: the count stands already. Raises
        ``InvalidToken`` for a token that was spent or voided meanwhile,
        which is no matter of tries.
        """
        if self._store.count_try(token.digest, limit):
            return True
        if self._store.find_open(token.digest, (token.purpose,),
                                 self._db.clock.now()) is None:
            raise InvalidToken().decided_by(SPENT_MEANWHILE)
        return False

    def revoke_all(self, user_id: str, purpose: str) -> int:
        """Make every token of the user for this purpose useless."""
        return self._store.revoke_all(user_id, purpose)

    def revoke_undos_since(self, user_id: str, changed_at: datetime) -> None:
        """Make the undos of changes of this instant and later useless."""
        self._store.revoke_changed_since(user_id, UNDO, changed_at)

    def revoke_superseded(self, user_id: str, purpose: str,
                          requested_at: datetime) -> int:
        """Make useless what a letter requested then takes the place of.

        A token that was handed out with the same request stays good.
        """
        return self._store.revoke_superseded(user_id, purpose, requested_at)

    def _by_code(self, typed: TypedCode,
                 purposes: Tuple[str, ...]) -> OneTimeToken:
        """Return the token whose code this is; the link stays good if none.

        Tries are given back where the code is right: the request may still
        be refused for another reason, and then comes once more.
        """
        self._throttle.count_code(typed.email, typed.origin)
        code = "".join(typed.code.split())
        tried = self._count_tries(typed, purposes)
        matching = [
            token for token in tried
            if same(token.code_digest or "", self._code_digest(
                token.purpose, typed.email, code))]
        if not matching:
            raise InvalidToken().decided_by(
                WRONG_CODE if tried else NO_OPEN_CODE)
        for token in tried:
            self._store.give_back_try(token.digest, CODE_TRIES)
        return matching[0]

    def _count_tries(self, typed: TypedCode,
                     purposes: Tuple[str, ...]) -> List[OneTimeToken]:
        """Return the tokens that had a try left, which is used up now.

        That is written down before any code is compared: whoever asks
        sixteen times at once gets five answers. One transaction writes one
        event and counts at least one try, of nobody's token where no code
        was sent to this address, so that the time it takes does not tell.
        """
        with self._db.transaction():
            found = self._store.sent_with_code(
                typed.email, purposes, self._db.clock.now(), MOST_CANDIDATES)
            if not found:
                self._store.count_try("", CODE_TRIES)
            tried = [token for token in found
                     if self._store.count_try(token.digest, CODE_TRIES)]
            self._audit.record(
                "code.tried", self._meant(typed.email, found),
                self._audit.masked(typed.email), typed.origin)
        return tried

    def _meant(self, email: str,
               found: List[OneTimeToken]) -> Optional[str]:
        """Return the id of the user whose code was meant, if that is clear.

        Several users may have asked for one new address: none of them is
        told where another one types.
        """
        users = {token.user_id for token in found}
        try:
            users.add(self._db.find_user_by(email=email).id)
        except NoResultFound:
            pass
        return users.pop() if len(users) == 1 else None

    def _new(self, secret: str, user_id: str, purpose: str) -> OneTimeToken:
        """Return the row of a token that is good from now on."""
        now = self._db.clock.now()
        return OneTimeToken(
            digest=digest_of(secret), purpose=purpose, user_id=user_id,
            created_at=now, expires_at=now + LIFETIMES[purpose])

    def _code_digest(self, purpose: str, address: str, code: str) -> str:
        """Return what is stored of a code: bound to purpose and address."""
        return keyed_digest(self._key, f"{purpose} {address} {code}")
