#!/usr/bin/env python3
"""Peppers: secrets mixed into passwords, and whether they are the right ones.

A pepper stands in the settings and never in the database, so that whoever
steals the database alone cannot even begin to guess passwords. A wrong one
would refuse everybody; so the database keeps a canary of each, and while one
does not fit, nobody is told that a password is wrong (requirement R027).
"""

import logging
import re
from typing import FrozenSet, List, Optional, Sequence

from vestibule.base.digest import keyed_digest, same
from vestibule.base.errors import Unavailable
from vestibule.base.setting_values import Pepper
from vestibule.store.db import IntegrityError
from vestibule.store.pepper_canary import PepperCanaryStore

CANARY = "vestibule pepper canary, version 1: "
PREFIX = re.compile(r"\{v1:(?P<key_id>[^}]*)\}")
KEY_ID = re.compile("[a-z0-9]{1,16}")
MOST_NAMED = 8
WRONG = ('The pepper "{}" is not the secret that this database knows under '
         "this id: set the right secret again, or give a new one an id of "
         "its own. Until then no password is taken, and /health/ready answers "
         "503.")
MISSING = ('Passwords were hashed with the pepper "{}", which is not set: '
           "put it into VESTIBULE_PEPPER, or into VESTIBULE_PEPPER_FALLBACKS "
           "if another one has taken its place, and start again. Until then "
           "no password is taken, and /health/ready answers 503.")
logger = logging.getLogger(__name__)


class Peppers:
    """The peppers that there are, by id; the current one hashes."""

    def __init__(self, current: Optional[Pepper] = None,
                 fallbacks: Sequence[Pepper] = (),
                 canaries: Optional[PepperCanaryStore] = None) -> None:
        """Hash with ``current``, and accept what ``fallbacks`` hashed.

        Without ``canaries`` nobody looks whether they are the right ones.
        """
        self.current = current
        own = [] if current is None else [current]
        self._known = {each.key_id: each for each in [*own, *fallbacks]}
        self._canaries = canaries
        self._strange: FrozenSet[str] = frozenset()
        self._doubted = False
        # What is wrong as far as is known; None: not looked at as yet.
        self._faults: Optional[List[str]] = None

    def secret_of(self, key_id: str) -> Optional[bytes]:
        """Return the pepper with this id, ``None`` where it is not set."""
        found = self._known.get(key_id)
        return None if found is None else found.secret.encode("utf-8")

    def require_sound(self) -> None:
        """Raise ``Unavailable`` where right passwords would be refused.

        The database is asked once, and again after a ``doubt``.
        """
        faults = self._faults
        if faults is None:
            faults = self.examine()
        if faults:
            raise Unavailable()

    def doubt(self) -> None:
        """Look again soon: a hash was met whose pepper is not set.

        Another process may have a newer pepper than this one.
        """
        self._faults, self._doubted = None, True

    def examine(self) -> List[str]:
        """Compare the peppers with the database; say what is wrong.

        Peppers that are new to it leave their canaries there. It is cheap
        while all is well: the hashes are searched where there are canaries
        of peppers that are not set and were not there before, or after a
        ``doubt``. What is wrong goes to the log, once.
        """
        if self._canaries is None:
            return []
        stored = self._canaries.digests()
        faults = []
        for key_id, pepper in sorted(self._known.items()):
            own = _canary_of(pepper)
            digest = stored.get(key_id) or self._introduce(
                self._canaries, key_id, own)
            if not same(digest, own):
                faults.append(WRONG.format(key_id))
        strange = frozenset(stored) - frozenset(self._known)
        if self._faults or self._doubted or strange != self._strange:
            faults += [MISSING.format(key_id)
                       for key_id in self._missing(self._canaries)]
        self._strange, self._doubted = strange, False
        self._keep(faults)
        return faults

    def _introduce(self, canaries: PepperCanaryStore, key_id: str,
                   digest: str) -> str:
        """Write the canary of a new pepper; return the one that stands.

        Of several processes that start at once one writes, and the others
        compare with what it wrote.
        """
        try:
            canaries.add(key_id, digest)
        except IntegrityError:
            return canaries.digests().get(key_id, "")
        return digest

    def _missing(self, canaries: PepperCanaryStore) -> List[str]:
        """Return the ids of peppers that hashes need and that are not set.
        """
        passed = [prefix_of(pepper) for pepper in self._known.values()]
        missing: List[str] = []
        for _ in range(MOST_NAMED):
            found = PREFIX.match(canaries.hash_beyond(passed) or "")
            if found is None:
                break
            passed.append(found.group())
            if KEY_ID.fullmatch(found.group("key_id")):
                missing.append(found.group("key_id"))
        return sorted(missing)

    def _keep(self, faults: List[str]) -> None:
        """Remember what is wrong, and tell the operator if that is new."""
        if faults != (self._faults or []):
            for fault in faults:
                logger.error("%s", fault)
            if not faults:
                logger.warning("The peppers are the right ones again.")
        self._faults = faults


def prefix_of(pepper: Pepper) -> str:
    """Return what a hash with this pepper begins with."""
    return f"{{v1:{pepper.key_id}}}"


def _canary_of(pepper: Pepper) -> str:
    """Return what tells a pepper from any other one under its id.

    An HMAC of a constant: it says nothing of a secret that cannot be
    guessed, and no password is ever digested to it.
    """
    return keyed_digest(pepper.secret, CANARY + pepper.key_id)
