#!/usr/bin/env python3
"""The bytes of a letter say what was meant, whatever went in."""

from datetime import timedelta, timezone
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP, default
from typing import Any, List

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.mail.samples import (
    DATE, HOSTILE_NAMES, LINK, SAMPLE, SENDER)
from vestibule.mail.headers import Sender, one_line, parse_sender
from vestibule.mail.message import MailRefused
from vestibule.mail.wire import prove, serialise

EXAMPLE = parse_sender(SENDER)
HEADERS = ["From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted",
           "MIME-Version", "Content-Type"]


def read(raw: bytes) -> EmailMessage:
    """Read a letter as a mail program would."""
    parsed = message_from_bytes(raw, policy=default)
    assert isinstance(parsed, EmailMessage)
    return parsed


def contents(parsed: EmailMessage) -> List[Any]:
    """Return the contents of the parts, with line feeds."""
    return [part.get_content().replace("\r\n", "\n")
            for part in parsed.iter_parts() if isinstance(part, EmailMessage)]


def test_a_letter_carries_these_headers_and_no_others() -> None:
    """Names and values are as meant."""
    parsed = read(serialise(SAMPLE, EXAMPLE))
    assert parsed.keys() == HEADERS
    assert parsed["From"] == "Example Accounts <accounts@example.org>"
    assert parsed["To"] == "jo@example.org"
    assert parsed["Subject"] == "Choose a new password"
    assert parsed["Date"].datetime == DATE
    assert parsed["Message-ID"] == SAMPLE.message_id
    assert parsed["Auto-Submitted"] == "auto-generated"
    assert parsed["MIME-Version"] == "1.0"


def test_a_letter_is_text_and_html_and_the_text_comes_first() -> None:
    """A reader that cannot show HTML shows the text."""
    parsed = read(serialise(SAMPLE, EXAMPLE))
    assert parsed.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in parsed.iter_parts()] == [
        "text/plain", "text/html"]
    assert contents(parsed) == [SAMPLE.text, SAMPLE.html]


def test_the_date_keeps_its_zone() -> None:
    """A letter of the evening in Paris is dated so."""
    paris = DATE.astimezone(timezone(timedelta(hours=1)))
    raw = serialise(SAMPLE._replace(date=paris), EXAMPLE)
    assert b"Date: Sun, 01 Mar 2026 13:30:00 +0100\r\n" in raw


def test_a_letter_needs_seven_bits_and_short_lines_only() -> None:
    """Any server can carry it: ASCII, CRLF, 76 characters, no bare CR."""
    long = f"{LINK}{'x' * 3000} \u00e9\u4e2d\U0001f600\n.\nFrom here\n"
    raw = serialise(SAMPLE._replace(text=long, html=long), EXAMPLE)
    raw.decode("ascii")
    lines = raw.split(b"\r\n")
    assert max(len(line) for line in lines) <= 76
    assert not any(b"\r" in line or b"\n" in line for line in lines)
    assert contents(read(raw)) == [long, long]


def test_long_addresses_and_ids_stay_whole() -> None:
    """Python 3.7 would encode a long Message-ID, which then is none."""
    domain = ".".join(["c" * 60] * 3) + ".org"
    to, identity = f"{'a' * 64}@{domain}", f"<{'b' * 36}@{domain}>"
    raw = serialise(SAMPLE._replace(to=to, message_id=identity), EXAMPLE)
    assert f"\r\nTo: {to}\r\n".encode() in raw
    assert f"\r\nMessage-ID: {identity}\r\n".encode() in raw


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_a_hostile_service_name_adds_no_header_and_no_recipient(
        name: str) -> None:
    """As a display name and in the subject it is text, and stays text."""
    raw = serialise(
        SAMPLE._replace(subject=f"Password for {name}"),
        Sender(name, "accounts@example.org"))
    parsed = read(raw)
    assert parsed.keys() == HEADERS
    assert [address.addr_spec for address in parsed["To"].addresses] == [
        "jo@example.org"]
    assert [address.addr_spec for address in parsed["From"].addresses] == [
        "accounts@example.org"]
    assert parsed["Subject"] == one_line(f"Password for {name}")
    assert contents(parsed) == [SAMPLE.text, SAMPLE.html]


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_a_letter_that_is_written_on_by_others_gains_no_header(
        name: str) -> None:
    """A relay that decodes and writes the headers anew does no harm."""
    raw = serialise(SAMPLE._replace(subject=name),
                    Sender(name, "accounts@example.org"))
    again = read(raw).as_bytes(policy=SMTP)
    assert sorted(read(again).keys()) == sorted(HEADERS)
    assert b"\nBcc" not in again


