#!/usr/bin/env python3
"""Changes: how a transaction tells all caches what it is about to change."""

import hashlib
import logging
import os
import tempfile
import threading
from typing import Any, Collection, Optional, Set

from sqlalchemy import text
from sqlalchemy.engine import Engine

from vestibule.store.engine import is_in_memory
from vestibule.store.generations import SLOTS, Generations, slots_of

SHARED_MEMORY = "/dev/shm"
CHANNEL = "vestibule_changes"
NOTIFY = text(f"SELECT pg_notify('{CHANNEL}', :slots)")
# PostgreSQL takes 8,000 bytes; a transaction changes a handful of slots.
MOST_TOLD = 1000
EVERY_SLOT = "*"
logger = logging.getLogger(__name__)


class Changes:
    """What one transaction changes, by the steps of decision 44."""

    def __init__(self, shared: "SharedGenerations",
                 tells_others: bool) -> None:
        """Begin with nothing, by the generations of this machine."""
        self._shared = shared
        self._generations: Optional[Generations] = None
        self._tells_others = tells_others
        self._slots: Set[int] = set()

    def of(self, *keys: str) -> None:
        """Say, before it, that these sessions or users are to change."""
        slots = slots_of(keys) - self._slots
        self._generations = self._shared.get()
        if self._generations is not None:
            self._generations.doubt(slots)
        self._slots |= slots

    @property
    def is_announced(self) -> bool:
        """Whether anything was said to change."""
        return bool(self._slots)

    def tell(self, session: Any) -> None:
        """Let the database tell other machines when it commits."""
        if self.is_announced and self._tells_others:
            told = ([EVERY_SLOT] if len(self._slots) > MOST_TOLD
                    else map(str, sorted(self._slots)))
            session.execute(NOTIFY, {"slots": " ".join(told)})

    def end(self, is_known: bool) -> None:
        """Say that it is over, and whether it is known what came of it."""
        if self._generations is None:
            return
        if is_known:
            self._generations.settle(self._slots)
        else:
            self._generations.abandon(self._slots)
        others = self._shared.get()
        if others is not None and others is not self._generations:
            others.renew(self._slots)


class SharedGenerations:
    """The file that belongs to a database, opened when first asked for."""

    def __init__(self, engine: Engine) -> None:
        """Remember whose file it is."""
        self._engine = engine
        self._lock = threading.Lock()
        self._is_open = False
        self._opened: Optional[Generations] = None

    def get(self) -> Optional[Generations]:
        """Return the generations, or ``None`` where they cannot be had.

        That goes to the log, once. Where somebody took the file away, it is
        made anew.
        """
        opened = self._opened
        if opened is None and self._is_open or (
                opened is not None and opened.is_in_place()):
            return opened
        with self._lock:
            self._opened, self._is_open = self._open(), True
            return self._opened

    def close(self) -> None:
        """Give the file back, and look for it again when next asked."""
        with self._lock:
            if self._opened is not None:
                self._opened.close()
            self._opened, self._is_open = None, False

    def _open(self) -> Optional[Generations]:
        """Open the file of this database."""
        try:
            return Generations(*place_of(self._engine))
        except OSError as error:
            logger.warning(
                "The file by which processes tell each other of ended "
                "sessions cannot be used: %s", error)
            return None


def place_of(engine: Engine) -> Any:
    """Return the path of the file, and of the one that it is to be like."""
    url = engine.url
    if is_in_memory(url):
        return None, None
    if engine.dialect.name == "sqlite":
        beside = os.path.realpath(url.database)
        return f"{beside}-generations", beside
    place = f"{url.host}:{url.port or 5432}/{url.database}?{url.query}"
    digest = hashlib.sha256(place.encode()).hexdigest()[:16]
    folder = (SHARED_MEMORY if os.path.isdir(SHARED_MEMORY)
              else tempfile.gettempdir())
    return os.path.join(
        folder, f"vestibule-{os.geteuid()}-{digest}-generations"), None


def slots_told(payload: str) -> Collection[int]:
    """Return the slots that a notification names."""
    if payload == EVERY_SLOT:
        return range(SLOTS)
    return [int(word) for word in payload.split()]
