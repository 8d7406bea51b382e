#!/usr/bin/env python3
"""The threat model names tests that exist."""

import re
from typing import Set

from tests.support.papers import ROOT

PAGE = ROOT / "docs" / "explanation" / "threat-model.md"
TEST = re.compile(r"^ *def (test_\w+)\(", re.MULTILINE)


def existing() -> Set[str]:
    """Return the names of all tests."""
    return {name for path in (ROOT / "tests").rglob("test_*.py")
            for name in TEST.findall(path.read_text("utf-8"))}


def test_every_test_that_holds_something_exists() -> None:
    """What is said to be held is held by a test of that name."""
    named = set(re.findall(r"`(test_\w+)`", PAGE.read_text("utf-8")))
    assert len(named) >= 30
    assert named - existing() == set()


def test_every_attacker_is_tested_or_said_to_be_open() -> None:
    """No part of the page promises something without either."""
    parts = re.split(r"^##+ ", PAGE.read_text("utf-8"), flags=re.MULTILINE)
    for part in parts[1:]:
        name, _, text = part.partition("\n")
        if text.strip():
            assert "`test_" in text or "**Open**" in text, name
