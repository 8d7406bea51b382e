#!/usr/bin/env python3
"""The figures that we mean to reach, and whether a run reached them."""

from typing import List, NamedTuple, Optional, Tuple

from benchmarks.figures import ratio
from benchmarks.results import Run
from benchmarks.stores import POSTGRESQL, SQLITE, name_on
from benchmarks.subjects import (
    BCRYPT, BETTER_AUTH_CACHED, FLASK_LOGIN, NGINX, OURS, OURS_OLD,
    OURS_UNCACHED)

Figure = Tuple[str, str, str]  # what is measured, of whom, and which field
OUR_NAMES = (OURS, OURS_UNCACHED, OURS_OLD)
OUR_STORES = tuple(name_on(kind) for kind in (POSTGRESQL, SQLITE))
LEAST, MOST = "at least", "at most"


class Goal(NamedTuple):
    """One figure divided by another, and what comes of it at the least.

    Or at the most. Without a second figure it is the first alone.
    """

    sentence: str
    figure: Figure
    against: Optional[Figure]
    sense: str
    bound: float

    def value(self, run: Run) -> Optional[float]:
        """Return what the run says, ``None`` where it lacks a figure."""
        found = run.value(*self.figure)
        if self.against is None:
            return found
        return ratio(found, run.value(*self.against))

    def is_reached(self, value: float) -> bool:
        """Say whether a value is good enough."""
        if self.sense == LEAST:
            return value >= self.bound
        return value <= self.bound


def _per_core(subject: str) -> Figure:
    """Return the figure of checks for each core and second."""
    return "check-64", subject, "per_core"


GOALS: Tuple[Goal, ...] = (
    Goal("checks per core, of Flask-Login's on gunicorn",
         _per_core(OURS), _per_core(FLASK_LOGIN), LEAST, 60),
    Goal("the same with the cache off",
         _per_core(OURS_UNCACHED), _per_core(FLASK_LOGIN), LEAST, 10),
    Goal("checks per core, of Better Auth's with its cookie cache",
         _per_core(OURS), _per_core(BETTER_AUTH_CACHED), LEAST, 30),
    Goal("checks per core, of nginx's constant answers",
         _per_core(OURS), _per_core(NGINX), LEAST, 0.2),
    Goal("checks per core on Python 3.7, of Flask-Login's",
         _per_core(OURS_OLD), _per_core(FLASK_LOGIN), LEAST, 5),
    Goal("p99 of checks in the flood of 32, of that in quiet",
         ("flood-32", OURS, "checks.p99_ms"),
         ("quiet", OURS, "checks.p99_ms"), MOST, 3),
    Goal("p99 of checks in the flood of 200, of that in quiet",
         ("flood-200", OURS, "checks.p99_ms"),
         ("quiet", OURS, "checks.p99_ms"), MOST, 5),
    Goal("checks in the flood of 32 that were not answered",
         ("flood-32", OURS, "checks.bad"), None, MOST, 0),
    Goal("logins a second, of bcrypt's alone",
         ("logins", OURS, "logins_per_s"),
         ("logins", BCRYPT, "logins_per_s"), LEAST, 0.9),
    *(Goal(f"logins a second in the flood of {clients}, of those of eight",
           (f"flood-{clients}", OURS, "flood.logins_per_s"),
           ("logins", OURS, "logins_per_s"), LEAST, 0.8)
      for clients in (32, 200)),
    Goal("p99 of refusals in the flood of 200, in ms",
         ("flood-200", OURS, "flood.refused_p99_ms"), None, MOST, 100),
    Goal("seconds after the flood of 200 until all is as before",
         ("flood-200", OURS, "calm_after_s"), None, MOST, 5),
    Goal("p99 of health checks in the flood of 32, in ms",
         ("flood-32", OURS, "health.p99_ms"), None, MOST, 50),
    Goal("p50 of checks at 10,000,000 rows, of that at 1,000, cache off",
         ("growth-10000000-1", OURS_UNCACHED, "p50_ms"),
         ("growth-1000-1", OURS_UNCACHED, "p50_ms"), MOST, 1.25),
    *(Goal(f"the same of {name}, one after the other",
           ("growth-10000000-check-warm", name, "p50_ms"),
           ("growth-1000-check-warm", name, "p50_ms"), MOST, 1.25)
      for name in OUR_STORES),
    *(Goal(f"p99 of checks beside the purge, of that in quiet: {name}",
           ("purge", name, "checks.p99_ms"),
           ("purge-quiet", name, "checks.p99_ms"), MOST, 1.5)
      for name in OUR_STORES),
    Goal("memory of both processes, in MiB",
         ("check-64", OURS, "pss_mib"), None, MOST, 150),
)


def against_every_peer(run: Run) -> List[Goal]:
    """Return the goals that hold against each peer of a run.

    The least favourable peer is the one that such a goal stands or falls by.
    """
    return [
        *_least_favourable(run, "p50 on one connection, of ours: {}",
                           "check-1", "p50_ms", 8),
        *_least_favourable(run, "p99 in the flood of 32, of ours: {}",
                           "flood-32", "checks.p99_ms", 300)]


def _least_favourable(run: Run, sentence: str, what: str, field: str,
                      bound: float) -> List[Goal]:
    """Return the goal against the peer with the lowest such figure."""
    peers = [(run.value(what, name, field), name)
             for name in run.subjects(what)
             if name not in OUR_NAMES and name != NGINX]
    known = [(value, name) for value, name in peers if value is not None]
    if not known:
        return []
    name = min(known)[1]
    return [Goal(sentence.format(name), (what, name, field),
                 (what, OURS, field), LEAST, bound)]
