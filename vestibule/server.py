#!/usr/bin/env python3
"""Looks at everything, chooses a server, and has it serve."""

import errno
import gc
import os
import socket
from functools import partial
from typing import Any, Tuple

from vestibule import __version__, granian_server, gunicorn_server
from vestibule.app import create_app
from vestibule.base.config import ConfigError, Settings
from vestibule.base.interrupts import left_to_the_system
from vestibule.base.log_queue import log_to_stderr
from vestibule.base.setting_values import Bind
from vestibule.kernel.services import build_services
from vestibule.serving import Serving
from vestibule.store.schema import require_current

MOST_WORKERS = 4
STANDARD_OUTPUT = 1


def serve(settings: Settings) -> None:
    """Serve until told to stop by SIGTERM or SIGINT.

    Everything is looked at before the port is opened: raises ``ConfigError``
    for what the settings lack and for a port that cannot be listened on,
    and ``SchemaError`` for a database that is not migrated. Until Gunicorn
    listens to signals, they end the process at once.
    """
    with left_to_the_system():
        _prepare(settings)
        kind, name = _choose()
        # What there is by now stays for good: no search for rubbish looks at
        # it again, so that the processes to come share its memory.
        gc.freeze()
        gunicorn_server.run(
            settings._replace(
                workers=settings.workers or workers_for_machine()),
            kind, Serving(partial(create_app, settings)),
            partial(_announce, settings, name))


def _prepare(settings: Settings) -> None:
    """Look at all that the service needs; raises as ``serve`` does."""
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


def _choose() -> Tuple[Any, str]:
    """Return the kind of worker that is to be had, and who reads requests.

    Granian where it is installed, which is where it can be.
    """
    if granian_server.NAME is not None:
        return granian_server.GranianWorker, granian_server.NAME
    return gunicorn_server.THREADS, gunicorn_server.NAME


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


def _announce(settings: Settings, server: str) -> None:
    """Print where everything is, once the port is open.

    Past all buffers: nobody may be there to read it, and that is no reason
    to fail (requirement R121).
    """
    url = settings.public_url
    lines = [f"Vestibule {__version__}, {settings.profile} profile, "
             f"listening on http://{settings.bind}",
             f"  Server         {server}",
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
