#!/usr/bin/env python3
"""Sessions that this process has looked up, none of them ever stale.

Decision 44 says how, and why.
"""

import threading
from datetime import datetime, timedelta
from time import monotonic
from typing import Any, Dict, NamedTuple, Optional

from vestibule.base.clock import Clock
from vestibule.kernel.last_seen import INTERVAL
from vestibule.store.generations import slot_of
from vestibule.store.news import News
from vestibule.store.session import FoundSession
from vestibule.store.tables import from_microseconds

LONGEST = timedelta(seconds=30)
MOST = 10000
# What no slot ever holds: an entry that carries it is not for use.
NEVER = -1


class _Kept(NamedTuple):
    """A session as it was read, and what both its slots held before that."""

    found: FoundSession
    since: datetime
    until: datetime
    numbers: Any
    slot: int
    generation: int
    user_slot: int
    user_generation: int


class Place(NamedTuple):
    """Where to keep a session that is about to be read.

    ``kept`` is the cache's dictionary of that moment: when the cache is
    emptied meanwhile, what goes there is nobody's any more.
    """

    kept: Dict[str, _Kept]
    numbers: Any
    slot: int
    generation: int
    user_slot: int
    user_generation: int


class SessionCache:
    """Up to 10,000 sessions by their tokens, once ``begin`` is called.

    Before that, as in a command or in a program that has Vestibule as its
    library, it keeps none.
    """

    def __init__(self, clock: Clock) -> None:
        """Judge lifetimes by this clock."""
        self._clock = clock
        self._lock = threading.Lock()
        self._news: Optional[News] = None
        self._kept: Dict[str, _Kept] = {}

    def begin(self, news: News) -> None:
        """Keep sessions from now on, as long as the news are current."""
        news.when_lost(self.empty)
        self._news = news

    @property
    def is_on(self) -> bool:
        """Whether sessions are kept at all."""
        return self._news is not None

    def empty(self) -> None:
        """Forget everything, and what is being read at the moment."""
        self._kept = {}

    def get(self, token: Optional[str]) -> Optional[FoundSession]:
        """Return the live session of a token, if it is kept and still so.

        The whole token was checked when the session was read. A dictionary
        compares it only where a keyed hash of all of it is equal, so the
        time this takes tells nothing of what is kept. The order counts:
        whether the news are current, the entry, and the numbers.
        """
        if not self._is_current():
            return None
        kept = self._kept.get(token)  # type: ignore[arg-type]
        if kept is None:
            return None
        (found, since, until, numbers, slot, generation, user_slot,
         user_generation) = kept
        if (numbers[slot] == generation
                and numbers[user_slot] == user_generation
                and since <= self._clock.now() < until):
            return found
        return None

    def place(self, token: str, session_id: str) -> Optional[Place]:
        """Return where to keep a session, before its row is read.

        Whose it is must be known for that, by an earlier look-up: the first
        one only notes it.
        """
        kept, slot = self._kept, slot_of(session_id)
        if not self._is_current() or self._news is None:
            return None
        generations = self._news.generations
        if generations is None:
            return None
        numbers = generations.numbers
        known = kept.get(token)
        if known is None:
            return Place(kept, numbers, slot, NEVER, slot, NEVER)
        user_slot = known.user_slot
        return Place(kept, numbers, slot, numbers[slot],
                     user_slot, numbers[user_slot])

    def _is_current(self) -> bool:
        """Say whether the news of changes are complete, or make them so."""
        news = self._news
        return news is not None and (
            monotonic() < news.until or news.ask())

    def keep(self, place: Place, token: str, found: FoundSession,
             now: datetime) -> None:
        """Keep a live session that was read at its place's time.

        The oldest gives way where there are too many.
        """
        user_slot, generation = place.user_slot, place.generation
        if generation == NEVER:
            user_slot = slot_of(found.user_id)
        elif (generation | place.user_generation) & 1:
            return
        kept = _Kept(found, now, _end_of(found, now), place.numbers,
                     place.slot, generation, user_slot,
                     place.user_generation)
        with self._lock:
            place.kept.pop(token, None)
            if len(place.kept) >= MOST:
                del place.kept[next(iter(place.kept))]
            place.kept[token] = kept


def _end_of(found: FoundSession, now: datetime) -> datetime:
    """Return until when a session may be kept.

    Not past its expiry, nor beyond the instant from which its use has to be
    noted again.
    """
    end = min(now + LONGEST, from_microseconds(found.idle_expires_at),
              from_microseconds(found.expires_at))
    due = from_microseconds(found.last_seen_at) + INTERVAL
    return min(end, due) if due > now else end
