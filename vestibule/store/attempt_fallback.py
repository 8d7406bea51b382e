#!/usr/bin/env python3
"""Tries counted in one place, and in another while the first is away.

They are never unlimited, and nobody is refused because the first is away.
"""

import logging
import threading
import time
from collections import OrderedDict
from datetime import datetime, timedelta
from typing import Callable, Dict, List, Sequence

from vestibule.store.attempt import (
    AttemptsAway, AttemptStore, Wanted, Window)

PAUSE = timedelta(seconds=5)
# Of so many keys it is remembered that a try of theirs is open in the second
# place. Some tries are never closed, so that there has to be an end.
MOST_REMEMBERED = 10000

logger = logging.getLogger(__name__)


class FallbackAttempts(AttemptStore):
    """Counts in the first place, or in the second while that one fails.

    After a failure nobody asks the first for a while; then a single thread
    tries it, so that others never wait for what does not answer. A try is
    closed where it was counted. Where that cannot be, it stays counted.
    """

    def __init__(self, first: AttemptStore, second: AttemptStore,
                 pause: timedelta = PAUSE) -> None:
        """Keep both places, and how long the first is let alone."""
        self._first = first
        self._second = second
        self._pause = pause.total_seconds()
        self._lock = threading.Lock()
        self._away = False
        self._next_try = 0.0
        self._in_second: "OrderedDict[str, int]" = OrderedDict()

    def reserve(self, wanted: Sequence[Wanted], now: datetime) -> None:
        """Count a try under every key; see ``AttemptStore``."""
        if self._at_first(lambda: self._first.reserve(wanted, now)):
            return
        self._second.reserve(wanted, now)
        with self._lock:
            for each in wanted:
                count = self._in_second.pop(each.key, 0)
                self._in_second[each.key] = count + 1
            while len(self._in_second) > MOST_REMEMBERED:
                self._in_second.popitem(last=False)

    def settle(self, keys: Sequence[str]) -> None:
        """Note that a try was wrong; see ``AttemptStore``."""
        self._close(keys, self._first.settle, self._second.settle)

    def clear(self, keys: Sequence[str]) -> None:
        """Note that a try was right; see ``AttemptStore``."""
        self._close(keys, self._first.clear, self._second.clear)

    def withdraw(self, wanted: Sequence[Wanted],
                 counted_at: datetime) -> None:
        """Forget a try that was counted then; see ``AttemptStore``."""
        by_key = {each.key: each for each in wanted}
        at_first, at_second = (
            lambda keys, place=place: place.withdraw(
                [by_key[key] for key in keys], counted_at)
            for place in (self._first, self._second))
        self._close(list(by_key), at_first, at_second)

    def windows(self, keys: Sequence[str],
                now: datetime) -> Dict[str, Window]:
        """Return what is counted where tries are counted now."""
        found: Dict[str, Window] = {}
        if self._at_first(
                lambda: found.update(self._first.windows(keys, now))):
            return found
        return self._second.windows(keys, now)

    def forget(self, keys: Sequence[str]) -> None:
        """Forget what is counted in both places, as far as they answer."""
        self._second.forget(keys)
        self._at_first(lambda: self._first.forget(keys))

    def lift(self, keys: Sequence[str], ends_at: datetime) -> None:
        """Let everything through in both places, as far as they answer."""
        self._second.lift(keys, ends_at)
        self._at_first(lambda: self._first.lift(keys, ends_at))

    def _close(self, keys: Sequence[str],
               at_first: Callable[[Sequence[str]], None],
               at_second: Callable[[Sequence[str]], None]) -> None:
        """Close a try under each key in the place that counted it."""
        there = self._taken_from_second(keys)
        here = [key for key in keys if key not in there]
        if there:
            at_second(there)
        if here:
            self._at_first(lambda: at_first(here))

    def _taken_from_second(self, keys: Sequence[str]) -> List[str]:
        """Return the keys whose try is open in the second place.

        Two tries of one key at the same time may change places, and then
        each place has still closed as many as it has counted.
        """
        with self._lock:
            there = [key for key in keys if key in self._in_second]
            for key in there:
                self._in_second[key] -= 1
                if not self._in_second[key]:
                    del self._in_second[key]
        return there

    def _at_first(self, verb: Callable[[], None]) -> bool:
        """Do it in the first place; say whether that is possible now."""
        if not self._may_ask():
            return False
        try:
            verb()
        except AttemptsAway as reason:
            self._note_failure(reason)
            return False
        except Exception:
            # It answered: with a refusal.
            self._note_success()
            raise
        self._note_success()
        return True

    def _may_ask(self) -> bool:
        """Say whether the first is to be asked; of many, one tries it."""
        if not self._away:
            return True
        with self._lock:
            if self._away and time.monotonic() < self._next_try:
                return False
            self._next_try = time.monotonic() + self._pause
            return True

    def _note_failure(self, reason: AttemptsAway) -> None:
        """Let it alone for a while; the log has one line for an outage."""
        with self._lock:
            first_time = not self._away
            self._away = True
            self._next_try = time.monotonic() + self._pause
        if first_time:
            logger.warning(
                "Redis fails (%s): tries are counted in the database until "
                "it is back", reason)

    def _note_success(self) -> None:
        """Go back to the first place; the log has one line for it."""
        if not self._away:
            return
        with self._lock:
            was_away, self._away = self._away, False
        if was_away:
            logger.warning("Redis is back: tries are counted there again")
