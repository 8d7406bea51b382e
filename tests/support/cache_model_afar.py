#!/usr/bin/env python3
"""A model of the cache on a machine that learns of changes by notification.

What a machine's own processes do to a slot is in the other model; here are
time, the queue, the beat, and a listener that is lost and comes back. As
there, one entry stands for all. A number given to a slot that was heard of
was never used before, so all that is left of the numbers is whether the
entry's is still the slot's. An age counts ticks, up to one more than the
bound; at most three things wait in the queue. A look-up begins with its first
step: one that began before would be promised less.
"""

from typing import List, NamedTuple, Tuple

from tests.support.interleavings import Model, Step

BOUND = 1
TOO_OLD = BOUND + 1
NONE = -1
MOST_WAITING = 3
READ, KEPT = 2, 3
USED_TOO_LONG = "an entry was used that was wrong for longer than the bound"


class Listening(NamedTuple):
    """How the page listens, fills and looks up; a mutant changes some."""

    comes_back: Tuple[str, ...] = ("listen", "empty")
    looks_up: Tuple[str, ...] = ("lease", "take", "number")
    keeps_orphans: bool = False
    beats_queue: bool = True
    lease_from_return: bool = False
    promise: int = BOUND


class Line(NamedTuple):
    """The listener's connection, and the lease that it has given.

    `at` is how far it has come back; the beat is that sent and not returned.
    """

    at: int = 0
    listens: bool = False
    queue: Tuple[str, ...] = ()
    beat: int = NONE
    lease: int = TOO_OLD


class Entry(NamedTuple):
    """How far the entry is filled, and for how long it has been wrong."""

    at: int = 0
    current: bool = True
    orphan: bool = False
    wrong_for: int = NONE


class State(NamedTuple):
    """All that is at an instant; `looked` counts the look-up's steps."""

    line: Line = Line()
    entry: Entry = Entry()
    looked: int = 0


class Afar(Model[State]):
    """One process that caches, far from where the changes are made."""

    def __init__(self, listening: Listening = Listening()) -> None:
        """Follow the page, or a mutant of it."""
        self.listening = listening

    def begin(self) -> State:
        """Return a process that has just been started."""
        return State()

    def steps(self, state: State) -> List[Step[State]]:
        """Return all that can happen next."""
        return [*self.surroundings(state), *self.listener(state),
                *self.filler(state), *self.looker(state)]

    def surroundings(self, state: State) -> List[Step[State]]:
        """Return what happens by itself: time, changes and lost lines."""
        line, entry = state.line, state.entry
        found = [(("time", "goes on", ""), state._replace(
            line=line._replace(beat=older(line.beat), lease=older(line.lease)),
            entry=entry._replace(wrong_for=older(entry.wrong_for))))]
        if len(line.queue) < MOST_WAITING:
            if entry.at >= READ and entry.wrong_for == NONE:
                entry = entry._replace(wrong_for=0)
            found.append((("elsewhere", "commit, and notify", ""),
                          State(queued(line, "change"), entry, state.looked)))
        if line.at:
            found.append((("listener", "lose the connection", ""),
                          state._replace(line=Line(lease=line.lease))))
        return found

    def listener(self, state: State) -> List[Step[State]]:
        """Return how the listener comes back, beats and hears."""
        line = state.line
        if line.at < len(self.listening.comes_back):
            return [self.come_back(state)]
        found: List[Tuple[str, State]] = []
        if line.beat == NONE:
            found.append((
                "send a beat", state._replace(line=line._replace(beat=0))))
        elif not self.listening.beats_queue:
            found.append(("have an answer", self.beaten(state)))
        elif "beat" not in line.queue:
            found.append(("commit the beat", state._replace(
                line=queued(line, "beat"))))
        if line.queue:
            found.append((f"hear of the {line.queue[0]}", self.heard(state)))
        return [(("listener", said, ""), after) for said, after in found]

    def come_back(self, state: State) -> Step[State]:
        """Return the listener's next step towards being there again."""
        line, entry = state.line, state.entry
        operation = self.listening.comes_back[line.at]
        line = line._replace(at=line.at + 1)
        if operation == "listen":
            line = line._replace(listens=True)
        elif operation == "empty" and entry.at:
            entry = entry._replace(orphan=True)
        return (("listener", operation, ""), State(line, entry, state.looked))

    def heard(self, state: State) -> State:
        """Return the state after the first of the queue was dealt with."""
        line, entry = state.line, state.entry
        first, rest = line.queue[0], line.queue[1:]
        state = state._replace(line=line._replace(queue=rest))
        if first == "beat":
            return self.beaten(state)
        return state._replace(
            entry=entry._replace(current=False) if entry.at else entry)

    def beaten(self, state: State) -> State:
        """Return the state after the beat has come back."""
        line = state.line
        lease = 0 if self.listening.lease_from_return else line.beat
        return state._replace(line=line._replace(beat=NONE, lease=lease))

    def filler(self, state: State) -> List[Step[State]]:
        """Return how the entry comes and goes.

        The filler keeps to the dictionary that was the cache's when it began.
        """
        entry = state.entry
        found = []
        if entry.at < KEPT:
            after = entry._replace(at=entry.at + 1)
            if after.at == KEPT and self.listening.keeps_orphans:
                after = after._replace(orphan=False)
            found.append((("reader", "fill:",
                           ("numbers", "row", "keep")[entry.at]),
                          state._replace(entry=after)))
        if entry.at:
            found.append((("reader", "drop", ""), State(state.line)))
        return found

    def looker(self, state: State) -> List[Step[State]]:
        """Return how a look-up that may not have the entry comes nearer."""
        entry, listening = state.entry, self.listening
        begins = entry.at >= READ and entry.wrong_for > listening.promise
        if state.looked == len(listening.looks_up) \
                or not (state.looked or begins):
            return []
        operation = listening.looks_up[state.looked]
        goes_on = {
            "lease": state.line.lease <= BOUND,
            "take": entry.at == KEPT and not entry.orphan,
            "number": entry.current,
        }[operation]
        after = state._replace(looked=state.looked + 1)
        return [(("reader", "look at the", operation), after)] \
            if goes_on else []

    def fault(self, state: State, steps: List[Step[State]]) -> str:
        """Tell whether a look-up was served what it must not."""
        if state.looked < len(self.listening.looks_up):
            return ""
        return USED_TOO_LONG


def older(age: int) -> int:
    """Return an age one tick later; nothing has none."""
    return age if age == NONE else min(age + 1, TOO_OLD)


def queued(line: Line, what: str) -> Line:
    """Return a line with something more in its queue, if it listens."""
    return line._replace(queue=(*line.queue, what)) if line.listens else line
