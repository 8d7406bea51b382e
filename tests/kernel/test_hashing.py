#!/usr/bin/env python3
"""The hashing pool: its bounds, its order, its end, and what it refuses."""

import gc
import os
import sys
import threading
import weakref
from functools import partial
from typing import Any, Iterator, List

import pytest

from tests.support.gate import PATIENCE, Crowd, Gate, eventually
from vestibule.base.errors import Busy
from vestibule.kernel import hashing as hashing_module
from vestibule.kernel.hashing import (
    HEAD_START, NICER, Asker, Bounds, Hashing)

THREADS = 16
KNOWN = Asker(known=True)
ON_LINUX = sys.platform.startswith("linux")


class Abort(BaseException):
    """What native code raises: no ``Exception`` at all."""


@pytest.fixture
def gate() -> Iterator[Gate]:
    """Return a gate that is open at the end, whatever happens."""
    made = Gate()
    yield made
    made.open()


def crowd(threads: int = 1, places: int = 6, patience: float = PATIENCE,
          **more: Any) -> Crowd:
    """Return people before a pool with these bounds."""
    return Crowd(Hashing(Bounds(threads, places, patience), **more))


def test_by_default_everybody_hashes_in_their_own_thread() -> None:
    """R125: a program that uses Vestibule as a library has no pool."""
    hashing = Hashing()
    before = threading.active_count()
    assert hashing.run(threading.get_ident) == threading.get_ident()
    hashing.require_room()
    hashing.stop()
    assert hashing.run(lambda: 7) == 7
    assert threading.active_count() == before


@pytest.mark.parametrize("threads, places", [(1, 6), (2, 3), (3, 12)])
def test_the_bounds_are_exact(gate: Gate, threads: int,
                              places: int) -> None:
    """R125: of many at once so many run, so many wait, the rest go."""
    people = crowd(threads, places)
    for _ in range(THREADS):
        people.ask(gate.work, KNOWN)
    eventually(lambda: len(people.refusals) == THREADS - places)
    eventually(lambda: gate.running == threads)
    assert people.waiting() == places - threads
    gate.open()
    people.go()
    assert len(people.answers) == len(gate.done) == places
    assert gate.most == threads


