#!/usr/bin/env python3
"""How we fare as tables grow, and while what has expired is removed.

Our service alone, its cache off, on both kinds of databases. Each question is
about people and sessions drawn from all rows there are.
"""

import contextlib
import random
import time
from dataclasses import dataclass
from typing import (
    Any, Callable, Dict, Iterator, List, NamedTuple, Optional, Tuple)

from benchmarks.http_client import Request
from benchmarks.load import Timed
from benchmarks.ours import Vestibule
from benchmarks.plan import (
    COLD_SECONDS, USERS_OF_PURGE, WARM_SECONDS, Form, filling_seconds,
    interleaved, purge_seconds)
from benchmarks.progress import Progress
from benchmarks.results import Results
from benchmarks.running import People, Running, Wrong, running
from benchmarks.stores import (
    PostgresStore, SqliteStore, Store, cookie_of, name_on)
from benchmarks.subject import OPENING_COST, Site, email, json_login

WARM, COLD = "warm", "cold"
# So many are asked of a warm database, and so many of one that is not.
ASKED_WARM, ASKED_COLD = 300, 200
CHECKED_BY_PURGE = 1000
# A service removes for the first time a minute after its start.
PATIENCE_SECONDS = 1800.0
WINDOW_SECONDS = 5.0
SETTINGS = {
    "VESTIBULE_SESSION_CACHE": "off",
    # What is tried is counted, and nobody is refused.
    "VESTIBULE_LIMITS": ",".join(f"{name}=1000000/1d" for name in (
        "password_address", "password_identifier", "password_device"))}


class Question(NamedTuple):
    """What is asked about the person of a number, and the right status."""

    make: Callable[[int], Request]
    status: int = 200


@dataclass(frozen=True)
class Grown(Vestibule):
    """Our service on a store that is filled directly."""

    store: Optional[Store] = None

    def database_url(self, site: Site) -> str:
        """Return where the store is."""
        assert self.store is not None
        return self.store.url


def signed_in(path: str) -> Callable[[int], Request]:
    """Return what asks for a path with the session of a number."""

    def make(number: int) -> Request:
        """Make the request of one session."""
        return Request(
            "GET", path, (f"Cookie: session_id={cookie_of(number)}",))
    return make


def wrong_password(number: int) -> Request:
    """Return a login that is counted, and refused."""
    request = json_login("/sessions")(number)
    assert request.body is not None
    return request._replace(body=request.body.replace(b"horse", b"house"))


Filled = Tuple[Store, Grown, int]
QUESTIONS: Dict[str, Question] = {
    "check": Question(signed_in("/profile")),
    "list": Question(signed_in("/sessions")),
    "activity": Question(signed_in("/profile/activity")),
    "login": Question(json_login("/sessions")),
    "throttle": Question(wrong_password, 401)}


