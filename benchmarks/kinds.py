#!/usr/bin/env python3
"""The kinds of services under test: peers on Python and Node, and nginx."""

import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable, Dict, List, Mapping, Sequence

from benchmarks.machine import ROOT
from benchmarks.processes import LOOPBACK, Command
from benchmarks.subject import (
    COST, PASSWORD, WORKERS, Site, Subject, plain_environ)
from benchmarks.workshop import CannotBuild, Workshop

THREADS = 8
MakesWords = Callable[[Path, str, int], List[str]]
CONSTANT = """
worker_processes {workers};
daemon off;
pid {folder}/nginx.pid;
error_log stderr crit;
events {{ worker_connections 1024; }}
http {{
  access_log off;
  keepalive_requests 1000000000;
  default_type application/json;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  server {{
    listen {loopback}:{port};
    location / {{ return 200 '{{"email": "user1@example.com"}}\\n'; }}
  }}
}}
"""


def gunicorn(bin_folder: Path, target: str, port: int) -> List[str]:
    """Return gunicorn with processes of threads, which keep connections."""
    return [str(bin_folder / "gunicorn"), "-b", f"{LOOPBACK}:{port}",
            "-w", str(WORKERS), "-k", "gthread", "--threads", str(THREADS),
            "--keep-alive", "75", "--log-level", "error",
            "--no-control-socket", target]


def granian(bin_folder: Path, target: str, port: int) -> List[str]:
    """Return granian with as many processes and threads as gunicorn."""
    return [str(bin_folder / "granian"), "--interface", "wsgi", "--host",
            LOOPBACK, "--port", str(port), "--workers", str(WORKERS),
            "--blocking-threads", str(THREADS), "--no-ws",
            "--log-level", "error", target]


def uvicorn(bin_folder: Path, target: str, port: int) -> List[str]:
    """Return uvicorn, with uvloop and httptools, which it finds itself."""
    return [str(bin_folder / "uvicorn"), "--host", LOOPBACK, "--port",
            str(port), "--workers", str(WORKERS), "--no-access-log",
            "--log-level", "error", target]


SERVERS: Dict[str, MakesWords] = {
    "gunicorn": gunicorn, "granian": granian, "uvicorn": uvicorn}


@dataclass(frozen=True)
class Peer(Subject):
    """A service in Python of others' making, a small module of ``peers``.

    ``application`` is what the server loads, ``filling`` the module that,
    run as a program, fills the database.
    """

    requirements: str = ""
    server: str = "gunicorn"
    application: str = ""
    filling: str = ""
    environ: Mapping[str, str] = field(default_factory=dict)

    def build(self, workshop: Workshop) -> None:
        """Make its virtual environment."""
        workshop.environment(self.requirements)

    def fill(self, site: Site) -> None:
        """Run the module that makes the tables and the users."""
        python = site.workshop.environment(self.requirements) / "python"
        run_to_end(Command(
            [str(python), "-m", f"benchmarks.peers.{self.filling}"],
            self._environ(site, COST), ROOT, self.log(site)))

    def command(self, site: Site, port: int, cost: int) -> Command:
        """Return how it is started by its server."""
        bin_folder = site.workshop.environment(self.requirements)
        words = SERVERS[self.server](
            bin_folder, f"benchmarks.peers.{self.application}", port)
        return Command(words, self._environ(site, cost), ROOT,
                       self.log(site))

    def _environ(self, site: Site, cost: int) -> Dict[str, str]:
        """Return what it is told."""
        return {**peer_environ(self, site, cost), **self.environ,
                "PYTHONPATH": str(ROOT)}


@dataclass(frozen=True)
class NodePeer(Subject):
    """Better Auth, which runs on Node."""

    programs: Sequence[str] = ("node", "npm")
    environ: Mapping[str, str] = field(default_factory=dict)

    def build(self, workshop: Workshop) -> None:
        """Install what its lock names."""
        workshop.node_modules()

    def fill(self, site: Site) -> None:
        """Let it make its tables and users."""
        run_to_end(self._command(site, 0, COST, "fill"))

    def command(self, site: Site, port: int, cost: int) -> Command:
        """Return how it is started."""
        return self._command(site, port, cost)

    def _command(self, site: Site, port: int, cost: int,
                 *words: str) -> Command:
        """Return how its one program is started, to serve or to fill."""
        environ = {**peer_environ(self, site, cost), **self.environ,
                   "PEER_PORT": str(port)}
        return Command(["node", "server.mjs", *words], environ,
                       site.workshop.node_modules(), self.log(site))


@dataclass(frozen=True)
class Constant(Subject):
    """A constant answer by nginx: what the machine can do at most."""

    programs: Sequence[str] = ("nginx",)

    def command(self, site: Site, port: int, cost: int) -> Command:
        """Write nginx's configuration and return how it is started."""
        folder = site.work / "nginx"
        folder.mkdir(exist_ok=True)
        file = folder / "nginx.conf"
        file.write_text(CONSTANT.format(
            workers=WORKERS, folder=folder, loopback=LOOPBACK, port=port))
        return Command(["nginx", "-c", str(file), "-e", "stderr"],
                       plain_environ(), folder, self.log(site))


def peer_environ(subject: Subject, site: Site, cost: int) -> Dict[str, str]:
    """Return what every peer is told, as ``peers/told.py`` reads it."""
    return plain_environ(
        PEER_DATABASE=site.postgres.url(subject.database),
        PEER_REDIS=f"redis://{LOOPBACK}:{site.redis_port}/0",
        PEER_COST=str(cost), PEER_PASSWORD=PASSWORD,
        PEER_USERS=str(site.users), PEER_SESSIONS=str(site.sessions))


def run_to_end(command: Command) -> None:
    """Run a program to its end; raises ``CannotBuild`` where it fails."""
    with command.log.open("ab") as log:
        done = subprocess.run(
            list(command.words), env=dict(command.environ),
            cwd=str(command.folder), stdin=subprocess.DEVNULL,
            stdout=log, stderr=log)
    if done.returncode:
        raise CannotBuild(f"filling its database failed, see {command.log}")
