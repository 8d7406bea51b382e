#!/usr/bin/env python3
"""One spelling for an email address, the same whatever its library.

These tables hold on email-validator 2.0 and on the newest one.
"""

import pytest

from vestibule.base.errors import InvalidInput
from vestibule.base.identifiers import canonical_email

LONGEST_DOMAIN = ".".join(["b" * 60] * 4) + ".com"


@pytest.mark.parametrize("typed, stored", [
    ("alice@example.com", "alice@example.com"),
    ("ALICE@EXAMPLE.COM", "alice@example.com"),
    (" alice@Example.com ", "alice@example.com"),
    ("\talice@example.com\n", "alice@example.com"),
    ("\u00a0alice@example.com\u2003", "alice@example.com"),
    ("Alice+Tag@example.com", "alice+tag@example.com"),
    ("o'neil@example.com", "o'neil@example.com"),
    ("a.b-c_d@example.com", "a.b-c_d@example.com"),
    ("!#$%&'*+/?^_`{|}~-@example.com", "!#$%&'*+/?^_`{|}~-@example.com"),
    ("a@b\u00fccher.example", "a@xn--bcher-kva.example"),
    ("a@bu\u0308cher.example", "a@xn--bcher-kva.example"),
    ("a@B\u00dcCHER.example", "a@xn--bcher-kva.example"),
    ("a@xn--bcher-kva.example", "a@xn--bcher-kva.example"),
    ("a@XN--BCHER-KVA.example", "a@xn--bcher-kva.example"),
    ("a@stra\u00dfe.example", "a@xn--strae-oqa.example"),
    ("a@\uff45xample.com", "a@example.com"),
    ("a@\u212aate.com", "a@kate.com"),
    ("a@example\u3002com", "a@example.com"),
    ("a@x.xn--p1ai", "a@x.xn--p1ai"),
    ("a" * 64 + "@example.com", "a" * 64 + "@example.com"),
    ("a@" + "b" * 63 + ".com", "a@" + "b" * 63 + ".com"),
    ("a@" + LONGEST_DOMAIN, "a@" + LONGEST_DOMAIN),
])
def test_every_spelling_of_an_address_becomes_one(
        typed: str, stored: str) -> None:
    """R002: what differs in case, blanks or domain form is one person."""
    assert canonical_email(typed) == stored
    assert canonical_email(stored) == stored


@pytest.mark.parametrize("typed", [
    "", " ", "alice", "alice@", "@example.com", "@",
    "alice@@example.com", "a@b@example.com",
    "alice@example", "alice@example..com", "alice@.example.com",
    "alice@-example.com", "alice@example-.com", "alice@exa_mple.com",
    ".alice@example.com", "alice.@example.com", "al..ice@example.com",
    "al ice@example.com", "alice@exam ple.com", "alice@example.com\0",
    "ali\0ce@example.com", "alice@exam\nple.com", "alice\r\n@example.com",
    "a@example.com,b@example.com", "a@example.com b@example.com",
    "mailto:a@example.com", "Alice <alice@example.com>",
    "<alice@example.com>", "alice(work)@example.com",
    "alice@example.com(work)", '"alice"@example.com',
    '"al ice"@example.com', "alice@[127.0.0.1]", "alice@127.0.0.1",
    "alice@[IPv6:::1]", "alice@xn--", "alice@xn--a.com",
    "alice@\ud800.com", "\ud800@example.com",
    "alice@example.invalid", "alice@x.onion",
    "=?utf-8?q?alice?=@example.com", "a=?b@example.com",
    "a" * 65 + "@example.com", "a@" + "b" * 64 + ".com",
    "a@" + ".".join(["\u00fc" * 50] * 4) + ".com",
])
def test_what_is_no_plain_address_is_malformed(typed: str) -> None:
    """R003: quoted, literal, folded and hostile forms, all alike."""
    with pytest.raises(InvalidInput) as refusal:
        canonical_email(typed)
    assert refusal.value.errors == {"email": ["malformed"]}


@pytest.mark.parametrize("typed", [
    "\uff41\uff4c\uff49\uff43\uff45@example.com",  # fullwidth letters
    "m\u0131ke@example.com",                       # a dotless i
    "\u0430lice@example.com",                      # a Cyrillic a
    "\u212aate@example.com",                       # the sign for kelvin
    "\ufb01fi@example.com",                        # a ligature
    "jos\u00e9@example.com", "jose\u0301@example.com",
    "a\uff20example.com",                          # a fullwidth @
    "ali\u200bce@example.com", "alice@exam\u202eple.com"])
def test_no_look_alike_is_taken_for_somebody_else(typed: str) -> None:
    """R003: local parts beyond ASCII are refused, never folded into it."""
    with pytest.raises(InvalidInput) as refusal:
        canonical_email(typed)
    assert refusal.value.errors == {"email": ["malformed"]}


def test_a_longer_text_is_refused_before_it_is_looked_at() -> None:
    """R101: the length comes first, so that hostile texts cost nothing."""
    for typed in ("a" * 243 + "@example.com", "a@" + "b." * 500000 + "com",
                  "@" * 64000, "a" * 300):
        with pytest.raises(InvalidInput) as refusal:
            canonical_email(typed)
        assert refusal.value.errors == {"email": ["too_long"]}


def test_no_spelling_is_longer_than_the_column() -> None:
    """R094: a domain that grows in IDNA is refused, not cut by a database.
    """
    refused = 0
    for count in range(1, 60):
        label = "\u00fc\u4e2d" * count
        try:
            stored = canonical_email(f"a@{label[:59]}.{label[:59]}.{label}.de")
        except InvalidInput:
            refused += 1
        else:
            assert len(stored) <= 254
    assert 0 < refused < 59


@pytest.mark.parametrize("typed, stored", [
    ("Me@LocalHost", "me@localhost"), ("me@host.localhost",
                                       "me@host.localhost"),
    ("me@example.test", "me@example.test"), ("me@b\u00fccher.test",
                                             "me@xn--bcher-kva.test"),
    ("me@printer.local", "me@printer.local"), ("me@test", "me@test"),
    ("me@example.com", "me@example.com")])
def test_local_names_are_for_who_asks_for_them(
        typed: str, stored: str) -> None:
    """The development profile takes ``.test``, ``.local``, ``localhost``."""
    assert canonical_email(typed, local_names=True) == stored
    assert canonical_email(stored, local_names=True) == stored
    if not stored.endswith(".com"):
        with pytest.raises(InvalidInput):
            canonical_email(typed)


@pytest.mark.parametrize("typed", [
    "me@", "localhost", "@localhost", "me@.test", "me@test.",
    "me@invalid", "me@example.invalid", "me@notlocalhost", "m e@localhost",
    "me@b@localhost", '"me"@localhost', "m\u00e9@localhost",
    "me@[127.0.0.1]"])
def test_a_local_name_makes_nothing_else_usable(typed: str) -> None:
    """R003: everything but the name itself is judged as elsewhere."""
    with pytest.raises(InvalidInput) as refusal:
        canonical_email(typed, local_names=True)
    assert refusal.value.errors == {"email": ["malformed"]}
