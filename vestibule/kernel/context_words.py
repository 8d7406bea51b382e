#!/usr/bin/env python3
"""Words that an attacker knows: of the person, their address, the service.

NIST SP 800-63B-4 3.1.1.2 has the whole password compared with such words
"and derivatives thereof", and no part of it. A derivative is here what is
little more than the words: take them out, and fewer than eight characters
are left. So ``ada.lovelace-1815`` is refused to Ada, and a passphrase that
happens to hold her name is not.
"""

import re
from typing import FrozenSet, Iterable, List

from vestibule.kernel.blocklist import folded

SHORTEST_WORD = 4
# What NIST would take for a whole password beside a second factor.
LEAST_LEFT = 8
NO_WORD = re.compile(r"[\W_]+")


def words_of_email(email: str) -> FrozenSet[str]:
    """Return the words of an address: it as a whole, and either side."""
    local, _, domain = email.rpartition("@")
    return (_long_enough([email, local.partition("+")[0]])
            | words_of_name(local) | words_of_host(domain))


def words_of_name(name: str) -> FrozenSet[str]:
    """Return a name as a whole and each of its words."""
    return _long_enough([name, *NO_WORD.split(name)])


def words_of_host(host: str) -> FrozenSet[str]:
    """Return a host's name as a whole and its labels.

    Its port and its last label, the same for millions, are left out.
    """
    name = host.rpartition(":")[0] if ":" in host else host
    return _long_enough([name, *name.split(".")[:-1]])


def contained(text: str, words: Iterable[str]) -> bool:
    """Say whether one of the words stands in the text."""
    letters = _letters(text)
    return any(word in letters for word in words)


def is_little_more(text: str, words: Iterable[str]) -> bool:
    """Say whether the text is made of these words and hardly anything else.

    Punctuation and blanks, which are in no word, do not hide one, but count
    as something else. Takes time in proportion to the text.
    """
    letters, left = _letters(text), len(folded(text))
    found = False
    for word in sorted(words, key=lambda each: (-len(each), each)):
        times = letters.count(word)
        if times:
            found = True
            left -= times * len(word)
            letters = letters.replace(word, " ")
    return found and left < LEAST_LEFT


def _long_enough(texts: List[str]) -> FrozenSet[str]:
    """Return those of four letters and more: shorter ones are anywhere."""
    words = (_letters(text) for text in texts)
    return frozenset(
        word for word in words if len(word) >= SHORTEST_WORD)


def _letters(text: str) -> str:
    """Return letters and digits alone, without regard to case."""
    return "".join(each for each in folded(text) if each.isalnum())
