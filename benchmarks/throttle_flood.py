#!/usr/bin/env python3
"""Throws random identifiers from random addresses at the throttle.

It shows that what is counted has an end (requirement R082): how many rows
there are, how large the database and this process get, and that housekeeping
takes the windows away again. The clock stands still, so that none is over
meanwhile: it is the worst that can be.
"""

import argparse
import ipaddress
import os
import random
import resource
import sys
import tempfile
import threading
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import List, NamedTuple, Optional

from sqlalchemy import func, text

from vestibule.base.clock import Clock
from vestibule.base.errors import Throttled
from vestibule.base.limits import DEFAULTS
from vestibule.base.origin import Origin
from vestibule.kernel.auth import Auth
from vestibule.kernel.housekeeping import Housekeeping
from vestibule.kernel.passwords import Passwords
from vestibule.kernel.throttle import Throttle
from vestibule.store.attempt import Attempt
from vestibule.store.db import DB, User
from vestibule.store.failure import Failure
from vestibule.store.schema import upgrade

KEY = "a key for benchmarks, 0123456789"
SIGNS_OF_LIFE = 20
MOST_BETWEEN_SIGNS = 10000
IPV4 = 2 ** 32


class StandingClock(Clock):
    """Stands still until it is moved."""

    def __init__(self) -> None:
        """Begin on a day of no importance."""
        self.instant = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)

    def now(self) -> datetime:
        """Return the instant that it stands at."""
        return self.instant


class Sizes(NamedTuple):
    """How large everything is at one moment; ``None`` is not known.

    ``peak`` is the most memory that there was up to then.
    """

    attempts: int
    failures: int
    database: Optional[int]
    memory: Optional[int]
    peak: int


def main() -> int:
    """Flood, print what came of it, and clean up."""
    asked = arguments()
    if asked.url is not None:
        return flooded(asked.url, asked.tries, asked.seed)
    with tempfile.TemporaryDirectory(dir=asked.folder) as folder:
        return flooded(f"sqlite:///{folder}/flood.db", asked.tries,
                       asked.seed)


def arguments() -> argparse.Namespace:
    """Return what was asked for on the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tries", type=int, nargs="?", default=100000,
                        help="how many (default: 100000)")
    parser.add_argument("--url", help="an empty database, such as "
                        "postgresql+psycopg2://…; a SQLite file otherwise")
    parser.add_argument("--folder", help="where the SQLite file is made, "
                        "such as /dev/shm; among temporary files otherwise")
    parser.add_argument("--seed", type=int, default=1,
                        help="what the random ones begin with")
    return parser.parse_args()


def flooded(url: str, tries: int, seed: int) -> int:
    """Flood one database; return 1 where the table did not get empty."""
    clock = StandingClock()
    db = DB(url, clock)
    try:
        if not db.is_sqlite:
            upgrade(db.engine)
        if rows(db, User):
            print("There are users in this database; take an empty one.")
            return 1
        flood(db, tries, random.Random(seed))
        clock.instant += timedelta(days=1)
        return clean(db)
    finally:
        db.close()


def flood(db: DB, tries: int, chance: random.Random) -> None:
    """Try a wrong password again and again, each time as another one."""
    throttle = Throttle(db, KEY, DEFAULTS)
    say("start", sizes(db))
    refused, began = 0, time.monotonic()
    milestone = max(1, min(tries // SIGNS_OF_LIFE, MOST_BETWEEN_SIGNS))
    for number in range(1, tries + 1):
        address = str(ipaddress.IPv4Address(chance.randrange(IPV4)))
        identifier = f"{chance.getrandbits(80):x}@example.com"
        try:
            throttle.fail(throttle.begin(
                identifier, None, Origin(address, None, "flood")))
        except Throttled:
            refused += 1
        if number == tries // 2:
            say("half", sizes(db))
        elif number % milestone == 0:
            rate = number / (time.monotonic() - began)
            print(f"  {number} tries, {rate:.0f} a second, "
                  f"{(tries - number) / rate:.0f} s to go", flush=True)
    seconds = time.monotonic() - began
    say("end", sizes(db))
    print(f"{tries} tries in {seconds:.0f} s, {tries / seconds:.0f} a second; "
          f"{refused} of them refused.", flush=True)


def clean(db: DB) -> int:
    """Let housekeeping take away what is over; return 0 if it all is."""
    auth = Auth(db, Passwords(4), KEY)
    began = time.monotonic()
    Housekeeping(db, auth.sessions.last_seen).purge(threading.Event())
    after = sizes(db)
    say(f"after {time.monotonic() - began:.0f} s of housekeeping", after)
    return 0 if after.attempts == 0 else 1


def sizes(db: DB) -> Sizes:
    """Measure how large everything is now."""
    return Sizes(rows(db, Attempt), rows(db, Failure), bytes_of(db),
                 resident(), most_resident())


def rows(db: DB, model: type) -> int:
    """Count the rows of a table."""
    with db.reading() as work:
        counted: int = work.query(func.count()).select_from(model).scalar()
    return counted


def bytes_of(db: DB) -> Optional[int]:
    """Return how many bytes the database takes, write-ahead log included."""
    if db.is_sqlite:
        file = Path(str(db.engine.url.database))
        return sum(path.stat().st_size
                   for path in file.parent.glob(f"{file.name}*"))
    with db.reading() as work:
        size: int = work.execute(text(
            "SELECT pg_database_size(current_database())")).scalar()
    return size


def resident() -> Optional[int]:
    """Return how many bytes of memory this process holds, on Linux."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return None
    return pages * os.sysconf("SC_PAGE_SIZE")


def most_resident() -> int:
    """Return the most bytes of memory that this process has held so far."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


def say(moment: str, measured: Sizes) -> None:
    """Print what was measured, in one line."""
    words: List[str] = [f"{measured.attempts} rows of attempts",
                        f"{measured.failures} of failures"]
    for name, size in (("database", measured.database),
                       ("memory", measured.memory),
                       ("at most", measured.peak)):
        if size is not None:
            words.append(f"{name} {size / 1048576:.1f} MiB")
    print(f"{moment}: {', '.join(words)}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
