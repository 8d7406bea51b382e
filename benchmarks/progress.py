#!/usr/bin/env python3
"""Says how far the benchmarks are, and how long they will go on."""

import sys
import time
from typing import Callable, TextIO

from benchmarks.figures import duration


class Progress:
    """Knows the work ahead in seconds as planned, and learns from the clock.

    What is planned is a guess; once a part is done, the rest is judged by
    how long that part really took.
    """

    def __init__(self, planned_seconds: float,
                 out: TextIO = sys.stderr,
                 clock: Callable[[], float] = time.monotonic) -> None:
        """Begin now, with so much ahead."""
        self._planned = planned_seconds
        self._done = 0.0
        self._out = out
        self._clock = clock
        self._began = clock()

    @property
    def share(self) -> float:
        """How much is done, from 0 to 1."""
        return min(1.0, self._done / self._planned) if self._planned else 1.0

    @property
    def seconds_left(self) -> float:
        """How long the rest will take if it goes on like this."""
        rest = max(0.0, self._planned - self._done)
        if not self._done:
            return rest
        return rest * (self._clock() - self._began) / self._done

    def say(self, what: str) -> None:
        """Print what is being done, with how far it all is."""
        left = duration(self.seconds_left)
        print(f"[{self.share:4.0%}, {left} left] {what}",
              file=self._out, flush=True)

    def did(self, planned_seconds: float) -> None:
        """Note that a piece of work is over, one of so many seconds."""
        self._done += planned_seconds
