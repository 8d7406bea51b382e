#!/usr/bin/env python3
"""What happens to the limits when Redis is raced, away, flushed or full."""

import logging
import socket
import threading
import time
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, List

import pytest

from tests.support.clock import SetClock
from tests.support.processes import Processes, errors_of
from tests.support.redis_server import RedisServer, why_no_redis
from tests.support.smtp_sink import make_certificate, openssl_is_missing
from vestibule.base.config import ConfigError, Settings
from vestibule.base.limits import Budget
from vestibule.kernel.services import open_auth
from vestibule.base.deferred import Deferred
from vestibule.store import attempt_fallback, attempt_redis
from vestibule.store.attempt import (
    AttemptsAway, DatabaseAttempts, Exhausted, Wanted)
from vestibule.store.attempt_fallback import FallbackAttempts
from vestibule.store.attempt_redis import PREFIX, RedisAttempts
from vestibule.store.db import DB

KEY, OTHER = "password_address:00001", "password_identifier:00002"
QUARTER = timedelta(minutes=15)
RACERS, TRIES, MOST = 12, 5, 10
NO_PAUSE, LONG_PAUSE = timedelta(0), timedelta(hours=1)


def wanted(most: int = MOST, key: str = KEY) -> List[Wanted]:
    """Return a try under a key."""
    return [Wanted(key, Budget(most, QUARTER))]


def is_counted(attempts: Any, clock: SetClock, most: int = MOST) -> bool:
    """Make a try; say whether there was room."""
    try:
        attempts.reserve(wanted(most), clock.now())
    except Exhausted:
        return False
    return True


def open_redis(url: str) -> RedisAttempts:
    """Return the attempts of a process of its own."""
    return RedisAttempts(url)


def guess(clock: SetClock, attempts: RedisAttempts, given: Any) -> int:
    """Make some tries under two keys; return how many were counted."""
    counted = 0
    for _ in range(TRIES):
        try:
            attempts.reserve(wanted() + wanted(1000, OTHER), clock.now())
        except Exhausted:
            continue
        counted += 1
        attempts.settle([KEY, OTHER])
    return counted


def test_sixty_tries_of_many_processes_are_as_many_as_the_budget(
        redis_server: RedisServer, clock: SetClock) -> None:
    """R074: exact, under every key of a try, in several rounds."""
    for _ in range(3):
        redis_server.command("FLUSHALL")
        prepare = partial(open_redis, redis_server.url)
        with Processes(prepare, [partial(guess, clock)] * RACERS) as racers:
            outcomes = racers.run()
        assert errors_of(outcomes) == []
        assert sum(each.value for each in outcomes) == MOST
        attempts = RedisAttempts(redis_server.url)
        windows = attempts.windows([KEY, OTHER], clock.now())
        attempts.close()
        assert [windows[key].used for key in (KEY, OTHER)] == [MOST, MOST]


def guess_and_withdraw(clock: SetClock, attempts: RedisAttempts,
                       given: Any) -> int:
    """Make some tries, every other one right; return how many were wrong."""
    wrong = 0
    for number in range(2 * TRIES):
        now = clock.now()
        try:
            attempts.reserve(wanted(), now)
        except Exhausted:
            continue
        if number % 2:
            attempts.withdraw(wanted(), now)
        else:
            attempts.settle([KEY])
            wrong += 1
    return wrong


def test_withdrawn_tries_of_many_processes_leave_the_others(
        redis_server: RedisServer, clock: SetClock) -> None:
    """R074, R076: what stays counted is what was not withdrawn."""
    prepare = partial(open_redis, redis_server.url)
    with Processes(prepare, [partial(guess_and_withdraw, clock)] * RACERS
                   ) as racers:
        outcomes = racers.run()
    assert errors_of(outcomes) == []
    attempts = RedisAttempts(redis_server.url)
    window = attempts.windows([KEY], clock.now())[KEY]
    attempts.close()
    assert window.used == sum(each.value for each in outcomes) <= MOST


def test_keys_have_our_prefix_and_expire(
        redis_server: RedisServer, clock: SetClock) -> None:
    """R082: what is over leaves the memory by itself."""
    attempts = RedisAttempts(redis_server.url)
    is_counted(attempts, clock)
    attempts.close()
    left = redis_server.command("PTTL", PREFIX + KEY)
    assert 900_000 < int(left[1:]) <= 960_000
    assert redis_server.command("DBSIZE") == b":1\r\n"


