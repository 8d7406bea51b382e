#!/usr/bin/env python3
"""News: whether this process hears of every change of a session or user.

Decision 44 says which ways there are, and what follows from each.
"""

import logging
import os
import select
import threading
import uuid
from time import monotonic
from typing import Any, Callable, Dict, List, Optional

from vestibule.store.changes import CHANNEL, slots_told
from vestibule.store.db import DB
from vestibule.store.engine import open_engine, own_connection
from vestibule.store.generations import Generations

# For how long news are current after a look at where they come from.
CURRENT_SECONDS = 1.0
BEAT_SECONDS = 0.4
# So many beats after somebody asked; then nobody may want them any more.
BEATS = 75
PAUSE_SECONDS = 0.5
logger = logging.getLogger(__name__)


class News:
    """News by the file alone, which all processes of a machine share.

    ``until`` is the instant, as ``time.monotonic`` tells it, up to which
    they are known to be current.
    """

    def __init__(self, db: DB) -> None:
        """Begin with news that are not current yet."""
        self._shared = db.generations
        self._lost: List[Callable[[], None]] = []
        self.generations: Optional[Generations] = None
        self.until = 0.0

    def when_lost(self, action: Callable[[], None]) -> None:
        """Run this whenever something may have been missed."""
        self._lost.append(action)

    def ask(self) -> bool:
        """Look whether they are current, at most once a second or so."""
        asked_at = monotonic()
        self._look_at_file()
        self.until = asked_at + CURRENT_SECONDS
        return self.generations is not None

    def run(self, stop: threading.Event) -> None:
        """Do what has to be done beside the requests: here nothing."""

    def _look_at_file(self) -> None:
        """See that it is still the file that everybody uses."""
        generations = self._shared.get()
        if generations is not self.generations:
            # In this order: who finds the emptied cache finds them, too.
            self.generations = generations
            self._lose()

    def _lose(self) -> None:
        """Tell whoever relies on the news that they have a gap."""
        self.until = 0.0
        for action in self._lost:
            action()


class ServerNews(News):
    """News that PostgreSQL brings from other machines, too.

    A connection listens to what changes, and to beats that this process
    sends to itself. The server delivers in the order of commits, so when a
    beat comes, all that was committed before it was sent has come.
    """

    def __init__(self, db: DB, direct_url: Optional[str] = None) -> None:
        """Listen to this database's server.

        ``direct_url`` leads to it where the database's own URL leads to a
        pooler, which cannot be listened through. Raises ``ValueError`` for
        one that is unusable.
        """
        super().__init__(db)
        self._engine = open_engine(direct_url) if direct_url else db.engine
        self._channel = f"vestibule_{uuid.uuid4().hex}"
        self._sent: Dict[str, float] = {}
        self._beats_wanted = 0
        self._woken = self._wake = -1

    def ask(self) -> bool:
        """Have a beat sent, and say no: it is not back yet."""
        if not self._beats_wanted and self._wake >= 0:
            self._beats_wanted = BEATS
            os.write(self._wake, b".")
        return False

    def run(self, stop: threading.Event) -> None:
        """Listen until told to stop, and begin anew whenever it breaks."""
        self._woken, self._wake = os.pipe()
        was_lost = False
        while not stop.is_set():
            try:
                self._listen(stop)
            except Exception as error:
                # Nobody relies on the news meanwhile: each check asks the
                # database, which answers or fails by itself.
                if not was_lost:
                    logger.warning("No news of other machines: %s",
                                   type(error).__name__)
                was_lost = True
            self._lose()
            stop.wait(PAUSE_SECONDS)

    def _listen(self, stop: threading.Event) -> None:
        """Listen on a new connection until it breaks."""
        connection = own_connection(self._engine)
        try:
            cursor = connection.cursor()
            cursor.execute(f"LISTEN {CHANNEL}; LISTEN {self._channel}")
            self._sent.clear()
            self.generations = self._shared.get()
            self._lose()
            next_beat = 0.0
            while not stop.is_set():
                if self._beats_wanted and monotonic() >= next_beat:
                    next_beat = monotonic() + BEAT_SECONDS
                    self._beats_wanted -= 1
                    self._beat(cursor)
                self._take_in(connection.notifies)
                self._wait(connection, next_beat)
        finally:
            connection.close()

    def _beat(self, cursor: Any) -> None:
        """Send a beat, and see that the file is in its place."""
        self._look_at_file()
        name = uuid.uuid4().hex
        self._sent[name] = monotonic()
        cursor.execute("SELECT pg_notify(%s, %s)", (self._channel, name))

    def _wait(self, connection: Any, next_beat: float) -> None:
        """Wait for news, for whoever asks, or for the next beat."""
        seconds = PAUSE_SECONDS
        if self._beats_wanted:
            seconds = min(max(0.0, next_beat - monotonic()), seconds)
        ready = select.select([connection, self._woken], [], [], seconds)[0]
        if self._woken in ready:
            os.read(self._woken, 100)
        if connection in ready:
            connection.poll()

    def _take_in(self, notifications: List[Any]) -> None:
        """Do what the notifications say, in their order."""
        while notifications:
            news = notifications.pop(0)
            if news.channel != CHANNEL:
                sent_at = self._sent.pop(news.payload, 0.0)
                if self.generations is not None:
                    self.until = sent_at + CURRENT_SECONDS
            elif self.generations is not None:
                self.generations.renew(slots_told(news.payload))
