#!/usr/bin/env python3
"""Races: real processes that act at one instant on one database.

``race(url, actions)`` runs each action once; ``racers(url, actions)`` keeps
its processes for many rounds. The children are forked, so a SQLite file
must not be open in the parent when they are made: SQLite forbids to carry a
connection over a fork, and the guard here refuses to.
"""

import gc
import multiprocessing
import os
import signal
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import (
    Any, Callable, Iterator, List, NamedTuple, Optional, Sequence, Type)

from vestibule.base.clock import Clock
from vestibule.kernel.auth import Auth
from vestibule.kernel.passwords import Passwords
from vestibule.store.db import DB

FORK = multiprocessing.get_context("fork")
CHEAPEST = 4
PATIENCE_SECONDS = 60.0

# What a child makes for itself before the first round.
Prepare = Callable[[], Any]
# What it does in each: it is given what it made, and the round's value.
Action = Callable[[Any, Any], Any]
AuthAction = Callable[[Auth, Any], Any]


class Outcome(NamedTuple):
    """What an action returned, or the name and text of what it raised."""

    value: Any = None
    error: str = ""
    text: str = ""


class Processes:
    """Children that wait for each round and then act all at once.

    Use it by ``with``: leaving that ends every child, whatever happened.
    Children also end by themselves when the parent does, since each holds
    nothing but its own end of one pipe.
    """

    def __init__(self, prepare: Prepare, actions: Sequence[Action]) -> None:
        """Fork one child for each action and wait until all are ready."""
        self._pipes = [FORK.Pipe() for _ in actions]
        barrier = FORK.Barrier(len(actions))
        self._children: List[Any] = []
        try:
            for number, action in enumerate(actions):
                child = FORK.Process(
                    target=self._serve, daemon=True,
                    args=(number, prepare, partial(_together, barrier,
                                                   action)))
                child.start()
                self._children.append(child)
            for _, theirs in self._pipes:
                theirs.close()
            for number in range(len(actions)):
                ready = self._receive(number)
                assert not ready.error, f"{ready.error}: {ready.text}"
        except BaseException:
            self.end()
            raise

    def __enter__(self) -> "Processes":
        """Return the processes, which are running already."""
        return self

    def __exit__(self, kind: Optional[Type[BaseException]],
                 error: Optional[BaseException],
                 traceback: Optional[TracebackType]) -> None:
        """End every child, also when a test failed."""
        self.end()

    @property
    def ids(self) -> List[int]:
        """The ids of the children's processes."""
        return [child.pid for child in self._children]

    def run(self, given: Any = None) -> List[Outcome]:
        """Let all act on one value at one instant; return what came of it.

        The outcomes stand in the order of the actions.
        """
        for ours, _ in self._pipes:
            ours.send(given)
        return [self._receive(number) for number in range(len(self._pipes))]

    def end(self) -> None:
        """End every child: by asking, and where that fails by force."""
        for ours, theirs in self._pipes:
            ours.close()
            theirs.close()
        for child in self._children:
            child.join(1)
            if child.exitcode is None:
                child.kill()
                child.join()

    def _receive(self, number: int) -> Outcome:
        """Return what a child says next; one that is silent is an error."""
        ours = self._pipes[number][0]
        if not ours.poll(PATIENCE_SECONDS):
            raise AssertionError(f"process {number} does not answer")
        outcome: Outcome = ours.recv()
        return outcome

    def _serve(self, number: int, prepare: Prepare, action: Action) -> None:
        """Be the child: prepare, then act whenever told to."""
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        # What was the parent's is never collected here: a connection of
        # its would be closed under its hands.
        gc.freeze()
        pipe = self._pipes[number][1]
        for ours, theirs in self._pipes:
            ours.close()
            if theirs is not pipe:
                theirs.close()
        made: List[Any] = []
        pipe.send(_attempt(lambda: made.append(prepare())))
        while True:
            try:
                given = pipe.recv()
            except EOFError:
                return
            pipe.send(_attempt(partial(action, made[0], given)))


@contextmanager
def racers(database_url: str, actions: Sequence[AuthAction],
           clock: Optional[Clock] = None) -> Iterator[Processes]:
    """Yield processes that act on an ``Auth`` of their own each.

    Every child opens the database by itself, hashes at the least cost, and
    has a copy of the clock.
    """
    _refuse_open_file(database_url)
    with Processes(partial(_open, database_url, clock), actions) as made:
        yield made


def race(database_url: str,
         actions: Sequence[Callable[[Auth], Any]]) -> List[Outcome]:
    """Run each action once, all at one instant, in a process of its own."""
    told = [partial(_ignoring_the_round, action) for action in actions]
    with racers(database_url, told) as processes:
        return processes.run()


def errors_of(outcomes: Sequence[Outcome]) -> List[str]:
    """Return the names of what was raised, in order of the alphabet."""
    return sorted(each.error for each in outcomes if each.error)


def _open(database_url: str, clock: Optional[Clock]) -> Auth:
    """Return an API whose first connection is made already."""
    auth = Auth(DB(database_url, clock), Passwords(CHEAPEST))
    auth.db.list_users(1)
    return auth


def _together(barrier: Any, action: Action, made: Any, given: Any) -> Any:
    """Act as soon as everybody is about to."""
    barrier.wait(PATIENCE_SECONDS)
    return action(made, given)


def _ignoring_the_round(action: Callable[[Auth], Any], auth: Auth,
                        given: Any) -> Any:
    """Act on the database alone; the round has no value."""
    return action(auth)


def _attempt(action: Callable[[], Any]) -> Outcome:
    """Return what came of an action, also where it is no ``Exception``."""
    try:
        return Outcome(action())
    except BaseException as error:
        return Outcome(None, type(error).__name__, str(error))


def _refuse_open_file(database_url: str) -> None:
    """Refuse to fork while this process has the SQLite file open."""
    kind, _, name = database_url.partition(":///")
    opened = Path("/proc/self/fd")
    if not kind.startswith("sqlite") or not opened.is_dir():
        return
    for link in opened.iterdir():
        if os.path.realpath(str(link)) == os.path.realpath(name):
            raise AssertionError(
                "close the database before the processes are made")