def test_a_lifted_key_stays_until_its_end(
        redis_server: RedisServer, clock: SetClock) -> None:
    """It is longer lifted than the window lasts that was there before."""
    attempts = RedisAttempts(redis_server.url)
    is_counted(attempts, clock)
    attempts.lift([KEY], clock.now() + timedelta(hours=8))
    attempts.close()
    assert redis_server.command("PTTL", PREFIX + KEY) == b":-1\r\n"


def test_a_restarted_server_is_given_its_scripts_again(
        mortal_redis: RedisServer, clock: SetClock) -> None:
    """R139: a kept connection that is dead is no outage."""
    attempts = RedisAttempts(mortal_redis.url)
    assert is_counted(attempts, clock)
    mortal_redis.kill()
    with pytest.raises(AttemptsAway):
        attempts.settle([KEY])
    mortal_redis.start()
    assert is_counted(attempts, clock)
    mortal_redis.kill()
    mortal_redis.start()
    assert is_counted(attempts, clock)
    mortal_redis.command("SCRIPT", "FLUSH")
    assert is_counted(attempts, clock)
    attempts.close()


def test_while_redis_is_away_the_database_counts(
        mortal_redis: RedisServer, db: DB, clock: SetClock,
        caplog: pytest.LogCaptureFixture) -> None:
    """R080: never unlimited; one line says so, and one that it is back."""
    caplog.set_level(logging.WARNING, attempt_fallback.__name__)
    first, second = RedisAttempts(mortal_redis.url), DatabaseAttempts(db)
    attempts = FallbackAttempts(first, second, NO_PAUSE)
    assert is_counted(attempts, clock)
    assert second.windows([KEY], clock.now()) == {}
    mortal_redis.kill()
    assert [is_counted(attempts, clock, 3) for _ in range(5)] == [
        True, True, True, False, False]
    assert attempts.windows([KEY], clock.now())[KEY].used == 3
    mortal_redis.start()
    assert is_counted(attempts, clock)
    assert attempts.windows([KEY], clock.now())[KEY].used == 1
    first.close()
    assert [each.getMessage() for each in caplog.records] == [
        "Redis fails (ConnectionError): tries are counted in the database "
        "until it is back",
        "Redis is back: tries are counted there again"]


def test_a_try_is_closed_where_it_was_counted(
        mortal_redis: RedisServer, db: DB, clock: SetClock) -> None:
    """Else one place would have open tries for ever, another too few."""
    first, second = RedisAttempts(mortal_redis.url), DatabaseAttempts(db)
    attempts = FallbackAttempts(first, second, NO_PAUSE)
    is_counted(attempts, clock)
    mortal_redis.kill()
    is_counted(attempts, clock)
    mortal_redis.start()
    is_counted(attempts, clock)
    attempts.withdraw(wanted(), clock.now())
    assert second.windows([KEY], clock.now())[KEY].used == 0
    assert first.windows([KEY], clock.now())[KEY].used == 1
    attempts.withdraw(wanted(), clock.now())
    assert first.windows([KEY], clock.now())[KEY].used == 0
    first.close()


def test_what_cannot_be_closed_stays_counted(
        mortal_redis: RedisServer, db: DB, clock: SetClock) -> None:
    """Nobody is told of it, and nothing of the database is closed for it."""
    first, second = RedisAttempts(mortal_redis.url), DatabaseAttempts(db)
    attempts = FallbackAttempts(first, second, LONG_PAUSE)
    is_counted(attempts, clock)
    is_counted(second, clock)
    mortal_redis.kill()
    attempts.clear([KEY])
    attempts.withdraw(wanted(), clock.now())
    attempts.forget([OTHER])
    assert second.windows([KEY], clock.now())[KEY].used == 1
    first.close()


