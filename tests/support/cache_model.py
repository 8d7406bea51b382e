#!/usr/bin/env python3
"""A model of one machine's cache of sessions, as decision 44 has it.

Everybody goes round and round: a changer begins its next change after one, a
process that was killed is started anew. The model is finite all the same:

- A row is what an entry has missed of it. A change of another id that shares
  the slot does what one of ours does that is rolled back.
- Who reads changes nothing that others see. So the life of one entry, from
  the first number read to the look-up that takes it, stands for all of them.
  The look-up that notes whose the session is has no part in it.
- A number never used before is one that nobody in the model remembers.
- At most two notifications wait for the listener.
- A commit that lands when its process is gone is to the machine what one of
  another machine is: a change unannounced, of which a notification comes.
"""

from typing import List

from tests.support.cache_protocol import (
    IDLE, KNOWN, NOBODY, WAITING_NOTIFICATIONS, Crew, Entry, Row, State, put)
from tests.support.cache_steps import OPERATIONS, Move
from tests.support.interleavings import Model, Step

SERVED = "a look-up that began after the commit served the old row"
ALL_WAIT = "all wait for each other"
IN_DOUBT_AT_REST = "a slot has remained in doubt without any accident"
IN_DOUBT_AFTER_CLEANING = (
    "a slot has remained in doubt after the cleaner's looks")
LOCK_AT_REST = "a lock has remained"
WHICH = ("session's slot", "user's slot")


class Machine(Crew, Model[State]):
    """One machine, and those on it who follow the protocol."""

    def begin(self) -> State:
        """Return a machine on which nobody has done anything."""
        slots = 1 + max(self.scene.slots)
        none = ((0,) * self.processes,) * slots
        return State(
            (0,) * slots, none, none, (NOBODY,) * self.processes,
            (IDLE,) * len(self.roles))

    def steps(self, state: State) -> List[Step[State]]:
        """Return what each of them may do next, and what may befall them."""
        found = []
        for who, role in enumerate(self.roles):
            for said, after in self.act(state, who):
                found.append(((role.name, said, ""), after))
        if self.scene.reads:
            found.extend(self.read(state))
        if self.scene.accidents:
            for process in {self.roles[who].process for who in busy(state)}:
                found.append(((f"process {process}", "is killed", ""),
                              self.killed(state, process)))
        if self.scene.afar and state.notifications < WAITING_NOTIFICATIONS:
            found.append((
                ("elsewhere", "commit, and notify", ""),
                self.missed(state, state.notifications)._replace(
                    notifications=state.notifications + 1)))
        return found

    def act(self, state: State, who: int) -> List[Move]:
        """Return what one of them may do; nothing if it has to wait."""
        program, at = state.actors[who]
        operation, slot = self.programs[who][program][at]
        return OPERATIONS[operation](self, state, who, slot)

    def read(self, state: State) -> List[Step[State]]:
        """Return how the entry may come, be looked at, and go."""
        entry = state.entry
        found = []
        if entry.at < self.kept_at:
            found.append((("reader", "fill:", self.protocol.fill[entry.at]),
                          self.filled(state)))
        elif entry.misses == KNOWN and entry.compared < 2 \
                and self.equal(state, entry.compared):
            found.append((
                ("reader", "find the number of", WHICH[entry.compared]),
                state._replace(entry=entry._replace(
                    compared=entry.compared + 1))))
        if entry.at:
            found.append((("reader", "drop", ""),
                          state._replace(entry=Entry())))
        return found

    def filled(self, state: State) -> State:
        """Return the state after the next step of the filler.

        It stops at a number that is odd: nothing would be kept.
        """
        entry = state.entry
        operation = self.protocol.fill[entry.at]
        first, second = entry.seen
        if operation == WHICH[0]:
            first = state.numbers[self.scene.slots[0]]
        elif operation == WHICH[1]:
            second = state.numbers[self.scene.slots[1]]
        if 1 in (first % 2, second % 2) and not self.protocol.keeps_odd:
            return state._replace(entry=Entry())
        return state._replace(entry=entry._replace(
            at=entry.at + 1, seen=(first, second)))

    def equal(self, state: State, which: int) -> bool:
        """Tell whether a look-up takes the entry for one of its slots."""
        number = state.numbers[self.scene.slots[which]]
        return number == state.entry.seen[which] \
            and (self.protocol.takes_odd or number % 2 == 0)

    def killed(self, state: State, process: int) -> State:
        """Return the state after `kill -9` and another start."""
        def without(row: Row) -> Row:
            """Return a row in which the process has nothing."""
            return put(row, process, 0)
        actors = tuple(
            IDLE if role.process == process else actor
            for role, actor in zip(self.roles, state.actors))
        last = process == self.processes - 1
        return state._replace(
            locks=tuple(map(without, state.locks)),
            counts=tuple(map(without, state.counts)),
            mutexes=put(state.mutexes, process, NOBODY),
            actors=actors, entry=Entry() if last else state.entry)

    def fault(self, state: State, steps: List[Step[State]]) -> str:
        """Say which of the page's promises is broken, or nothing."""
        if state.entry.compared > 1:
            return SERVED
        working = busy(state)
        if not working:
            return self.fault_at_rest(state)
        acting = {said[0] for said, _ in steps}
        waiting = [who for who in working
                   if self.roles[who].name not in acting]
        if waiting == working:
            return ALL_WAIT
        if any(who in state.mutexes for who in waiting):
            return "somebody waits who holds what others wait for"
        return ""

    def fault_at_rest(self, state: State) -> str:
        """Say what has remained after everybody has finished, or nothing."""
        if any(map(any, state.locks)) or any(map(any, state.counts)):
            return LOCK_AT_REST
        odd = any(number % 2 for number in state.numbers)
        if odd and not self.scene.accidents:
            return IN_DOUBT_AT_REST
        return self.fault_of_cleaning(state) if odd else ""

    def fault_of_cleaning(self, state: State) -> str:
        """Say what is wrong after the cleaners' two looks, or nothing."""
        state = state._replace(entry=Entry())
        for who, role in enumerate(self.roles):
            cleans = role.kind == "clean"
            while cleans:
                state = self.act(state, who)[0][1]
                cleans = state.actors[who] != IDLE
        for _ in self.protocol.fill:
            state = self.filled(state)
        if not (self.equal(state, 0) and self.equal(state, 1)):
            return IN_DOUBT_AFTER_CLEANING
        return ""


def busy(state: State) -> List[int]:
    """Return who is in the midst of something."""
    return [who for who, actor in enumerate(state.actors) if actor != IDLE]
