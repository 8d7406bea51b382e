#!/usr/bin/env python3
"""A pool whose hashes end when a test lets them.

Nothing here waits for a time: the tests see what is at work and what waits
by asking, and fail where it does not come about.
"""

import threading
import time
from typing import Any, Callable, List

from vestibule.base.errors import Busy
from vestibule.kernel.hashing import STRANGER, Asker, Hashing

# For what has to come about; nobody waits so long where all is well.
PATIENCE = 20.0


class Gate:
    """Work that stands still until the gate is opened, and is counted."""

    def __init__(self) -> None:
        """Begin with a gate that is shut."""
        self._open = threading.Event()
        self._lock = threading.Lock()
        self.done: List[Any] = []
        self.running = 0
        self.most = 0

    def open(self) -> None:
        """Let everybody through, from now on."""
        self._open.set()

    def work(self, name: Any = None) -> Any:
        """Stand at the gate, then go through; return the name."""
        with self._lock:
            self.running += 1
            self.most = max(self.most, self.running)
        assert self._open.wait(PATIENCE)
        with self._lock:
            self.running -= 1
            self.done.append(name)
        return name


class Crowd:
    """Threads that ask a pool for something, each once."""

    def __init__(self, hashing: Hashing) -> None:
        """Ask this pool."""
        self.hashing = hashing
        self.answers: List[Any] = []
        self.refusals: List[Busy] = []
        self._threads: List[threading.Thread] = []

    def ask(self, work: Callable[[], Any],
            asker: Asker = STRANGER) -> None:
        """Ask in a thread of its own, and do not wait for the answer."""
        def run() -> None:
            """Ask, and write down what comes of it."""
            try:
                self.answers.append(self.hashing.run(work, asker))
            except Busy as busy:
                self.refusals.append(busy)

        thread = threading.Thread(target=run)
        self._threads.append(thread)
        thread.start()

    def ask_in_turn(self, work: Callable[[], Any],
                    asker: Asker = STRANGER) -> None:
        """Ask, and wait until it has a place or was refused."""
        before = self.taken() + len(self.refusals)
        self.ask(work, asker)
        eventually(lambda: self.taken() + len(self.refusals) > before)

    def set_to_work(self, gate: Gate, name: Any = None) -> None:
        """Have a thread of the pool stand at the gate already."""
        before = gate.running
        self.ask(lambda: gate.work(name), Asker(known=True))
        eventually(lambda: gate.running > before)

    def taken(self) -> int:
        """Return how many places are taken."""
        return self.waiting() + int(getattr(self.hashing, "_running"))

    def waiting(self) -> int:
        """Return how many wait."""
        return len(getattr(self.hashing, "_waiting"))

    def go(self) -> None:
        """Wait until everybody has an answer."""
        for thread in self._threads:
            thread.join(PATIENCE)
            assert not thread.is_alive()


def eventually(so: Callable[[], bool]) -> None:
    """Wait until something is so, and fail where it never is."""
    until = time.monotonic() + PATIENCE
    while not so():
        assert time.monotonic() < until, "it did not come about"
        time.sleep(0.001)
