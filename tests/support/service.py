#!/usr/bin/env python3
"""A service in processes of its own, on a free loopback port."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from http.client import HTTPConnection, HTTPMessage
from pathlib import Path
from typing import (
    Any, Callable, Dict, List, NamedTuple, Optional, Sequence)

from tests.support.postgresql import free_port

ROOT = Path(__file__).parents[2]
START_SECONDS = 30
# Longer than what the service gives its processes to end.
STOP_SECONDS = 40
SERVE = (sys.executable, "-m", "vestibule", "serve")


class Reply(NamedTuple):
    """What the service answered."""

    status: int
    # By names in any case; of several of a name the first counts.
    headers: HTTPMessage
    text: str

    @property
    def json(self) -> Any:
        """The body, read as JSON."""
        return json.loads(self.text)


class Service:
    """``python3 -m vestibule serve`` in its own process group."""

    def __init__(self, environ: Dict[str, str], folder: Path,
                 command: Sequence[str] = SERVE) -> None:
        """Run in this folder with these settings; ``start`` begins."""
        self.port = free_port()
        self._command = command
        self._folder = folder
        self._environ = dict(
            environ, PATH=os.environ["PATH"], PYTHONPATH=str(ROOT),
            PYTHONFAULTHANDLER="1",
            VESTIBULE_BIND=f"127.0.0.1:{self.port}")
        self._process: Optional["subprocess.Popen[bytes]"] = None
        self.log = folder / f"service-{self.port}.log"

    def __enter__(self) -> "Service":
        """Start the service and wait for it."""
        self.start()
        return self

    def __exit__(self, *details: Any) -> None:
        """Make sure that nothing of it is left."""
        self.kill()

    def start(self) -> None:
        """Start it and wait until it answers."""
        self.start_up_to(
            lambda: self.request("GET", "/health/live").status == 200)

    @property
    def process_id(self) -> int:
        """The id of its first process, whose children do the work."""
        assert self._process is not None
        return self._process.pid

    def start_listening(self) -> None:
        """Start it and wait until its port is open, and no longer."""
        self.start_up_to(self.is_open)

    def start_up_to(self, point: Callable[[], bool]) -> None:
        """Start it and wait until it has come to this point."""
        with open(self.log, "ab") as log:
            self._process = subprocess.Popen(
                self._command,
                cwd=self._folder, env=self._environ, stdout=log, stderr=log,
                start_new_session=True)
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until and self._process.poll() is None:
            try:
                if point():
                    return
            except OSError:
                time.sleep(0.05)
        raise AssertionError(f"it did not start: {self.log.read_text()}")

    def is_open(self) -> bool:
        """Say whether somebody listens."""
        try:
            with socket.create_connection(("127.0.0.1", self.port)):
                return True
        except OSError:
            time.sleep(0.05)
            return False

    @property
    def pid(self) -> int:
        """The id of its first process, which starts the others."""
        assert self._process is not None
        return self._process.pid

    @property
    def workers(self) -> List[int]:
        """The ids of the processes that answer requests."""
        told = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text()
        return [int(word) for word in told.split()]

    def kill(self) -> None:
        """End all its processes at once, as a loss of power would."""
        if self._process is not None and self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(START_SECONDS)

    def terminate(self, patience: float = STOP_SECONDS,
                  by: int = signal.SIGTERM) -> int:
        """Ask it to stop, and return its exit status.

        Where it has not stopped after so many seconds, what its threads are
        at goes to the log, which is shown.
        """
        os.kill(self.pid, by)
        return self.wait(patience)

    def wait(self, patience: float) -> int:
        """Wait until it has stopped, and return its exit status."""
        assert self._process is not None
        try:
            return self._process.wait(patience)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGABRT)
            time.sleep(1)
            raise AssertionError(
                f"it did not stop: {self.log.read_text()}") from None

    def faults(self) -> List[str]:
        """Return the lines of the log that tell of a fault."""
        return [line for line in self.log.read_text("utf-8").splitlines()
                if "traceback" in line.lower()]

    def request(self, method: str, path: str, body: Any = None,
                **headers: str) -> Reply:
        """Send one request, with a JSON body if any, and read the answer.

        Underscores in header names stand for hyphens.
        """
        connection = HTTPConnection("127.0.0.1", self.port, timeout=30)
        sent = {name.replace("_", "-"): value
                for name, value in headers.items()}
        payload = None
        if body is not None:
            payload = json.dumps(body)
            sent["Content-Type"] = "application/json"
        try:
            connection.request(method, path, payload, sent)
            answer = connection.getresponse()
            return Reply(answer.status, answer.headers,
                         answer.read().decode("utf-8"))
        finally:
            connection.close()
