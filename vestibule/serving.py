#!/usr/bin/env python3
"""What each serving process holds, whichever server hands it requests."""

import logging
import threading
import time
from typing import Any, Callable, List, Optional

from vestibule.kernel.services import Services
from vestibule.web.context import EXTENSION

GRACE_SECONDS = 30
FINISH_SECONDS = 20
KEEP_ALIVE_SECONDS = 5
# Gunicorn's own status of a worker that cannot start; it ends them all.
CANNOT_START = 3
logger = logging.getLogger("vestibule.server")


class Serving:
    """The application and the loops beside it, in one process.

    It is made before the fork and begins after it.
    """

    def __init__(self, make_application: Callable[[], Any]) -> None:
        """Keep what makes the application; nothing is made yet."""
        self._make = make_application
        self._stop = threading.Event()
        self._loops: List[threading.Thread] = []
        self._services: Optional[Services] = None

    def begin(self) -> Any:
        """Make the application, let the loops run, and return it.

        Who cannot make it says so in one line and ends the whole service.
        """
        try:
            app = self._make()
        except Exception as error:
            # Gunicorn would print it in lines of its own.
            logger.critical("A worker cannot start.", exc_info=error)
            raise SystemExit(CANNOT_START) from error
        services: Services = app.extensions[EXTENSION]
        self._services = services
        self._loops = [self._run(name, loop)
                       for name, loop in services.begin().items()]
        return app

    def finish(self) -> None:
        """Let the loops finish what they are at when the process ends.

        One writes down what is in memory alone, the other hears what the
        mail server says of the letter it has just been handed. Passwords
        that wait are hashed: somebody has been promised an answer.
        """
        self._stop.set()
        until = time.monotonic() + FINISH_SECONDS
        if self._services is not None:
            self._services.hashing.stop(FINISH_SECONDS)
        for loop in self._loops:
            loop.join(max(0.0, until - time.monotonic()))

    def _run(self, name: str, run: Callable[[threading.Event], None]
             ) -> threading.Thread:
        """Let a loop run beside the requests until the process ends."""
        thread = threading.Thread(
            target=run, args=(self._stop,), name=name, daemon=True)
        thread.start()
        return thread
