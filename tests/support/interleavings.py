#!/usr/bin/env python3
"""Search every interleaving of a small model, the shortest ones first.

A model says how it begins, which atomic steps are possible in a state and
what is wrong with a state. States are hashable, so each one is visited once,
and what has been searched is all that can happen.
"""

from collections import deque
from typing import (
    Deque, Dict, Generic, Iterator, List, NamedTuple, Optional, Tuple,
    TypeVar)

State = TypeVar("State")
# Who does what, and with what.
Said = Tuple[str, str, str]
Step = Tuple[Said, State]


class Model(Generic[State]):
    """What can be searched."""

    def begin(self) -> State:
        """Return the state in which everything begins."""
        raise NotImplementedError

    def steps(self, state: State) -> List[Step[State]]:
        """Return what can happen next, and the states it leads to."""
        raise NotImplementedError

    def fault(self, state: State, steps: List[Step[State]]) -> str:
        """Say what is wrong with a state, or nothing."""
        raise NotImplementedError


class Found(NamedTuple):
    """What a search has come to."""

    states: int
    fault: str
    trace: List[str]

    def __str__(self) -> str:
        """Return the way to the fault as lines to be read."""
        lines = [f"{number:2}. {line}"
                 for number, line in enumerate(self.trace, 1)]
        return "\n".join([*lines, f"==> {self.fault or 'no fault'}"
                          f" ({self.states} states)"])


class Tree(Generic[State]):
    """The states that were met, each with the shortest way to it."""

    def __init__(self, begin: State) -> None:
        """Begin with one state, to which there is no way."""
        self.before: Dict[State, Optional[Step[State]]] = {begin: None}

    def meet(self, state: State, said: Said, before: State) -> bool:
        """Note a state and tell whether it is a new one."""
        if state in self.before:
            return False
        self.before[state] = (said, before)
        return True

    def way_to(self, state: State) -> List[str]:
        """Return the steps that lead to a state."""
        return list(self._backwards(state))[::-1]

    def _backwards(self, state: State) -> Iterator[str]:
        """Yield the steps that led to a state, the last one first."""
        step = self.before[state]
        while step is not None:
            yield "{}: {} {}".format(*step[0]).rstrip()
            step = self.before[step[1]]


def search(model: Model[State]) -> Found:
    """Visit all states, or all up to the first that is wrong."""
    begin = model.begin()
    tree = Tree(begin)
    waiting: Deque[State] = deque([begin])
    while waiting:
        state = waiting.popleft()
        steps = model.steps(state)
        fault = model.fault(state, steps)
        if fault:
            return Found(len(tree.before), fault, tree.way_to(state))
        for said, after in steps:
            if tree.meet(after, said, state):
                waiting.append(after)
    return Found(len(tree.before), "", [])
