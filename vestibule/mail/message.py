#!/usr/bin/env python3
"""What is sent, and the plug that sends it."""

import re
from abc import ABC, abstractmethod
from datetime import datetime
from ipaddress import ip_address
from typing import NamedTuple
from urllib.parse import urlsplit

# Stands in a Message-ID where the base URL names no host of the world.
LOCAL_DOMAIN = "vestibule.localhost"

_LETTER_ID = re.compile(r"[A-Za-z0-9-]{1,64}")
_WORLD_HOST = re.compile(
    r"(?=.{1,253}\Z)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9-]+")


class Message(NamedTuple):
    """One letter to one person, ready to be sent.

    ``message_id`` is the same at each try of a letter, so that mail servers
    and programs can tell a repetition. ``date`` is aware and comes from the
    caller: nothing in this package asks the clock.
    """

    to: str
    subject: str
    text: str
    html: str
    message_id: str
    date: datetime


class MailRefused(Exception):
    """This letter will never be taken: trying again is of no use.

    Its text is one short line for an operator's table, and holds no
    password, no token and nothing of the letter's body.
    """


class MailUnavailable(Exception):
    """The mail could not be handed over now: try again later.

    Its text is one short line for an operator's table, and holds no
    password, no token and nothing of the letter's body.
    """


class Mailer(ABC):
    """The plug: takes a message out of the house."""

    @abstractmethod
    def send(self, message: Message) -> None:
        """Hand the message over; when this returns, it has been taken.

        Raises ``MailRefused`` when no later try can succeed and
        ``MailUnavailable`` when one may.
        """


def message_id(letter_id: str, base_url: str) -> str:
    """Return the Message-ID of a letter: ``<letter-id@host of base_url>``.

    An IP address, ``localhost`` and other names without a dot say nothing
    to the world and make spam filters suspicious: ``vestibule.localhost``
    stands in for them. An id of other than letters, digits and hyphens is a
    ``ValueError``, since it goes into a header as it is.
    """
    if not _LETTER_ID.fullmatch(letter_id):
        raise ValueError("not the id of a letter")
    host = (urlsplit(base_url).hostname or "").lower()
    if not _WORLD_HOST.fullmatch(host) or _is_ip(host):
        host = LOCAL_DOMAIN
    return f"<{letter_id}@{host}>"


def _is_ip(host: str) -> bool:
    """Say whether a host is written as an IP address."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
