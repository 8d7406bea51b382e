#!/usr/bin/env python3
"""An API whose pool a test fills, so that there is no room for hashing."""

from contextlib import contextmanager
from typing import Iterator

from tests.support.gate import Crowd, Gate
from tests.support.processes import CHEAPEST
from tests.support.recovery import KEY
from vestibule.base.limits import DEFAULTS, Limits
from vestibule.kernel.auth import Auth, Rules
from vestibule.kernel.hashing import Asker, Bounds, Hashing
from vestibule.kernel.passwords import Passwords
from vestibule.kernel.throttle import Throttle
from vestibule.store.db import DB

PLACES = 6


def pooled(db: DB, limits: Limits = DEFAULTS, cost: int = CHEAPEST) -> Auth:
    """Return an API within limits that hashes in a pool, as a service."""
    hashing = Hashing(Bounds(1, PLACES))
    return Auth(db, Passwords(cost, hashing=hashing), KEY,
                rules=Rules(throttle=Throttle(db, KEY, limits)))


@contextmanager
def full(auth: Auth, taken: int = PLACES) -> Iterator[Crowd]:
    """Take so many places for a while; whoever comes is refused at once."""
    people, gate = Crowd(auth.passwords.hashing), Gate()
    try:
        people.set_to_work(gate)
        for _ in range(taken - 1):
            people.ask_in_turn(gate.work, Asker(known=True))
        yield people
    finally:
        gate.open()
        people.go()


@contextmanager
def too_slow(auth: Auth) -> Iterator[Crowd]:
    """Let whoever comes wait in vain for a while, and not for long."""
    hashing = auth.passwords.hashing
    bounds: Bounds = getattr(hashing, "_bounds")
    with full(auth, taken=1) as people:
        setattr(hashing, "_bounds", bounds._replace(patience=0.0))
        try:
            yield people
        finally:
            setattr(hashing, "_bounds", bounds)
