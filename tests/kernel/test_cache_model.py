#!/usr/bin/env python3
"""Decision 44 holds for every interleaving, and mistakes in it are found.

The protocol of the page is searched exhaustively in a model: some 22,000
states of one machine and 4,000 of another one that hears of changes. Each
mutant differs from the page in one thing that somebody might well write; the
search has to come back with the way to the harm that it does. A test asserts
roughly how many states there were, so that a model in which nothing can
happen any more is noticed.
"""

from typing import NamedTuple

import pytest

from tests.support.cache_model import (
    ALL_WAIT, IN_DOUBT_AFTER_CLEANING, IN_DOUBT_AT_REST, LOCK_AT_REST, SERVED,
    Machine)
from tests.support.cache_model_afar import USED_TOO_LONG, Afar, Listening
from tests.support.cache_protocol import Protocol, Role, Scene
from tests.support.interleavings import search

ANNE = Role("changer Anne", 0, (0,))
TED = Role("Anne's other thread", 0, (0,))
BEN = Role("changer Ben", 1, (0,))
CLEANER = Role("cleaner", 1, (0,), "clean")
LISTENER = Role("listener", 1, (0,), "hear")

TWO_CHANGERS = Scene((ANNE, BEN, CLEANER))
TWO_CLEANERS = Scene(
    (ANNE, BEN, CLEANER, Role("other cleaner", 2, (0,), "clean")))
TWO_THREADS = Scene((ANNE, TED, CLEANER))
THREADS = Scene((ANNE, TED, BEN, Role("cleaner", 0, (0,), "clean")))
TWO_SLOTS = Scene(
    (ANNE, Role("changer of both", 1, (0, 1)),
     Role("cleaner of both", 1, (0, 1), "clean")), slots=(0, 1))
NOTIFIED = Scene((ANNE, LISTENER, CLEANER), afar=True)
NOTIFIED_IN_THE_PROCESS = Scene(
    (Role("changer beside it", 1, (0,)), LISTENER,
     Role("other cleaner", 0, (0,), "clean")), afar=True)
USER_ALONE = Scene(
    (Role("changer of the user", 0, (1,)),
     Role("cleaner", 1, (1,), "clean")), slots=(0, 1))
QUIET = Scene((ANNE, TED, BEN, CLEANER), reads=False, accidents=False)
QUIET_NOTIFIED = Scene(
    (ANNE, BEN, LISTENER), reads=False, accidents=False, afar=True)


class Mutant(NamedTuple):
    """A protocol that differs, where it shows, and what it does."""

    protocol: Protocol
    scene: Scene = TWO_CHANGERS
    fault: str = SERVED


SETTLE = ("unlock", "try", "settle", "release")
LATE = ("mark", *SETTLE)
CONVERT = ("convert", "settle", "release")
INSIST = ("insist", "settle", "release")
RESTORE = ("unlock", "try", "restore", "release")
UNLOCKED = ("unlock", "settle")
RELEASED = ("unlock", "try", "release", "settle")
SESSION, USER = "session's slot", "user's slot"

MUTANTS = {
    "marks after the commit": Mutant(Protocol(
        before_commit=("lock",), after_commit=LATE, rolled_back=LATE,
        in_doubt=("mark", "unlock"))),
    "marks before it takes the lock": Mutant(Protocol(
        before_commit=("mark", "lock"))),
    "unlocks before the commit": Mutant(Protocol(
        before_commit=("lock", "mark", "unlock"), in_doubt=(),
        after_commit=SETTLE[1:], rolled_back=SETTLE[1:])),
    "settles without the exclusive lock": Mutant(Protocol(
        after_commit=UNLOCKED, rolled_back=UNLOCKED)),
    "releases before it settles": Mutant(Protocol(
        after_commit=RELEASED, rolled_back=RELEASED)),
    "converts its lock and gives up": Mutant(
        Protocol(after_commit=CONVERT, rolled_back=CONVERT),
        QUIET, IN_DOUBT_AT_REST),
    "converts its lock and waits": Mutant(
        Protocol(after_commit=INSIST, rolled_back=INSIST),
        QUIET, ALL_WAIT),
    "rolls back and leaves the slot in doubt": Mutant(
        Protocol(rolled_back=("unlock",)), QUIET, IN_DOUBT_AT_REST),
    "rolls back and restores the number": Mutant(Protocol(
        rolled_back=RESTORE)),
    "settles with the number from before": Mutant(Protocol(
        after_commit=RESTORE, rolled_back=RESTORE)),
    "settles with a counter that wraps": Mutant(
        Protocol(wraps=True), USER_ALONE),
    "does not count a process's threads": Mutant(
        Protocol(counts_threads=False), TWO_THREADS),
    "settles without the process's mutex": Mutant(
        Protocol(has_mutex=False), TWO_THREADS),
    "does not release what it has settled": Mutant(
        Protocol(after_commit=SETTLE[:-1], rolled_back=SETTLE[:-1]),
        fault=LOCK_AT_REST),
    "looks and does not clean": Mutant(
        Protocol(clean=("look", "look")), fault=IN_DOUBT_AFTER_CLEANING),
    "cleans without the lock": Mutant(Protocol(
        clean=("look", "look", "settle"))),
    "cleans without a look at its own threads": Mutant(
        Protocol(cleaner_counts=False)),
    "reads the numbers after the row": Mutant(Protocol(
        fill=("row", SESSION, USER, "keep"))),
    "fills by the first look-up": Mutant(
        Protocol(fill=(SESSION, "row", USER, "keep")), USER_ALONE),
    "keeps and takes what is in doubt": Mutant(Protocol(
        keeps_odd=True, takes_odd=True)),
    "hears without the lock": Mutant(
        Protocol(hear=("hear", "pass", "settle", "heard")), NOTIFIED),
    "hears and gives up without the lock": Mutant(
        Protocol(hears_until_settled=False), NOTIFIED),
    "hears and passes over with the lock": Mutant(
        Protocol(hear=(
            "hear", "try", "pass", "settle", "release", "heard")),
        QUIET_NOTIFIED, IN_DOUBT_AT_REST),
}

