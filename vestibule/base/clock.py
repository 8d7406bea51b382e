#!/usr/bin/env python3
"""The one place that asks what time it is."""

from datetime import datetime, timezone


class Clock:
    """Tells the time; whoever needs it is given a clock, and never asks."""

    def now(self) -> datetime:
        """Return this instant in UTC, aware, to the microsecond.

        Expiry is judged by this clock alone and never by the database's,
        so that one clock decides (requirement R138).
        """
        return datetime.now(timezone.utc)
