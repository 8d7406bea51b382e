#!/usr/bin/env python3
"""What people see of Redis that counts, is lost and comes back: limits."""

import threading
from collections import Counter
from pathlib import Path
from typing import Any, Counter as Counts, Dict, Iterator, List

import pytest

from tests.support.redis_server import RedisServer
from tests.support.service import Service

BUDGET = 10
GUESSES = 60
THREADS = 12
FEW = 8
EMAIL, PASSWORD = "ada@example.com", "a right long password"


@pytest.fixture
def service(environ: Dict[str, str], mortal_redis: RedisServer,
            tmp_path: Path) -> Iterator[Service]:
    """Return a service of two processes that counts in Redis.

    It has room for all who hash at once here: a try that finds none while
    Redis is lost cannot be given back, and counts.
    """
    with Service(dict(
            environ, VESTIBULE_REDIS_URL=mortal_redis.url,
            VESTIBULE_LIMITS=f"password_identifier={BUDGET}/15m,"
            "password_address=100000/15m,failures=100",
            VESTIBULE_WORKERS="2", VESTIBULE_THREADS="32"),
            tmp_path) as running:
        registered = running.request(
            "POST", "/users", {"email": EMAIL, "password": PASSWORD})
        assert registered.status == 200
        yield running


def statuses(service: Service, email: str, password: str = "wrong",
             count: int = GUESSES) -> Counts[int]:
    """Guess so often, by several threads; return how often each answer."""
    found: List[int] = []

    def guess() -> None:
        """Send this thread's share of the guesses."""
        for _ in range(count // workers):
            found.append(service.request(
                "POST", "/sessions",
                {"email": email, "password": password}).status)

    workers = min(THREADS, count)
    threads = [threading.Thread(target=guess) for _ in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == count
    return Counter(found)


def test_guesses_at_once_over_two_processes_are_as_many_as_the_budget(
        service: Service, mortal_redis: RedisServer) -> None:
    """R074: exact; and it is Redis that counted."""
    assert statuses(service, EMAIL) == {401: BUDGET, 429: GUESSES - BUDGET}
    assert b"vestibule:attempts:" in mortal_redis.command("KEYS", "*")
    assert statuses(service, EMAIL, PASSWORD, THREADS) == {429: THREADS}


def test_limits_hold_while_redis_is_killed_flushed_and_restarted(
        service: Service, mortal_redis: RedisServer) -> None:
    """R080, R139: never open, and no answer but those of the limits."""
    faults: List[Any] = [
        mortal_redis.kill, mortal_redis.start,
        lambda: mortal_redis.command("FLUSHALL"), mortal_redis.kill]
    for number, fault in enumerate(faults):
        timer = threading.Timer(0.1, fault)
        timer.start()
        found = statuses(service, f"user{number}@example.com")
        timer.join()
        # In Redis before the fault, and elsewhere or anew after it.
        assert set(found) <= {401, 429}, found
        assert BUDGET <= found[401] <= 2 * BUDGET, found
    # Redis is away: what the database counts is exact again.
    assert statuses(service, "last@example.com") == {
        401: BUDGET, 429: GUESSES - BUDGET}
    # Right ones that come at once count as guesses that do.
    assert statuses(service, EMAIL, PASSWORD, FEW) == {200: FEW}
    log = service.log.read_text()
    assert "Traceback" not in log
    assert "tries are counted in the database until it is back" in log
