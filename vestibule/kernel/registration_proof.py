#!/usr/bin/env python3
"""What a browser keeps of having registered: a proof for the first letter.

Whoever confirms an address shows by it that they chose the password too. It
is worth nothing by itself, and says nothing to whoever reads it.
"""

from datetime import datetime, timedelta

from vestibule.base.digest import keyed_digest, same
from vestibule.store.tables import from_microseconds, to_microseconds

LIFETIME = timedelta(hours=24)


def registration_proof(key: str, user_id: str, now: datetime) -> str:
    """Return the proof that its holder registered this user: one word."""
    expires = str(to_microseconds(now + LIFETIME))
    return f"{expires}.{_digest(key, user_id, expires)}"


def proves_registration(proof: str, key: str, user_id: str,
                        now: datetime) -> bool:
    """Say whether a proof is good, and of this user's registration."""
    expires, _, digest = proof.partition(".")
    if not same(digest, _digest(key, user_id, expires)):
        return False
    return now < from_microseconds(int(expires))


def _digest(key: str, user_id: str, expires: str) -> str:
    """Return what only the holder of the key can make."""
    return keyed_digest(key, f"registration {user_id} {expires}")
