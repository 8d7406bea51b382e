#!/usr/bin/env python3
"""Hashing: how many passwords are hashed at once, and who waits for it.

A hash costs a quarter of a second of a core, and anybody may ask for one. So
a service hashes in few threads that give way to all others, and lets a few
requests wait; whoever comes beyond that is told so at once, and nothing is
done for them (requirement R125).
"""

import logging
import math
import os
import sys
import threading
from time import monotonic
from typing import Any, Callable, List, NamedTuple, Optional, TypeVar
from weakref import WeakSet

from vestibule.base.errors import Busy, ClientLeft
from vestibule.base.origin import stays

# Added to a thread's nice value: against one busy program beside it, it gets
# a tenth of a core, and alone all of it.
NICER = 10
# So much later than known people strangers seem to have come.
HEAD_START = 4.0
LONGEST_WAIT = 10.0
# What a hash takes, as long as none is measured, and the weight of each
# newer measurement.
FIRST_GUESS, NEWEST = 1.0, 0.2
Result = TypeVar("Result")
logger = logging.getLogger(__name__)


class Asker(NamedTuple):
    """For whom something is hashed.

    ``known`` are who come with a known device, a session or a good token;
    ``has_left`` says whether nobody waits for the answer any more. It is
    asked twice, for some learn it only once they are asked: before there is
    a line to stand in, and when the turn comes.
    """

    known: bool = False
    has_left: Callable[[], bool] = stays


STRANGER = Asker()


class Bounds(NamedTuple):
    """How much is hashed at once, and for how many one may wait.

    ``places`` are of those who wait and of those whose hash is being
    computed; ``patience`` is for how many seconds one waits at most. With
    ``idle``, other programs of the machine go before. Without ``threads``
    everybody hashes in their own thread, and nothing is bounded.
    """

    threads: int = 0
    places: int = 0
    patience: float = LONGEST_WAIT
    idle: bool = False

    @property
    def for_strangers(self) -> int:
        """How many places strangers may fill: the rest is kept for others.
        """
        return self.places - self.places // 3


class _Job:
    """Something to be hashed, and what came of it."""

    def __init__(self, work: Callable[[], Any], asker: Asker,
                 came: float) -> None:
        """Keep what is to be done, and the place in the line."""
        self._work = work
        self._asker = asker
        self.rank = came if asker.known else came + HEAD_START
        self.done = threading.Event()
        self.result: Any = None
        self.error: Optional[BaseException] = None

    def do(self) -> bool:
        """Do the work, unless nobody waits for it; say whether it was done.

        bcrypt raises what is no ``Exception``: that, too, is for whoever
        asked, and must not end the thread.
        """
        try:
            if self._asker.has_left():
                self.error = _gone()
                return False
            self.result = self._work()
        except BaseException as error:
            self.error = error
        return True

    def outcome(self) -> Any:
        """Return what the work returned, or raise what it raised."""
        if self.error is not None:
            raise self.error
        return self.result


