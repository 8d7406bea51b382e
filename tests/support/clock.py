#!/usr/bin/env python3
"""A clock that tests set."""

from datetime import datetime, timedelta, timezone

from vestibule.base.clock import Clock


class SetClock(Clock):
    """Stands still until it is moved."""

    def __init__(self) -> None:
        """Begin on a day of no importance."""
        self._now = datetime(2026, 3, 1, 12, 0, tzinfo=timezone.utc)

    def now(self) -> datetime:
        """Return the instant it was set to, a little later each time.

        Two readings are never equal, as with a real clock.
        """
        self._now += timedelta(microseconds=1)
        return self._now

    def advance(self, **duration: float) -> None:
        """Move on by a duration, given as for ``timedelta``."""
        self._now += timedelta(**duration)
