#!/usr/bin/env python3
"""The atomic steps of who changes the numbers of a cache, one by one.

A step is given who takes it and for which slot, and returns what may come of
it: nothing if it has to wait, several things where luck decides.
"""

from typing import Callable, Dict, List, Tuple

from tests.support.cache_protocol import (
    DOUBT, EXCLUSIVE, FREE, IDLE, KNOWN, NOTHING, ROLLED_BACK, SHARED, WORK,
    Crew, State, counted, locked, renumbered)

Move = Tuple[str, State]


def lock(crew: Crew, state: State, who: int, slot: int) -> List[Move]:
    """Take the shared lock, or wait for who is about to settle.

    The kernel knows processes and not threads, and gives a process what it
    asks for in the place of what it has.
    """
    process = crew.roles[who].process
    if not crew.may_enter(state, who) \
            or crew.others_have(state, slot, process, EXCLUSIVE):
        return []
    count = state.counts[slot][process]
    if not count or not crew.protocol.counts_threads:
        state = locked(state, slot, process, SHARED)
    state = counted(state, slot, process, count + 1)
    return [("lock", crew.next(state, who))]


def mark(crew: Crew, state: State, who: int, slot: int) -> List[Move]:
    """Make the number odd, if it is not."""
    state = renumbered(state, slot, state.numbers[slot] | 1)
    return [("mark", crew.next(state, who))]


def commit(crew: Crew, state: State, who: int, slot: int) -> List[Move]:
    """Commit, or do not, or never learn which it was."""
    at = state.actors[who][1] + 1
    committed = crew.missed(state, KNOWN)
    found = [("commit", crew.moved(committed, who, WORK, at)),
             ("roll back", crew.moved(state, who, ROLLED_BACK, at))]
    if crew.scene.accidents:
        found += [
            ("commit without an answer",
             crew.moved(committed, who, DOUBT, at)),
            ("fail to commit, or later", crew.moved(state, who, DOUBT, at))]
    return found


def unlock(crew: Crew, state: State, who: int, slot: int) -> List[Move]:
    """Let the shared lock go, and keep the mutex if more is to come."""
    process = crew.roles[who].process
    if not crew.may_enter(state, who):
        return []
    count = state.counts[slot][process] - 1
    state = counted(state, slot, process, count)
    if not count or not crew.protocol.counts_threads:
        state = locked(state, slot, process, FREE)
    if crew.operation_after(state, who) == "try":
        state = crew.entered(state, who)
    return [("unlock", crew.next(state, who))]


def try_exclusive(
        crew: Crew, state: State, who: int, slot: int) -> List[Move]:
    """Take the exclusive lock if nobody has any; do not wait for it."""
    if not crew.may_enter(state, who):
        return []
    process = crew.roles[who].process
    if crew.roles[who].kind == "change" or crew.protocol.cleaner_counts:
        own = state.counts[slot][process]
    else:
        own = 0
    if own or crew.others_have(state, slot, process, SHARED):
        return [("try in vain", after_vain_try(crew, state, who))]
    state = crew.entered(state, who)
    return [("try", crew.next(
        locked(state, slot, process, EXCLUSIVE), who))]


def after_vain_try(crew: Crew, state: State, who: int) -> State:
    """Return how it goes on: who has heard of a change tries again."""
    if crew.roles[who].kind != "hear":
        return crew.given_up(state, who)
    insists = crew.protocol.hears_until_settled
    to = 1 if insists else crew.place_of(who, "heard")
    return crew.moved(crew.left(state, who), who, WORK, to)


def convert(crew: Crew, state: State, who: int, slot: int) -> List[Move]:
    """Try to make the shared lock an exclusive one, else let it go next."""
    process = crew.roles[who].process
    if not crew.may_enter(state, who):
        return []
    count = state.counts[slot][process] - 1
    if count or crew.others_have(state, slot, process, SHARED):
        at = state.actors[who][1]
        return [("convert in vain", crew.moved(state, who, DOUBT, at))]
    state = counted(crew.entered(state, who), slot, process, count)
    return [("convert", crew.next(
        locked(state, slot, process, EXCLUSIVE), who))]


def insist(crew: Crew, state: State, who: int, slot: int) -> List[Move]:
    """Wait with the shared lock in hand until it can be exclusive."""
    found = convert(crew, state, who, slot)
    return [move for move in found if move[0] == "convert"]


def settle(crew: Crew, state: State, who: int, slot: int) -> List[Move]:
    """Write a new even number."""
    return [("settle", crew.next(crew.settled(state, slot), who))]


def restore(crew: Crew, state: State, who: int, slot: int) -> List[Move]:
    """Write the number that there was before it was made odd."""
    state = renumbered(state, slot, state.numbers[slot] & ~1)
    return [("restore", crew.next(state, who))]


def release(crew: Crew, state: State, who: int, slot: int) -> List[Move]:
    """Let the exclusive lock go, and the mutex."""
    process = crew.roles[who].process
    state = locked(state, slot, process, FREE)
    state = crew.left(state, who)
    return [("release", crew.next(state, who))]


def look(crew: Crew, state: State, who: int, slot: int) -> List[Move]:
    """Go on if the slot is in doubt, else have done with it."""
    if state.numbers[slot] % 2:
        return [("find in doubt", crew.next(state, who))]
    return [("find even", crew.given_up(state, who))]


def hear(crew: Crew, state: State, who: int, slot: int) -> List[Move]:
    """Be given the oldest notification, if there is any."""
    return [("hear of", crew.next(state, who))] \
        if state.notifications else []


def pass_over(
        crew: Crew, state: State, who: int, slot: int) -> List[Move]:
    """Leave a slot that is in doubt to who is in doubt."""
    if state.numbers[slot] % 2 == 0:
        return [("find even", crew.next(state, who))]
    holds = who in state.mutexes
    to = crew.place_of(who, "release" if holds else "heard")
    return [("find in doubt", crew.moved(state, who, WORK, to))]


def heard(crew: Crew, state: State, who: int, slot: int) -> List[Move]:
    """Be ready with a notification: what it tells is known from now on."""
    entry = state.entry
    if entry.misses not in (NOTHING, KNOWN):
        entry = entry._replace(
            misses=entry.misses - 1 if entry.misses else KNOWN)
    state = state._replace(
        entry=entry, notifications=state.notifications - 1)
    return [("have dealt with", crew.next(state, who))]


OPERATIONS: Dict[str, Callable[[Crew, State, int, int], List[Move]]] = {
    "lock": lock, "mark": mark, "commit": commit, "unlock": unlock,
    "try": try_exclusive, "convert": convert, "insist": insist,
    "settle": settle, "restore": restore, "release": release,
    "look": look, "hear": hear, "pass": pass_over, "heard": heard,
}
