#!/usr/bin/env python3
"""How a password is hashed and verified."""

import re
from typing import Any, List, Optional

import bcrypt
import pytest

from vestibule.base.errors import InvalidInput
from vestibule.kernel.passwords import Passwords, is_usable, normal_form

PASSWORD = "correct horse battery"
CHEAP = Passwords(4)
SALT = b"$2b$04$abcdefghijklmnopqrstuu"
PLAIN = bcrypt.hashpw(PASSWORD.encode(), SALT).decode()

UNUSABLE: List[Optional[str]] = [
    None, "", " ", "!", "*", "x", PASSWORD, "$2b$04$short", "$2b$",
    "$2b$04$", "$1$abc", "$5$rounds=5000$abc$def", "$argon2id$v=19$m=1$a$b",
    PLAIN[:-1], PLAIN + "x", PLAIN + "\n", " " + PLAIN, PLAIN[1:],
    PLAIN.replace("$2b$", "$2x$"), PLAIN.replace("$2b$", "$2$"),
    PLAIN.replace("$2b$", "$3b$"), PLAIN.replace("$2b$", "$2B$"),
    PLAIN.replace("$04$", "$4$"), PLAIN.replace("$04$", "$ 4$"),
    PLAIN.replace("$04$", "$00$"), PLAIN.replace("$04$", "$03$"),
    PLAIN.replace("$04$", "$17$"), PLAIN.replace("$04$", "$31$"),
    PLAIN.replace("$04$", "$99$"), PLAIN.replace("$04$", "$\u0664\u0664$"),
    PLAIN[:28] + "v" + PLAIN[29:], PLAIN[:28] + "/" + PLAIN[29:],
    PLAIN[:10] + "\u00e9" + PLAIN[11:], PLAIN[:40] + "\0" + PLAIN[41:],
    PLAIN[:40] + "\ud800" + PLAIN[41:], PLAIN[:40] + "=" + PLAIN[41:],
    "{v1:}" + PLAIN, "{v1:A}" + PLAIN, "{v1:a", "{v1:a}", "{v1:a}!",
    "{v1: a}" + PLAIN, "{v1:a-b}" + PLAIN, "{v1:a:b}" + PLAIN,
    "{v2:a}" + PLAIN, "{v1:a}{v1}" + PLAIN, "{v1:" + "a" * 17 + "}" + PLAIN,
    "{v1:a}" + PLAIN[:-1], "{v1:a}" + PLAIN + "x", "{v1:\u0664}" + PLAIN,
    "{v1}", "{v1}!", "{v2}" + PLAIN, "{v1}{v1}" + PLAIN, "{V1}" + PLAIN,
    "pbkdf2:sha256:1000$salt$0123", "a" * 100000]


@pytest.mark.parametrize("stored", UNUSABLE)
def test_a_corrupt_hash_is_a_refusal_and_no_error(
        stored: Optional[str]) -> None:
    """R017: bcrypt 4.2 answers some of these with a panic."""
    assert not is_usable(stored)
    for password in (PASSWORD, "", "x" * 256, stored or "!"):
        try:
            assert not CHEAP.verify(password, stored)
        except InvalidInput:
            assert password == stored
    assert not CHEAP.is_outdated(stored)


@pytest.mark.parametrize("prefix", ["$2a$", "$2b$", "$2y$"])
def test_hashes_of_other_systems_verify(prefix: str) -> None:
    """R017: ``$2y$`` is PHP's name for what others call ``$2b$``."""
    stored = PLAIN.replace("$2b$", prefix)
    assert is_usable(stored)
    assert CHEAP.verify(PASSWORD, stored)
    assert not CHEAP.verify("wrong", stored)


@pytest.mark.parametrize("last", [".", "O", "e", "u"])
def test_a_salt_may_end_as_salts_do(last: str) -> None:
    """R017: four characters are possible there, the rest is corrupt."""
    made = bcrypt.hashpw(PASSWORD.encode(), SALT[:-1] + last.encode())
    assert CHEAP.verify(PASSWORD, made.decode())


def test_a_hash_says_scheme_and_cost_and_has_a_salt() -> None:
    """R024: two users with one password have different strings."""
    made = [Passwords(5).hash(PASSWORD).decode() for _ in range(2)]
    assert made[0] != made[1]
    for each in made:
        assert re.fullmatch(r"\$2b\$05\$[./A-Za-z0-9]{53}", each)
        assert Passwords(5).verify(PASSWORD, each)


@pytest.mark.parametrize("password, form", [
    ("a" * 72, r"\$2b\$"), ("\u00e9" * 36, r"\$2b\$"),
    ("\U0001f600" * 18, r"\$2b\$"),
    ("a" * 73, r"\{v1\}\$2b\$"), ("\u00e9" * 36 + "a", r"\{v1\}\$2b\$"),
    ("\U0001f600" * 19, r"\{v1\}\$2b\$"),
    ("\U0001f600" * 256, r"\{v1\}\$2b\$")])
def test_more_than_72_bytes_are_digested_first(
        password: str, form: str) -> None:
    """R021, R024: counted in bytes, and the stored prefix says which."""
    stored = CHEAP.hash(password).decode()
    assert re.fullmatch(form + r"04\$[./A-Za-z0-9]{53}", stored)
    assert len(stored) <= 64
    assert CHEAP.verify(password, stored)
    assert not CHEAP.verify(password[:-1], stored)


def test_bytes_past_72_matter() -> None:
    """R021: bcrypt 4 drops them in silence, bcrypt 5 refuses them."""
    for length in (72, 73, 100, 255):
        stored = CHEAP.hash("x" * length + "A").decode()
        assert CHEAP.verify("x" * length + "A", stored)
        assert not CHEAP.verify("x" * length + "B", stored)
        assert not CHEAP.verify("x" * length, stored)


