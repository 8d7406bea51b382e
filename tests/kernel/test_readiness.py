#!/usr/bin/env python3
"""Whether the service can work is looked at once a second, whoever asks."""

import threading
from typing import Any, List, Optional

import pytest

from tests.support.builders import overheard
from vestibule.base.errors import Unavailable
from vestibule.kernel import readiness
from vestibule.kernel.peppers import Peppers
from vestibule.kernel.readiness import MOST_SECONDS, SECONDS, Readiness
from vestibule.store.db import DB

MANY = 16


class Fault(Exception):
    """What a database may raise."""


class Stage(Peppers):
    """Readiness, its clock, and peppers that a look has to get past."""

    def __init__(self, db: DB) -> None:
        """Let every look through, and count it."""
        super().__init__()
        self.seconds = 0.0
        self.looks = 0
        self.wrong: List[str] = []
        self.fault: Optional[Exception] = None
        self.looking, self.open = threading.Event(), threading.Event()
        self.open.set()
        self.readiness = Readiness(db, self, lambda: self.seconds)

    def examine(self) -> List[str]:
        """Find what the test says, when it says so."""
        self.looks += 1
        self.looking.set()
        assert self.open.wait(30)
        if self.fault is not None:
            raise self.fault
        return self.wrong

    def code(self) -> str:
        """Return why the service is not ready, nothing where it is."""
        try:
            self.readiness.require()
        except Unavailable as refusal:
            return refusal.code
        return ""


@pytest.fixture(name="stage")
def fixture_stage(db: DB) -> Stage:
    """Return a service that is ready, and has not been asked."""
    return Stage(db)


def asking(stage: Stage, codes: List[str]) -> threading.Thread:
    """Return a thread that asks, and has begun to."""
    thread = threading.Thread(target=lambda: codes.append(stage.code()))
    thread.start()
    return thread


def test_a_thousand_questions_a_second_are_one_look(
        stage: Stage, db: DB) -> None:
    """R128: the database is not asked for the others."""
    for second in range(3):
        stage.seconds = second * SECONDS
        with overheard(db.engine) as statements:
            assert {stage.code() for _ in range(1000)} == {""}
        assert len(statements) == 1 and stage.looks == second + 1


def test_what_is_wrong_is_told_and_looked_at_again(
        stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """R128: a second later, both ways."""
    assert stage.code() == ""
    stage.wrong = ["a pepper"]
    assert stage.code() == ""
    stage.seconds += SECONDS
    assert [stage.code(), stage.code()] == ["pepper"] * 2
    stage.wrong = []
    stage.seconds += SECONDS
    assert stage.code() == ""
    monkeypatch.setattr(readiness, "is_current", lambda engine: False)
    stage.seconds += SECONDS
    assert stage.code() == "schema"


def test_a_database_that_fails_is_asked_once_a_second(stage: Stage) -> None:
    """R128: who asked is told what it said, the others that it failed."""
    stage.fault = Fault()
    for _ in range(2):
        stage.seconds += SECONDS
        with pytest.raises(Fault):
            stage.readiness.require()
        assert [stage.code() for _ in range(10)] == ["unavailable"] * 10
    assert stage.looks == 2
    stage.fault = None
    stage.seconds += SECONDS
    assert stage.code() == ""


def test_nobody_waits_for_a_look_that_takes_long(stage: Stage) -> None:
    """R128: what was seen before counts, but not for ever."""
    assert stage.code() == ""
    codes: List[str] = []
    stage.looking.clear()
    stage.open.clear()
    stage.seconds += SECONDS
    thread = asking(stage, codes)
    assert stage.looking.wait(30)
    assert stage.code() == ""
    stage.seconds += MOST_SECONDS
    assert stage.code() == "unavailable"
    stage.open.set()
    thread.join()
    assert codes == [""] and stage.code() == "" and stage.looks == 2


def test_of_many_at_the_start_one_looks(stage: Stage) -> None:
    """R128: the others wait for what it sees."""
    codes: List[str] = []
    stage.wrong = ["a pepper"]
    stage.open.clear()
    threads = [asking(stage, codes) for _ in range(MANY)]
    assert stage.looking.wait(30)
    stage.open.set()
    for thread in threads:
        thread.join()
    assert codes == ["pepper"] * MANY and stage.looks == 1


def test_over_http_the_answer_says_no_more_than_that(client: Any) -> None:
    """R128: one word for who watches, and nothing of what is inside."""
    client.get("/health/ready")
    with overheard(client.services.db.engine) as statements:
        answers = [client.get("/health/ready") for _ in range(20)]
    assert len(statements) <= 20 / 5
    assert {(each.status_code, each.get_data()) for each in answers} == {
        (200, b'{"status": "ready"}\n')}
