#!/usr/bin/env python3
"""How a random secret is made, stored and compared.

A secret of ours has 256 random bits, so a plain SHA-256 of it cannot be
turned back by guessing (ASVS 5.0 11.4.4, 11.5.1): no salt and no slow hash
are needed, which are for passwords.
"""

import hashlib
import hmac
import secrets

SECRET_LENGTH = 43


def new_secret() -> str:
    """Return 256 random bits as 43 characters fit for a URL or a cookie.

    They come from the operating system; where that fails the failure is
    raised, and nothing weaker is put in its place.
    """
    return secrets.token_urlsafe(32)


def digest_of(secret: str) -> str:
    """Return the SHA-256 of a random secret, 64 hexadecimal digits."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def keyed_digest(key: str, text: str) -> str:
    """Return HMAC-SHA-256 of a text that is no random secret, as hex digits.

    Without the key nobody can find the text again by trying likely ones.
    """
    return hmac.new(key.encode("utf-8"),
                    text.encode("utf-8", "surrogatepass"),
                    hashlib.sha256).hexdigest()


def same(one: str, other: str) -> bool:
    """Compare two digests in constant time (ASVS 5.0 11.2.4)."""
    return hmac.compare_digest(one.encode("utf-8", "surrogatepass"),
                               other.encode("utf-8", "surrogatepass"))
