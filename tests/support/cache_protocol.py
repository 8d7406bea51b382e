#!/usr/bin/env python3
"""The protocol of decision 44, step by step, and who may follow it.

`Protocol()` is the page's. A mutant of it is one of these with something
left out, added or put elsewhere.
"""

from typing import List, NamedTuple, Tuple

FREE, SHARED, EXCLUSIVE = range(3)
NOBODY = -1
# What an entry has missed: nothing, or a change that may not be missed. Any
# number between: the one with so many notifications before its own.
NOTHING, KNOWN = -1, 99
WAITING_NOTIFICATIONS = 2
# Numbers that no slot has.
UNREAD, OLD = -2, -4
WRAP = 4
# What an actor follows: its steps, those after a roll-back, those in doubt.
WORK, ROLLED_BACK, DOUBT = range(3)
Row = Tuple[int, ...]


class Protocol(NamedTuple):
    """The steps of the page, each of them atomic; a mutant changes some."""

    before_commit: Tuple[str, ...] = ("lock", "mark")
    after_commit: Tuple[str, ...] = ("unlock", "try", "settle", "release")
    rolled_back: Tuple[str, ...] = ("unlock", "try", "settle", "release")
    in_doubt: Tuple[str, ...] = ("unlock",)
    fill: Tuple[str, ...] = (
        "session's slot", "user's slot", "row", "keep")
    clean: Tuple[str, ...] = ("look", "look", "try", "settle", "release")
    hear: Tuple[str, ...] = (
        "hear", "pass", "try", "settle", "release", "heard")
    hears_until_settled: bool = True
    wraps: bool = False
    counts_threads: bool = True
    cleaner_counts: bool = True
    has_mutex: bool = True
    keeps_odd: bool = False
    takes_odd: bool = False


class Role(NamedTuple):
    """Somebody who changes numbers, in which process and which slots."""

    name: str
    process: int
    slots: Row
    kind: str = "change"


class Scene(NamedTuple):
    """Who is there, and which slots the session has and its user.

    The cache is in the last process.
    """

    roles: Tuple[Role, ...]
    slots: Tuple[int, int] = (0, 0)
    reads: bool = True
    accidents: bool = True
    afar: bool = False


class Entry(NamedTuple):
    """The life of an entry: how far it is filled, and compared."""

    at: int = 0
    seen: Tuple[int, int] = (UNREAD, UNREAD)
    misses: int = NOTHING
    compared: int = 0


class State(NamedTuple):
    """All that is at an instant; locks and counts by slot and process."""

    numbers: Row
    locks: Tuple[Row, ...]
    counts: Tuple[Row, ...]
    mutexes: Row
    actors: Tuple[Tuple[int, int], ...]
    entry: Entry = Entry()
    notifications: int = 0


IDLE = (WORK, 0)
Instruction = Tuple[str, int]
Program = Tuple[Instruction, ...]


def programs(role: Role, protocol: Protocol) -> List[Program]:
    """Return a role's steps, and those of a changer in other cases."""
    if role.kind == "clean":
        return [each_slot(role, protocol.clean)]
    if role.kind == "hear":
        return [each_slot(role, protocol.hear)]
    first = each_slot(role, protocol.before_commit) + (("commit", NOBODY),)
    return [first + each_slot(role, after) for after in (
        protocol.after_commit, protocol.rolled_back, protocol.in_doubt)]


def each_slot(role: Role, operations: Tuple[str, ...]) -> Program:
    """Return what a role does with its first slot, then with its second."""
    return tuple((operation, slot)
                 for slot in role.slots for operation in operations)


def put(row: Row, place: int, value: int) -> Row:
    """Return a row with one of its values replaced."""
    return row[:place] + (value,) + row[place + 1:]


