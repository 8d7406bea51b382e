#!/usr/bin/env python3
"""The development mailbox: letters are kept in a folder, not sent.

The folder is an ordinary Maildir, so several processes may write and read
it at once, and any mail program opens it.
"""

import os
import re
from datetime import datetime
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default
from mailbox import Error, Maildir
from typing import List, NamedTuple, Optional, Tuple, cast

from vestibule.mail.headers import parse_sender
from vestibule.mail.message import Mailer, MailUnavailable, Message
from vestibule.mail.wire import serialise

KEPT = 200

_LINK = re.compile(r"https?://[^\s<>\"]+")
# How the standard library names the files of a Maildir: seconds,
# microseconds, process, count.
_NAME = re.compile(r"(\d+)\.M(\d+)P\d+Q(\d+)\.")


class MailboxLetter(NamedTuple):
    """A letter as it lies in the mailbox."""

    id: str
    to: str
    subject: str
    text: str
    html: str
    date: datetime
    message_id: str
    links: Tuple[str, ...]


class MailboxMailer(Mailer):
    """Keeps the newest 200 letters in a folder, and shows them.

    Letters come and go while others read: one that vanished between two
    steps is simply no longer there.
    """

    def __init__(self, folder: str,
                 sender: str = "Vestibule <mail@vestibule.localhost>"
                 ) -> None:
        """Keep the letters in ``folder``, which is made when first needed.

        Raises ``ValueError`` when the sender is not usable.
        """
        self._folder = folder
        self._sender = parse_sender(sender)

    def send(self, message: Message) -> None:
        """Put the message into the mailbox; drop the oldest beyond 200.

        The bytes are those that would go over the wire, so what an SMTP
        server would be refused is refused here too.
        """
        raw = serialise(message, self._sender).replace(b"\r\n", b"\n")
        try:
            maildir = self._open()
            maildir.add(raw)
            for letter_id in _newest_first(maildir)[KEPT:]:
                maildir.discard(letter_id)
        except (OSError, Error) as error:
            raise MailUnavailable(f"the mailbox folder: {error}") from None

    def letters(self) -> List[MailboxLetter]:
        """Return all letters, the newest first."""
        maildir = self._open()
        found = [_read(maildir, letter_id)
                 for letter_id in _newest_first(maildir)]
        return [letter for letter in found if letter is not None]

    def letter(self, letter_id: str) -> Optional[MailboxLetter]:
        """Return one letter, or None if there is none of this id.

        An id never becomes a path: it is looked for among those there are.
        """
        maildir = self._open()
        if letter_id not in _newest_first(maildir):
            return None
        return _read(maildir, letter_id)

    def _open(self) -> Maildir:
        """Open the folder, after making what is missing of it.

        The standard library makes all or nothing, and two processes that
        start together would trip over each other.
        """
        for name in ("", "tmp", "new", "cur"):
            os.makedirs(os.path.join(self._folder, name), mode=0o700,
                        exist_ok=True)
        return Maildir(self._folder, create=False)


def _newest_first(maildir: Maildir) -> List[str]:
    """Return the ids of all letters, the newest first."""
    return sorted(maildir.keys(), key=_age, reverse=True)


def _age(letter_id: str) -> Tuple[int, ...]:
    """Return what orders ids by time; files of others count as oldest."""
    named = _NAME.match(letter_id)
    return tuple(int(number) for number in named.groups()) if named else ()


def _read(maildir: Maildir, letter_id: str) -> Optional[MailboxLetter]:
    """Read one letter; None if it is gone, or was put there by others."""
    try:
        raw = maildir.get_bytes(letter_id)
    except (KeyError, OSError):
        return None
    parsed = BytesParser(policy=default).parsebytes(raw)
    assert isinstance(parsed, EmailMessage)
    parts = [cast(EmailMessage, part) for part in parsed.iter_parts()]
    if "Auto-Submitted" not in parsed or len(parts) != 2:
        return None
    text, html = [part.get_content() for part in parts]
    return MailboxLetter(
        letter_id, parsed["To"], parsed["Subject"], text, html,
        parsed["Date"].datetime, parsed["Message-ID"], _links(text))


def _links(text: str) -> Tuple[str, ...]:
    """Return the links of a text, without what ends a sentence."""
    return tuple(found.rstrip(".,;:!?)") for found in _LINK.findall(text))
