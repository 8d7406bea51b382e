#!/usr/bin/env python3
"""Gunicorn: the processes always, and the HTTP where granian is not.

Its first process opens the port, starts the others, starts another one for
each that dies, and ends them all in good order.
"""

import logging
import os
import re
import signal
from typing import Any, Callable, Dict, Optional

from gunicorn import __version__
from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter
from gunicorn.errors import HaltServer
from gunicorn.glogging import Logger

from vestibule.base.config import Settings
from vestibule.granian_server import GranianWorker
from vestibule.serving import (
    GRACE_SECONDS, KEEP_ALIVE_SECONDS, Serving)
from vestibule.web.body import MAXIMUM_BYTES

NAME = f"gunicorn {__version__}"
THREADS = "gthread"
SHARED_MEMORY = "/dev/shm"
ENDING = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)
# What Gunicorn repeats of a request that it cannot read, from here on.
OF_A_CLIENT = re.compile(
    r"(Invalid request from ip=\S*: [^:'\"(]*"
    r"|Error handling request|Exception during worker exit).*", re.DOTALL)


def run(settings: Settings, worker_class: Any, serving: Serving,
        when_ready: Callable[[], None]) -> None:
    """Serve by workers of this kind until told to stop.

    Ends the process, with the status that says how it went.
    """
    os.register_at_fork(before=_hold_signals,
                        after_in_parent=_release_signals)
    _Server(settings, worker_class, serving, when_ready).run()


def _hold_signals() -> None:
    """Keep a signal to end until somebody is ready to obey it.

    Between the fork and its own handlers a worker has its parent's, which
    only write the signal down for the parent: the worker would go on until
    the parent loses its patience.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)


def _release_signals() -> None:
    """Obey what was held back, and from now on at once."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)


class _ServerLog(Logger):
    """Gunicorn's own log, which goes the way of all others.

    What a client sent is left out: it may be a link with its token, or the
    cookie, in a request that is malformed elsewhere (requirement R117).
    """

    def setup(self, cfg: Any) -> None:
        """Take away Gunicorn's own way out, to stderr past our queue."""
        super().setup(cfg)
        self.error_log.handlers = []
        self.error_log.filters = [_leave_client_out]
        self.error_log.propagate = True


def _leave_client_out(record: logging.LogRecord) -> bool:
    """Cut the record's message where the client's own words begin."""
    record.msg = OF_A_CLIENT.sub(r"\1", record.getMessage())
    record.args = None
    return True


class _FirstProcess(Arbiter):
    """Gunicorn's first process; it ends the service in its own time.

    Up to version 23 it hears at any moment of who cannot start, as a signal
    comes. An exception that is raised in the middle of a fork is lost there,
    and printed past the log.
    """

    _halt: Optional[HaltServer] = None

    def reap_workers(self) -> None:
        """Note who has ended, and whether that is to end the service."""
        while True:
            try:
                super().reap_workers()
                return
            except HaltServer as halt:
                self._halt = halt
                self._forget_the_dead()

    def manage_workers(self) -> None:
        """Start who is missing, unless the service is to end."""
        if self._halt is not None:
            raise self._halt
        super().manage_workers()

    def _forget_the_dead(self) -> None:
        """Wait no longer for those that were found ended just now."""
        for pid in list(self.WORKERS):
            try:
                os.kill(pid, 0)
            except ProcessLookupError:
                # Another signal may have come in the middle of this.
                worker = self.WORKERS.pop(pid, None)
                if worker is not None:
                    worker.tmp.close()


class _Server(BaseApplication):
    """Gunicorn, set up by our settings instead of its own."""

    def __init__(self, settings: Settings, worker_class: Any,
                 serving: Serving, when_ready: Callable[[], None]) -> None:
        """Keep what is needed; Gunicorn calls the other methods."""
        self._settings = settings
        self._worker_class = worker_class
        self._serving = serving
        self._when_ready = when_ready
        super().__init__()

    def run(self) -> None:
        """Be the first process until the end."""
        _FirstProcess(self).run()

    def load_config(self) -> None:
        """Hand Gunicorn its configuration."""
        for name, value in self._options().items():
            if name in self.cfg.settings:
                self.cfg.set(name, value)

    def load(self) -> Any:
        """Make the application, once in each worker, after the fork.

        Gunicorn has set the worker's own signal handlers by then.
        """
        _release_signals()
        return self._serving.begin()

    def _leave(self, worker: Any) -> None:
        """Finish what stands beside the server, then the process itself."""
        self._serving.finish()
        if isinstance(worker, GranianWorker):
            worker.leave()

    def _options(self) -> Dict[str, Any]:
        """Return Gunicorn's configuration.

        Nobody is believed about paths or schemes: the base URL says where
        the service is, and ``X-Forwarded-For`` is our own affair.
        """
        settings = self._settings
        return {
            "bind": str(settings.bind),
            "workers": settings.workers,
            "worker_class": self._worker_class,
            "threads": settings.threads,
            "keepalive": KEEP_ALIVE_SECONDS,
            "graceful_timeout": GRACE_SECONDS,
            "worker_tmp_dir": (SHARED_MEMORY if os.path.isdir(SHARED_MEMORY)
                               else None),
            "forwarded_allow_ips": "",
            # From version 25.1 on Gunicorn would open a socket to be steered
            # by, the same one for every service of a user.
            "control_socket_disable": True,
            "pre_request": _close_after_refusal,
            "loglevel": "warning",
            "logger_class": _ServerLog,
            "when_ready": lambda server: self._when_ready(),
            "worker_exit": lambda server, worker: self._leave(worker),
        }


def _close_after_refusal(worker: Any, request: Any) -> None:
    """Let the connection end with the answer where the body is not read.

    Gunicorn would read such a body to its end before the next request, in a
    thread of its few, for as long as the client likes. It has found the
    length to be a number already.
    """
    for name, value in request.headers:
        if name == "TRANSFER-ENCODING" or (
                name == "CONTENT-LENGTH" and int(value) > MAXIMUM_BYTES):
            request.force_close()