def test_a_longer_password_never_matches_a_plain_hash() -> None:
    """R021: the stored prefix decides how to verify, not what is typed."""
    stored = CHEAP.hash("x" * 72).decode()
    assert CHEAP.verify("x" * 72, stored)
    assert not CHEAP.verify("x" * 73, stored)
    assert not CHEAP.verify("x" * 72 + "\u00e9", stored)
    assert not CHEAP.verify("x" * 71 + "\u00e9", stored)


def test_a_digested_hash_is_no_plain_one() -> None:
    """R024: the prefix is part of what is verified."""
    stored = CHEAP.hash("x" * 100).decode()
    assert not CHEAP.verify("x" * 100, stored[len("{v1}"):])
    assert not CHEAP.verify(PASSWORD, "{v1}" + PLAIN)


def test_a_password_is_taken_exactly_as_it_is_sent() -> None:
    """R014: no trim, no case folding, no truncation, NFC only."""
    stored = CHEAP.hash(" Pass w\u00f6rd ").decode()
    assert CHEAP.verify(" Pass w\u00f6rd ", stored)
    for other in ("Pass w\u00f6rd", " Pass w\u00f6rd", "Pass w\u00f6rd ",
                  " pass w\u00f6rd ", " PASS W\u00d6RD ", " Pass w\u00f6rd",
                  " Pass word ", " Pass  w\u00f6rd ", " Pass w\u00f6rd \n",
                  " Pass\u00a0w\u00f6rd "):
        assert not CHEAP.verify(other, stored)


@pytest.mark.parametrize("one, other, same", [
    ("\u00e9", "e\u0301", True), ("\ud55c", "\u1112\u1161\u11ab", True),
    ("\u212b", "\u00c5", True), ("\ufb01", "fi", False),
    ("\uff12", "2", False), ("\u00b2", "2", False),
    ("stra\u00dfe", "strasse", False), ("\u0130", "i\u0307", False)])
def test_only_canonical_variants_are_one_password(
        one: str, other: str, same: bool) -> None:
    """R023: NFC and NFD are equal, compatibility variants are not."""
    one, other = f"x{one}y", f"x{other}y"
    assert CHEAP.verify(one, CHEAP.hash(other).decode()) is same
    assert CHEAP.verify(other, CHEAP.hash(one).decode()) is same


@pytest.mark.parametrize("password", [
    "P\0P", "P\0", "\0P", "\0", "P\ud800", "\udfff", "\ud83d\ude00"])
def test_nul_and_lone_surrogates_are_refused(password: str) -> None:
    """R022, R090: bcrypt takes ``P`` and ``P\\0P`` for one password."""
    stored = CHEAP.hash("P").decode()
    verbs: List[Any] = [
        lambda: CHEAP.verify(password, stored),
        lambda: CHEAP.verify(password, None), lambda: CHEAP.hash(password)]
    for refuse in verbs:
        with pytest.raises(InvalidInput):
            refuse()


def test_any_other_character_will_do() -> None:
    """R019: no composition rules; spaces, controls and all of Unicode."""
    for password in (" ", "a", "\t\r\n", "\x7f", "\u0301", "\u200b", "\ufffe",
                     "\ufdd0", "\u202e", "\U0010ffff", "\U0001f600", "!!!!"):
        stored = CHEAP.hash(password).decode()
        assert CHEAP.verify(password, stored)
        assert not CHEAP.verify(password + "a", stored)


def test_sixty_four_wide_characters_are_verified_in_full() -> None:
    """R018: 192 bytes, the last of which counts like the first."""
    password = "\u4e2d" * 64
    stored = CHEAP.hash(password).decode()
    assert CHEAP.verify(password, stored)
    assert not CHEAP.verify(password[:-1] + "\u4e2e", stored)


def test_no_work_is_done_for_what_is_too_long(
        monkeypatch: pytest.MonkeyPatch) -> None:
    """R026: the length is looked at before anything is hashed."""
    def refuse(*given: bytes) -> bytes:
        """Fail, since bcrypt must not be asked at all."""
        raise AssertionError("bcrypt was asked")

    monkeypatch.setattr(bcrypt, "hashpw", refuse)
    monkeypatch.setattr(bcrypt, "checkpw", refuse)
    for password in ("x" * 257, "x" * 1000000, "e\u0301" * 500000,
                     "\u0344" * 2000):
        for stored in (PLAIN, None, "!"):
            with pytest.raises(InvalidInput):
                CHEAP.verify(password, stored)
        with pytest.raises(InvalidInput):
            CHEAP.hash(password)


def test_the_normal_form_names_the_field_at_fault() -> None:
    """R088: whoever asks says what the field is called."""
    assert normal_form("e\u0301") == "\u00e9"
    with pytest.raises(InvalidInput) as refusal:
        normal_form("\0", "new_password")
    assert refusal.value.errors == {"new_password": ["unusable_characters"]}


@pytest.mark.parametrize("cost", [-1, 0, 3, 17, 31, 99])
def test_a_cost_that_nobody_can_mean_is_refused(cost: int) -> None:
    """R025: below what bcrypt takes, or above what a person waits for."""
    with pytest.raises(ValueError, match="the bcrypt cost must be from 4"):
        Passwords(cost)


def test_a_cheaper_hash_is_outdated_and_a_dearer_one_is_not() -> None:
    """R016: the cost goes up at login, never down."""
    stored = Passwords(5).hash(PASSWORD).decode()
    assert Passwords(6).is_outdated(stored)
    assert Passwords(6).is_outdated("{v1}" + stored)
    assert not Passwords(5).is_outdated(stored)
    assert not Passwords(4).is_outdated(stored)
