#!/usr/bin/env python3
"""The blows of a hunt, which meet changes in the middle.

The process that makes a change is killed or stands still, after a random
time or at the very instant at which the database is seen changed; or its
connections to PostgreSQL, mostly those of the listeners, are cut or silent.
"""

import signal
import threading
from functools import partial
from random import Random
from typing import Callable, Optional

from tests.support.hunt_judge import Person
from tests.support.hunt_stage import pause, send
from tests.support.hunt_tally import Tally

BLOWS = (*[""] * 5, "kill", "kill when seen", "pause", "pause when seen",
         "pause when seen", "cut", "cut before", "silence")
# A change takes some milliseconds; so a blow is in the middle, or just after.
LATEST_BLOW_SECONDS = 0.03
LONGEST_PAUSE_SECONDS = 0.3


class Theatre:
    """What a changer asks of the hunt that it is part of."""

    focus: Optional[Person]
    when_seen: Optional[Callable[[], None]]
    turns: int
    tally: Tally

    def is_over(self) -> bool:
        """Say whether there has been enough, or a find."""
        raise NotImplementedError

    def bury(self, person: Person) -> None:
        """Go on asking about somebody for a while."""
        raise NotImplementedError

    def disturb(self, kind: str) -> None:
        """Have a connection to PostgreSQL cut, or be silent for a while."""
        raise NotImplementedError


class Blows:
    """Lets blows fall on who makes a change."""

    def __init__(self, theatre: Theatre, random: Random) -> None:
        """Let them fall at random; none has so far."""
        self._theatre = theatre
        self._random = random

    def choose(self) -> str:
        """Return what is to happen, mostly nothing."""
        return self._random.choice(BLOWS)

    def arm(self, blow: str, pid: Optional[int], facts: int = 1) -> None:
        """Let a blow fall on a process soon, or at one of so many facts."""
        kind, _, when = blow.partition(" ")
        if not kind or pid is None:
            return
        if kind in ("cut", "silence"):
            action: Callable[[], None] = partial(self._theatre.disturb, kind)
        elif kind == "kill":
            action = partial(self._kill, pid)
        else:
            action = partial(self._pause, pid, self._random.uniform(
                0.02, LONGEST_PAUSE_SECONDS))
        if when == "before":
            action()
        elif when:
            self._theatre.when_seen = partial(
                self._await, self._random.randrange(facts), action)
        else:
            timer = threading.Timer(
                self._random.uniform(0, LATEST_BLOW_SECONDS), action)
            timer.daemon = True
            timer.start()

    def _await(self, more: int, action: Callable[[], None]) -> None:
        """Let a blow fall, or wait for so many more facts."""
        if more:
            self._theatre.when_seen = partial(self._await, more - 1, action)
        else:
            action()

    def _kill(self, pid: int) -> None:
        """Kill who makes the change."""
        self._theatre.tally.struck()
        self._theatre.tally.kills += send(pid, signal.SIGKILL)

    def _pause(self, pid: int, seconds: float) -> None:
        """Let who makes the change stand still."""
        self._theatre.tally.pauses += 1
        pause(pid, seconds)
