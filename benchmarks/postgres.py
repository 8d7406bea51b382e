#!/usr/bin/env python3
"""A PostgreSQL server for one run, made from the system's programs."""

import contextlib
import glob
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any, Callable, List, Optional

from benchmarks.processes import (
    LOOPBACK, Process, free_port, wait_for_port)

USER = "benchmark"
PROGRAMS = ("initdb", "postgres", "psql")
PLACES = "/usr/lib/postgresql/*/bin"
START_SECONDS = 30.0
STOP_SECONDS = 30
# More than all workers of one service together may open.
MOST_CONNECTIONS = 300
SHARED_BUFFERS = "512MB"


class PostgresError(Exception):
    """PostgreSQL refused what it was asked; the text is its own."""


def server_programs(places: str = PLACES) -> Optional[Path]:
    """Return the folder of the newest server's programs, if there is one."""
    folders = sorted(glob.glob(places), key=_major, reverse=True)
    on_path = shutil.which("initdb")
    if on_path:
        folders.append(os.path.dirname(os.path.realpath(on_path)))
    for folder in folders:
        if all(Path(folder, program).exists() for program in PROGRAMS):
            return Path(folder)
    return None


class Postgres:
    """A server of our own on a free loopback port, gone with the run.

    Its settings are the defaults, but for memory and connections; what is
    committed is on the disk, as in production.
    """

    def __init__(self, programs: Path, log: Path) -> None:
        """Make the cluster and start it."""
        self._programs = programs
        self._log = log
        self._folder = Path(tempfile.mkdtemp(prefix="benchmark-postgres-"))
        self._become = _ordinary_user(self._folder)
        self.port = free_port()
        self._run("initdb", "--auth=trust", f"--username={USER}",
                  "--encoding=UTF8", "--locale=C", str(self._data))
        self._server = self._start()
        wait_for_port(self._server, self.port)
        self._wait_until_ready()

    def __enter__(self) -> "Postgres":
        """Return the running server."""
        return self

    def __exit__(self, *details: Any) -> None:
        """Stop the server and remove all its data."""
        self._stop()
        shutil.rmtree(str(self._folder), ignore_errors=True)

    def restart_cold(self) -> None:
        """Start anew on the same port, with nothing of the data in memory.
        """
        self._stop()
        forget_pages(self._data)
        self._server = self._start()
        wait_for_port(self._server, self.port)
        self._wait_until_ready()

    @property
    def pid(self) -> int:
        """The process that all others of the server descend from."""
        return self._server.pid

    def url(self, database: str) -> str:
        """Return the URL of a database, without a driver's name."""
        return f"postgresql://{USER}@{LOOPBACK}:{self.port}/{database}"

    def create(self, database: str) -> None:
        """Make an empty database, in place of one of this name."""
        self.drop(database)
        self.sql("postgres", f'CREATE DATABASE "{database}"')

    def drop(self, database: str) -> None:
        """Remove a database, if there is one of this name."""
        with contextlib.suppress(PostgresError):
            self.sql("postgres", f'DROP DATABASE "{database}"')

    def sql(self, database: str, *statements: str) -> str:
        """Run statements, each in a transaction of its own; what they print.

        Raises ``PostgresError`` at the first that fails.
        """
        words = ["-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", "-d",
                 self.url(database)]
        for statement in statements:
            words += ["-c", statement]
        return self._run("psql", *words)

    @property
    def _data(self) -> Path:
        """The folder of the cluster's data."""
        return self._folder / "data"

    def _start(self) -> "Process[bytes]":
        """Start the server, which must not be root."""
        with self._log.open("ab") as log:
            return subprocess.Popen(
                [str(self._programs / "postgres"), "-D", str(self._data),
                 "-p", str(self.port), "-h", LOOPBACK, "-k", "",
                 "-c", f"max_connections={MOST_CONNECTIONS}",
                 "-c", f"shared_buffers={SHARED_BUFFERS}"],
                stdout=log, stderr=log, cwd=str(self._folder),
                preexec_fn=self._become, start_new_session=True)

    def _stop(self) -> None:
        """Stop the server, by force if it takes too long."""
        self._server.send_signal(signal.SIGINT)
        try:
            self._server.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._server.send_signal(signal.SIGQUIT)
            self._server.wait(STOP_SECONDS)

    def _wait_until_ready(self) -> None:
        """Wait while it listens, but still says that it is starting up."""
        until = time.monotonic() + START_SECONDS
        while True:
            try:
                self.sql("postgres", "SELECT 1")
                return
            except PostgresError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.1)

    def _run(self, program: str, *arguments: str) -> str:
        """Run one of PostgreSQL's programs to its end."""
        done = subprocess.run(
            [str(self._programs / program), *arguments],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            cwd=str(self._folder), preexec_fn=self._become)
        text = done.stdout.decode("utf-8", "replace").strip()
        if done.returncode:
            raise PostgresError(text)
        return text


def forget_pages(folder: Path) -> None:
    """Have the system take the files of a folder out of its memory.

    Only what is on the disk can be forgotten, so that comes first. No root
    is needed, and nothing else on the machine is the slower for it.
    """
    os.sync()
    for file in folder.rglob("*"):
        with contextlib.suppress(FileNotFoundError):
            if file.is_file():
                opened = os.open(str(file), os.O_RDONLY)
                os.posix_fadvise(opened, 0, 0, os.POSIX_FADV_DONTNEED)
                os.close(opened)


def _major(folder: str) -> float:
    """Return the version that stands in the path of Debian's programs."""
    try:
        return float(Path(folder).parent.name)
    except ValueError:
        return 0.0


def _ordinary_user(folder: Path) -> Optional[Callable[[], None]]:
    """Return what makes a child an ordinary user, where we are root.

    PostgreSQL's server refuses to run as root. The folder becomes that
    user's own.
    """
    if os.geteuid() != 0:
        return None
    names: List[str] = [each.pw_name for each in pwd.getpwall()]
    user = pwd.getpwnam("postgres" if "postgres" in names else "nobody")
    os.chown(str(folder), user.pw_uid, user.pw_gid)

    def become() -> None:
        """Give up being root, in the child."""
        os.setgroups([])
        os.setgid(user.pw_gid)
        os.setuid(user.pw_uid)
    return become
