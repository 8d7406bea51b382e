#!/usr/bin/env python3
"""What a text must be to be stored and shown, and how instants are written.
"""

import unicodedata
from datetime import datetime, timezone

# Controls, marks that are not seen, halves of pairs, and ends of lines.
UNSEEN = frozenset(["Cc", "Cf", "Cs", "Zl", "Zp"])
# Of those, the two that belong to Persian and Indic words and to emoji.
JOINERS = frozenset("\u200c\u200d")


def is_clean(text: str) -> bool:
    """Say whether a text can be stored: no NUL and no lone surrogates.

    PostgreSQL refuses both; here every database refuses them alike.
    """
    return "\0" not in text and not any(
        "\ud800" <= each <= "\udfff" for each in text)


def is_one_line(text: str) -> bool:
    """Say whether a text shows as the one line that it is.

    What turns the direction of writing, or is not seen at all, could make
    one name look like another. Letters that the Python at hand does not know
    yet will do, and so will the blanks of every script.
    """
    return has_characters_alone(text) and all(
        each in JOINERS or unicodedata.category(each) not in UNSEEN
        for each in text)


def has_characters_alone(text: str) -> bool:
    """Say whether no code point is one that will never be a character.

    Unicode keeps 66 of them for programs' own use, as marks in texts that
    they do not exchange.
    """
    return not any(ord(each) & 0xfffe == 0xfffe
                   or "\ufdd0" <= each <= "\ufdef" for each in text)


def rfc3339(instant: datetime) -> str:
    """Return an instant as RFC 3339 has it, in UTC, to the second."""
    return instant.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
