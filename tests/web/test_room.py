#!/usr/bin/env python3
"""A login without room: refused at the first door as at the second."""

import io
import json
from datetime import datetime
from typing import Any, Dict, Iterator, List, NamedTuple, Tuple

import pytest

from tests.support.builders import everything, overheard
from tests.support.client import BOB, Client, make_client
from tests.support.clock import SetClock
from tests.support.gate import Crowd, Gate
from vestibule import app as app_module
from vestibule.base.config import Settings
from vestibule.kernel.hashing import Asker
from vestibule.web import room

REQUEST_ID = "0123456789abcdef"
EPOCH = datetime(1970, 1, 1)
ALL, OF_STRANGERS = 6, 4
DEVICE = f"device={'0' * 32}.{'1' * 32}"


class Case(NamedTuple):
    """What is asked while so many places are taken.

    ``at_once`` is whether it is refused at the first door.
    """

    headers: Dict[str, str] = {}
    body: str = '{"email": "bob@example.com", "password": "correct horse"}'
    path: str = "/sessions"
    method: str = "POST"
    environ: Dict[str, str] = {}
    taken: int = ALL
    at_once: bool = True


class Doors:
    """One service behind both doors, and a pool that a test fills."""

    def __init__(self, first: Client, ordinary: Client,
                 passed: List[str], prefix: str) -> None:
        """Register Bob, behind one of them."""
        self.prefix = prefix
        self.first = first
        self.ordinary = ordinary
        self.passed = passed
        first.sign_up()
        passed.clear()

    def answer(self, client: Client, case: Case) -> Tuple[Any, ...]:
        """Return all of the answer, and how the refusal was noted."""
        refusals = client.services.refusals
        answer = client.program().request(
            case.method, self.prefix + case.path, data=case.body,
            environ_overrides=case.environ, headers={
                "Content-Type": "application/json",
                "X-Request-Id": REQUEST_ID, **case.headers})
        refusals.flush()
        *_, noted = refusals.of_request(REQUEST_ID, 99)
        return (answer.status.lower(), str(sorted(answer.headers)),
                answer.get_data(), noted._replace(at=EPOCH))


@pytest.fixture(name="doors", params=["", "/auth"])
def fixture_doors(settings: Settings, clock: SetClock, request: Any,
                  monkeypatch: pytest.MonkeyPatch) -> Iterator[Doors]:
    """Return a service with both doors, with a path prefix and without."""
    url = settings.public_url._replace(prefix=request.param)
    made = make_client(settings._replace(
        base_url=url, cors_origins=("https://app.example.com",)), clock)
    services = made.services
    passed: List[str] = []
    refused_first = room.refused_first

    def overheard_door(app: Any, inner: Any, paths: Any) -> Any:
        """Take down what the first door hands on."""
        def note(environ: Any, start_response: Any) -> Any:
            """Take down the path."""
            passed.append(environ["PATH_INFO"])
            return inner(environ, start_response)
        return refused_first(app, note, paths)

    with monkeypatch.context() as patch:
        patch.setattr(room, "refused_first", overheard_door)
        first = app_module.create_app(services.settings, services)
        patch.setattr(room, "refused_first",
                      lambda app, inner, paths: inner)
        second = app_module.create_app(services.settings, services)
    base_url = str(settings.public_url)
    yield Doors(Client(first, base_url), Client(second, base_url), passed,
                request.param)
    services.hashing.stop()
    services.db.close()