def test_places_are_given_back_before_the_answer() -> None:
    """R125: threads that ask again and again are never refused."""
    people = crowd(2, 15)

    def often() -> int:
        """Ask many times, and count."""
        return sum(people.hashing.run(lambda: 1) for _ in range(50))

    counts: List[int] = []
    # As many as strangers have places: one place lost, and one is refused.
    threads = [threading.Thread(target=lambda: counts.append(often()))
               for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert counts == [50] * 10
    assert people.taken() == 0


def test_a_refusal_does_no_work_and_says_when_to_return(gate: Gate) -> None:
    """R125: it waits for nobody, and its time is that of those ahead."""
    people = crowd(2, 6)
    setattr(people.hashing, "_typical", 1.5)
    for _ in range(6):
        people.ask_in_turn(gate.work, KNOWN)
    with pytest.raises(Busy) as refused:
        people.hashing.run(gate.work, KNOWN)
    assert refused.value.retry_after == 5  # 6 times 1.5 s in 2 threads
    assert refused.value.rule == "hashing: all 6 places were taken"
    with pytest.raises(Busy):
        people.hashing.require_room(KNOWN)
    gate.open()
    people.go()
    assert len(gate.done) == 6
    people.hashing.require_room(KNOWN)


def test_how_long_one_hashes_is_measured() -> None:
    """R125: the time to return is not made up."""
    instants = iter([0.0, 4.0, 10.0, 15.0])
    hashing = Hashing(Bounds(1, 6))
    patched = pytest.MonkeyPatch()
    try:
        patched.setattr(hashing_module, "monotonic",
                        lambda: next(instants))
        for expected in (4.0, 4.2):
            hashing.run(lambda: None)
            assert getattr(hashing, "_typical") == pytest.approx(expected)
    finally:
        patched.undo()
    with pytest.raises(Busy) as caught:
        hashing.require_room(on_their_way=6)
    assert caught.value.retry_after == 26


def test_some_places_are_for_those_who_are_known(gate: Gate) -> None:
    """R125, R077: strangers cannot fill the line."""
    people = crowd(1, 6)
    for _ in range(8):
        people.ask_in_turn(gate.work)
    assert people.taken() == 4 and len(people.refusals) == 4
    with pytest.raises(Busy) as refused:
        people.hashing.require_room()
    assert refused.value.rule == (
        "hashing: all 4 places for strangers were taken")
    people.hashing.require_room(KNOWN)
    people.ask_in_turn(gate.work, KNOWN)
    people.ask_in_turn(gate.work, KNOWN)
    people.ask_in_turn(gate.work, KNOWN)
    assert people.taken() == 6 and len(people.refusals) == 5
    gate.open()
    people.go()


def test_who_is_known_goes_first_but_not_for_ever(gate: Gate) -> None:
    """R077: strangers wait their time, and everybody in their order."""
    now = [0.0]
    people = crowd(1, 12, now=lambda: now[0])
    people.set_to_work(gate, "at work")
    for instant, name, asker in (
            (1.0, "stranger 1", Asker()), (1.0, "stranger 2", Asker()),
            (2.0, "known 1", KNOWN), (3.0, "known 2", KNOWN),
            (1.0 + HEAD_START + 0.5, "known too late", KNOWN)):
        now[0] = instant
        people.ask_in_turn(partial(gate.work, name), asker)
    gate.open()
    people.go()
    assert gate.done == ["at work", "known 1", "known 2", "stranger 1",
                         "stranger 2", "known too late"]


def test_nobody_waits_beyond_the_patience(gate: Gate) -> None:
    """R125: what is refused so is never hashed, not even later."""
    people = crowd(1, 6)
    people.set_to_work(gate, "at work")
    setattr(people.hashing, "_bounds", Bounds(1, 6, 0.05))
    for _ in range(2):
        people.ask(lambda: gate.work("late"))
    eventually(lambda: len(people.refusals) == 2)
    assert people.waiting() == 0
    assert {busy.rule for busy in people.refusals} == {
        "hashing: nobody came to it in 0.05 seconds"}
    setattr(people.hashing, "_bounds", Bounds(1, 6))
    gate.open()
    people.go()
    assert people.hashing.run(lambda: "next") == "next"
    # What was begun in time has its outcome, however long it took.
    assert gate.done == people.answers == ["at work"]


def test_a_client_that_has_left_costs_no_hash(gate: Gate) -> None:
    """R125: whether it left is asked when its turn has come."""
    people = crowd(1, 6)
    people.set_to_work(gate)
    left = [False, False]
    for number in range(2):
        people.ask_in_turn(
            partial(gate.work, number), Asker(
                True, partial(left.__getitem__, number)))
    left[0] = True
    gate.open()
    people.go()
    assert gate.done == [None, 1]
    assert [busy.rule for busy in people.refusals] == [
        "hashing: the client had left before its turn"]
    assert people.taken() == 0


def test_who_has_left_already_takes_no_place(gate: Gate) -> None:
    """R125: and whoever is to be watched is, from then on."""
    people = crowd(1, 6)
    people.set_to_work(gate)
    with pytest.raises(Busy):
        people.hashing.run(gate.work, Asker(True, lambda: True))
    asked: List[int] = []

    def stay() -> bool:
        """Stay, and count how often that is asked."""
        asked.append(len(asked))
        return False

    people.ask_in_turn(gate.work, Asker(True, stay))
    assert asked == [0] and people.taken() == 2
    gate.open()
    people.go()
    assert asked == [0, 1]


@pytest.mark.parametrize("kind", [ValueError, SystemExit, Abort])
def test_what_hashing_raises_is_for_who_asked(kind: Any) -> None:
    """R122: and the thread goes on, also after what is no ``Exception``."""
    hashing = Hashing(Bounds(1, 2))

    def fail() -> None:
        """Fail like bcrypt does, which panics."""
        raise kind("of the hash")

    for _ in range(3):
        with pytest.raises(kind, match="of the hash"):
            hashing.run(fail)
    assert hashing.run(lambda: "well") == "well"
    assert len(getattr(hashing, "_threads")) == 1


def test_who_is_interrupted_leaves_the_line(
        gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    """R125: a place is not lost by it, and nothing is hashed."""
    people = crowd(1, 6)
    people.set_to_work(gate)

    def interrupt(event: Any, timeout: Any = None) -> bool:
        """Be interrupted instead of waiting."""
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(threading, "Event", type(
            "Interrupted", (), {"wait": interrupt, "set": lambda self: None}))
        with pytest.raises(KeyboardInterrupt):
            people.hashing.run(lambda: gate.work("interrupted"))
    assert people.waiting() == 0
    gate.open()
    people.go()
    assert gate.done == [None]


def test_what_waits_is_answered_at_the_end(gate: Gate) -> None:
    """R142: nobody new gets in, and nobody who waits is sent away."""
    people = crowd(1, 6)
    for number in range(4):
        people.ask_in_turn(partial(gate.work, number))
    people.hashing.stop()
    with pytest.raises(Busy) as refused:
        people.hashing.run(gate.work, KNOWN)
    assert refused.value.rule == "hashing: the service is stopping"
    gate.open()
    people.go()
    assert sorted(people.answers) == gate.done == [0, 1, 2, 3]
    people.hashing.stop(PATIENCE)
    assert not any(thread.is_alive() for thread
                   in getattr(people.hashing, "_threads"))


def test_threads_start_when_one_is_needed() -> None:
    """R125: none for a pool that nobody asks, one for who comes alone."""
    before = threading.active_count()
    hashing = Hashing(Bounds(2, 6))
    hashing.require_room()
    assert threading.active_count() == before
    assert hashing.run(threading.get_ident) != threading.get_ident()
    assert threading.active_count() == before + 1
    hashing.stop(PATIENCE)
    assert threading.active_count() == before


def test_a_forked_process_has_threads_of_its_own(gate: Gate) -> None:
    """R125: what its parent is at is none of its affair."""
    people = crowd(1, 6)
    for _ in range(4):
        people.ask_in_turn(gate.work)
    child = os.fork()
    if child == 0:
        try:
            os._exit(people.hashing.run(lambda: 7))
        finally:
            os._exit(1)
    assert os.WEXITSTATUS(os.waitpid(child, 0)[1]) == 7
    gate.open()
    people.go()
    assert len(people.answers) == 4


@pytest.mark.skipif(not ON_LINUX, reason="threads have no priority there")
def test_hashing_gives_way_and_nothing_else_does() -> None:
    """R124: on Linux it is the thread that is nicer, not the process."""
    own = os.getpriority(os.PRIO_PROCESS, 0)
    nice = Hashing(Bounds(1, 2))
    assert nice.run(lambda: os.getpriority(os.PRIO_PROCESS, 0)) == min(
        19, own + NICER)
    idle = Hashing(Bounds(1, 2, idle=True))
    assert idle.run(lambda: os.sched_getscheduler(0)) == os.SCHED_IDLE
    assert nice.run(lambda: os.sched_getscheduler(0)) == os.SCHED_OTHER
    assert os.getpriority(os.PRIO_PROCESS, 0) == own
    assert os.sched_getscheduler(0) == os.SCHED_OTHER


@pytest.mark.skipif(not ON_LINUX, reason="threads have no priority there")
def test_hashing_goes_on_where_no_priority_is_to_be_had(
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture) -> None:
    """R124: the operator is told so, and people get in."""
    def refuse(*wanted: Any) -> None:
        """Refuse like a sandbox does."""
        raise PermissionError("not here")

    monkeypatch.setattr(os, "sched_setscheduler", refuse)
    assert Hashing(Bounds(1, 2, idle=True)).run(lambda: 7) == 7
    assert "at the priority of everything else: not here" in caplog.text


def test_nothing_of_a_password_stays_behind() -> None:
    """R117: what was to be hashed is gone with its answer."""
    class Secret:
        """Something that can be watched."""

    hashing = Hashing(Bounds(1, 2))
    secret = Secret()
    watched = weakref.ref(secret)
    hashing.run(lambda: id(secret))
    del secret

    def is_gone() -> bool:
        """Say whether nothing holds it any more."""
        gc.collect()
        return watched() is None

    eventually(is_gone)