@given(st.text(max_size=100), st.text(max_size=100), st.text(max_size=100))
def test_any_text_at_all_makes_a_letter(
        name: str, subject: str, body: str) -> None:
    """No service name, subject or body keeps a letter from going out."""
    raw = serialise(SAMPLE._replace(subject=subject, text=body, html=body),
                    Sender(name, "accounts@example.org"))
    assert read(raw).keys() == HEADERS


@pytest.mark.parametrize("to", [
    "", "jo", "jo@example.org,eve@example.org",
    "jo@example.org, eve@example.org", "Jo <jo@example.org>",
    "jo@example.org\r\nBcc: eve@example.org", "jo@example.org\0",
    "=?utf-8?q?x=0d=0aBcc=3a=20evil=40example.org?=@example.org"])
def test_a_letter_to_anything_but_one_address_is_refused(to: str) -> None:
    """The reason does not repeat what may be hostile."""
    with pytest.raises(MailRefused, match="^the recipient is not one plain"):
        serialise(SAMPLE._replace(to=to), EXAMPLE)


@pytest.mark.parametrize("identity", [
    "", "a@example.org", "<a>", "<a@b>\r\nBcc: eve@example.org",
    "<a@b> <c@d>", "<=?utf-8?q?x?=@b>"])
def test_a_letter_with_an_unusable_message_id_is_refused(
        identity: str) -> None:
    """It stands in its header as it is, so it is checked as it is."""
    with pytest.raises(MailRefused, match="Message-ID"):
        serialise(SAMPLE._replace(message_id=identity), EXAMPLE)


@pytest.mark.parametrize("meant, said, reason", [
    (b"To: jo@", b"Bcc: eve@example.org\r\nTo: jo@", "set of headers"),
    (b"To: jo@", b"To: eve@example.org\r\nTo: jo@", "set of headers"),
    (b"Subject: ", b"X-Subject: ", "set of headers"),
    (b"To: jo@example.org", b"To: jo@example.org, eve@example.org",
     "another recipient"),
    (b"To: jo@", b"To: eve@", "another recipient"),
    (b"<accounts@", b"<eve@", "another sender"),
    (b"Choose a new", b"Choose an old", "subject"),
    (b"Choose a new", b"=?utf-8?q?x=0d=0aBcc:=20eve@example.org?=",
     "control character"),
    (b"Choose a new", b"=?utf-8?b?PT91dGYtOD9xP3g9MGQ9MGFCY2M6P3E/PQ==?=",
     "control character"),
    (b"Open this", b"Open that", "body"),
    (b"Example Accounts", b"=?utf-8?q?x=00?=", "control character"),
])
def test_bytes_that_say_anything_else_than_was_meant_are_refused(
        meant: bytes, said: bytes, reason: str) -> None:
    """The second wall, for the day the first one has a hole."""
    raw = serialise(SAMPLE, EXAMPLE)
    prove(raw, SAMPLE, EXAMPLE)
    assert meant in raw
    with pytest.raises(MailRefused, match=reason):
        prove(raw.replace(meant, said, 1), SAMPLE, EXAMPLE)


@pytest.mark.parametrize("address", [
    "accounts@example.org>\r\nBcc: <eve@example.org",
    "accounts@example.org, eve@example.org"])
def test_what_slips_past_the_first_wall_is_stopped_by_the_second(
        address: str) -> None:
    """A sender that nobody checked makes no letter."""
    with pytest.raises(MailRefused):
        serialise(SAMPLE, Sender("Example", address))


def standard_library_letter(subject: str) -> bytes:
    """Write the sample with the standard library's own headers."""
    letter = EmailMessage(policy=SMTP)
    letter["From"] = SENDER
    letter["To"] = SAMPLE.to
    letter["Subject"] = subject
    letter["Date"] = DATE
    letter["Message-ID"] = SAMPLE.message_id
    letter["Auto-Submitted"] = "auto-generated"
    letter["MIME-Version"] = "1.0"
    letter.set_content(SAMPLE.text)
    letter.add_alternative(SAMPLE.html, subtype="html")
    return letter.as_bytes()


def test_a_harmless_letter_of_the_standard_library_is_read_as_meant() -> None:
    """The second wall does not refuse what is right."""
    prove(standard_library_letter(SAMPLE.subject), SAMPLE, EXAMPLE)


@pytest.mark.parametrize("name", HOSTILE_NAMES[:4])
def test_what_the_standard_library_makes_of_encoded_line_breaks_is_refused(
        name: str) -> None:
    """CPython before 3.12.5 writes a real Bcc here (CVE-2024-6923)."""
    raw = standard_library_letter(f"Password for {name}")
    with pytest.raises(MailRefused, match="set of headers|control character"):
        prove(raw, SAMPLE._replace(subject=f"Password for {name}"), EXAMPLE)
