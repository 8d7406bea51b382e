#!/usr/bin/env python3
"""URLs of mail servers: what is understood, and how the rest is refused."""

import pytest

from vestibule.mail.smtp_address import (
    Security, SmtpAddress, parse_smtp_url)

SECRET = "hunter2"


@pytest.mark.parametrize("url, address", [
    ("smtp+starttls://jo:pw@mail.example.org:2525",
     SmtpAddress(Security.STARTTLS, "mail.example.org", 2525, "jo", "pw")),
    ("smtp+starttls://mail.example.org",
     SmtpAddress(Security.STARTTLS, "mail.example.org", 587)),
    ("smtps://jo:pw@mail.example.org",
     SmtpAddress(Security.TLS, "mail.example.org", 465, "jo", "pw")),
    ("smtp://127.0.0.1", SmtpAddress(Security.CLEAR, "127.0.0.1", 25)),
    ("smtp://localhost:1025", SmtpAddress(Security.CLEAR, "localhost", 1025)),
    ("smtp://[::1]:1025", SmtpAddress(Security.CLEAR, "::1", 1025)),
    ("SMTPS://Mail.Example.org/",
     SmtpAddress(Security.TLS, "mail.example.org", 465)),
    ("smtps://jo%40example.org:p%40%2F%3A%23%3F%25%20w@mail.example.org",
     SmtpAddress(Security.TLS, "mail.example.org", 465, "jo@example.org",
                 "p@/:#?% w")),
    ("smtps://mail.example.org?cafile=/etc/our%20ca+1.pem",
     SmtpAddress(Security.TLS, "mail.example.org", 465,
                 cafile="/etc/our ca+1.pem")),
    ("smtps://192.0.2.7", SmtpAddress(Security.TLS, "192.0.2.7", 465)),
])
def test_a_url_says_how_and_where_to_hand_mail_over(
        url: str, address: SmtpAddress) -> None:
    """Ports have the defaults of their schemes; names are decoded."""
    assert parse_smtp_url(url) == address


@pytest.mark.parametrize("url, reason", [
    ("", "must start with"),
    ("mail.example.org:587", "must start with"),
    ("http://mail.example.org", "must start with"),
    ("smtp+tls://mail.example.org", "must start with"),
    ("smtps://", "no usable host"),
    ("smtps://:465", "no usable host"),
    ("smtps://mail_example", "no usable host"),
    ("smtps://-mail.example.org", "no usable host"),
    ("smtps://b\u00fccher.example", "beyond ASCII"),
    ("smtps://mail.example.org\n", "line break"),
    ("smtps://mail example.org", "blank"),
    ("smtps://mail.example.org:0", "port"),
    ("smtps://mail.example.org:65536", "port"),
    ("smtps://mail.example.org:mail", "port"),
    ("smtps://mail.example.org/inbox", "percent-encoded"),
    ("smtps://mail.example.org#x", "percent-encoded"),
    ("smtps://mail.example.org?verify=no", "only cafile"),
    ("smtps://mail.example.org?cafile=", "only cafile"),
    ("smtps://mail.example.org?cafile=/a&cafile=/b", "only cafile"),
    ("smtp://127.0.0.1?cafile=/a", "no use for cafile"),
    ("smtps://jo@mail.example.org", "both, or neither"),
    ("smtps://jo:@mail.example.org", "both, or neither"),
    (f"smtps://:{SECRET}@mail.example.org", "both, or neither"),
    (f"smtps://jo:{SECRET}%0a@mail.example.org", "printable ASCII"),
    (f"smtps://jo:{SECRET}%C3%A9@mail.example.org", "printable ASCII"),
    (f"smtps://jo:{SECRET}%FF@mail.example.org", "printable ASCII"),
    (f"smtps://jo:{SECRET}/x@mail.example.org", "percent-encoded"),
    (f"smtps://jo:12/{SECRET}@mail.example.org", "percent-encoded"),
    (f"smtps://jo:{SECRET}#x@mail.example.org", "percent-encoded"),
    (f"smtps://jo:1#{SECRET}@mail.example.org", "percent-encoded"),
    (f"smtps://jo:{SECRET}?x@mail.example.org", "percent-encoded"),
    (f"smtps://jo:1?{SECRET}@mail.example.org", "percent-encoded"),
    (f"smtps://jo:x@{SECRET}@mail.example.org", "percent-encoded"),
    (f"smtps://jo:[{SECRET}@mail.example.org", "percent-encoded"),
    (f"smtps://jo:{SECRET}\u2100@mail.example.org", "percent-encode"),
])
def test_an_unusable_url_is_refused_in_one_sentence_without_the_password(
        url: str, reason: str) -> None:
    """Nothing of the password shows, wherever it slipped to."""
    with pytest.raises(ValueError) as caught:
        parse_smtp_url(url)
    said = str(caught.value)
    assert reason in said
    assert SECRET not in said
    assert caught.value.__suppress_context__ or not caught.value.__context__


@pytest.mark.parametrize("host", [
    "mail.example.org", "192.0.2.7", "[2001:db8::7]", "0.0.0.0",
    "localhost.example.org", "127.0.0.1.example.org"])
def test_clear_text_to_another_machine_is_refused(host: str) -> None:
    """A password would cross the network for all to read."""
    with pytest.raises(ValueError, match="clear text; use smtp.starttls://"):
        parse_smtp_url(f"smtp://jo:{SECRET}@{host}")


def test_an_address_does_not_show_its_password() -> None:
    """Neither in a log line nor in a traceback."""
    address = parse_smtp_url(f"smtps://jo:{SECRET}@mail.example.org")
    assert SECRET not in f"{address!r} {address} {[address]}"
    assert "mail.example.org:465" in repr(address)