def test_what_was_never_closed_is_remembered_up_to_a_bound(
        db: DB, clock: SetClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """R082: some tries are never closed, and an outage may be long."""
    if why_no_redis():
        pytest.skip(why_no_redis())
    monkeypatch.setattr(attempt_fallback, "MOST_REMEMBERED", 3)
    attempts = FallbackAttempts(
        RedisAttempts("redis://127.0.0.1:1"), DatabaseAttempts(db))
    for number in range(6):
        attempts.reserve(wanted(key=f"code:{number}"), clock.now())
    assert list(vars(attempts)["_in_second"]) == [
        "code:3", "code:4", "code:5"]


def test_flushing_redis_opens_no_limit(
        redis_server: RedisServer, db: DB, clock: SetClock) -> None:
    """R139: what was counted is lost, and counting goes on."""
    first = RedisAttempts(redis_server.url)
    attempts = FallbackAttempts(first, DatabaseAttempts(db))
    for _ in range(2):
        assert [is_counted(attempts, clock, 2) for _ in range(3)] == [
            True, True, False]
        redis_server.command("FLUSHALL")
    attempts.settle([KEY])
    first.close()


@pytest.mark.parametrize("words", [
    ("CONFIG", "SET", "maxmemory", "1"),
    ("REPLICAOF", "127.0.0.1", "1"),
    ("CONFIG", "SET", "requirepass", "other")])
def test_a_redis_that_refuses_is_as_good_as_away(
        mortal_redis: RedisServer, db: DB, clock: SetClock,
        words: List[str]) -> None:
    """R139: full, a replica after a failover, or with another password."""
    first = RedisAttempts(mortal_redis.url)
    attempts = FallbackAttempts(first, DatabaseAttempts(db), NO_PAUSE)
    assert mortal_redis.command(*words) == b"+OK\r\n"
    assert [is_counted(attempts, clock, 2) for _ in range(3)] == [
        True, True, False]
    first.close()


def test_of_a_silent_redis_one_thread_waits_and_not_for_long(
        db: DB, clock: SetClock) -> None:
    """R080: it takes connections and never answers."""
    if why_no_redis():
        pytest.skip(why_no_redis())
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(8)
        url = f"redis://127.0.0.1:{silent.getsockname()[1]}"
        first = RedisAttempts(url)
        attempts = FallbackAttempts(first, DatabaseAttempts(db), LONG_PAUSE)
        begun = time.monotonic()
        assert is_counted(attempts, clock)
        assert time.monotonic() - begun < 2
        begun = time.monotonic()
        threads = [threading.Thread(target=is_counted,
                                    args=(attempts, clock))
                   for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert time.monotonic() - begun < 2
        assert attempts.windows([KEY], clock.now())[KEY].used == 5
        first.close()


@pytest.mark.parametrize("subject, trusted, answers", [
    ("IP:127.0.0.1", True, True), ("IP:127.0.0.1", False, False),
    ("DNS:other.example", True, False)])
def test_tls_takes_no_certificate_but_the_right_one(
        subject: str, trusted: bool, answers: bool, tmp_path: Path,
        clock: SetClock) -> None:
    """R151: of an authority that is trusted, and for that host."""
    if why_no_redis() or openssl_is_missing():
        pytest.skip(why_no_redis() or "openssl is not installed")
    made = make_certificate(tmp_path, subject)
    server = RedisServer(
        "--tls-cert-file", made.cert, "--tls-key-file", made.key,
        "--tls-auth-clients", "no", tls=True)
    query = f"?ssl_ca_certs={made.cert}" if trusted else ""
    attempts = RedisAttempts(f"rediss://127.0.0.1:{server.port}/0{query}")
    try:
        if answers:
            assert is_counted(attempts, clock)
        else:
            with pytest.raises(AttemptsAway):
                is_counted(attempts, clock)
    finally:
        attempts.close()
        server.stop()


def test_a_password_and_a_socket_are_understood(
        tmp_path: Path, clock: SetClock) -> None:
    """What is percent-encoded in the URL reaches the server as it is."""
    if why_no_redis():
        pytest.skip(why_no_redis())
    path = tmp_path / "redis.sock"
    server = RedisServer(
        "--requirepass", "p@ss/w0rd", "--unixsocket", str(path))
    try:
        for url in (f"redis://:p%40ss%2Fw0rd@127.0.0.1:{server.port}/1",
                    f"unix://:p%40ss%2Fw0rd@{path}?db=1"):
            attempts = RedisAttempts(url)
            assert is_counted(attempts, clock)
            attempts.close()
        wrong = RedisAttempts(f"redis://:wrong@127.0.0.1:{server.port}")
        with pytest.raises(AttemptsAway) as caught:
            is_counted(wrong, clock)
        assert "wrong" not in str(caught.value)
        wrong.close()
    finally:
        server.stop()


def test_redis_without_its_library_stops_the_start(
        settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """R148: the library is optional, and a sentence says how to get it."""
    monkeypatch.setattr(attempt_redis, "redis_retry", Deferred("missing"))
    with pytest.raises(ConfigError) as caught:
        open_auth(settings._replace(redis_url="redis://127.0.0.1"))
    assert caught.value.problems == [
        "VESTIBULE_REDIS_URL needs its library: "
        "pip install 'vestibule[redis]'."]