class Growing:
    """Measures growth and the purge, and writes down what comes of it."""

    def __init__(self, site: Site, form: Form, results: Results,
                 progress: Progress) -> None:
        """Measure as thoroughly as the form says."""
        self._site, self._form = site, form
        self._results, self._progress = results, progress

    def grow(self) -> None:
        """Measure every question at each size, on each kind of database.

        There is a database for each size, so that all are there at once, and
        each round goes over all of them.
        """
        with contextlib.ExitStack() as stack:
            filled = [stack.enter_context(self._filled(store, size))
                      for size in self._form.growth
                      for store in self._stores(f"growth_{size}")]
            for number, (store, subject, size) in interleaved(
                    filled, self._form.rounds):
                self._measure_warm(store, subject, size, number)
                self._progress.did(WARM_SECONDS)
            for store, subject, size in filled:
                self._measure_cold(store, subject, size)
                self._progress.did(COLD_SECONDS)

    def purge(self) -> None:
        """Measure checks while sessions that are over are removed."""
        for store in self._stores("purge"):
            with self._filled(store, USERS_OF_PURGE) as (_, subject, _):
                with self._running(subject) as service:
                    self._measure_purge(store, service)
                self._progress.did(purge_seconds(self._form))

    def _measure_warm(self, store: Store, subject: Grown, size: int,
                      number: int) -> None:
        """Ask everything twice, in one round; the second time counts."""
        with self._running(subject) as service:
            verify(service, drawn(size, ASKED_COLD, "verify"))
            for name in QUESTIONS:
                self._say(store, f"round {number}: {name} at {size:,}, "
                          f"{WARM}")
                for _ in range(2):
                    found = self._ask(service, name, size, ASKED_WARM)
                self._keep(f"growth-{size}-{name}-{WARM}", store, found)

    def _measure_cold(self, store: Store, subject: Grown,
                      size: int) -> None:
        """Ask everything of a database of which nothing is in memory."""
        for name in QUESTIONS:
            self._say(store, f"{name} at {size:,}, {COLD}")
            store.cool()
            with self._running(subject) as service:
                found = self._ask(service, name, size, ASKED_COLD)
            self._keep(f"growth-{size}-{name}-{COLD}", store, found)

    def _ask(self, service: Running, name: str, size: int,
             count: int) -> Dict[str, Any]:
        """Ask about people from all over the tables, always the same ones.
        """
        question = QUESTIONS[name]
        return service.ask(
            [question.make(number) for number in drawn(size, count, name)],
            question.status)

    def _measure_purge(self, store: Store, service: Running) -> None:
        """Ask in quiet, then beside the purge until nothing is left."""
        requests = [QUESTIONS["check"].make(number)
                    for number in drawn(
                        USERS_OF_PURGE, CHECKED_BY_PURGE, "check")]
        verify(service, drawn(USERS_OF_PURGE, ASKED_COLD, "verify"))
        self._say(store, "checks in quiet")
        warming, quiet = Timed(), Timed()
        service.check_steadily(requests, WINDOW_SECONDS, warming)
        service.check_steadily(requests, self._form.seconds * 5, quiet)
        self._keep("purge-quiet", store, {"checks": quiet.summary()})
        self._say(store, f"{self._form.expired:,} rows that are over")
        store.expire(self._form.expired, USERS_OF_PURGE)
        store.settle()
        self._say(store, "checks beside the purge")
        timed, removed, seconds = self._beside_purge(store, service, requests)
        self._keep("purge", store, {
            "checks": timed.summary(), "rows": removed, "seconds": seconds,
            "rows_per_s": removed / seconds if seconds else None})

    def _beside_purge(self, store: Store, service: Running,
                      requests: List[Request]) -> Tuple[Timed, int, float]:
        """Ask until nothing is left; times in which some went count.

        Returns how late the answers were, how many rows went, and in how
        many seconds.
        """
        found, removed, seconds = Timed(), 0, 0.0
        until = time.monotonic() + PATIENCE_SECONDS
        left = store.count_expired()
        while left and time.monotonic() < until:
            began, window = time.monotonic(), Timed()
            service.check_steadily(requests, WINDOW_SECONDS, window)
            before, left = left, store.count_expired()
            if left < before:
                found.add(window)
                removed += before - left
                seconds += time.monotonic() - began
        return found, removed, seconds

    @contextlib.contextmanager
    def _filled(self, store: Store, size: int) -> Iterator[Filled]:
        """Make a store with rows; yield it, our service on it, and the size.

        It takes its room, so it is removed whatever happens.
        """
        subject = Grown(
            name_on(store.name), settings=SETTINGS, store=store)
        self._say(store, f"{size:,} rows")
        store.make()
        try:
            subject.migrate(self._site)
            store.fill(size, subject.hashed(self._site, OPENING_COST))
            store.settle()
            self._progress.did(filling_seconds(size))
            yield store, subject, size
        finally:
            store.remove()

    def _running(self, subject: Grown) -> Any:
        """Start our service; logins cost next to nothing in it."""
        return running(
            self._site, subject, People(self._site), OPENING_COST)

    def _stores(self, name: str) -> List[Store]:
        """Return a store of each kind, both of this name."""
        return [PostgresStore(self._site.postgres, name),
                SqliteStore(self._site.work / name)]

    def _say(self, store: Store, what: str) -> None:
        """Say what is going on."""
        self._progress.say(f"{name_on(store.name)}: {what}")

    def _keep(self, what: str, store: Store, found: Dict[str, Any]) -> None:
        """Write a measurement down."""
        self._results.add(what, name_on(store.name), **found)


def verify(service: Running, numbers: List[int]) -> None:
    """See that sessions are their own users'; raises ``Wrong`` if not."""
    replies = service.fetch(
        [QUESTIONS["check"].make(number) for number in numbers])
    for number, reply in zip(numbers, replies):
        if f'"{email(number)}"'.encode() not in reply.body:
            raise Wrong(f"session {number} is answered with status "
                        f"{reply.status}, or as somebody else's")


def drawn(size: int, count: int, name: str) -> List[int]:
    """Return numbers from 1 to a size, each once, others for each name.

    They are the same ones in every run.
    """
    numbers = random.Random(f"{name} {size}")
    return numbers.sample(range(1, size + 1), min(count, size))