class Crew:
    """Those who follow a protocol, and what they may do to a state."""

    def __init__(self, scene: Scene, protocol: Protocol = Protocol()) -> None:
        """Write down for each role what it does, step by step."""
        self.scene = scene
        self.protocol = protocol
        self.roles = scene.roles
        self.processes = 1 + max(role.process for role in self.roles)
        self.programs = [programs(role, protocol) for role in self.roles]
        self.row_at = protocol.fill.index("row")
        self.kept_at = len(protocol.fill)

    def moved(self, state: State, who: int, program: int, at: int) -> State:
        """Return the state after somebody has gone to a step of its own."""
        if program == ROLLED_BACK \
                and self.protocol.rolled_back == self.protocol.after_commit:
            program = WORK
        actor = (program, at)
        if at == len(self.programs[who][program]):
            actor = IDLE
        actors = state.actors
        return state._replace(
            actors=actors[:who] + (actor,) + actors[who + 1:])

    def next(self, state: State, who: int) -> State:
        """Return the state after somebody has gone on to the next step."""
        program, at = state.actors[who]
        return self.moved(state, who, program, at + 1)

    def given_up(self, state: State, who: int) -> State:
        """Return the state after somebody has done with one of its slots."""
        program, at = state.actors[who]
        steps = self.programs[who][program]
        slot = steps[at][1]
        while at < len(steps) and steps[at][1] == slot:
            at += 1
        return self.moved(self.left(state, who), who, program, at)

    def operation_after(self, state: State, who: int) -> str:
        """Return what somebody is going to do after its next step."""
        program, at = state.actors[who]
        steps = self.programs[who][program]
        return steps[at + 1][0] if at + 1 < len(steps) else ""

    def place_of(self, who: int, operation: str) -> int:
        """Return at which step of its work somebody does something."""
        return [step[0] for step in self.programs[who][WORK]].index(operation)

    def missed(self, state: State, what: int) -> State:
        """Return the state after a change of the row has committed."""
        entry = state.entry
        if entry.at <= self.row_at \
                or (what != KNOWN and entry.misses != NOTHING):
            return state
        return state._replace(entry=entry._replace(misses=what))

    def settled(self, state: State, slot: int) -> State:
        """Return the state after a slot has been given an even number.

        One that was never used before is called 0, and what an entry has
        seen before it OLD. An entry that has yet to be compared for a slot
        of which it has seen an old number is as good as dropped.
        """
        if self.protocol.wraps:
            number = (state.numbers[slot] | 1) + 1
            return renumbered(state, slot, number % WRAP)
        entry = state.entry
        first, second = (
            OLD if place == slot and number != UNREAD else number
            for place, number in zip(self.scene.slots, entry.seen))
        entry = entry._replace(seen=(first, second))
        if OLD in entry.seen[entry.compared:]:
            entry = Entry()
        return renumbered(state, slot, 0)._replace(entry=entry)

    def others_have(
            self, state: State, slot: int, process: int, least: int) -> bool:
        """Tell whether other processes have such a lock, or a stronger."""
        return any(
            mode >= least for other, mode in enumerate(state.locks[slot])
            if other != process)

    def may_enter(self, state: State, who: int) -> bool:
        """Tell whether the process's mutex is free for one of its threads."""
        holder = state.mutexes[self.roles[who].process]
        return holder in (NOBODY, who) or not self.protocol.has_mutex

    def entered(self, state: State, who: int) -> State:
        """Return the state after a thread has taken the mutex."""
        process = self.roles[who].process
        return state._replace(mutexes=put(state.mutexes, process, who))

    def left(self, state: State, who: int) -> State:
        """Return the state after a thread has let the mutex go."""
        process = self.roles[who].process
        if state.mutexes[process] != who:
            return state
        return state._replace(mutexes=put(state.mutexes, process, NOBODY))


def renumbered(state: State, slot: int, number: int) -> State:
    """Return the state after somebody has written a number."""
    return state._replace(numbers=put(state.numbers, slot, number))


def locked(state: State, slot: int, process: int, mode: int) -> State:
    """Return the state after the kernel has changed a process's lock."""
    row = put(state.locks[slot], process, mode)
    locks = state.locks
    return state._replace(locks=locks[:slot] + (row,) + locks[slot + 1:])


def counted(state: State, slot: int, process: int, count: int) -> State:
    """Return the state after a process has counted its threads anew."""
    row = put(state.counts[slot], process, count)
    counts = state.counts
    return state._replace(counts=counts[:slot] + (row,) + counts[slot + 1:])