CASES: Dict[str, Case] = {
    "a login": Case(),
    "of a stranger": Case(taken=OF_STRANGERS),
    "with other cookies": Case({"Cookie": "a=b"}, taken=OF_STRANGERS),
    "with a device": Case({"Cookie": DEVICE}),
    "that may be known": Case({"Cookie": DEVICE}, taken=OF_STRANGERS,
                              at_once=False),
    "other Accept": Case({"Accept": "text/html"}),
    "problem Accept": Case({"Accept": "application/problem+json"},
                           at_once=False),
    "an own origin": Case({"Origin": "http://127.0.0.1:5000"},
                          at_once=False),
    "a listed origin": Case({"Origin": "https://app.example.com"},
                            at_once=False),
    "another origin": Case({"Origin": "https://evil.example"},
                           at_once=False),
    "another site": Case({"Sec-Fetch-Site": "cross-site"}, at_once=False),
    "a foreign host": Case({"Host": "evil.example"}, at_once=False),
    "a body that is too long": Case(body="a" * 70000, at_once=False),
    "a length that is none": Case(environ={"CONTENT_LENGTH": "-1"},
                                  at_once=False),
    "another verb": Case(method="DELETE", at_once=False),
    "a registration": Case(path="/users", at_once=False),
}


@pytest.mark.parametrize("name", CASES)
def test_both_doors_refuse_alike(doors: Doors, name: str) -> None:
    """R125: byte for byte, and with the same note for operators."""
    case = CASES[name]
    gate, people = Gate(), Crowd(doors.first.services.hashing)
    try:
        people.set_to_work(gate)
        for _ in range(case.taken - 1):
            people.ask_in_turn(gate.work, Asker(known=True))
        first = doors.answer(doors.first, case)
        assert bool(doors.passed) != case.at_once
        assert first == doors.answer(doors.ordinary, case)
    finally:
        gate.open()
        people.go()


def test_a_refused_login_costs_nothing(doors: Doors) -> None:
    """R125: the database is not asked for anything, by either door."""
    services = doors.first.services
    gate, people = Gate(), Crowd(services.hashing)
    before = everything(services.db)
    try:
        people.set_to_work(gate)
        for _ in range(ALL - 1):
            people.ask_in_turn(gate.work, Asker(known=True))
        with overheard(services.db.engine) as statements:
            for client in (doors.first, doors.ordinary):
                assert client.post("/sessions", BOB).status_code == 503
        assert statements == [] and everything(services.db) == before
    finally:
        gate.open()
        people.go()


def test_no_more_are_let_in_than_there_are_places(
        doors: Doors, monkeypatch: pytest.MonkeyPatch) -> None:
    """R125: strangers on the way to the line count, and no longer than that.

    They take no place of those who are known, nor do made-up devices.
    """
    check = doors.first.services.auth.password_check
    answers: List[int] = []

    def come(**headers: str) -> int:
        """Sign in, and return the status."""
        return int(doors.first.program().post(
            "/sessions", BOB, headers=headers).status_code)

    def another(*_: Any) -> None:
        """Let one more come while this one is on its way to the line."""
        if not answers:
            answers.append(come())
            if answers == [503]:
                answers.append(come(Cookie=DEVICE))

    for _ in range(2):
        with monkeypatch.context() as patch:
            patch.setattr(check, "require_room", another)
            assert come() == 200
        assert answers == [503, 200] + [200] * (OF_STRANGERS - 1)
        assert len(doors.passed) == OF_STRANGERS + 1
        answers.clear()
        doors.passed.clear()
    assert doors.first.sign_in().status_code == 200


def test_a_slow_body_takes_no_place(doors: Doors) -> None:
    """R127: however many send theirs at the same time."""
    answers: List[int] = []

    class Slow(io.BytesIO):
        """A body in the middle of which somebody else comes."""

        def read(self, size: Any = -1) -> bytes:
            """Read it when the other one is answered."""
            if len(answers) < 2 * ALL:
                answers.append(0)
                answers.append(come())
            return super().read(size)

    def come() -> int:
        """Sign in with such a body, and return the status."""
        body = json.dumps(BOB).encode()
        return int(doors.first.program().request(
            "POST", doors.prefix + "/sessions",
            content_type="application/json", environ_overrides={
                "wsgi.input": Slow(body), "CONTENT_LENGTH": str(len(body))
            }).status_code)

    assert come() == 200
    assert 503 not in answers


def test_with_room_nobody_is_refused(doors: Doors) -> None:
    """R125: the first door hands on what the second answers."""
    assert doors.first.sign_in().status_code == 200
    assert doors.passed == ["/sessions"]
