#!/usr/bin/env python3
"""Random secrets: how they are made, stored and compared."""

import base64
import hashlib
import hmac
import os
import random
import re
from typing import List

import pytest

from vestibule.base.digest import (
    SECRET_LENGTH, digest_of, keyed_digest, new_secret, same)
from vestibule.store.tables import new_id

SAMPLES = 10000


def bits_of(secret: str) -> int:
    """Return the random bits that a secret spells, as one number."""
    return int.from_bytes(base64.urlsafe_b64decode(secret + "="), "big")


def test_secrets_are_256_bits_that_differ_each_time() -> None:
    """R028: of 10000 no two are equal and no bit is fixed or lopsided.

    Each bit's share of ones is within ten standard deviations of a half.
    """
    secrets = [new_secret() for _ in range(SAMPLES)]
    assert len(set(secrets)) == SAMPLES
    ones = [0] * 256
    for secret in secrets:
        assert re.fullmatch(r"[A-Za-z0-9_-]{43}", secret)
        number = bits_of(secret)
        for position in range(256):
            ones[position] += number >> position & 1
    assert SECRET_LENGTH == 43
    assert 0.45 * SAMPLES < min(ones) <= max(ones) < 0.55 * SAMPLES


def test_without_entropy_nothing_is_made(
        monkeypatch: pytest.MonkeyPatch) -> None:
    """R141: the failure is raised; no weaker source takes over."""
    asked: List[int] = []

    def fail(count: int) -> bytes:
        """Fail as a system does that has no random device."""
        asked.append(count)
        raise OSError("no entropy")

    monkeypatch.setattr(os, "urandom", fail)
    # Newer Pythons ask by the name that `random` took at its import.
    monkeypatch.setattr(random, "_urandom", fail)
    for make in (new_secret, new_id):
        with pytest.raises(OSError, match="no entropy"):
            make()
    assert asked == [32, 16]


def test_a_digest_is_plain_sha256() -> None:
    """R057: 64 hexadecimal digits, the same for the same secret."""
    secret = new_secret()
    assert digest_of(secret) == hashlib.sha256(secret.encode()).hexdigest()
    assert digest_of(secret) != digest_of(secret.swapcase())


@pytest.mark.parametrize("rubbish", ["", "\ud800", "\0", "\U0001f600" * 999])
def test_whatever_is_presented_has_a_digest(rubbish: str) -> None:
    """R100: what people send instead of a secret is looked up, no more."""
    assert re.fullmatch(r"[0-9a-f]{64}", digest_of(rubbish))


def test_a_keyed_digest_needs_the_key() -> None:
    """R123: a likely text cannot be tried without knowing the key."""
    made = keyed_digest("key", "bob@example.com")
    assert made == hmac.new(
        b"key", b"bob@example.com", hashlib.sha256).hexdigest()
    assert made != keyed_digest("another key", "bob@example.com")
    assert made != digest_of("bob@example.com")


def test_digests_are_compared_whole() -> None:
    """R114: by ``hmac.compare_digest``, which sees every character."""
    digest = digest_of("a")
    assert same(digest, digest_of("a"))
    assert not same(digest, digest_of("b"))
    assert not same(digest, digest[:-1])
    assert not same(digest, digest + "0")
    assert not same(digest, "")
    assert not same("\u00e9", "e")
