#!/usr/bin/env python3
"""Header lines that hold what they were given, and nothing more.

CPython's own writer is not trusted with them: before 3.12.5 it turns an
encoded word with a line break inside into a header of its own
(CVE-2024-6923); it drops the quotes of a long display name, so that a comma
in it makes two addresses; and on 3.7 it encodes a long Message-ID. So a
value is either plain ASCII on one line, or entirely encoded words.
"""

import re
from email.header import Header
from typing import NamedTuple

ADDRESS_LENGTH = 254

_LINE_LENGTH = 76
# C0 with DEL, C1, and the two line breaks that only Unicode knows.
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_ADDRESS = re.compile(
    rf"(?=.{{1,64}}@){_ATOM}(?:\.{_ATOM})*@{_LABEL}(?:\.{_LABEL})*")
_MESSAGE_ID = re.compile(r"<[A-Za-z0-9.-]{1,64}@[A-Za-z0-9.-]{1,253}>")
_NAMED = re.compile(r"(?P<name>.*)<(?P<address>[^<>]*)>")


class Sender(NamedTuple):
    """Whom the letters come from: a name for people, and an address."""

    name: str
    address: str

    @property
    def domain(self) -> str:
        """Return what stands behind the @ of the address."""
        return self.address.rpartition("@")[2]


def has_controls(text: str) -> bool:
    """Say whether a text has any character that can end or hide a line."""
    return _CONTROLS.search(text) is not None


def one_line(text: str) -> str:
    """Return a text as one harmless line.

    Control characters become blanks, runs of blanks one, lone surrogates
    question marks. ``=?``, which opens an encoded word, is broken up: no
    reader, however often it decodes, finds anything hidden in what is left.
    """
    spoken = text.encode("utf-8", "replace").decode("utf-8")
    while "=?" in spoken:
        spoken = spoken.replace("=?", "= ?")
    return " ".join(_CONTROLS.sub(" ", spoken).split())


def is_address(text: str) -> bool:
    """Say whether a text is exactly one plain address, in ASCII.

    Refused are also quoted local parts, literal domains, and ``=?``, which
    is allowed in a local part but opens an encoded word.
    """
    return (len(text) <= ADDRESS_LENGTH and "=?" not in text
            and _ADDRESS.fullmatch(text) is not None)


def is_message_id(text: str) -> bool:
    """Say whether a text can stand as a Message-ID, as it is."""
    return _MESSAGE_ID.fullmatch(text) is not None


def parse_sender(text: str) -> Sender:
    """Read ``Name <address>`` or ``address``; the name may be anything.

    Raises ``ValueError`` when there is not one plain address in it.
    """
    line = one_line(text)
    named = _NAMED.fullmatch(line)
    name = _unquoted(named.group("name").strip()) if named else ""
    address = named.group("address").strip() if named else line
    if not is_address(address):
        raise ValueError("the sender must be one plain address, or a name "
                         "and an address as in: Example <mail@example.org>")
    return Sender(name, address)


def text_line(name: str, text: str) -> str:
    """Return the header line of a text for people, such as the subject."""
    clean = one_line(text)
    if _fits(name, clean):
        return f"{name}: {clean}\r\n"
    return f"{name}: {_encoded(name, clean)}\r\n"


def sender_line(name: str, sender: Sender) -> str:
    """Return the header line of a sender: a name, if any, and an address."""
    clean = one_line(sender.name)
    if not clean:
        return f"{name}: {sender.address}\r\n"
    quoted = '"' + re.sub(r'(["\\])', r"\\\1", clean) + '"'
    if not _fits(name, quoted):
        quoted = _encoded(name, clean)
    return f"{name}: {quoted}\r\n <{sender.address}>\r\n"


def _fits(name: str, value: str) -> bool:
    """Say whether a value is printable ASCII and short enough for a line."""
    return (len(name) + len(": ") + len(value) <= _LINE_LENGTH
            and all(" " <= character <= "~" for character in value))


def _encoded(name: str, text: str) -> str:
    """Return a text as encoded words, folded into lines."""
    return Header(text, "utf-8", maxlinelen=_LINE_LENGTH,
                  header_name=name).encode(linesep="\r\n")


def _unquoted(name: str) -> str:
    """Take away the quotes around a display name, if it has them."""
    if len(name) < 2 or not (name[0] == name[-1] == '"'):
        return name
    return re.sub(r"\\(.)", r"\1", name[1:-1])