class Hashing:
    """Where all passwords of this process are hashed and verified."""

    def __init__(self, bounds: Bounds = Bounds(),
                 now: Callable[[], float] = monotonic) -> None:
        """Keep within these bounds; the threads start when one is needed."""
        self._bounds = bounds
        self._now = now
        self.begin_anew()
        _ALL.add(self)

    def begin_anew(self) -> None:
        """Forget all threads and jobs, as a process that was just forked.

        They are of its parent, which goes on with them.
        """
        self._given = threading.Condition(threading.Lock())
        self._threads: List[threading.Thread] = []
        self._waiting: List[_Job] = []
        self._running = 0
        self._typical: Optional[float] = None
        self._stopping = False

    def require_room(self, asker: Asker = STRANGER,
                     on_their_way: int = 0) -> None:
        """Raise ``Busy`` where there is no place, before anything is done.

        So many others are on their way to the line or in it already. It
        promises nothing: ``run`` looks again.
        """
        if self._bounds.threads:
            with self._given:
                self._refuse_beyond(
                    asker, max(on_their_way, self._in_line()))

    def run(self, work: Callable[[], Result],
            asker: Asker = STRANGER) -> Result:
        """Do something that hashes, when its turn comes; return its result.

        What it raises is raised here. Raises ``Busy``, and then nothing was
        hashed nor will be, where all places are taken, nobody came to it in
        time, or, as ``ClientLeft``, the client has left. Known people go
        before strangers who came at most seconds before them.
        """
        if not self._bounds.threads:
            return work()
        if asker.has_left():
            raise _gone()
        job = _Job(work, asker, self._now())
        self._line_up(job, asker)
        self._await(job)
        result: Result = job.outcome()
        return result

    def stop(self, seconds: float = 0.0) -> None:
        """Take nothing more; do what waits, for so many seconds at most."""
        with self._given:
            self._stopping = True
            self._given.notify_all()
            threads = list(self._threads)
        until = monotonic() + seconds
        for thread in threads:
            thread.join(max(0.0, until - monotonic()))

    def _line_up(self, job: _Job, asker: Asker) -> None:
        """Put a job in the line; see that there is a thread for it."""
        with self._given:
            self._refuse_beyond(asker, self._in_line())
            if len(self._threads) < self._bounds.threads:
                thread = threading.Thread(
                    target=self._serve, daemon=True,
                    name=f"hashing-{len(self._threads)}")
                thread.start()
                self._threads.append(thread)
            self._waiting.append(job)
            self._given.notify()

    def _await(self, job: _Job) -> None:
        """Wait for a job; take it back where nobody began it in time.

        Once it is begun its outcome is waited for and counts: nobody can
        have a password judged and be told that it was not.
        """
        in_time = False
        try:
            in_time = job.done.wait(self._bounds.patience)
        finally:
            if not in_time:
                self._take_back(job)
        job.done.wait()

    def _take_back(self, job: _Job) -> None:
        """Take a job that waits out of the line, and end it so."""
        with self._given:
            if job not in self._waiting:
                return
            job.error = self._busy("hashing: nobody came to it in "
                                   f"{self._bounds.patience:g} seconds",
                                   self._in_line())
            self._waiting.remove(job)
        job.done.set()

    def _in_line(self) -> int:
        """Return how many wait or are being hashed."""
        return len(self._waiting) + self._running

    def _refuse_beyond(self, asker: Asker, taken: int) -> None:
        """Raise ``Busy`` where no place is left for such a client."""
        if self._stopping:
            raise self._busy("hashing: the service is stopping", taken)
        if taken >= self._bounds.places:
            raise self._busy(
                f"hashing: all {self._bounds.places} places were taken",
                taken)
        if not asker.known and taken >= self._bounds.for_strangers:
            raise self._busy(
                f"hashing: all {self._bounds.for_strangers} places for "
                "strangers were taken", taken)

    def _busy(self, rule: str, ahead: int) -> Busy:
        """Return the refusal, with the time after which there is room.

        By then all are through who are ahead.
        """
        each = FIRST_GUESS if self._typical is None else self._typical
        return Busy(math.ceil(
            ahead * each / self._bounds.threads)).decided_by(rule)

    def _serve(self) -> None:
        """Do one job after another, at a lower priority than all else."""
        _give_way(self._bounds.idle)
        while self._serve_one():
            pass

    def _serve_one(self) -> bool:
        """Do the next job; nothing of it stays behind, least a password.

        Returns whether there may be another one.
        """
        job = self._next()
        if job is None:
            return False
        begun = monotonic()
        done = job.do()
        self._end(monotonic() - begun if done else None)
        # The place is free by then: who has the answer may ask again.
        job.done.set()
        return True

    def _next(self) -> Optional[_Job]:
        """Wait for the next job in the line; ``None`` at the very end."""
        with self._given:
            while not self._waiting:
                if self._stopping:
                    return None
                self._given.wait()
            job = min(self._waiting, key=lambda each: each.rank)
            self._waiting.remove(job)
            self._running += 1
            return job

    def _end(self, taken: Optional[float]) -> None:
        """Give a place back, and note how long one hashes."""
        with self._given:
            self._running -= 1
            if taken is not None:
                known = taken if self._typical is None else self._typical
                self._typical = known + NEWEST * (taken - known)


_ALL: "WeakSet[Hashing]" = WeakSet()


def _begin_anew() -> None:
    """Have every pool of a process that was just forked begin anew."""
    for hashing in list(_ALL):
        hashing.begin_anew()


os.register_at_fork(after_in_child=_begin_anew)


def _gone() -> ClientLeft:
    """Return what nobody will read."""
    return ClientLeft().decided_by(
        "hashing: the client had left before its turn")


def _give_way(idle: bool) -> None:
    """Lower the priority of this thread, where it has one of its own.

    Linux takes 0 for the calling thread; elsewhere it would be the process.
    """
    if not sys.platform.startswith("linux"):
        return
    try:
        if idle:
            os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
        else:
            os.nice(NICER)
    except OSError as error:
        logger.warning("Hashing goes on at the priority of everything else: "
                       "%s", error)
