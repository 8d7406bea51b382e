#!/usr/bin/env python3
"""Hash work, counted at bcrypt itself, in units of its inner loop.

A hash of cost n takes 2 to the n of them.
"""

from typing import Any, Callable, List

import bcrypt
import pytest


class Work:
    """Counts what bcrypt is asked to do, and lets it be done."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        """Stand between the product and its library from now on."""
        self.units: List[int] = []
        hashpw: Callable[[bytes, bytes], bytes] = bcrypt.hashpw
        checkpw: Callable[[bytes, bytes], bool] = bcrypt.checkpw

        def counted_hashpw(password: bytes, salt: bytes) -> bytes:
            """Hash and count it."""
            self.units.append(2 ** int(salt[4:6]))
            return hashpw(password, salt)

        def counted_checkpw(password: bytes, hashed: bytes) -> bool:
            """Verify and count it."""
            self.units.append(2 ** int(hashed[4:6]))
            return checkpw(password, hashed)

        patch.setattr(bcrypt, "hashpw", counted_hashpw)
        patch.setattr(bcrypt, "checkpw", counted_checkpw)

    def of(self, action: Callable[[], Any]) -> int:
        """Return how much work an action costs."""
        self.units.clear()
        action()
        return sum(self.units)