HARMLESS = {
    "cleans at first sight": Protocol(
        clean=("look", "try", "settle", "release")),
    "settles an unknown outcome at once": Protocol(in_doubt=SETTLE),
    "keeps what it will not take": Protocol(keeps_odd=True),
    "would take what it does not keep": Protocol(takes_odd=True),
}

MUTANTS_AFAR = {
    "comes back to a full cache": Listening(comes_back=("listen",)),
    "empties before it listens": Listening(comes_back=("empty", "listen")),
    "keeps a fill from before it was lost": Listening(keeps_orphans=True),
    "beats beside the queue": Listening(beats_queue=False),
    "counts a beat from its return": Listening(lease_from_return=True),
    "looks at the lease last": Listening(
        looks_up=("take", "number", "lease")),
    "takes the entry before the lease": Listening(
        looks_up=("take", "lease", "number")),
}


@pytest.mark.parametrize("scene, states", [
    pytest.param(TWO_CLEANERS, 2500, id="two cleaners"),
    pytest.param(THREADS, 3500, id="threads"),
    pytest.param(TWO_SLOTS, 4500, id="two slots"),
    pytest.param(NOTIFIED, 2500, id="notified"),
    pytest.param(NOTIFIED_IN_THE_PROCESS, 2500, id="notified beside"),
])
def test_no_change_that_has_committed_is_missed(
        scene: Scene, states: int) -> None:
    """Whatever is killed: no old row, no lock left, no doubt for ever.

    What lands when its process is gone counts from when it was heard of. At
    each rest the cleaner's two looks settle all, and the next fill is used.
    """
    found = search(Machine(scene))

    assert not found.fault, str(found)
    assert found.states > states


@pytest.mark.parametrize("scene, states", [
    pytest.param(QUIET, 300, id="threads"),
    pytest.param(QUIET_NOTIFIED, 250, id="notified"),
])
def test_without_an_accident_nobody_needs_a_cleaner(
        scene: Scene, states: int) -> None:
    """When all who changed something have finished, no slot is in doubt."""
    found = search(Machine(scene))

    assert not found.fault, str(found)
    assert found.states > states


@pytest.mark.parametrize("name", MUTANTS)
def test_a_mistake_is_found(name: str) -> None:
    """A protocol that is almost the page's is refuted."""
    mutant = MUTANTS[name]

    found = search(Machine(mutant.scene, mutant.protocol))

    assert found.fault == mutant.fault, str(found)


@pytest.mark.parametrize("name", HARMLESS)
@pytest.mark.parametrize("scene", [
    pytest.param(TWO_CHANGERS, id="processes"),
    pytest.param(NOTIFIED, id="notified"),
])
def test_a_precaution_is_no_more_than_that(name: str, scene: Scene) -> None:
    """What the page does beyond need may be left out, one at a time."""
    found = search(Machine(scene, HARMLESS[name]))

    assert not found.fault, str(found)


def test_another_machine_misses_nothing_for_longer_than_the_bound() -> None:
    """A lease from a beat that came back vouches for all before it."""
    found = search(Afar())

    assert not found.fault, str(found)
    assert found.states > 3000


def test_another_machine_may_be_late_within_the_bound() -> None:
    """The cache is used there, and the page promises no less than it can."""
    found = search(Afar(Listening(promise=0)))

    assert found.fault == USED_TOO_LONG, str(found)


@pytest.mark.parametrize("name", MUTANTS_AFAR)
def test_a_mistake_on_another_machine_is_found(name: str) -> None:
    """A listener that is almost the page's is refuted."""
    found = search(Afar(MUTANTS_AFAR[name]))

    assert found.fault == USED_TOO_LONG, str(found)


def test_the_way_to_a_fault_can_be_read() -> None:
    """The shortest one is told step by step, and the same each time."""
    found = search(Machine(
        USER_ALONE, MUTANTS["marks after the commit"].protocol))

    assert str(found).split(" (")[0] == "\n".join([
        " 1. changer of the user: lock",
        " 2. reader: fill: session's slot",
        " 3. reader: fill: user's slot",
        " 4. reader: fill: row",
        " 5. changer of the user: commit",
        " 6. reader: fill: keep",
        " 7. reader: find the number of session's slot",
        " 8. reader: find the number of user's slot",
        f"==> {SERVED}",
    ])
