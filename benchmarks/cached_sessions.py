#!/usr/bin/env python3
"""Fills the caches of two serving processes, and weighs them all together.

Each of the two ends up with 10,000 sessions of as many people: what a service
of that size holds on to at its worst. It is weighed before and after.
"""

import argparse
import contextlib
import os
import socket
import sys
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Dict, Iterator, List, Optional
from uuid import uuid4

from benchmarks.processes import (
    LOOPBACK, Command, Process, family, free_port, memory_mib, start, stop,
    wait_for_port)
from vestibule.base.digest import digest_of, new_secret
from vestibule.kernel.session_cache import MOST
from vestibule.store.db import DB, User
from vestibule.store.schema import upgrade
from vestibule.store.session import Session, SessionStore

WORKERS = 2
MOST_MIB = 150
LIFETIME = timedelta(days=7)
# The first look-up notes whose a session is, the second one keeps it.
ASKED = 3
PEOPLE_AT_ONCE = 500
MOST_CONNECTIONS = 50
ANSWER_BYTES = 65536
# Columns of /proc/net/tcp.
FAR_END, INODE = 2, 9
HASH = "$2b$12$" + "a" * 53
ROOT = Path(__file__).resolve().parents[1]


class Wrong(Exception):
    """The service does not answer as it should."""


def main() -> int:
    """Fill, weigh, print; 1 where it is more than it may be."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sessions", type=int, default=MOST,
                        help=f"how many (default: {MOST})")
    parser.add_argument("--url", help="an empty database, such as "
                        "postgresql+psycopg2://…; a SQLite file otherwise")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        url = asked.url or f"sqlite:///{folder}/memory.db"
        return weighed(Path(folder), url, asked.sessions)


def weighed(folder: Path, url: str, count: int) -> int:
    """Weigh a service on this database; return the status to end with."""
    tokens = make_sessions(url, count)
    port = free_port()
    process = start(Command(
        [sys.executable, "-m", "vestibule", "serve"],
        environ(url, port), folder, folder / "service.log"))
    try:
        wait_for_port(process, port)
        workers = connections(process, port, tokens[0])
        empty = memory_mib(process.pid)
        print(f"  {count} sessions in each of {WORKERS}", flush=True)
        for token in tokens:
            for connection in workers.values():
                ask(connection, token)
        full = memory_mib(process.pid)
        each = [memory_mib(pid) for pid in workers]
    finally:
        stop(process)
    print(f"Python {sys.version.split()[0]}, {WORKERS} processes and the one "
          f"that starts them: {empty:.1f} MiB without sessions, {full:.1f} "
          f"MiB with {count} in each; "
          f"{', '.join(f'{mib:.1f}' for mib in each)} MiB of it are theirs.")
    return int(full > MOST_MIB)


def make_sessions(url: str, count: int) -> List[str]:
    """Make as many people, a session each, and return its tokens."""
    db = DB(url)
    try:
        if not db.is_sqlite:
            upgrade(db.engine)
        tokens: List[str] = []
        while len(tokens) < count:
            with db.transaction():
                tokens += [
                    make_session(db, f"user{number}@example.com")
                    for number in range(len(tokens), min(
                        count, len(tokens) + PEOPLE_AT_ONCE))]
        return tokens
    finally:
        db.close()


def make_session(db: DB, email: str) -> str:
    """Make a user with a session, and return its token."""
    user: User = db.add_user(email, HASH)
    now, secret, session_id = db.clock.now(), new_secret(), str(uuid4())
    SessionStore(db).add(Session(
        id=session_id, secret_digest=digest_of(secret), user_id=user.id,
        amr="pwd", created_at=now, authenticated_at=now, last_seen_at=now,
        idle_expires_at=now + LIFETIME, expires_at=now + LIFETIME,
        remembered=True))
    return f"{session_id}.{secret}"


def environ(url: str, port: int) -> Dict[str, str]:
    """Return the settings of a service in production."""
    return {
        "PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT),
        "VESTIBULE_PROFILE": "production",
        "VESTIBULE_BIND": f"{LOOPBACK}:{port}",
        "VESTIBULE_BASE_URL": f"http://{LOOPBACK}:{port}",
        "VESTIBULE_DATABASE_URL": url,
        "VESTIBULE_SECRET_KEY": new_secret(),
        "VESTIBULE_SMTP_URL": f"smtp://{LOOPBACK}:9",
        "VESTIBULE_MAIL_FROM": "vestibule@example.com",
        "VESTIBULE_WORKERS": str(WORKERS)}


def connections(process: "Process[bytes]", port: int,
                token: str) -> Dict[int, socket.socket]:
    """Return a connection to each serving process, by its id.

    Somebody has to ask first: until then nobody has taken it.
    """
    found: Dict[int, socket.socket] = {}
    for _ in range(MOST_CONNECTIONS):
        connection = socket.create_connection((LOOPBACK, port))
        ask(connection, token)
        pid = owner(process, connection.getsockname()[1])
        if pid is None or pid in found:
            connection.close()
        else:
            found[pid] = connection
        if len(found) == WORKERS:
            return found
    raise Wrong(f"{WORKERS} processes do not answer")


def owner(process: "Process[bytes]", client: int) -> Optional[int]:
    """Return the process that answers the client with this port."""
    rows = [row.split() for row in
            Path("/proc/net/tcp").read_text().splitlines()]
    inodes = [row[INODE] for row in rows
              if row[FAR_END].endswith(f":{client:04X}")]
    for pid in family(process.pid):
        if any(f"socket:[{inode}]" in files_of(pid) for inode in inodes):
            return pid
    return None


def files_of(pid: int) -> List[str]:
    """Return what a process has open."""
    return list(_links(Path(f"/proc/{pid}/fd")))


def _links(folder: Path) -> Iterator[str]:
    """Yield where the links of a folder lead that still are there."""
    for link in folder.iterdir():
        with contextlib.suppress(OSError):
            yield os.readlink(str(link))


def ask(connection: socket.socket, token: str) -> None:
    """Check a session as often as it takes to be kept."""
    for _ in range(ASKED):
        head = answer(connection, token)
        if not head.startswith(b"HTTP/1.1 204"):
            raise Wrong(f"a session is answered with {head[:40]!r}")


def answer(connection: socket.socket, token: str) -> bytes:
    """Return the answer to a session check, which has no body."""
    port = connection.getpeername()[1]
    connection.sendall("GET /session/check HTTP/1.1\r\n"
                       f"Host: {LOOPBACK}:{port}\r\n"
                       f"Cookie: session_id={token}\r\n\r\n".encode())
    said = b""
    while b"\r\n\r\n" not in said:
        piece = connection.recv(ANSWER_BYTES)
        if not piece:
            raise Wrong("a connection was closed")
        said += piece
    return said


if __name__ == "__main__":
    sys.exit(main())
