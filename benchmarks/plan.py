#!/usr/bin/env python3
"""What is measured, for how long, and in which order."""

from typing import (
    Any, Dict, Iterator, List, NamedTuple, Sequence, Tuple, TypeVar)

from benchmarks.ours import BcryptAlone
from benchmarks.running import Running
from benchmarks.subject import Subject
from benchmarks.subjects import OURS_UNCACHED

CHECKS, LOGINS, FLOOD, GROWTH = "checks", "logins", "flood", "growth"
PURGE = "purge"
PARTS = (CHECKS, LOGINS, FLOOD, GROWTH, PURGE)
# These have databases of their own, and no turns.
APART = {GROWTH, PURGE}
CONNECTIONS = 64
# What starting, verifying and stopping takes, beside what is measured.
TURN_SECONDS, FILL_SECONDS, OPEN_SECONDS = 6.0, 6.0, 8.0
# What most services need to come to themselves after a flood.
AFTERMATH_SECONDS = 20.0
# Five questions of a warm database, and of five that are not.
WARM_SECONDS, COLD_SECONDS = 20.0, 40.0
KINDS_OF_DATABASES = 2
USERS_OF_PURGE = 100000
Item = TypeVar("Item")


class Form(NamedTuple):
    """How thoroughly a run measures."""

    rounds: int
    seconds: float
    users: int
    sessions: int
    floods: Tuple[int, ...]
    parts: Tuple[str, ...]
    growth: Tuple[int, ...] = (1000, 100000, 1000000)
    expired: int = 1000000


FULL = Form(rounds=3, seconds=6.0, users=100000, sessions=1000,
            floods=(32, 200), parts=PARTS)
# About three minutes with the subjects that it takes by default.
QUICK = Form(rounds=2, seconds=2.0, users=10000, sessions=200,
             floods=(32,), parts=(CHECKS, LOGINS, FLOOD))


class Step(NamedTuple):
    """One measurement: what it is called, and how long it takes.

    ``size`` is a number of connections or of clients.
    """

    what: str
    kind: str
    size: int
    seconds: float

    @property
    def is_flood(self) -> bool:
        """Whether clients log in without pause meanwhile."""
        return self.kind == FLOOD and self.size > 0

    def take(self, service: Running) -> Dict[str, Any]:
        """Measure a running service."""
        if self.kind == CHECKS:
            return service.check(self.size, self.seconds)
        if self.kind == LOGINS:
            return service.log_in(self.seconds)
        return service.flood(self.size, self.seconds)


def steps(subject: Subject, form: Form) -> List[Step]:
    """Return what is measured of a service in each round."""
    found: List[Step] = []
    if CHECKS in form.parts and not isinstance(subject, BcryptAlone):
        found += check_steps(form.seconds)
    if LOGINS in form.parts and (
            subject.login or isinstance(subject, BcryptAlone)):
        found.append(Step("logins", LOGINS, 0, form.seconds * 1.5))
    if FLOOD in form.parts and subject.login:
        found += [Step("quiet" if not clients else f"flood-{clients}", FLOOD,
                       clients, form.seconds * 2)
                  for clients in (0, *form.floods)]
    return found


def sittings(chosen: Sequence[Step]) -> List[List[Step]]:
    """Return the steps in groups, each for a service just started.

    A flood ends a group: not every service comes to itself after one.
    """
    found: List[List[Step]] = [[]]
    for step in chosen:
        found[-1].append(step)
        if step.is_flood:
            found.append([])
    return [group for group in found if group]


def check_steps(seconds: float, prefix: str = "check") -> List[Step]:
    """Return the two measurements of session checks."""
    return [Step(f"{prefix}-{connections}", CHECKS, connections, each)
            for connections, each in ((CONNECTIONS, seconds),
                                      (1, seconds / 2))]


def interleaved(items: Sequence[Item], rounds: int
                ) -> Iterator[Tuple[int, Item]]:
    """Yield each item once a round, every second round backwards.

    So what grows or wanes while a run lasts meets all of them alike.
    """
    for number in range(1, rounds + 1):
        for item in items if number % 2 else reversed(items):
            yield number, item


def turn_seconds(subject: Subject, form: Form) -> float:
    """Return how long one round of a service takes, as planned."""
    found = steps(subject, form)
    seconds = sum(step.seconds for step in found)
    seconds += AFTERMATH_SECONDS * sum(step.is_flood for step in found)
    return seconds + (TURN_SECONDS if found else 0.0)


def planned_seconds(subjects: Sequence[Subject], form: Form) -> float:
    """Return how long a run takes, as planned, building not counted."""
    seconds = 0.0
    if set(form.parts) - APART:
        seconds += preparing_seconds(subjects) + form.rounds * sum(
            turn_seconds(each, form) for each in subjects)
    if GROWTH in form.parts:
        growing = [each for each in subjects if each.more_rows]
        seconds += preparing_seconds(growing)
        seconds += sum(
            growth_seconds(each, size, form)
            for each in growing for size in form.growth)
    return seconds + apart_seconds(subjects, form)


def apart_seconds(subjects: Sequence[Subject], form: Form) -> float:
    """Return how long what is measured of us alone takes, as planned."""
    if not any(each.name == OURS_UNCACHED for each in subjects):
        return 0.0
    seconds = 0.0
    if GROWTH in form.parts:
        seconds += sum(map(filling_seconds, form.growth))
        seconds += len(form.growth) * (
            form.rounds * WARM_SECONDS + COLD_SECONDS)
    if PURGE in form.parts:
        seconds += filling_seconds(USERS_OF_PURGE) + purge_seconds(form)
    return seconds * KINDS_OF_DATABASES


def filling_seconds(size: int) -> float:
    """Return how long a database of one kind and size takes, as planned."""
    return 3.0 + size / 10000


def purge_seconds(form: Form) -> float:
    """Return how long the purge takes on one kind of database, as planned.

    That is what it removes, its quiet, a minute until it begins, and itself.
    """
    return 120.0 + form.seconds * 5 + form.expired / 2500


def preparing_seconds(subjects: Sequence[Subject]) -> float:
    """Return how long databases and sessions take, as planned."""
    databases = {each.database for each in subjects if each.database}
    opened = [each for each in subjects if each.login]
    return len(databases) * FILL_SECONDS + len(opened) * OPEN_SECONDS


def growth_seconds(subject: Subject, size: int, form: Form) -> float:
    """Return how long one size of one service takes, rows included."""
    taken = sum(step.seconds for step in check_steps(form.seconds))
    return (taken + TURN_SECONDS) * form.rounds + size / 30000
