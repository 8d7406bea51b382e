#!/usr/bin/env python3
"""The databases that the suite runs on, each test on an empty one."""

import os
import shutil
from pathlib import Path
from typing import Callable, Dict, List, Optional

from sqlalchemy import create_engine, text
from sqlalchemy.engine import Engine

from tests.support.postgresql import Cluster, NoPostgreSQL
from vestibule.store.changes import place_of
from vestibule.store.db import DB
from vestibule.store.engine import open_engine
from vestibule.store.models import METADATA
from vestibule.store.schema import upgrade

SQLITE, POSTGRESQL = "sqlite", "postgresql"
# Another name for a database of PostgreSQL's, as if from another machine.
ELSEWHERE = "?application_name=elsewhere"


class Databases:
    """Hands out empty databases with the schema, of either kind."""

    def __init__(self, folder: Path) -> None:
        """Keep what is made for the whole run in this folder."""
        self._folder = folder
        self._cluster: Optional[Cluster] = None
        self._template: Optional[Path] = None
        self._postgresql: Optional[Engine] = None
        self._count = 0
        self._served: List[str] = []

    def cluster(self) -> Cluster:
        """Return the PostgreSQL cluster, started when first asked for."""
        if self._cluster is None:
            self._cluster = Cluster()
        return self._cluster

    def empty(self, kind: str, folder: Path) -> str:
        """Return the URL of a database with tables and no rows."""
        if kind == SQLITE:
            return self._empty_sqlite(folder)
        return self._empty_postgresql()

    def bare(self, kind: str, folder: Path) -> str:
        """Return the URL of a database that has not even tables."""
        self._count += 1
        if kind == SQLITE:
            return f"sqlite:///{folder / f'bare{self._count}.db'}"
        return self._create(f"bare{self._count}")

    def filled(self, kind: str, folder: Path,
               fill: Callable[[Engine], None]) -> str:
        """Return the URL of a database of its own, with tables and rows."""
        url = self.bare(kind, folder)
        engine = open_engine(url)
        upgrade(engine)
        fill(engine)
        engine.dispose()
        return url

    def stop(self) -> None:
        """Stop the cluster, if it was started.

        What whoever used its databases left in shared memory is removed.
        """
        if self._postgresql is not None:
            self._postgresql.dispose()
        if self._cluster is not None:
            self._cluster.stop()
        for url in self._served:
            for name in (url, url + ELSEWHERE):
                _remove_generations(name)

    def _empty_sqlite(self, folder: Path) -> str:
        """Copy the one file that was migrated."""
        if self._template is None:
            template = self._folder / "template.db"
            DB(f"sqlite:///{template}").close()
            self._template = template
        shutil.copy(self._template, folder / "vestibule.db")
        return f"sqlite:///{folder / 'vestibule.db'}"

    def _empty_postgresql(self) -> str:
        """Delete the rows of the one database that was migrated.

        That is one round trip, on a connection that is kept.
        """
        if self._postgresql is None:
            self._postgresql = create_engine(
                self._create("vestibule"), pool_pre_ping=True)
            upgrade(self._postgresql)
        with self._postgresql.begin() as connection:
            connection.execute(text("; ".join(
                f"DELETE FROM {table.name}"
                for table in reversed(METADATA.sorted_tables))))
        return self.cluster().url("vestibule")

    def _create(self, name: str) -> str:
        """Create a database of PostgreSQL's and remember that it was."""
        self._served.append(self.cluster().create(name))
        return self._served[-1]


def _remove_generations(url: str) -> None:
    """Remove the file by which the users of a database knew of changes.

    It lasts as long as the machine runs: elsewhere a database does, too.
    """
    path, _ = place_of(create_engine(url))
    if os.path.exists(path):
        os.unlink(path)


def available(databases: Databases, wanted: bool) -> Dict[str, str]:
    """Return each kind of database with why it is left out, or nothing."""
    if not wanted:
        return {SQLITE: "", POSTGRESQL: "--no-postgresql was given"}
    try:
        databases.cluster()
    except (NoPostgreSQL, ModuleNotFoundError) as reason:
        return {SQLITE: "", POSTGRESQL: str(reason)}
    return {SQLITE: "", POSTGRESQL: ""}
