#!/usr/bin/env python3
"""A throw-away PostgreSQL cluster, made from the system's server programs."""

import glob
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from typing import Callable, List, Optional

USER = "vestibule"
START_SECONDS = 30
PROGRAMS = ("initdb", "postgres", "createdb", "pg_isready")


class NoPostgreSQL(Exception):
    """PostgreSQL cannot be started here; the text says why."""


def free_port() -> int:
    """Return a port of the loopback address on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def server_programs() -> str:
    """Return the folder of ``initdb`` and ``postgres``, the newest there is.

    Raises ``NoPostgreSQL`` where there is none.
    """
    folders = glob.glob("/usr/lib/postgresql/*/bin")
    folders.sort(key=lambda each: float(each.split("/")[-2]), reverse=True)
    on_path = shutil.which("initdb")
    if on_path:
        folders.append(os.path.dirname(os.path.realpath(on_path)))
    for folder in folders:
        if all(os.path.exists(os.path.join(folder, program))
               for program in PROGRAMS):
            return folder
    raise NoPostgreSQL("its server programs are not installed (on "
                       "Debian: apt-get install postgresql)")


class Cluster:
    """A running server on a free loopback port, its data soon forgotten."""

    def __init__(self) -> None:
        """Make the cluster and start it; raises ``NoPostgreSQL``."""
        self._programs = server_programs()
        self._folder = tempfile.mkdtemp(prefix="vestibule-postgresql-")
        self._become = _another_user(self._folder)
        self.port = free_port()
        self._run("initdb", "--auth=trust", f"--username={USER}", "--no-sync",
                  "--encoding=UTF8", "--locale=C", self._data)
        self._server = subprocess.Popen(
            [os.path.join(self._programs, "postgres"), "-D", self._data,
             "-p", str(self.port), "-c", "listen_addresses=127.0.0.1",
             "-c", f"unix_socket_directories={self._folder}",
             "-c", "fsync=off", "-c", "max_connections=200"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            cwd=self._folder, preexec_fn=self._become)
        self._wait()

    @property
    def _data(self) -> str:
        """The folder of the cluster's data."""
        return os.path.join(self._folder, "data")

    def url(self, database: str) -> str:
        """Return the URL under which a database of the cluster is reached."""
        return (f"postgresql+psycopg2://{USER}@127.0.0.1:{self.port}"
                f"/{database}")

    def create(self, database: str) -> str:
        """Make an empty database and return its URL."""
        self._run("createdb", "-h", "127.0.0.1", "-p", str(self.port),
                  "-U", USER, database)
        return self.url(database)

    def stop(self) -> None:
        """Stop the server and remove everything."""
        self._server.send_signal(signal.SIGINT)
        self._server.wait(START_SECONDS)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _run(self, program: str, *arguments: str) -> None:
        """Run one of PostgreSQL's programs to its end."""
        done = subprocess.run(
            [os.path.join(self._programs, program), *arguments],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            cwd=self._folder, preexec_fn=self._become)
        if done.returncode:
            raise NoPostgreSQL(done.stdout.decode("utf-8", "replace").strip())

    def _wait(self) -> None:
        """Wait until the server takes connections."""
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until:
            ready = subprocess.run(
                [os.path.join(self._programs, "pg_isready"), "-q",
                 "-h", "127.0.0.1", "-p", str(self.port)])
            if ready.returncode == 0:
                return
            if self._server.poll() is not None:
                break
            time.sleep(0.05)
        raise NoPostgreSQL("its server did not start")


def _another_user(folder: str) -> Optional[Callable[[], None]]:
    """Return what makes a child an ordinary user, where we are root.

    PostgreSQL's server refuses to run as root.
    """
    if os.geteuid() != 0:
        return None
    names: List[str] = [each.pw_name for each in pwd.getpwall()]
    user = pwd.getpwnam("postgres" if "postgres" in names else "nobody")
    os.chown(folder, user.pw_uid, user.pw_gid)

    def become() -> None:
        """Give up being root, in the child."""
        os.setgroups([])
        os.setgid(user.pw_gid)
        os.setuid(user.pw_uid)
    return become
