#!/usr/bin/env python3
"""What may become a password, and the reasons why something may not."""

import time
import unicodedata
from typing import List

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from vestibule.base.errors import InvalidInput
from vestibule.kernel.blocklist import Blocklist
from vestibule.kernel.context_words import (
    is_little_more, words_of_email, words_of_host, words_of_name)
from vestibule.kernel.password_policy import (
    SENTENCES, PasswordPolicy, Person)

LISTED = Blocklist()
STRICT = PasswordPolicy(
    15, LISTED, words_of_name("Example") | words_of_host("id.example.com"))
LOWEST = PasswordPolicy(8, LISTED)
ANY = PasswordPolicy()
ADA = Person("ada.lovelace+home@mail.analytic.org", "Ada King-Lovelace")
# No lone surrogates and no NUL: all that a password may be made of.
TEXT = st.characters(blacklist_categories=["Cs"], blacklist_characters="\0")


def reasons(password: str, policy: PasswordPolicy = STRICT,
            person: Person = Person()) -> List[str]:
    """Return why a password may not become one, or nothing."""
    try:
        policy.check(password, "new_password", person)
    except InvalidInput as refusal:
        assert list(refusal.errors) == ["new_password"]
        return refusal.errors["new_password"]
    return []


def test_the_length_counts_code_points_after_nfc() -> None:
    """R018: at least the minimum, 256 at most."""
    policy = PasswordPolicy(15)
    assert reasons("\U0001f600" * 14, policy) == ["too_short"]
    assert reasons("\U0001f600" * 15, policy) == []
    assert reasons("e\u0301" * 14, policy) == ["too_short"]
    assert reasons("\u4e2d" * 64, policy) == []
    assert reasons("x" * 256, policy) == []
    assert reasons("x" * 257, policy) == ["too_long"]
    assert reasons("e\u0301" * 256, policy) == []
    assert reasons("e\u0301" * 257, policy) == ["too_long"]
    assert reasons("", policy) == ["required"]


@given(st.text(TEXT, max_size=40) | st.text("e\u0301\u1112\u1161", max_size=40)
       | st.integers(1, 300).map(lambda count: "e\u0301" * count))
def test_the_length_is_that_of_the_normal_form(text: str) -> None:
    """R018: whatever it is made of, one more or one less decides."""
    length = len(unicodedata.normalize("NFC", text))
    found = reasons(text, PasswordPolicy(15))
    assert found == (["required"] if length == 0 else
                     ["too_short"] if length < 15 else
                     ["too_long"] if length > 256 else [])


@settings(max_examples=300, deadline=None)
@given(st.lists(TEXT, min_size=15, max_size=256, unique=True))
def test_any_unicode_of_the_right_length_is_taken(
        characters: List[str]) -> None:
    """R019: no composition rules, also where all other rules hold.

    Each character stands there once, so that nothing is repeated.
    """
    text = "".join(characters)
    assume(15 <= len(unicodedata.normalize("NFC", text)) <= 256)
    assume(not LISTED.holds(text) and not LISTED.holds(text.strip()))
    assume(len(text.strip()) >= 8)
    assert reasons(text, STRICT, ADA) == []


@pytest.mark.parametrize("password", [
    "only small letters", "ONLY CAPITAL LETTERS", "8254917360548273",
    "!?$%&/()=+*#-_.:", "  blanks around it  ", "\u4e2d\u6587\u5bc6\u7801" +
    "\u5f88\u957f\u6ca1\u6709\u4eba\u77e5\u9053\u5b83\u662f\u4ec0\u4e48",
    "tabs\tand\nnew lines",
    "\U0001f600\U0001f601\U0001f602\U0001f603 and some words",
    "\u202eturned round for once", "\x7f\x01\x02 what is this"])
def test_nothing_has_to_be_in_a_password(password: str) -> None:
    """R019: digits alone, letters alone, blanks, controls and emoji."""
    assert reasons(password, STRICT, ADA) == []


@pytest.mark.parametrize("password", ["P\0P" * 9, "\0" * 20, "x" * 20 +
                                      "\ud800", "\udfff" + "x" * 20])
def test_what_cannot_be_stored_is_refused(password: str) -> None:
    """R022, R090: bcrypt takes ``P`` and ``P\\0P`` for one password."""
    for policy in (STRICT, LOWEST, ANY):
        assert reasons(password, policy) == ["unusable_characters"]


@pytest.mark.parametrize("password", [
    "passwordpassword", "PasswordPassword", "CORRECTHORSEBATTERYSTAPLE",
    "  passwordpassword ", "password1               ",
    "qwertyuiopqwertyuiop", "qwertyqwertyqwe", "password1password1",
    "Password1passWORD1pass", "aaaaaaaaaaaaaaa", " " * 15, "\u2603" * 15,
    "abc" * 5, "ab cd!" * 4, "1234567890" * 2, "x" * 256])
def test_a_common_password_is_refused(password: str) -> None:
    """R020: also in another case, padded with blanks, and repeated."""
    assert reasons(password) == ["common"]


def test_a_shorter_list_holds_for_whom_the_operator_lets_be_short() -> None:
    """R020: eight characters are the least that production can be set to.
    """
    for password in ("password", "12345678", "iloveyou", "Football1"):
        assert reasons(password, LOWEST) == ["common"]
    for password in ("k7%wQ2x!", "nbusyqzv"):
        assert reasons(password, LOWEST) == []


