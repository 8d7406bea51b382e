#!/usr/bin/env python3
"""One-time tokens: issue, redeem, revoke."""

from datetime import datetime, timedelta
from typing import Dict, Optional

from vestibule.base.digest import digest_of, new_secret
from vestibule.base.errors import InvalidToken
from vestibule.store.db import DB
from vestibule.store.one_time_token import (
    OneTimeToken, OneTimeTokenStore, TokenKey)

RESET = "reset"
LIFETIMES: Dict[str, timedelta] = {RESET: timedelta(minutes=30)}


class OneTimeTokens:
    """Secrets that are good once, for one purpose, for half an hour or so."""

    def __init__(self, db: DB) -> None:
        """Keep the digests of the tokens in this database."""
        self._store = OneTimeTokenStore(db)
        self._db = db

    def issue(self, user_id: str, purpose: str,
              sent_to: Optional[str] = None) -> str:
        """Return a new secret for this user and purpose.

        ``sent_to`` is the address to which the caller is about to mail it.
        """
        now = self._db.clock.now()
        secret = new_secret()
        self._store.add(OneTimeToken(
            digest=digest_of(secret), purpose=purpose, user_id=user_id,
            sent_to=sent_to, created_at=now,
            expires_at=now + LIFETIMES[purpose]))
        return secret

    def look_at(self, secret: str, purpose: str) -> OneTimeToken:
        """Return the token while it can be redeemed, and leave it so.

        Raises ``InvalidToken`` exactly where ``redeem`` would.
        """
        token = self._store.find_open(
            TokenKey(digest_of(secret), purpose), self._db.clock.now())
        if token is None:
            raise InvalidToken()
        return token

    def redeem(self, secret: str, purpose: str) -> OneTimeToken:
        """Use the token up and return it.

        Raises ``InvalidToken`` for an unknown, used, expired or misdirected
        token alike: who may not use it has no business learning why. It is
        atomic: of any number of calls at once one returns.
        """
        now = self._db.clock.now()
        key = TokenKey(digest_of(secret), purpose)
        with self._db.transaction():
            token = self._store.find_open(key, now)
            if token is None or not self._store.use_up(key, now):
                raise InvalidToken()
        return token

    def revoke_all(self, user_id: str, purpose: str) -> int:
        """Make every token of the user for this purpose useless."""
        return self._store.revoke_all(user_id, purpose)

    def revoke_superseded(self, user_id: str, purpose: str,
                          requested_at: datetime) -> int:
        """Make useless what a letter requested then takes the place of.

        A token that was handed out with the same request stays good.
        """
        return self._store.revoke_superseded(user_id, purpose, requested_at)
