#!/usr/bin/env python3
"""The machines of a hunt, and the database as it is behind their backs."""

import os
import signal
import subprocess
import sys
import threading
from contextlib import ExitStack, contextmanager
from pathlib import Path
from time import monotonic, sleep
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Set

from tests.support.databases import ELSEWHERE
from tests.support.hunt_desk import DONE
from tests.support.hunt_judge import Person, Row
from tests.support.hunt_line import workers_of
from tests.support.service import ROOT, Service
from vestibule.store.engine import open_engine, own_connection

WORKERS = 2
LOOK = """
    SELECT s.id, s.secret_digest, u.disabled_at, u.delete_after, u.version,
           s.label
    FROM sessions AS s JOIN users AS u ON u.id = s.user_id
    WHERE s.user_id = {0}
"""
BY_HAND = "UPDATE users SET version = version + 1 WHERE id = {0}"
# A listener's last statement was to listen, or to send itself a beat.
CONNECTIONS = """
    SELECT pid FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
    AND (query LIKE '%%LISTEN%%' OR query LIKE '%%pg_notify%%') = {0}
"""
OTHERS = """
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
"""
SCANS = """
    SELECT seq_scan + coalesce(idx_scan, 0) FROM pg_stat_user_tables
    WHERE relname = 'sessions'
"""


class Rows:
    """Reads the database itself; only the hunt's own thread uses it."""

    def __init__(self, url: str) -> None:
        """Open a connection that commits each statement by itself."""
        engine = open_engine(url)
        self.is_sqlite = engine.dialect.name == "sqlite"
        self._connection = own_connection(engine)
        engine.dispose()
        mark = "?" if self.is_sqlite else "%s"
        self._look, self._by_hand, self._connections = (
            each.format(mark) for each in (LOOK, BY_HAND, CONNECTIONS))
        self.looks = 0
        # Whoever is connected before any service of the hunt is.
        self._strangers = 0 if self.is_sqlite else self._others()

    def look(self, person: Person) -> bool:
        """Note how somebody's sessions are now; say if that is new."""
        self.looks += 1
        # A token that comes while the rows do would be judged by old ones.
        tickets = list(person.tickets)
        rows = {row[0]: Row(*row)
                for row in self._run(self._look, person.id)}
        instant = monotonic()
        return any([ticket.note(rows.get(ticket.session_id), instant)
                    for ticket in tickets])

    def change_by_hand(self, person: Person) -> None:
        """Change somebody as no service is told of."""
        cursor = self._connection.cursor()
        cursor.execute(self._by_hand, (person.id,))
        cursor.close()

    def connected(self, listening: bool) -> List[int]:
        """Return who at PostgreSQL serves the listeners, or the others.
        """
        if self.is_sqlite:
            return []
        return [int(row[0])
                for row in self._run(self._connections, listening)]

    def _others(self) -> int:
        """Return how many connections there are beside this one."""
        return int(self._run(OTHERS)[0][0])

    def scans(self) -> int:
        """Return how often others had PostgreSQL look for sessions.

        Others tell of theirs late, and of all when they end.
        """
        return int(self._run(SCANS)[0][0]) - self.looks

    def scans_of_the_ended(self) -> int:
        """Return the same once nobody else is connected any more."""
        until = monotonic() + 10
        while self._others() > self._strangers and monotonic() < until:
            sleep(0.01)
        return self.scans()

    def close(self) -> None:
        """Give the connection back."""
        self._connection.close()

    def _run(self, statement: str, *values: Any) -> List[Any]:
        """Return the rows of a statement."""
        cursor = self._connection.cursor()
        try:
            cursor.execute(statement, values)
            rows: List[Any] = cursor.fetchall()
            return rows
        finally:
            cursor.close()


class Desk:
    """An operator's command that waits for its arguments."""

    def __init__(self, environ: Dict[str, str], folder: Path) -> None:
        """Start it; it is ready soon."""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.hunt_desk"],
            cwd=folder, env=dict(environ, PATH=os.environ["PATH"],
                                 PYTHONPATH=str(ROOT)),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, universal_newlines=True,
            start_new_session=True)
        self._pid = 0

    @property
    def pid(self) -> int:
        """The id of the command that is ready, waited for if need be."""
        if not self._pid:
            self._read()
        return self._pid

    def run(self, arguments: str) -> bool:
        """Run the command; say whether it came to its end."""
        assert self._process.stdin and self.pid
        self._process.stdin.write(f"{arguments}\n")
        self._process.stdin.flush()
        return self._read()

    def _read(self) -> bool:
        """Read until the next command is ready; say if this one is done."""
        assert self._process.stdout
        is_done = False
        for line in iter(self._process.stdout.readline, ""):
            if line.strip().isdigit():
                self._pid = int(line)
                return is_done
            # What the command itself says comes before.
            is_done = is_done or line.strip() == DONE
        raise AssertionError("the command does not start")

    def end(self) -> None:
        """End it, with the command that is ready."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()


class Machine:
    """A service of two processes with its file of generations."""

    def __init__(self, number: int, environ: Dict[str, str],
                 folder: Path) -> None:
        """Make the service; it is started by ``with``."""
        self.number = number
        self.environ = dict(environ, VESTIBULE_WORKERS=str(WORKERS))
        self.folder = folder
        self.service = Service(self.environ, folder)
        self.desk: Optional[Desk] = None
        # The processes that were heard of so far, by an answer.
        self.heard_of: Set[int] = set()

    def __enter__(self) -> "Machine":
        """Start the service and the command."""
        self.service.start()
        self.desk = Desk(self.environ, self.folder)
        return self

    def __exit__(self, *details: Any) -> None:
        """End what is left of it."""
        self.end()

    def end(self) -> None:
        """End all its processes at once."""
        self.service.kill()
        if self.desk is not None:
            self.desk.end()

    @property
    def port(self) -> int:
        """The port of its service."""
        return self.service.port

    def workers(self) -> List[int]:
        """Return the ids of the processes that serve."""
        return workers_of(self.service.process_id)

    def may_lose_one(self) -> bool:
        """Say whether it has got over its last loss: all have answered."""
        workers = self.workers()
        return len(workers) == WORKERS and self.heard_of.issuperset(workers)


def send(pid: int, number: int) -> bool:
    """Send a signal to a process of ours; say no if it is gone by now."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True


def pause(pid: int, seconds: float) -> None:
    """Let a process stand still for a while."""
    send(pid, signal.SIGSTOP)
    waiting = threading.Timer(seconds, send, (pid, signal.SIGCONT))
    waiting.daemon = True
    waiting.start()


class Stage(NamedTuple):
    """All that a hunt is about."""

    machines: List[Machine]
    rows: Rows


@contextmanager
def staged(environ: Dict[str, str], folder: Path) -> Iterator[Stage]:
    """Yield running machines: one on SQLite, two on PostgreSQL.

    They share the database, and nothing else: by another name for it a
    machine has another file of generations. Whatever happens, no process
    of theirs is left.
    """
    url = environ["VESTIBULE_DATABASE_URL"]
    urls = [url] if url.startswith("sqlite") else [url, url + ELSEWHERE]
    with ExitStack() as stack:
        rows = Rows(url)
        stack.callback(rows.close)
        machines = [stack.enter_context(Machine(
            number, dict(environ, VESTIBULE_DATABASE_URL=each), folder))
            for number, each in enumerate(urls)]
        yield Stage(machines, rows)
