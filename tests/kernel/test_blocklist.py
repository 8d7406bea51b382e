#!/usr/bin/env python3
"""The bundled list of common passwords, and how it is looked through."""

import tracemalloc
import unicodedata
from pathlib import Path
from typing import List

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.papers import ROOT
from vestibule.kernel.blocklist import FILE, WIDTH, Blocklist, entry_of

LISTED = Blocklist()
MEGABYTE = 1024 * 1024
COMMON = ["password", "12345678", "qwertyuiop", "1q2w3e4r5t", "iloveyou",
          "correcthorsebatterystaple", "passwordpassword",
          "123456789012345", "aaaaaaaaaaaaaaa", "qwertyuiopasdfghjkl"]


@pytest.mark.parametrize("text", COMMON)
def test_a_common_password_is_listed_in_any_case(text: str) -> None:
    """R020: who writes it in capitals is not the first to do so."""
    for variant in (text, text.upper(), text.title()):
        assert LISTED.holds(variant)


@pytest.mark.parametrize("text", [
    "correct horse battery staple", "", " ", "x", "four new words instead",
    "a password that nobody else has", "\U0001f600" * 15, "\u4e2d" * 64])
def test_another_password_is_not_listed(text: str) -> None:
    """R020: the whole is compared, and no part of it."""
    assert not LISTED.holds(text)


def test_one_letter_more_is_another_password() -> None:
    """R020: nothing is cut off or taken for equal."""
    for text in COMMON:
        assert not LISTED.holds(text + "\u2603")
        assert not LISTED.holds("\u2603" + text)


def test_the_list_is_sorted_and_long_enough() -> None:
    """R020: a hundred thousand and more, each once, in order."""
    content = FILE.read_bytes()
    assert len(content) % WIDTH == 0
    entries = [content[first:first + WIDTH]
               for first in range(0, len(content), WIDTH)]
    assert len(entries) > 300000
    assert all(one < other for one, other in zip(entries, entries[1:]))


def test_the_list_costs_little_memory() -> None:
    """R020: less than 20 MB, while it is loaded and after."""
    tracemalloc.start()
    try:
        assert Blocklist().holds(COMMON[0])
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 3 * MEGABYTE


def test_the_list_is_read_when_it_is_first_asked(tmp_path: Path) -> None:
    """R020: commands that set no password do not wait for it."""
    file = tmp_path / "list"
    blocklist = Blocklist(file)
    file.write_bytes(entry_of("first"))
    assert blocklist.holds("first")
    file.unlink()
    assert blocklist.holds("First")
    assert not blocklist.holds("second")


@given(st.lists(st.text(max_size=6), max_size=40), st.text(max_size=6))
def test_bisection_finds_all_and_nothing_else(
        texts: List[str], other: str) -> None:
    """R020: the first and the last entry, and lists of none and of one."""
    entries = {entry_of(text) for text in texts if _fit(text)}
    blocklist = Blocklist()
    blocklist._loaded = b"".join(sorted(entries))
    for text in texts:
        assert not _fit(text) or blocklist.holds(text)
    if _fit(other):
        assert blocklist.holds(other) is (entry_of(other) in entries)


@given(st.text(max_size=20).filter(lambda text: _fit(text)))
def test_the_form_and_the_case_do_not_matter(text: str) -> None:
    """R020: whoever types NFD or capitals finds the same entry."""
    decomposed = unicodedata.normalize("NFD", text)
    assert entry_of(decomposed) == entry_of(text)
    assert entry_of(text.casefold()) == entry_of(text)


def test_the_sources_and_their_licences_are_named() -> None:
    """The licences want their notices in every copy."""
    notice = (ROOT / "NOTICE").read_text(encoding="utf-8")
    for holder in ("Copyright (c) 2025 Seantis GmbH",
                   "Copyright (c) 2025 Daniel Miessler",
                   "Copyright (c) 2012-2016 Dan Wheeler and Dropbox, Inc.",
                   "Copyright (c) Django Software Foundation",
                   "MIT License", "Neither the name of Django"):
        assert holder in notice


def _fit(text: str) -> bool:
    """Say whether a text may be a password: no lone surrogates."""
    return not any("\ud800" <= each <= "\udfff" for each in text)
