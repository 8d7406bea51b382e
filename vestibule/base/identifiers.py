#!/usr/bin/env python3
"""One spelling for an email address.

An address is validated *after* normalisation, and the spelling that passed
is the one that is stored, compared and mailed (Django CVE-2019-19844,
NextAuth GHSA-7rqj-j65f-68wh: two spellings were an account take-over).
"""

from email_validator import EmailNotValidError, validate_email

from vestibule.base.errors import InvalidInput

MAX_LENGTH = 254
# RFC 5321 4.5.3.1.1; newer email-validators look at it only when strict.
MAX_LOCAL_LENGTH = 64
LOCAL_NAMES = ("test", "local", "localhost")


def canonical_email(typed: str, local_names: bool = False) -> str:
    """Return the one spelling of an address: all lower-case, domain in IDNA.

    Blanks around it are dropped. Refused are quoted local parts, literal
    addresses, display names and local parts beyond ASCII, whose look-alikes
    nobody can tell apart; plus-tags are kept. With ``local_names`` the
    domains under ``.test``, ``.local`` and ``localhost`` pass too, which
    lead to no mailbox in the world: that is for the development profile.

    Raises ``InvalidInput`` with the reason ``malformed`` or ``too_long``
    for the field ``email``.
    """
    text = typed.strip()
    if len(text) > MAX_LENGTH:
        raise InvalidInput({"email": ["too_long"]})
    if local_names and _is_local(text):
        # The validator refuses these names whatever it is told, so the rest
        # of the address is judged under a name that it takes.
        return _spelled(f"{text}.com")[:-len(".com")]
    return _spelled(text)


def _is_local(text: str) -> bool:
    """Say whether the domain is one of the local names, or lies below one."""
    labels = text.rpartition("@")[2].lower().split(".")
    return labels[-1] in LOCAL_NAMES


def _spelled(text: str) -> str:
    """Validate an address and return its canonical spelling."""
    try:
        found = validate_email(text, check_deliverability=False,
                               allow_smtputf8=False)
    except (EmailNotValidError, UnicodeError):
        raise InvalidInput({"email": ["malformed"]}) from None
    local_part = found.ascii_local_part or ""
    if len(local_part) > MAX_LOCAL_LENGTH:
        raise InvalidInput({"email": ["malformed"]})
    if "=?" in text:
        # The beginning of an encoded word: CPython below 3.12.5 would decode
        # it in a mail's header (CVE-2024-6923).
        raise InvalidInput({"email": ["malformed"]})
    return f"{local_part}@{found.ascii_domain}".lower()
