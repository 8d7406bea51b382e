#!/usr/bin/env python3
"""APIs and services whose limits a test can meet."""

from functools import partial
from typing import Any, Optional, Sequence

from tests.support.builders import EMAIL, PASSWORD
from tests.support.processes import CHEAPEST, Action, Processes
from tests.support.recovery import KEY
from vestibule.base.clock import Clock
from vestibule.base.errors import (
    InvalidCredentials, InvalidInput, Throttled)
from vestibule.base.limits import DEFAULTS, Limits
from vestibule.base.origin import Origin
from vestibule.kernel.auth import Auth, Rules
from vestibule.kernel.passwords import Passwords
from vestibule.kernel.throttle import Throttle
from vestibule.store.db import DB

HERE = Origin("192.0.2.7", "Browser", "request-7")
IN, REFUSED, THROTTLED = "in", "refused", "throttled"
UNFIT = "unfit"


def limited(db: DB, limits: Limits = DEFAULTS, key: str = KEY) -> Auth:
    """Return an API within these limits, hashing at the least cost."""
    return Auth(db, Passwords(CHEAPEST), key,
                rules=Rules(throttle=Throttle(db, key, limits)))


def limited_processes(database_url: str, actions: Sequence[Action],
                      limits: Limits = DEFAULTS,
                      clock: Optional[Clock] = None) -> Processes:
    """Return processes that act on a limited API of their own each."""
    return Processes(
        partial(_open_limited, database_url, limits, clock), actions)


def outcome(auth: Auth, email: str = EMAIL, password: str = PASSWORD,
            origin: Origin = HERE) -> str:
    """Try a password once; return what comes of it, in one word."""
    try:
        auth.authenticate(email, password, origin)
    except InvalidCredentials:
        return REFUSED
    except Throttled:
        return THROTTLED
    except InvalidInput:
        return UNFIT
    return IN


def outcomes(auth: Auth, tries: int, **how: Any) -> str:
    """Try a password many times; return the one thing that comes of it."""
    found = {outcome(auth, **how) for _ in range(tries)}
    assert len(found) == 1, found
    return found.pop()


def at(ip: Optional[str], device: Optional[str] = None,
       session_id: Optional[str] = None) -> Origin:
    """Return where a request from this address comes from."""
    return Origin(ip, "Browser", "request-7", session_id, device)


def _open_limited(database_url: str, limits: Limits,
                  clock: Optional[Clock]) -> Auth:
    """Return a limited API whose first connection is made already."""
    auth = limited(DB(database_url, clock), limits)
    auth.db.list_users(1)
    return auth
