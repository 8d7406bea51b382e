#!/usr/bin/env python3
"""Under which keys tries are counted, so that no row shows whom it is about.
"""

import ipaddress
from typing import List, Optional

from vestibule.base.digest import keyed_digest
from vestibule.base.limits import Limits
from vestibule.store.failure import Holder

# Addresses and identifiers fall into 2^20 slots each: whoever throws millions
# of them at us finds that the table has an end (requirement R082).
SLOT_DIGITS = 5
DEVICE_DIGITS = 32
NOWHERE = "unknown"
DEVICE_LIMIT = "password_device"


class ThrottleKeys:
    """Makes keys with the secret key; nobody else can tell them apart."""

    def __init__(self, secret: str) -> None:
        """Make keys with this secret key."""
        self._secret = secret

    def key(self, name: str, subject: str) -> str:
        """Return the key under which a limit counts a subject."""
        digits = DEVICE_DIGITS if name == DEVICE_LIMIT else SLOT_DIGITS
        digest = keyed_digest(self._secret, f"{name} {subject}")
        return f"{name}:{digest[:digits]}"

    def of_everybody(self) -> List[str]:
        """Return every key of what is counted for all together."""
        return self._of_kind("_all", "")

    def of_address(self, ip: Optional[str]) -> List[str]:
        """Return every key of a client's address."""
        return self._of_kind("_address", network_of(ip))

    def of_identifier(self, identifier: str) -> List[str]:
        """Return every key of an identifier, known or not."""
        return self._of_kind("_identifier", identifier)

    def of_device(self, user_id: str, device: str) -> str:
        """Return the key of a user's known device or session."""
        return self.key(DEVICE_LIMIT, f"{user_id} {device}")

    def holder(self, identifier: str, user_id: Optional[str]) -> Holder:
        """Return whose failures are counted; those of nobody cost the same.
        """
        if user_id is not None:
            return Holder(user_id, user_id)
        digest = keyed_digest(self._secret, f"nobody {identifier}")
        return Holder(f"nobody {digest[:SLOT_DIGITS]}")

    def _of_kind(self, kind: str, subject: str) -> List[str]:
        """Return every key of a subject of one kind."""
        return [self.key(name, subject) for name in Limits._fields
                if name.endswith(kind)]


def limit_of(key: str) -> str:
    """Return the name of the limit that counts under a key."""
    return key.partition(":")[0]


def network_of(ip: Optional[str]) -> str:
    """Return what counts as one client: an IPv4 address, or an IPv6 /64.

    Whoever has one IPv6 address has the 2^64 beside it (Better Auth
    CVE-2026-45364). What is no address counts as one client, too.
    """
    try:
        address = ipaddress.ip_address(ip or "")
    except ValueError:
        return NOWHERE
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped:
            return str(address.ipv4_mapped)
        return str(ipaddress.IPv6Network((int(address), 64), strict=False))
    return str(address)
