#!/usr/bin/env python3
"""Starts the WSGI server, with two loops beside it in each of its processes.
"""

import errno
import logging
import os
import re
import signal
import socket
import threading
import time
from typing import Any, Callable, Dict, List

from gunicorn.app.base import BaseApplication
from gunicorn.glogging import Logger

from vestibule import __version__
from vestibule.app import create_app
from vestibule.base.config import ConfigError, Settings
from vestibule.base.log_queue import log_to_stderr
from vestibule.base.setting_values import Bind
from vestibule.kernel.services import Services, build_services
from vestibule.store.schema import require_current
from vestibule.web.body import MAXIMUM_BYTES
from vestibule.web.context import EXTENSION

MOST_WORKERS = 4
GRACE_SECONDS = 30
FINISH_SECONDS = 20
KEEP_ALIVE_SECONDS = 5
SHARED_MEMORY = "/dev/shm"
ENDING = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)
STANDARD_OUTPUT = 1
# Gunicorn's own status of a worker that cannot start; it ends them all.
CANNOT_START = 3
# What Gunicorn repeats of a request that it cannot read, from here on.
OF_A_CLIENT = re.compile(
    r"(Invalid request from ip=\S*: [^:'\"(]*"
    r"|Error handling request|Exception during worker exit).*", re.DOTALL)
logger = logging.getLogger(__name__)


def serve(settings: Settings) -> None:
    """Serve until told to stop by SIGTERM or SIGINT.

    Everything is looked at before the port is opened: raises ``ConfigError``
    for what the settings lack and for a port that cannot be listened on,
    and ``SchemaError`` for a database that is not migrated.
    """
    if settings.database_url in ("sqlite://", "sqlite:///:memory:"):
        raise ConfigError(["VESTIBULE_DATABASE_URL names a database in "
                           "memory, which processes cannot share."])
    log_to_stderr()
    services = build_services(settings)
    require_current(services.db.engine)
    # What is wrong with a pepper goes to the log. The service starts all the
    # same, so that /health/ready can say it.
    services.auth.passwords.peppers.examine()
    services.db.close()
    _refuse_busy(settings.bind)
    os.register_at_fork(before=_hold_signals,
                        after_in_parent=_release_signals)
    _Server(settings).run()


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


class _Server(BaseApplication):
    """Gunicorn with threads, set up by our settings instead of its own."""

    def __init__(self, settings: Settings) -> None:
        """Keep the settings; Gunicorn calls the other methods."""
        self._settings = settings
        self._stop = threading.Event()
        self._loops: List[threading.Thread] = []
        super().__init__()

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
        try:
            app = create_app(self._settings)
        except Exception as error:
            # Gunicorn would print it in lines of its own.
            logger.critical("A worker cannot start.", exc_info=error)
            raise SystemExit(CANNOT_START) from error
        services: Services = app.extensions[EXTENSION]
        self._loops = [
            self._begin("housekeeping", services.housekeeping.run),
            self._begin("delivery", services.delivery.run)]
        return app

    def _begin(self, name: str, run: Callable[[threading.Event], None]
               ) -> threading.Thread:
        """Let a loop run beside the requests until the worker ends."""
        thread = threading.Thread(
            target=run, args=(self._stop,), name=name, daemon=True)
        thread.start()
        return thread

    def _finish(self) -> None:
        """Let the loops finish what they are at when a worker ends.

        One writes down what is in memory alone, the other hears what the
        mail server says of the letter it has just been handed.
        """
        self._stop.set()
        until = time.monotonic() + FINISH_SECONDS
        for loop in self._loops:
            loop.join(max(0.0, until - time.monotonic()))

    def _options(self) -> Dict[str, Any]:
        """Return Gunicorn's configuration.

        Nobody is believed about paths or schemes: the base URL says where
        the service is, and ``X-Forwarded-For`` is our own affair.
        """
        settings = self._settings
        return {
            "bind": str(settings.bind),
            "workers": settings.workers or workers_for_machine(),
            "worker_class": "gthread",
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
            "when_ready": lambda server: _announce(settings),
            "worker_exit": lambda server, worker: self._finish(),
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


def workers_for_machine() -> int:
    """Return how many processes suit this machine's cores."""
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    else:
        cores = os.cpu_count() or 1
    return min(cores, MOST_WORKERS)


def _refuse_busy(bind: Bind) -> None:
    """Raise ``ConfigError`` where nobody can listen at the address."""
    family = socket.AF_INET6 if ":" in bind.host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((bind.host, bind.port))
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            reason = "another program listens there already"
        else:
            reason = (error.strerror or str(error)).lower()
        raise ConfigError([f"VESTIBULE_BIND={bind} cannot be used: {reason}; "
                           "set another port."]) from error


def _announce(settings: Settings) -> None:
    """Print where everything is, once the port is open.

    Past all buffers: nobody may be there to read it, and that is no reason
    to fail (requirement R121).
    """
    url = settings.public_url
    lines = [f"Vestibule {__version__}, {settings.profile} profile, "
             f"listening on http://{settings.bind}",
             f"  API            {url}/",
             f"  API document   {url}/openapi.json",
             f"  Health         {url}/health/ready"]
    if settings.is_development:
        lines += [
            f"  Pages          {url}/ (in a browser)",
            f"  Mailbox        {url}/dev/mailbox",
            "This profile is for trying things out: it takes any password, "
            "gives reset",
            "tokens to whoever asks, and keeps letters in the mailbox "
            "instead of sending",
            "them. Stop it with Ctrl-C."]
    try:
        os.write(STANDARD_OUTPUT, "".join(
            f"{line}\n" for line in lines).encode())
    except OSError:
        pass
