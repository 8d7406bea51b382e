#!/usr/bin/env python3
"""The two parts of `make soak`: the mixed load, and the hunt."""

import tempfile
import threading
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from time import monotonic, sleep
from typing import Dict, Iterator, List, Sequence, Tuple

from tests.support.databases import Databases
from tests.support.folders import folder_in_memory
from tests.support.hunt import hunted
from tests.support.hunt_tally import Plan, Tally
from tests.support.mixed_load import PASSWORD, PEOPLE, Load, check_all
from tests.support.postgresql import NoPostgreSQL
from tests.support.roomy import ROOMY
from tests.support.service import Service
from tests.support.upkeep import Sample, grown, sampled, told
from vestibule.base import config
from vestibule.kernel.services import open_auth
from vestibule.kernel.session_cache import MOST
from vestibule.kernel.sessions import MOST_SESSIONS

# A change or a kill takes as long as many checks.
CHECKS_PER_CHANGE, CHECKS_PER_KILL = 500, 20000
# What one person waits between two acts, on average.
PAUSE_SECONDS = 0.2
# So often a load is looked at, and so often that is told.
LOOKS, LINES = 360, 30
MOST_TOLD = 10


class Loaded:
    """A service under mixed load, and what it held meanwhile."""

    def __init__(self, kind: str, service: Service, seed: int) -> None:
        """Watch a service that is up."""
        self.kind = kind
        self.service = service
        self.load = Load(service.port, seed, PAUSE_SECONDS)
        self.samples: List[Sample] = []

    def look(self, seconds: float) -> None:
        """Note what the service holds after so many seconds."""
        self.samples.append(sampled(self.service.process_id, seconds))

    def summary(self) -> str:
        """Return how far it is, in a line."""
        last = self.samples[-1]
        return (f"{sum(self.load.answers.values())} requests, "
                f"{len(self.load.wrong)} wrong answers; {last.mib:.0f} MiB, "
                f"{last.files} descriptors, {last.threads} threads")

    def finds(self) -> List[str]:
        """Return what is not as it should be."""
        return [*self.load.wrong[:MOST_TOLD],
                *self.service.faults()[:MOST_TOLD],
                *(f"{what}: too much growth" for what in grown(self.samples))]


def load(kinds: Sequence[str], seconds: float, seed: int) -> bool:
    """Let people do everything, on each kind of database at once.

    Says whether all answers were right and nothing grew.
    """
    with ExitStack() as stack:
        try:
            places = [(kind, *stack.enter_context(place(kind)))
                      for kind in kinds]
        except (NoPostgreSQL, ModuleNotFoundError) as reason:
            say(f"soak: a database cannot be had: {reason}")
            return False
        watched = [Loaded(kind, stack.enter_context(
            Service(settings(url), folder)), seed)
            for kind, folder, url in places]
        say("soak: filling what is kept of sessions, for some minutes")
        for each, (_, _, url) in zip(watched, places):
            fill(each.service, url)
        with ExitStack() as loads:
            for each in watched:
                loads.enter_context(each.load)
            _watch(watched, seconds)
        outcomes = [_tell_outcome(each) for each in watched]
    return all(outcomes)


def fill(service: Service, url: str) -> None:
    """Have each process keep as many sessions in its cache as it may.

    That is memory that is meant to be held, and an hour does not fill it.
    """
    auth = open_auth(config.load(settings(url)).settings)
    cookies: List[str] = []
    while len(cookies) < MOST:
        email = f"{len(cookies)}@example.com"
        auth.register_user(email, PASSWORD)
        cookies += [str(auth.create_session(email))
                    for _ in range(MOST_SESSIONS)]
    auth.db.close()
    threads = [threading.Thread(target=check_all, args=(
        service.port, cookies)) for _ in range(PEOPLE)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def hunt(kind: str, checks: int, seed: int) -> bool:
    """Hunt on one kind of database; say whether nothing was found."""
    try:
        with place(kind) as (folder, url):
            plan = Plan(checks, checks // CHECKS_PER_CHANGE,
                        checks // CHECKS_PER_KILL, seed)
            done = hunted(settings(url), folder, plan,
                          partial(_tell, kind, plan))
    except (NoPostgreSQL, ModuleNotFoundError) as reason:
        say(f"soak: {kind} cannot be had: {reason}")
        return False
    say(f"soak: {kind}: {done.summary()}")
    for find in done.finds:
        say(f"soak: {kind}, seed {seed}: FOUND {find}")
    if not done.finds:
        say(f"soak: {kind}: nothing was found.")
    return not done.finds


@contextmanager
def place(kind: str) -> Iterator[Tuple[Path, str]]:
    """Yield a folder for a service, and the URL of an empty database.

    Raises ``NoPostgreSQL`` or ``ModuleNotFoundError`` where there is none.
    """
    with tempfile.TemporaryDirectory(
            prefix="vestibule-soak-", dir=folder_in_memory()) as name:
        databases = Databases(Path(name))
        try:
            yield Path(name), databases.empty(kind, Path(name))
        finally:
            databases.stop()


def settings(url: str) -> Dict[str, str]:
    """Return the settings of a service that is asked very much."""
    return {"VESTIBULE_PROFILE": "development",
            "VESTIBULE_DATABASE_URL": url, "VESTIBULE_LIMITS": ROOMY,
            "VESTIBULE_SECRET_KEY": "a key for tests, 0123456789abcdef",
            "VESTIBULE_BCRYPT_COST": "4"}


def say(line: str) -> None:
    """Print a line at once."""
    print(line, flush=True)


def _watch(watched: Sequence[Loaded], seconds: float) -> None:
    """Look at the services until the time is over, and tell."""
    begun = monotonic()
    for number in range(1, LOOKS + 1):
        sleep(max(0.0, begun + seconds * number / LOOKS - monotonic()))
        for each in watched:
            each.look(monotonic() - begun)
            if number % (LOOKS // LINES) == 0:
                say(f"soak: {each.kind}: {each.summary()}; about "
                    f"{seconds * (1 - number / LOOKS) / 60:.0f} minutes left")


def _tell_outcome(loaded: Loaded) -> bool:
    """Print what became of one service; say whether that is all right."""
    for line in told(loaded.samples):
        say(f"soak: {loaded.kind}: {line}")
    finds = loaded.finds()
    for find in finds:
        say(f"soak: {loaded.kind}: FOUND {find}")
    return not finds


def _tell(kind: str, plan: Plan, tally: Tally) -> None:
    """Print how far a hunt is."""
    say(f"soak: {kind}: {tally.summary()}; about "
        f"{tally.seconds_left(plan) / 60:.0f} minutes left")
