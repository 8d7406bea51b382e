#!/usr/bin/env python3
"""Any password that was set verifies, and nothing else does.

Hypothesis makes the passwords, out of all of Unicode. What bcrypt itself
does with bytes beyond 72 and with NUL depends on its version; these rules
hold on all that are taken.
"""

import unicodedata
from typing import Iterator, List, Tuple

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as some

from vestibule.base.errors import InvalidInput
from vestibule.base.setting_values import Pepper
from vestibule.kernel.passwords import (
    BCRYPT_BYTES, MAXIMUM_LENGTH, Passwords)
from vestibule.kernel.peppers import Peppers

OLD = Pepper("old", "zyxwvutsrqponmlkjihgfedcba987654")
NEW = Pepper("new", "0123456789abcdefghijklmnopqrstuv")
PLAIN = Passwords(4)
PEPPERED = Passwords(4, Peppers(NEW, [OLD]))
BOTH = pytest.mark.parametrize(
    "passwords", [PLAIN, PEPPERED], ids=["plain", "peppered"])
# Letters with forms of their own in NFC, NFD and NFKC, and none of the kind.
TRICKY = "\u00e9e\u0301\u212b\ufb01\uff12\u00b2\u00df\u0130\u1112\u1161\u11ab"
CHARACTERS = some.one_of(
    some.sampled_from(TRICKY + "aA \t\u200b\U0001f600"),
    some.characters(blacklist_categories=["Cs"],
                    blacklist_characters="\0"))
WORDS = some.text(CHARACTERS, min_size=1, max_size=40).filter(
    lambda text: 0 < len(nfc(text)) <= MAXIMUM_LENGTH)
LONG_WORDS = some.text(CHARACTERS, min_size=30, max_size=200).filter(
    lambda text: len(nfc(text)) <= MAXIMUM_LENGTH)
# A hash takes its time, at the least cost as well.
FEW = settings(max_examples=60, deadline=None, suppress_health_check=[
    HealthCheck.too_slow, HealthCheck.filter_too_much])


def nfc(text: str) -> str:
    """Return the one form in which a password is hashed."""
    return unicodedata.normalize("NFC", text)


def verifies(passwords: Passwords, typed: str, stored: str) -> bool:
    """Say whether something typed is let in; what is refused is not."""
    try:
        return passwords.verify(typed, stored)
    except InvalidInput:
        return False


def boundaries(material: bytes) -> Iterator[str]:
    """Yield what is left of a password cut at bytes from the 72nd on.

    Cuts inside of a character leave no text and are passed over.
    """
    for end in range(BCRYPT_BYTES, len(material)):
        try:
            yield material[:end].decode("utf-8")
        except UnicodeDecodeError:
            pass


@BOTH
@FEW
@given(password=some.one_of(WORDS, LONG_WORDS))
def test_what_was_set_verifies_in_every_canonical_form(
        passwords: Passwords, password: str) -> None:
    """R019, R023: as it was typed, and NFC and NFD are one."""
    stored = passwords.hash(password).decode()
    for form in ("NFC", "NFD"):
        typed = unicodedata.normalize(form, password)
        assert passwords.verify(typed, stored)
    assert passwords.verify(password, stored)
    assert not passwords.is_outdated(stored)


@BOTH
@FEW
@given(password=some.one_of(WORDS, LONG_WORDS), other=WORDS)
def test_nothing_else_verifies(
        passwords: Passwords, password: str, other: str) -> None:
    """R014, R022, R023: no other text, case, blank, NUL or NFKC variant."""
    stored = passwords.hash(password).decode()
    others: List[str] = [
        other, password + other, other + password, password[:-1],
        password[1:], password * 2, password + " ", " " + password,
        password.strip(), password.upper(), password.lower(),
        password.casefold(), password.swapcase(), password + "\0",
        password + "\0x", "\0" + password, password[:1] + "\0" + password[1:],
        unicodedata.normalize("NFKC", password),
        unicodedata.normalize("NFKD", password), stored, ""]
    for typed in others:
        if nfc(typed) != nfc(password):
            assert not verifies(passwords, typed, stored)


@BOTH
@settings(FEW, max_examples=15)
@given(password=LONG_WORDS)
def test_no_truncation_verifies(passwords: Passwords, password: str) -> None:
    """R021: cut at each byte from the 72nd on, or changed behind it."""
    material = nfc(password).encode("utf-8")
    assume(len(material) > BCRYPT_BYTES)
    stored = passwords.hash(password).decode()
    assert passwords.verify(password, stored)
    for typed in boundaries(material):
        if nfc(typed) != nfc(password):
            assert not passwords.verify(typed, stored)


@FEW
@given(head=some.text("abc", min_size=72, max_size=90),
       tails=some.tuples(WORDS, WORDS))
def test_what_follows_72_bytes_matters(
        head: str, tails: Tuple[str, str]) -> None:
    """R021: with a pepper, without, and on a plain hash of the head."""
    one, other = (head + tail for tail in tails)
    assume(nfc(one) != nfc(other))
    for passwords in (PLAIN, PEPPERED):
        stored = passwords.hash(one).decode()
        assert passwords.verify(one, stored)
        assert not passwords.verify(other, stored)
        cut = passwords.hash(head[:72]).decode()
        assert not passwords.verify(one, cut)


@FEW
@given(password=WORDS)
def test_a_hash_is_good_for_its_own_pepper_alone(password: str) -> None:
    """R024, R027: the stored prefix decides, and it cannot be exchanged."""
    with_old = Passwords(4, Peppers(OLD)).hash(password).decode()
    assert with_old.startswith("{v1:old}$2b$04$")
    assert PEPPERED.verify(password, with_old)
    assert PEPPERED.is_outdated(with_old)
    assert not PLAIN.verify(password, with_old)
    bare = with_old[len("{v1:old}"):]
    for prefix in ("", "{v1}", "{v1:new}"):
        assert not PEPPERED.verify(password, prefix + bare)
    renewed = PEPPERED.hash_anew(password, with_old).decode()
    assert renewed.startswith("{v1:new}") and PEPPERED.verify(
        password, renewed)


@FEW
@given(password=some.text(max_size=30), place=some.integers(0, 30))
def test_nul_and_lone_surrogates_never_get_anywhere(
        password: str, place: int) -> None:
    """R022: refused alike with any hash, before any work."""
    for bad in ("\0", "\ud800", "\udfff"):
        typed = password[:place] + bad + password[place:]
        for passwords in (PLAIN, PEPPERED):
            for stored in (None, "!", passwords.hash("x").decode()):
                with pytest.raises(InvalidInput):
                    passwords.verify(typed, stored)
            with pytest.raises(InvalidInput):
                passwords.hash(typed)
