#!/usr/bin/env python3
"""A throw-away Redis or Valkey, made from the system's server program."""

import importlib
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Optional, Sequence

from tests.support.postgresql import free_port

PROGRAMS = ("redis-server", "valkey-server")
START_SECONDS = 30


def why_no_redis() -> str:
    """Return why there can be no server here, or nothing."""
    if server_program() is None:
        return ("neither redis-server nor valkey-server is installed (on "
                "Debian: apt-get install redis-server)")
    try:
        importlib.import_module("redis")
    except ImportError:
        return "the library redis is not installed"
    return ""


def server_program() -> Optional[str]:
    """Return the path of a server program, if there is one."""
    found = [shutil.which(program) for program in PROGRAMS]
    return next((each for each in found if each), None)


class RedisServer:
    """A server on a free loopback port, which keeps nothing on disk."""

    def __init__(self, *options: str, tls: bool = False) -> None:
        """Start it with these options; with ``tls`` it speaks that alone."""
        self.port = free_port()
        self._folder = tempfile.mkdtemp(prefix="vestibule-redis-")
        ports = (["--port", "0", "--tls-port"] if tls else ["--port"])
        self._command = [
            server_program() or PROGRAMS[0], *ports, str(self.port),
            "--bind", "127.0.0.1", "--save", "", "--appendonly", "no",
            "--dir", self._folder, *options]
        self._process: Optional["subprocess.Popen[bytes]"] = None
        self.start()

    @property
    def url(self) -> str:
        """Where it is reached, but for TLS and for passwords."""
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start it, with nothing in it, and wait until it listens."""
        log = Path(self._folder) / "log"
        with open(log, "ab") as file:
            self._process = subprocess.Popen(
                self._command, stdout=file, stderr=file)
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until and self._process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
                return
            except OSError:
                time.sleep(0.02)
        raise AssertionError(f"it did not start: {log.read_text()}")

    def command(self, *words: str) -> bytes:
        """Send one command and return the first piece of the answer."""
        with socket.create_connection(
                ("127.0.0.1", self.port), START_SECONDS) as connection:
            connection.sendall(_spelled(words))
            return connection.recv(65536)

    def kill(self) -> None:
        """End it at once, by SIGKILL."""
        assert self._process is not None
        self._process.kill()
        self._process.wait(START_SECONDS)

    def stop(self) -> None:
        """End it and remove everything."""
        self.kill()
        shutil.rmtree(self._folder, ignore_errors=True)


def _spelled(words: Sequence[str]) -> bytes:
    """Spell a command as the protocol wants it."""
    parts = [f"*{len(words)}"]
    for word in words:
        parts += [f"${len(word.encode())}", word]
    return ("\r\n".join(parts) + "\r\n").encode()
