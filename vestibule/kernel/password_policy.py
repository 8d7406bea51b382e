#!/usr/bin/env python3
"""PasswordPolicy: what may become a password, and why something may not.

The one place for it: registering, resetting and changing ask here. Only
length and being guessed count; any Unicode will do, nothing has to be in it,
and it never expires (NIST SP 800-63B-4 3.1.1.2, ASVS 5.0 6.2).
"""

from typing import Dict, FrozenSet, List, NamedTuple, Optional

from vestibule.base.errors import InvalidInput
from vestibule.kernel.blocklist import Blocklist, folded
from vestibule.kernel.breaches import Breaches
from vestibule.kernel.context_words import (
    LEAST_LEFT, contained, is_little_more, words_of_email, words_of_name)
from vestibule.kernel.passwords import MAXIMUM_LENGTH, normal_form
from vestibule.store.db import User

# What a person reads; ``{minimum}`` is this service's.
SENTENCES: Dict[str, str] = {
    "required": "A password is needed.",
    "too_short": "A password needs at least {minimum} characters.",
    "too_long": f"A password has {MAXIMUM_LENGTH} characters at most.",
    "unusable_characters":
        "This password holds a character that no keyboard sends.",
    "common":
        "This password is one of those that are tried first. Choose one "
        "that nobody else has.",
    "contains_service":
        "This password is little more than the name of this service.",
    "contains_email":
        "This password is little more than your email address.",
    "contains_name": "This password is little more than your name.",
    "breached":
        "This password is known from a data breach, so that attackers have "
        "it. Choose another one, and change it wherever else you use it.",
}


class Person(NamedTuple):
    """Whose password it is to be, as far as that is known."""

    email: str = ""
    name: Optional[str] = None


class PasswordPolicy:
    """Judges what is to become a password.

    The rules that look at the password alone are ``check_alone``: they go
    before anything is looked up. Those that look at the person, too, are
    ``check_for``, for when it is certain who that is; a service may be asked
    by it, so that it belongs in no transaction.
    """

    def __init__(self, minimum: int = 1,
                 blocklist: Optional[Blocklist] = None,
                 service: FrozenSet[str] = frozenset(),
                 breaches: Optional[Breaches] = None) -> None:
        """Take this many code points at least, and nothing from the list.

        ``service`` is the words of what the service is called. Without a
        blocklist nothing is too easy to guess, words of the service and the
        person neither. ``breaches`` is asked when all else is well.
        """
        self._minimum = minimum
        self._blocklist = blocklist
        self._breaches = breaches
        self._service = service

    def check(self, password: str, field: str = "password",
              person: Person = Person()) -> None:
        """Raise ``InvalidInput`` where this may not become a password."""
        self.check_alone(password, field)
        self.check_for(person, password, field)

    def check_alone(self, password: str, field: str = "password") -> None:
        """Raise ``InvalidInput`` for what may be nobody's password.

        Reasons: ``required``, ``too_short``, ``too_long`` (counted in code
        points after NFC), ``unusable_characters`` (NUL, which bcrypt
        confuses, and lone surrogates), ``common``, ``contains_service``.
        """
        try:
            text = normal_form(password, field)
        except InvalidInput as refusal:
            raise self._refused(refusal.errors[field], field) from None
        if not text:
            raise self._refused(["required"], field)
        if len(text) < self._minimum:
            raise self._refused(["too_short"], field)
        reasons = []
        if self._is_common(text):
            reasons.append("common")
        if self._blocklist and is_little_more(text, self._service):
            reasons.append("contains_service")
        if reasons:
            raise self._refused(reasons, field)

    def check_for(self, person: Person, password: str,
                  field: str = "password") -> None:
        """Raise ``InvalidInput`` for what may not be this person's password.

        Reasons: ``contains_email``, ``contains_name``, ``contains_service``
        for a mixture of them, and ``breached``, for which another service
        may be asked. Raises ``Unavailable`` where that does not answer and
        the operator wants no password then.
        """
        text = normal_form(password, field)
        reasons = self._too_close(text, person)
        if not reasons and self._breaches and self._breaches.hold(text):
            reasons = ["breached"]
        if reasons:
            raise self._refused(reasons, field)

    def _is_common(self, text: str) -> bool:
        """Say whether a text is listed, or a listed or short one padded.

        Padded is with blanks at the ends, or by repeating it.
        """
        if self._blocklist is None:
            return False
        whole = folded(text)
        piece = _repeated(whole.strip())
        if len(piece) < min(LEAST_LEFT, len(whole)):
            return True
        return any(self._blocklist.holds(each)
                   for each in {whole, whole.strip(), piece})

    def _too_close(self, text: str, person: Person) -> List[str]:
        """Return which words a text is little more than."""
        if self._blocklist is None:
            return []
        known = {"contains_email": words_of_email(person.email),
                 "contains_name": words_of_name(person.name or ""),
                 "contains_service": self._service}
        if not is_little_more(text, frozenset().union(*known.values())):
            return []
        return [reason for reason, words in known.items()
                if contained(text, words)]

    def _refused(self, reasons: List[str], field: str) -> InvalidInput:
        """Return a refusal that says each reason in words."""
        said = (SENTENCES[reason].format(minimum=self._minimum)
                for reason in reasons)
        return InvalidInput({field: reasons}, " ".join(said))


def person_of(user: User) -> Person:
    """Return what is known of a user."""
    return Person(user.email, user.name)


def _repeated(text: str) -> str:
    """Return the piece of which a text consists, or all of it.

    The last repetition may be cut: ``qwertyqwertyqwe``.
    """
    for length in range(1, len(text) // 2 + 1):
        if text[length:] == text[:-length]:
            return text[:length]
    return text
