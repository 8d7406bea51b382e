#!/usr/bin/env python3
"""How a password is hashed and verified.

bcrypt reads 72 bytes at most: some versions drop the rest in silence, others
refuse it. So a password of up to 72 UTF-8 bytes is hashed by plain bcrypt,
which any other system verifies, and a longer one is digested first; the
stored prefix says which (ASVS 5.0 6.2.8, CVE-2025-22228). With a pepper every
password is digested, and the prefix names the pepper.
"""

import base64
import hashlib
import hmac
import re
import unicodedata
from typing import NamedTuple, Optional

import bcrypt

from vestibule.base.errors import InvalidInput
from vestibule.kernel.hashing import STRANGER, Asker, Hashing
from vestibule.kernel.peppers import Peppers, prefix_of

DEFAULT_COST = 12
MINIMUM_COST, MAXIMUM_COST = 4, 16
MAXIMUM_LENGTH = 256
BCRYPT_BYTES = 72
# A published constant, no secret: it only keeps our digests from being
# anybody else's HMAC of the same text.
DIGEST_KEY = b"vestibule password digest, version 1"
DIGESTED = "{v1}"
STORED = re.compile(
    r"(?P<digested>\{v1(:(?P<key_id>[a-z0-9]{1,16}))?\})?"
    r"(?P<bcrypt_hash>\$2[aby]\$(?P<cost>[0-9]{2})\$"
    r"[./A-Za-z0-9]{21}[.Oeu][./A-Za-z0-9]{31})")


class _Stored(NamedTuple):
    """A stored hash taken apart; ``key_id`` is its pepper's."""

    digested: bool
    key_id: Optional[str]
    bcrypt_hash: str
    cost: int


class Passwords:
    """Hashes and verifies passwords; ``PasswordPolicy`` judges them."""

    def __init__(self, cost: int = DEFAULT_COST,
                 peppers: Optional[Peppers] = None,
                 hashing: Optional[Hashing] = None) -> None:
        """Hash with this bcrypt cost, and with a pepper if there is one.

        ``hashing`` says how much is hashed at once; by default everybody
        does so in their own thread. Beyond it the verbs raise ``Busy``.
        Raises ``ValueError`` for a cost outside 4 to 16.
        """
        if not MINIMUM_COST <= cost <= MAXIMUM_COST:
            raise ValueError(
                f"the bcrypt cost must be from {MINIMUM_COST} to "
                f"{MAXIMUM_COST}, not {cost}")
        self._cost = cost
        self.peppers = peppers or Peppers()
        self.hashing = hashing or Hashing()

    def hash(self, password: str, asker: Asker = STRANGER) -> bytes:
        """Return the salted, self-describing hash to store.

        The length of the result is at most 81 characters of ASCII. Raises
        ``Unavailable`` while a pepper is missing or wrong.
        """
        material = normal_form(password).encode("utf-8")
        self.peppers.require_sound()
        return self.hashing.run(
            lambda: self._hashed(material, self._cost), asker)

    def hash_anew(self, password: str, stored: Optional[str],
                  asker: Asker = STRANGER) -> bytes:
        """Return a hash to take the place of one that is outdated.

        A cost that is higher than today's is kept (requirement R016).
        """
        known = _taken_apart(stored)
        cost = self._cost if known is None else max(known.cost, self._cost)
        material = normal_form(password).encode("utf-8")
        return self.hashing.run(lambda: self._hashed(material, cost), asker)

    def verify(self, password: str, stored: Optional[str],
               asker: Asker = STRANGER) -> bool:
        """Say whether the password is the one behind the stored hash.

        A refusal costs one hash at the configured cost, whatever is stored:
        nothing, rubbish, a cheaper hash, one with a pepper that is not set,
        or a plain one that this password is too long for. So time tells
        nothing (Django CVE-2024-39329). All of it is done in one go, after
        one wait. Raises ``Unavailable`` while a pepper is missing or wrong,
        for everybody alike.
        """
        material = normal_form(password).encode("utf-8")
        self.peppers.require_sound()
        known = _taken_apart(stored)
        key = None if known is None else self._key_of(known)
        if known is None or key is None:
            if known is not None:
                self.peppers.doubt()
            self.hashing.run(lambda: self._spend(self._cost), asker)
            return False
        if known.digested:
            material = _digested(key, material)
        stands = known
        return self.hashing.run(
            lambda: self._fits(material, stands), asker)

    def is_outdated(self, stored: Optional[str]) -> bool:
        """Say whether a hash that verified is not as today's are.

        That is a cheaper one, and one with another pepper, or none.
        """
        known = _taken_apart(stored)
        if known is None:
            return False
        pepper = self.peppers.current
        key_id = None if pepper is None else pepper.key_id
        return known.cost < self._cost or known.key_id != key_id

    def fault_of(self, stored: Optional[str]) -> Optional[str]:
        """Return why no password can verify a stored hash, if that is so."""
        known = _taken_apart(stored)
        if known is None:
            return "unusable_hash"
        return "unknown_pepper" if self._key_of(known) is None else None

    def _fits(self, material: bytes, known: _Stored) -> bool:
        """Say whether a stored hash is of this, at the cost of today's."""
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

    def _hashed(self, material: bytes, cost: int) -> bytes:
        """Return the hash of a password, with its prefix."""
        salt, pepper = bcrypt.gensalt(cost), self.peppers.current
        if pepper is not None:
            prefix, key = prefix_of(pepper), pepper.secret.encode("utf-8")
        elif len(material) > BCRYPT_BYTES:
            prefix, key = DIGESTED, DIGEST_KEY
        else:
            return bcrypt.hashpw(material, salt)
        return prefix.encode("ascii") + bcrypt.hashpw(
            _digested(key, material), salt)

    def _key_of(self, known: _Stored) -> Optional[bytes]:
        """Return the key of a digested hash, ``None`` where it is not set.

        A plain hash has no need of one.
        """
        if known.key_id is None:
            return DIGEST_KEY
        return self.peppers.secret_of(known.key_id)

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


def _digested(key: bytes, material: bytes) -> bytes:
    """Return 64 bytes, none of them NUL, that stand for any length."""
    keyed = hmac.new(key, material, hashlib.sha384)
    return base64.b64encode(keyed.digest())


def _taken_apart(stored: Optional[str]) -> Optional[_Stored]:
    """Return the parts of a stored hash, ``None`` where it is unusable.

    Everything is looked at before bcrypt sees it: bcrypt 4.2 answers some
    corrupt hashes with a panic that no ``except Exception`` catches.
    """
    if stored is None:
        return None
    match = STORED.fullmatch(stored)
    if match is None:
        return None
    cost = int(match.group("cost"))
    if not MINIMUM_COST <= cost <= MAXIMUM_COST:
        return None
    return _Stored(match.group("digested") is not None,
                   match.group("key_id"), match.group("bcrypt_hash"), cost)