@pytest.mark.parametrize("password, expected", [
    ("ada.lovelace-1815", ["contains_email", "contains_name"]),
    ("AdaLovelace!!1815", ["contains_email", "contains_name"]),
    ("1815 Lovelace!.", ["contains_email", "contains_name"]),
    ("lovelacelovelace!", ["contains_email", "contains_name"]),
    ("ADA.LOVELACE+HOME", ["contains_email", "contains_name"]),
    ("ada king-lovelace", ["contains_email", "contains_name"]),
    ("mail.analytic.org", ["contains_email"]),
    ("King & King, King", ["contains_name"]),
    ("example, king: 181", ["contains_name", "contains_service"]),
    ("ada.lovelace+home@mail.analytic.org",
     ["contains_email", "contains_name"])])
def test_little_more_than_the_person_is_refused(
        password: str, expected: List[str]) -> None:
    """R020: the address, either side of it, the name, and their parts."""
    assert reasons(password, STRICT, ADA) == expected
    assert reasons(password, STRICT, Person("eve@other.test", "Eve")) == []


@pytest.mark.parametrize("password", [
    "example-example-1", "EXAMPLE example ex", "id.example.com 22",
    "(Example)(Example)"])
def test_little_more_than_the_service_is_refused(password: str) -> None:
    """R020: before anything is known of the person."""
    with pytest.raises(InvalidInput) as refusal:
        STRICT.check_alone(password)
    assert refusal.value.errors == {"password": ["contains_service"]}


@pytest.mark.parametrize("password", [
    "lovelace wrote the first program", "ada likes to dance in the rain",
    "an example of a longer passphrase", "kingdoms rise and kingdoms fall",
    "mailboxes are red in England", "My Example, my own"])
def test_a_passphrase_may_hold_a_word_of_the_person(password: str) -> None:
    """R020: the whole is compared, and no part of it (NIST SP 800-63B-4).
    """
    assert reasons(password, STRICT, ADA) == []


def test_short_words_are_in_no_list() -> None:
    """R020: three letters are in half of all passphrases."""
    assert reasons("ada? ada, ada foo!", STRICT, Person(
        "ada@a.io", "Ada Foo")) == []
    assert words_of_email("ada@a.io") == {"adaaio"}
    assert words_of_name("Ada Foo") == {"adafoo"}
    assert words_of_host("id.example.com:8443") == {
        "idexamplecom", "example"}


def test_words_and_passwords_are_compared_in_one_form() -> None:
    """R020: an umlaut is one letter, however it is written."""
    jose = Person("x@y.test", "Jose\u0301 Mu\u0308ller")
    assert reasons("JOS\u00c9 M\u00dcLLER 1234", STRICT, jose) == [
        "contains_name"]


@given(st.text(max_size=40), st.lists(st.text(
    "ab", min_size=4, max_size=9), max_size=5))
def test_what_holds_no_word_is_never_little_more(
        text: str, words: List[str]) -> None:
    """R019: the rule about words says nothing about other passwords."""
    folded = "".join(each for each in text.casefold() if each.isalnum())
    if not any(word in folded for word in words):
        assert not is_little_more(text, words)


def test_several_reasons_are_given_at_once() -> None:
    """R020: each of them in words of its own."""
    policy = PasswordPolicy(8, LISTED, words_of_name("Password"))
    with pytest.raises(InvalidInput) as refusal:
        policy.check("password")
    assert refusal.value.errors == {
        "password": ["common", "contains_service"]}
    assert refusal.value.message == (
        f"{SENTENCES['common']} {SENTENCES['contains_service']}")


def test_a_short_password_is_told_the_minimum() -> None:
    """R018: a person has to know what would do."""
    with pytest.raises(InvalidInput) as refusal:
        STRICT.check("short", "new_password")
    assert refusal.value.errors == {"new_password": ["too_short"]}
    assert refusal.value.message == (
        "A password needs at least 15 characters.")


def test_each_reason_has_a_sentence_of_its_own() -> None:
    """R020: a person reads words and no codes."""
    assert len(set(SENTENCES.values())) == len(SENTENCES)
    for sentence in SENTENCES.values():
        assert sentence[0].isupper() and sentence.endswith(".")


def test_in_development_and_as_a_library_any_password_will_do() -> None:
    """Only the empty one will not, and what cannot be stored."""
    for password in ("a", " ", "password", "ada", ADA.email, "x" * 256):
        assert reasons(password, ANY, ADA) == []
    assert reasons("", ANY) == ["required"]


def test_no_work_is_done_for_what_is_too_long() -> None:
    """R026: a megabyte costs less than 20 ms, and what is legal not more.
    """
    person = Person("a.b.c.d.e@" + "label." * 30 + "org", "name " * 40)
    for password, wanted in (
            ("x" * 1000000, ["too_long"]), ("e\u0301" * 500000, ["too_long"]),
            ("ab" * 128, ["common"]), ("\ufb03" * 256, ["common"]),
            ("label" * 51, ["common"])):
        reasons(password, STRICT, person)
        started = time.process_time()
        assert reasons(password, STRICT, person) == wanted
        assert time.process_time() - started < 0.02
