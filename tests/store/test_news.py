#!/usr/bin/env python3
"""News of changes on other machines, and what is done without (decision 44).
"""

import threading
import time
from pathlib import Path
from typing import Any, Callable, Iterator, List

import pytest

from tests.support.builders import run_sql
from tests.support.clock import SetClock
from vestibule.store import changes
from vestibule.store.changes import CHANNEL
from vestibule.store.db import DB
from vestibule.store.generations import slot_of
from vestibule.store.news import CURRENT_SECONDS, News, ServerNews

BOB = "bob"
PATIENCE = 10.0


class Listening:
    """A process that listens, and what it was told it had lost."""

    def __init__(self, db: DB) -> None:
        """Begin to listen."""
        self.news = ServerNews(db)
        self.losses: List[float] = []
        self.news.when_lost(lambda: self.losses.append(time.monotonic()))
        self._stop = threading.Event()
        self._thread = threading.Thread(
            target=self.news.run, args=(self._stop,))
        self._thread.start()

    def number(self) -> int:
        """Return what stands in Bob's slot on this machine."""
        assert self.news.generations is not None
        found: int = self.news.generations.numbers[slot_of(BOB)]
        return found

    def end(self) -> None:
        """Stop listening, and be gone soon."""
        self._stop.set()
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()


def eventually(condition: Callable[[], Any]) -> None:
    """Wait until something is so, but not for ever."""
    until = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.01)


@pytest.fixture(name="server")
def fixture_server(db: DB) -> DB:
    """Return a database that is a server's."""
    if db.is_sqlite:
        pytest.skip("a SQLite file is on one machine")
    return db


@pytest.fixture(name="listening")
def fixture_listening(server: DB) -> Iterator[Listening]:
    """Return a process that listens."""
    listening = Listening(server)
    eventually(lambda: listening.losses)
    yield listening
    listening.end()


@pytest.fixture(name="afar")
def fixture_afar(database_url: str, listening: Listening, tmp_path: Path,
                 monkeypatch: pytest.MonkeyPatch) -> Iterator[DB]:
    """Return the same database as another machine has it."""
    listening.number()
    monkeypatch.setattr(changes, "SHARED_MEMORY", str(tmp_path))
    db = DB(database_url)
    assert db.generations.get() is not None
    yield db
    db.close()


def is_current(listening: Listening) -> bool:
    """Say whether the news are complete, and ask for them if not."""
    return time.monotonic() < listening.news.until or listening.news.ask()


def test_a_file_is_looked_at_once_a_second(db: DB) -> None:
    """R041: and that is all, where all are on one machine."""
    news, losses = News(db), []
    news.when_lost(lambda: losses.append(1))
    for _ in range(3):
        begun = time.monotonic()
        assert news.ask()
        assert begun < news.until <= time.monotonic() + CURRENT_SECONDS
    assert losses == [1]
    news.run(threading.Event())


def test_without_the_file_news_are_never_current(
        db: DB, monkeypatch: pytest.MonkeyPatch) -> None:
    """R041: whoever asks is sent to the database."""
    monkeypatch.setattr(type(db.generations), "get", lambda shared: None)
    assert not News(db).ask()


def test_a_change_on_another_machine_is_heard_of(
        listening: Listening, afar: DB) -> None:
    """R031, R041: it voids what is kept here."""
    before = listening.number()
    with afar.transaction():
        afar.changing(BOB)
        assert listening.number() == before
    eventually(lambda: listening.number() != before)
    assert not listening.number() & 1


def test_what_is_rolled_back_is_nobody_s_news(
        listening: Listening, afar: DB) -> None:
    """R041: and what comes after it is."""
    before = listening.number()
    with pytest.raises(KeyError):
        with afar.transaction():
            afar.changing(BOB)
            raise KeyError
    with afar.transaction():
        afar.changing("eve")
    assert listening.news.generations is not None
    numbers = listening.news.generations.numbers
    eventually(lambda: numbers[slot_of("eve")])
    assert listening.number() == before


def test_news_leave_who_is_at_it_in_doubt(
        listening: Listening, server: DB, afar: DB) -> None:
    """R041: a change of this machine that is not over yet."""
    with server.transaction():
        server.changing(BOB)
        with afar.transaction():
            afar.changing(BOB, "eve")
        assert listening.news.generations is not None
        numbers = listening.news.generations.numbers
        eventually(lambda: numbers[slot_of("eve")])
        assert listening.number() & 1
    assert not listening.number() & 1


def test_news_are_current_while_somebody_asks(listening: Listening) -> None:
    """R041: once a beat has come back, and for a second after it was sent.
    """
    eventually(lambda: is_current(listening))
    until = listening.news.until
    assert until <= time.monotonic() + CURRENT_SECONDS
    eventually(lambda: listening.news.until > until)


def test_nobody_s_news_are_let_lapse(
        listening: Listening, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is sent while nobody asks; who asks again has them soon."""
    monkeypatch.setattr("vestibule.store.news.BEATS", 1)
    eventually(lambda: is_current(listening))
    time.sleep(0.6)
    until = listening.news.until
    time.sleep(0.6)
    assert listening.news.until == until
    assert time.monotonic() > until
    eventually(lambda: is_current(listening))


def test_a_listener_that_is_cut_off_is_not_current_until_it_is_back(
        listening: Listening, server: DB, afar: DB,
        caplog: pytest.LogCaptureFixture) -> None:
    """R041, R132: with nothing kept of before, and a line in the log."""
    eventually(lambda: is_current(listening))
    losses = len(listening.losses)
    run_sql(server, f"""
        SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND query LIKE '%pg_notify%'
        AND pid <> pg_backend_pid()""")
    eventually(lambda: len(listening.losses) > losses)
    assert listening.news.until == 0.0
    eventually(lambda: is_current(listening))
    assert len(listening.losses) >= losses + 2
    before = listening.number()
    with afar.transaction():
        afar.changing(BOB)
    eventually(lambda: listening.number() != before)
    assert "No news of other machines" in caplog.text


def test_a_server_that_is_away_is_tried_again(
        clock: SetClock, caplog: pytest.LogCaptureFixture) -> None:
    """R131: with one line in the log, and an end when it is time."""
    db = DB("postgresql+psycopg2://nobody@127.0.0.1:9/nowhere", clock)
    listening = Listening(db)
    eventually(lambda: len(listening.losses) >= 2)
    assert not is_current(listening)
    listening.end()
    assert len(caplog.records) == 1
    db.close()


def test_the_server_is_listened_to_past_a_pooler(
        server: DB, database_url: str) -> None:
    """R041: that is what ``VESTIBULE_DATABASE_DIRECT_URL`` is for."""
    away = DB("postgresql+psycopg2://nobody@127.0.0.1:9/nowhere")
    news = ServerNews(away, database_url)
    losses: List[int] = []
    news.when_lost(lambda: losses.append(1))
    stop = threading.Event()
    thread = threading.Thread(target=news.run, args=(stop,))
    thread.start()
    try:
        eventually(lambda: time.monotonic() < news.until or news.ask())
    finally:
        stop.set()
        thread.join(PATIENCE)
    away.close()
    assert losses
    with pytest.raises(ValueError):
        ServerNews(away, "mysql://nowhere")


def test_strangers_notifications_do_no_harm(
        listening: Listening, server: DB) -> None:
    """R131: whoever may notify sends nonsense; listening begins anew."""
    run_sql(server, f"SELECT pg_notify('{CHANNEL}', 'nonsense 99999999')")
    time.sleep(0.1)
    eventually(lambda: is_current(listening))
