#!/usr/bin/env python3
"""Idempotency: a request that is repeated under one key is done once.

A client that lost the answer sends the request again, under the same
``Idempotency-Key``, and gets that answer (draft-ietf-httpapi-idempotency-
key-header-07).
"""

import json
from datetime import datetime, timedelta
from typing import Dict, NamedTuple, Optional, Union

from vestibule.base.digest import keyed_digest, same
from vestibule.base.errors import Conflict, InvalidInput
from vestibule.store.db import DB
from vestibule.store.idempotency import IdempotencyStore, IdempotentRequest

LIFETIME = timedelta(hours=24)
# Whoever has not answered by then was killed: a request takes seconds.
LONGEST_RUN = timedelta(minutes=2)
MOST_MISMATCHES = 5
FIELD = "Idempotency-Key"


class StoredAnswer(NamedTuple):
    """What was answered the first time: never with a cookie."""

    status: int
    body: str


class Idempotency:
    """Remembers requests by their keys, across processes, for a day."""

    def __init__(self, db: DB, key: str) -> None:
        """Keep them in this database; ``key`` is the secret key."""
        self._db = db
        self._key = key
        self._store = IdempotencyStore(db)

    def begin(self, key: str, request: Dict[str, str]
              ) -> Union[IdempotentRequest, StoredAnswer]:
        """Claim a key for a request, or return the answer that it had.

        What is returned is a ticket, to be given to ``finish`` within the
        transaction that does the work, or to ``give_up``. Raises
        ``InvalidInput`` where another request came under this key, and
        ``Conflict`` while this one is still being worked on.
        """
        begun = self._new(key, request)
        # The second time round, what stood in the way is gone.
        for _ in range(2):
            if self._store.add(begun):
                return begun
            known = self._known(begun)
            if known is None:
                continue
            if not self._is_same(known, begun):
                raise InvalidInput(
                    {FIELD: ["used_for_another_request"]},
                    "Another request was sent under this Idempotency-Key.")
            if known.status is not None:
                return StoredAnswer(known.status, known.body or "")
            raise _running()
        raise _running()

    def _known(self, begun: IdempotentRequest
               ) -> Optional[IdempotentRequest]:
        """Return the request that holds the key, unless it is over.

        It is over after a day, and when it was never answered; the key is
        free then. Another request is counted, in the same transaction in
        which it is compared.
        """
        with self._db.transaction():
            known = self._store.lock(begun.key_digest)
            if known is None:
                return None
            if _is_over(known, begun.started_at):
                self._store.remove(known)
                return None
            if not same(known.request_digest, begun.request_digest):
                self._store.count_mismatch(known.key_digest)
        return known

    def _is_same(self, known: IdempotentRequest,
                 begun: IdempotentRequest) -> bool:
        """Say whether a request is the one that is known under its key.

        After five others none is: a password is in the request, and a key
        that can be guessed must not let anybody try passwords for nothing.
        """
        return (known.mismatches < MOST_MISMATCHES
                and same(known.request_digest, begun.request_digest))

    def finish(self, begun: IdempotentRequest, status: int,
               body: str) -> None:
        """Keep the answer, in the transaction of the work that it is about.

        Raises ``Conflict`` where somebody else took the request over, for
        it had run too long: the work is undone with the transaction.
        """
        if not self._store.answer(begun, status, body):
            raise _running()

    def give_up(self, begun: IdempotentRequest) -> None:
        """Free the key of a request that was refused, to be sent anew."""
        self._store.give_up(begun)

    def _new(self, key: str, request: Dict[str, str]) -> IdempotentRequest:
        """Return a request that begins now."""
        now = self._db.clock.now()
        text = json.dumps(request, sort_keys=True)
        return IdempotentRequest(
            key_digest=keyed_digest(self._key, f"idempotency key {key}"),
            request_digest=keyed_digest(
                self._key, f"idempotent request {text}"),
            started_at=now, expires_at=now + LIFETIME)


def _is_over(known: IdempotentRequest, now: datetime) -> bool:
    """Say whether a key is free again."""
    killed = (known.status is None
              and now - known.started_at >= LONGEST_RUN)
    return known.expires_at <= now or killed


def _running() -> Conflict:
    """Return the refusal of a request that is being worked on already."""
    return Conflict("This request is still running: send it again in a "
                    "moment.", "request_running")
