#!/usr/bin/env python3
"""Header lines say what they were given, and can say nothing else."""

from email.parser import Parser
from email.policy import default

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.mail.samples import HOSTILE_NAMES
from vestibule.mail.headers import (
    Sender, has_controls, is_address, one_line, parse_sender, sender_line,
    text_line)

LONG_NAME = ("Gro\u00dfhandel M\u00fcller, Schmidt & S\u00f6hne GmbH, "
             "\"Abteilung\" Kundendienst und Beratung")


@pytest.mark.parametrize("text", HOSTILE_NAMES)
def test_one_line_leaves_nothing_that_could_end_or_hide_a_line(
        text: str) -> None:
    """No control character is left, and nothing to decode."""
    line = one_line(text)
    assert not has_controls(line)
    assert "=?" not in line
    line.encode()


@given(st.text())
def test_one_line_changes_nothing_the_second_time(text: str) -> None:
    """What has been cleaned is clean."""
    assert one_line(one_line(text)) == one_line(text)


@pytest.mark.parametrize("address", [
    "jo@example.org", "jo+tag@example.org", "a.b@xn--bcher-kva.example",
    "jo@localhost", "o'neil/x=y|z{}`~@example.org", "-jo@example.org",
    "a" * 64 + "@example.org"])
def test_plain_addresses_are_taken(address: str) -> None:
    """Whatever is a local part without quotes may stand in an address."""
    assert is_address(address)


@pytest.mark.parametrize("address", [
    "", "jo", "@example.org", "jo@", "jo@example.org, eve@example.org",
    "jo@example.org,eve@example.org", "jo@example.org;eve@example.org",
    "jo@example.org\r\nRCPT TO:<eve@example.org>", "jo@example.org\n",
    "jo@example.org\0", " jo@example.org", "jo @example.org",
    '"jo"@example.org', "jo@[127.0.0.1]", "<jo@example.org>",
    "Jo <jo@example.org>", "jo@example.org (Jo)", "j\u00f6@example.org",
    "jo@b\u00fccher.example", "jo@a@example.org", "jo..e@example.org",
    ".jo@example.org", "jo@example..org", "jo@-example.org",
    "jo@example.org.", "a" * 65 + "@example.org",
    "jo@" + ".".join(["a" * 60] * 5),
    "=?utf-8?q?x=0d=0aBcc=3a=20evil=40example.org?=@example.org"])
def test_anything_but_one_plain_address_is_none(address: str) -> None:
    """No list, no quotes, no comment, no encoded word, no line break."""
    assert not is_address(address)


@pytest.mark.parametrize("text, name, address", [
    ("jo@example.org", "", "jo@example.org"),
    ("<jo@example.org>", "", "jo@example.org"),
    ("Jo <jo@example.org>", "Jo", "jo@example.org"),
    ('"Jo, \\"the\\" one" <jo@example.org>', 'Jo, "the" one',
     "jo@example.org"),
    ("Jo <x> & Co <jo@example.org>", "Jo <x> & Co", "jo@example.org"),
    (f"{LONG_NAME} <jo@example.org>", LONG_NAME, "jo@example.org"),
])
def test_a_sender_is_a_name_and_an_address(
        text: str, name: str, address: str) -> None:
    """The name may be anything, the last angle brackets hold the address."""
    assert parse_sender(text) == Sender(name, address)


@pytest.mark.parametrize("text", [
    "", "Example", "a@example.org, b@example.org", "Example <>",
    "Example <a@example.org> b", "Example <a@example.org, b@example.org>"])
def test_a_sender_without_one_plain_address_is_refused(text: str) -> None:
    """One clear sentence, with an example."""
    with pytest.raises(ValueError, match="Example <mail@example.org>"):
        parse_sender(text)


@pytest.mark.parametrize("name", HOSTILE_NAMES + [LONG_NAME, "a, b " * 40])
def test_the_name_of_a_sender_cannot_become_a_second_address(
        name: str) -> None:
    """A reader finds one address, and the name as it was cleaned.

    Python as a reader puts blanks where a long name was folded.
    """
    line = sender_line("From", Sender(name, "mail@example.org"))
    parsed = Parser(policy=default).parsestr(line)
    assert parsed.keys() == ["From"]
    [address] = parsed["From"].addresses
    assert address.addr_spec == "mail@example.org"
    read = "".join(address.display_name.split())
    assert read == "".join(one_line(name).split())


@pytest.mark.parametrize("text", HOSTILE_NAMES + [LONG_NAME, "x" * 500])
def test_a_subject_reads_as_it_was_cleaned_and_no_line_is_long(
        text: str) -> None:
    """One header comes out, in lines of the length that mail wants."""
    line = text_line("Subject", text)
    parsed = Parser(policy=default).parsestr(line)
    assert parsed.keys() == ["Subject"]
    assert parsed["Subject"] == one_line(text)
    assert max(len(part) for part in line.split("\r\n")) <= 76
