#!/usr/bin/env python3
"""What stands in a Message-ID."""

import pytest

from vestibule.mail.headers import is_message_id
from vestibule.mail.message import message_id

LETTER = "2b6a1a5e-0000-4000-8000-1234567890ab"


@pytest.mark.parametrize("base_url, domain", [
    ("https://accounts.example.org/auth", "accounts.example.org"),
    ("https://Accounts.Example.ORG:8443", "accounts.example.org"),
    ("https://xn--bcher-kva.example", "xn--bcher-kva.example"),
    ("http://127.0.0.1:5000", "vestibule.localhost"),
    ("http://[::1]:5000", "vestibule.localhost"),
    ("http://localhost:5000", "vestibule.localhost"),
    ("http://intranet", "vestibule.localhost"),
    ("https://user@b\u00fccher.example", "vestibule.localhost"),
    ("", "vestibule.localhost"),
])
def test_message_id_names_a_host_that_means_something_in_the_world(
        base_url: str, domain: str) -> None:
    """The host is the base URL's if others can know it, else a stand-in."""
    made = message_id(LETTER, base_url)
    assert made == f"<{LETTER}@{domain}>"
    assert is_message_id(made)


@pytest.mark.parametrize("letter_id", [
    "", "a b", "a@b", "a>\r\nBcc: x", "\u00e9"])
def test_message_id_takes_only_ids_that_can_stand_in_a_header(
        letter_id: str) -> None:
    """Anything but letters, digits and hyphens is a mistake of the caller."""
    with pytest.raises(ValueError, match="not the id of a letter"):
        message_id(letter_id, "https://example.org")
