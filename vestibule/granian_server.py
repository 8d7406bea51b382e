#!/usr/bin/env python3
"""Granian: reads requests in Rust and calls us in threads of its own.

It stands in one of Gunicorn's processes, on Gunicorn's socket. Its classes
are those that its own workers are made of, for its own way of starting them
opens a socket in each, and respawns for ever who cannot start.
"""

import logging
import os
import resource
import select
import threading
import time
from typing import Any, Optional

from gunicorn.workers.base import Worker

from vestibule.granian_request import Requests
from vestibule.serving import (
    CANNOT_START, GRACE_SECONDS, KEEP_ALIVE_SECONDS)

try:
    from granian import _granian
    from granian.http import HTTP1Settings
except ImportError:
    _granian = HTTP1Settings = None

NAME: Optional[str] = None
if _granian is not None:
    NAME = f"granian {_granian.__version__}"
MOST_CONNECTIONS = 512
# A head longer than this is refused; each connection may hold so much.
MOST_HEAD_BYTES = 32 * 1024
# Threads stay, with the database connections that are theirs.
IDLE_SECONDS = 365 * 86400
TICK_SECONDS = 1.0
logger = logging.getLogger("vestibule.server")


class GranianWorker(Worker):
    """A process of Gunicorn's in which granian reads the requests."""

    _serves = False

    def run(self) -> None:
        """Serve until told to stop, and then end what is under way."""
        requests = Requests(self.wsgi)
        stop, ended = self._start(requests)
        while self.alive and self.ppid == os.getppid():
            self.notify()
            requests.expire()
            self._wait()
        stop.set()
        for listener in self.sockets:
            listener.close()
        until = time.monotonic() + GRACE_SECONDS
        while not ended.wait(TICK_SECONDS) and time.monotonic() < until:
            self.notify()
            requests.expire()

    def leave(self) -> None:
        """End the process past Python's own end, once granian has begun.

        Its threads may be about to take Python's lock: as Python ends, that
        ends them in the middle of what is Rust, and aborts the process.
        """
        if self._serves:
            logging.shutdown()
            os._exit(0)

    def _start(self, requests: Requests) -> Any:
        """Let granian begin; return how to stop it, and what tells the end.

        Who cannot start says so in one line and ends the whole service.
        """
        ended = threading.Event()
        try:
            stop = _granian.WorkerSignal()
            stop.add_cb(ended.set)
            scheduler = _granian.CallbackScheduler(
                AtOnce(), None, None, None, None)
            scheduler._schedule_fn = requests.take
            self._serves = True
            self._reader().serve_str(scheduler, AtOnce(), stop)
        except BaseException as error:
            self._serves = False
            logger.critical("A worker cannot start.", exc_info=error)
            raise SystemExit(CANNOT_START) from error
        return stop, ended

    def _reader(self) -> Any:
        """Return granian's reader of requests, on a copy of our socket."""
        [listener] = self.sockets
        files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        socket = _granian.SocketHolder(
            os.dup(listener.fileno()), False, self.cfg.backlog)
        return _granian.ASGIWorker(
            worker_id=self.age, sock=(None, socket), ipc=None, threads=1,
            blocking_threads=1, py_threads=self.cfg.threads,
            py_threads_idle_timeout=IDLE_SECONDS,
            backpressure=min(MOST_CONNECTIONS, max(1, files // 2)),
            http_mode="1", websockets_enabled=False,
            http1_opts=HTTP1Settings(
                header_read_timeout=KEEP_ALIVE_SECONDS * 1000,
                max_buffer_size=MOST_HEAD_BYTES))

    def _wait(self) -> None:
        """Wait for a signal, for a tick at most."""
        reader = self.PIPE[0]
        if select.select([reader], [], [], TICK_SECONDS)[0]:
            os.read(reader, 4096)


class AtOnce:
    """What granian takes for an event loop: it calls at once.

    In the thread that asks, which is one of granian's.
    """

    def call_soon(self, callback: Any, *arguments: Any,
                  context: Any = None) -> None:
        """Call the callback."""
        callback(*arguments)

    call_soon_threadsafe = call_soon
