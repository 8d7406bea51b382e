#!/usr/bin/env python3
"""The clock: aware, in UTC, and really the time."""

from datetime import datetime, timedelta, timezone

from vestibule.base.clock import Clock


def test_the_clock_tells_the_time_in_utc() -> None:
    """R138: the instant is aware, so that no two zones are compared."""
    before = datetime.now(timezone.utc)
    now = Clock().now()
    assert before <= now <= datetime.now(timezone.utc)
    assert now.tzinfo is timezone.utc
    assert now.utcoffset() == timedelta(0)
