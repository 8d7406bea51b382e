#!/usr/bin/env python3
"""How a message becomes bytes, and the proof that they say what was meant.

The header lines are ours (``headers.py``), the parts are the standard
library's. What comes out is read again before it leaves: a letter with one
header more, or another recipient, than was meant is refused.
"""

import re
from email.errors import MessageError
from email.header import decode_header, make_header
from email.headerregistry import Address
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import SMTP
from email.utils import format_datetime
from typing import List, Optional, cast

from vestibule.mail.headers import (
    Sender, has_controls, is_address, is_message_id, one_line, sender_line,
    text_line)
from vestibule.mail.message import MailRefused, Message

# RFC 2045 and 2047 want 76, the standard library's default is 78.
_POLICY = SMTP.clone(max_line_length=76)
_HEADERS = ["From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted",
            "MIME-Version", "Content-Type"]
# Line feed and tab may stand in a body.
_BODY_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def serialise(message: Message, sender: Sender) -> bytes:
    """Return the message as it goes over the wire, with CRLF line ends.

    Raises ``MailRefused`` when it is not meant for exactly one plain
    address, or when the bytes would say anything else than the message.
    """
    if not is_address(message.to):
        raise MailRefused("the recipient is not one plain address")
    if not is_message_id(message.message_id):
        raise MailRefused("the Message-ID is not usable")
    clean = message._replace(
        subject=one_line(message.subject),
        text=_clean_body(message.text), html=_clean_body(message.html))
    raw = _header_lines(clean, sender).encode("ascii") + _parts(clean)
    prove(raw, clean, sender)
    return raw


def _header_lines(message: Message, sender: Sender) -> str:
    """Return the headers but for those that describe the parts."""
    return "".join([
        sender_line("From", sender),
        f"To: {message.to}\r\n",
        text_line("Subject", message.subject),
        f"Date: {format_datetime(message.date)}\r\n",
        f"Message-ID: {message.message_id}\r\n",
        "Auto-Submitted: auto-generated\r\n"])


def _parts(message: Message) -> bytes:
    """Return text and HTML as alternatives, with the headers of that.

    Quoted-printable, because it passes servers that know seven bits only
    and leaves no line too long, whatever the length of a link.
    """
    parts = EmailMessage(policy=_POLICY)
    parts["MIME-Version"] = "1.0"
    parts.set_content(message.text, cte="quoted-printable")
    parts.add_alternative(
        message.html, subtype="html", cte="quoted-printable")
    return parts.as_bytes()


def _clean_body(text: str) -> str:
    """Return a body with line feeds only, free of what mail cannot carry."""
    spoken = text.encode("utf-8", "replace").decode("utf-8")
    lines = spoken.replace("\r\n", "\n").replace("\r", "\n")
    return _BODY_CONTROLS.sub("", lines).rstrip("\n") + "\n"


def prove(raw: bytes, message: Message, sender: Sender) -> None:
    """Read the bytes again; refuse them if they are not what was meant."""
    parsed = BytesParser(policy=_POLICY).parsebytes(raw)
    assert isinstance(parsed, EmailMessage)
    try:
        fault = _fault(parsed, message, sender)
    except (MessageError, LookupError, ValueError):
        fault = "the letter could not be read again"
    if fault:
        raise MailRefused(fault)


def _fault(parsed: EmailMessage, message: Message,
           sender: Sender) -> Optional[str]:
    """Return what a letter says that was not meant, or None."""
    if parsed.keys() != _HEADERS:
        return "the letter would carry another set of headers"
    if any(has_controls(value) for value in _readings(parsed)):
        return "a header would hide a control character"
    if _addresses(parsed, "To") != [message.to]:
        return "the letter would name another recipient"
    if _addresses(parsed, "From") != [sender.address]:
        return "the letter would name another sender"
    if parsed["Subject"].split() != message.subject.split():
        return "the subject would read differently"
    if _bodies(parsed) != [message.text, message.html]:
        return "the body would read differently"
    return None


def _readings(parsed: EmailMessage) -> List[str]:
    """Return all that a reader may take each header for.

    That is what the parser says, and that once more decoded: a reader that
    writes a header on may decode it twice.
    """
    values = [str(value) for value in parsed.values()]
    return values + [str(make_header(decode_header(value)))
                     for value in values]


def _addresses(parsed: EmailMessage, name: str) -> List[str]:
    """Return the addresses that a reader finds in a header."""
    found: List[Address] = list(parsed[name].addresses)
    return [address.addr_spec for address in found]


def _bodies(parsed: EmailMessage) -> List[str]:
    """Return the contents of the parts, in order, with line feeds."""
    return [cast(EmailMessage, part).get_content().replace("\r\n", "\n")
            for part in parsed.iter_parts()]
