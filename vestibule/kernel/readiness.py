#!/usr/bin/env python3
"""Readiness: whether the service can work, looked at once a second at most.

Anybody may ask, and as often as they like (requirement R128): what a look
costs must not grow with that.
"""

import threading
from time import monotonic
from typing import Callable, NamedTuple, Optional

from vestibule.base.errors import Unavailable
from vestibule.kernel.peppers import Peppers
from vestibule.store.db import DB
from vestibule.store.schema import is_current

# For so long a look counts, and for so long where the next one hangs.
SECONDS, MOST_SECONDS = 1.0, 5.0
SCHEMA, PEPPER = "schema", "pepper"
SENTENCES = {
    SCHEMA: "The database has another schema.",
    PEPPER: "A pepper is missing, or is not the right one."}


class _Look(NamedTuple):
    """What was seen at an instant: the code of what is wrong, if anything."""

    at: float
    wrong: Optional[str]


class Readiness:
    """Looks at the database, and answers from the last look in between."""

    def __init__(self, db: DB, peppers: Peppers,
                 now: Callable[[], float] = monotonic) -> None:
        """Look at this database, and whether these peppers fit it.

        ``now`` says the seconds since any instant.
        """
        self._db = db
        self._peppers = peppers
        self._now = now
        self._looking = threading.Lock()
        self._last: Optional[_Look] = None

    def require(self) -> None:
        """Raise ``Unavailable`` where the service cannot work.

        That is a database that does not answer, one with another schema
        (``schema``), or one that the peppers do not fit (``pepper``). One
        thread looks; meanwhile all others are told what was seen before,
        and only before the first look is over do they wait for it. Whoever
        looked raises what the database raised.
        """
        if not self._is_fresh(SECONDS) and self._looking.acquire(
                blocking=self._last is None):
            try:
                if not self._is_fresh(SECONDS):
                    self._look()
            finally:
                self._looking.release()
        self._refuse()

    def _is_fresh(self, seconds: float) -> bool:
        """Say whether the last look is no older than so many seconds."""
        last = self._last
        return last is not None and self._now() - last.at < seconds

    def _look(self) -> None:
        """Look, and keep what is seen, also where that fails."""
        wrong: Optional[str] = Unavailable.default_code
        try:
            wrong = self._what_is_wrong()
        finally:
            self._last = _Look(self._now(), wrong)

    def _what_is_wrong(self) -> Optional[str]:
        """Return the code of what keeps the service from its work."""
        if not is_current(self._db.engine):
            return SCHEMA
        if self._peppers.examine():
            return PEPPER
        return None

    def _refuse(self) -> None:
        """Raise what was seen last, unless it is too long ago to count."""
        last = self._last
        wrong = None if last is None else last.wrong
        if not self._is_fresh(MOST_SECONDS):
            wrong = Unavailable.default_code
        if wrong is not None:
            raise Unavailable(SENTENCES.get(wrong), wrong)
