#!/usr/bin/env python3
"""Known devices: what a browser keeps of having signed somebody in.

It lets nobody in. It only has tries of its own, so that strangers who guess
cannot keep the owner out (OWASP, "Slow Down Online Guessing Attacks with
Device Cookies").
"""

import re
import secrets
from datetime import timedelta
from typing import Optional

from vestibule.base.digest import keyed_digest, same
from vestibule.base.origin import Origin

MOST_USERS = 5
# How long a browser keeps it since the last login: as long as it keeps any
# cookie at all.
KNOWN_FOR = timedelta(days=400)
COOKIE = re.compile(r"(?P<device>[0-9a-f]{32})(?P<proofs>(\.[0-9a-f]{32})*)")


class KnownDevices:
    """Signs and reads the device cookie: a random id, and a proof a user."""

    def __init__(self, key: str) -> None:
        """Sign with the secret key; without one no device is known."""
        self._key = key

    def behind(self, origin: Origin,
               user_id: Optional[str]) -> Optional[str]:
        """Return the known device or the session that a request comes from.
        """
        if user_id is None:
            return None
        if origin.session_id is not None:
            return origin.session_id
        return self.known(origin.device, user_id)

    def known(self, cookie: Optional[str], user_id: str) -> Optional[str]:
        """Return the device's id where this user has signed in on it."""
        match = COOKIE.fullmatch(cookie or "")
        if match is None or not self._key:
            return None
        device = match.group("device")
        proof = self._proof(device, user_id)
        # All are compared, so that time does not tell which it is.
        fits = [same(each, proof)
                for each in match.group("proofs").split(".")[1:]]
        return device if any(fits) else None

    def remember(self, cookie: Optional[str], user_id: str) -> str:
        """Return the cookie of a device on which a user has just signed in.

        The others who did so stay known, the last five of them.
        """
        fresh = secrets.token_hex(16)
        device, *others = (
            cookie if cookie and COOKIE.fullmatch(cookie) else fresh
        ).split(".")
        proof = self._proof(device, user_id)
        kept = [proof] + [each for each in others if each != proof]
        return ".".join([device] + kept[:MOST_USERS])

    def _proof(self, device: str, user_id: str) -> str:
        """Return what only the holder of the key can make."""
        return keyed_digest(self._key, f"device {device} {user_id}")[:32]
