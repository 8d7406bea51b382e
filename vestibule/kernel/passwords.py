#!/usr/bin/env python3
"""What a password must be, and how one is hashed and verified.

bcrypt reads 72 bytes at most: some versions drop the rest in silence, others
refuse it. So a password of up to 72 UTF-8 bytes is hashed by plain bcrypt,
which any other system verifies, and a longer one is digested first; the
stored prefix says which (ASVS 5.0 6.2.8, CVE-2025-22228).
"""

import base64
import hashlib
import hmac
import re
import unicodedata
from typing import NamedTuple, Optional

import bcrypt

from vestibule.base.errors import InvalidInput

DEFAULT_COST = 12
MINIMUM_COST, MAXIMUM_COST = 4, 16
MAXIMUM_LENGTH = 256
BCRYPT_BYTES = 72
# A published constant, no secret: it only keeps our digests from being
# anybody else's HMAC of the same text.
DIGEST_KEY = b"vestibule password digest, version 1"
DIGESTED = "{v1}"
BCRYPT_HASH = re.compile(
    r"\$2[aby]\$(?P<cost>[0-9]{2})\$[./A-Za-z0-9]{21}[.Oeu][./A-Za-z0-9]{31}")


class _Stored(NamedTuple):
    """A stored hash taken apart."""

    digested: bool
    bcrypt_hash: str
    cost: int


class Passwords:
    """Judges, hashes and verifies passwords."""

    def __init__(self, cost: int = DEFAULT_COST, minimum: int = 1) -> None:
        """Hash with this bcrypt cost, take this many code points at least.

        Raises ``ValueError`` for a cost outside 4 to 16.
        """
        if not MINIMUM_COST <= cost <= MAXIMUM_COST:
            raise ValueError(
                f"the bcrypt cost must be from {MINIMUM_COST} to "
                f"{MAXIMUM_COST}, not {cost}")
        self._cost = cost
        self._minimum = minimum

    def check(self, password: str, field: str = "password") -> None:
        """Raise ``InvalidInput`` where this may not become a password.

        Reasons: ``required``, ``too_short``, ``too_long`` (counted in code
        points after NFC, NIST SP 800-63B-4 3.1.1.2), ``unusable_characters``
        (NUL, which bcrypt confuses, and lone surrogates). No composition
        rules: any other Unicode will do.
        """
        text = normal_form(password, field)
        if not text:
            raise InvalidInput({field: ["required"]})
        if len(text) < self._minimum:
            raise InvalidInput(
                {field: ["too_short"]},
                f"A password needs at least {self._minimum} characters.")

    def hash(self, password: str) -> bytes:
        """Return the salted, self-describing hash to store.

        The length of the result is at most 64 characters of ASCII.
        """
        text = normal_form(password)
        material = text.encode("utf-8")
        salt = bcrypt.gensalt(self._cost)
        if len(material) <= BCRYPT_BYTES:
            return bcrypt.hashpw(material, salt)
        hashed = bcrypt.hashpw(_digested(material), salt)
        return DIGESTED.encode("ascii") + hashed

    def verify(self, password: str, stored: Optional[str]) -> bool:
        """Say whether the password is the one behind the stored hash.

        A refusal costs one hash at the configured cost, whatever is stored:
        nothing, rubbish, a cheaper hash, or a plain one that this password
        is too long for. So time tells nothing (Django CVE-2024-39329).
        """
        material = normal_form(password).encode("utf-8")
        known = _taken_apart(stored)
        if known is None:
            self._spend(self._cost)
            return False
        if known.digested:
            material = _digested(material)
        fits = len(material) <= BCRYPT_BYTES
        right = bcrypt.checkpw(
            material[:BCRYPT_BYTES], known.bcrypt_hash.encode("ascii"))
        if right and fits:
            return True
        # 2^k + 2^k + 2^(k+1) + … + 2^(n-1) = 2^n: what a cheaper hash left
        # unspent is spent now.
        for cost in range(known.cost, self._cost):
            self._spend(cost)
        return False

    def is_outdated(self, stored: Optional[str]) -> bool:
        """Say whether a hash that verified is cheaper than today's."""
        known = _taken_apart(stored)
        return known is not None and known.cost < self._cost

    def _spend(self, cost: int) -> None:
        """Cost what a hash costs, for nothing."""
        bcrypt.hashpw(b"", bcrypt.gensalt(cost))


def is_usable(stored: Optional[str]) -> bool:
    """Say whether a stored hash is one that some password can verify."""
    return _taken_apart(stored) is not None


def normal_form(password: str, field: str = "password") -> str:
    """Return the password in NFC, its one form to be hashed.

    NFC alone: no trimming, no case folding, no compatibility forms. The
    length is looked at before any work is done (Django CVE-2013-1443).
    Raises ``InvalidInput`` for what cannot be a password at all.
    """
    # NFC shortens a text to no less than a third of its code points.
    if len(password) > 4 * MAXIMUM_LENGTH:
        raise InvalidInput({field: ["too_long"]})
    text = unicodedata.normalize("NFC", password)
    if len(text) > MAXIMUM_LENGTH:
        raise InvalidInput({field: ["too_long"]})
    if "\0" in text or any("\ud800" <= each <= "\udfff" for each in text):
        raise InvalidInput({field: ["unusable_characters"]})
    return text


def _digested(material: bytes) -> bytes:
    """Return 64 bytes, none of them NUL, that stand for any length."""
    keyed = hmac.new(DIGEST_KEY, material, hashlib.sha384)
    return base64.b64encode(keyed.digest())


def _taken_apart(stored: Optional[str]) -> Optional[_Stored]:
    """Return the parts of a stored hash, ``None`` where it is unusable.

    Everything is looked at before bcrypt sees it: bcrypt 4.2 answers some
    corrupt hashes with a panic that no ``except Exception`` catches.
    """
    if stored is None:
        return None
    digested = stored.startswith(DIGESTED)
    bcrypt_hash = stored[len(DIGESTED):] if digested else stored
    match = BCRYPT_HASH.fullmatch(bcrypt_hash)
    if match is None:
        return None
    cost = int(match.group("cost"))
    if not MINIMUM_COST <= cost <= MAXIMUM_COST:
        return None
    return _Stored(digested, bcrypt_hash, cost)
