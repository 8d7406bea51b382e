#!/usr/bin/env python3
"""One rule, two doors: past Flask's router and through it, equal answers."""

import re
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Tuple

import pytest

from tests.support.builders import run_sql
from tests.support.client import BOB, Client, cookie_of, make_client
from tests.support.clock import SetClock
from vestibule import app as app_module
from vestibule.base.config import Settings
from vestibule.kernel.users import Users
from vestibule.store.news import News
from vestibule.web import session_check

pytestmark = pytest.mark.uncached
PATHS = ("/session/check", "/profile", "/session")
REQUEST_ID = "0123456789abcdef"
# Of a cookie that is taken back: the second at which it is.
EXPIRES = re.compile("Expires=[^;]*")


class Case(NamedTuple):
    """What is done first, what is asked then, and whether it is plain."""

    prepare: Callable[["Doors"], Any] = lambda doors: None
    headers: Dict[str, str] = {}
    method: str = "GET"
    query: str = ""
    data: bytes = b""
    cookie: Callable[[str], str] = "session_id={}".format
    is_plain: bool = True


class Doors:
    """One service behind both doors, and Bob's session in it."""

    def __init__(self, client: Client, ordinary: Client,
                 passed: List[str]) -> None:
        """Sign Bob in."""
        self.client = client
        self.ordinary = ordinary
        self.passed = passed
        client.sign_up()
        self.token = str(cookie_of(client.sign_in()))
        self.services = client.services

    @property
    def bob(self) -> Any:
        """Bob as he is stored."""
        return self.services.db.find_user_by(email=BOB["email"])

    def both(self, path: str, case: Case) -> List[Tuple[Any, ...]]:
        """Return the answers of both doors, asked the same."""
        headers = {"Cookie": case.cookie(self.token),
                   "X-Request-Id": REQUEST_ID, **case.headers}
        answers = [client.program().request(
            case.method, path + case.query, headers=headers, data=case.data)
            for client in (self.client, self.ordinary)]
        return [(answer.status, EXPIRES.sub("", str(sorted(answer.headers))),
                 answer.get_data()) for answer in answers]


@pytest.fixture(name="doors", params=["cached", "uncached"])
def fixture_doors(settings: Settings, clock: SetClock, request: Any,
                  monkeypatch: pytest.MonkeyPatch) -> Iterator[Doors]:
    """Return a service with both doors, its cache on and off."""
    made = make_client(
        settings._replace(cors_origins=("https://app.example.com",)), clock)
    if request.param == "cached":
        made.services.sessions.cache.begin(News(made.services.db))
    passed: List[str] = []
    answered_first = session_check.answered_first

    def overheard(app: Any, inner: Any, views: Any) -> Any:
        """Take down what the first door hands on."""
        def note(environ: Any, start_response: Any) -> Any:
            """Take down the path."""
            passed.append(environ["PATH_INFO"])
            return inner(environ, start_response)
        return answered_first(app, note, views)

    with monkeypatch.context() as patch:
        patch.setattr(session_check, "answered_first", overheard)
        first = app_module.create_app(made.services.settings, made.services)
        patch.setattr(session_check, "answered_first",
                      lambda app, inner, views: inner)
        second = app_module.create_app(made.services.settings, made.services)
    base_url = str(made.services.settings.public_url)
    yield Doors(Client(first, base_url), Client(second, base_url), passed)
    made.services.db.close()


def profile(doors: Doors) -> None:
    """Give Bob a profile with everything in it."""
    answer = doors.client.request("PATCH", "/profile", json={
        "name": "Bób", "locale": "en", "metadata": {"a": [1, "ü"]},
        "picture": "https://example.com/bob.png"})
    assert answer.status_code == 200


def idle(doors: Doors) -> None:
    """Let the session lie unused for too long."""
    run_sql(doors.services.db, "UPDATE sessions SET idle_expires_at = 1")


def expired(doors: Doors) -> None:
    """Let the session be as old as none may be."""
    run_sql(doors.services.db, "UPDATE sessions SET expires_at = 1")


CASES: Dict[str, Case] = {
    "live": Case(),
    "with a profile": Case(profile),
    "other Accept": Case(headers={"Accept": "text/html"}),
    "problem Accept": Case(headers={"Accept": "application/problem+json"}),
    "from a page of ours": Case(headers={"Sec-Fetch-Site": "same-origin"}),
    "from another site": Case(headers={"Sec-Fetch-Site": "cross-site"}),
    "conditional": Case(headers={"If-None-Match": '"1"'}),
    "a query": Case(query="?a=b"),
    "an odd request id": Case(headers={"X-Request-Id": "0" * 64}),
    "other cookies": Case(cookie="a=b; session_id={}; c".format),
    "the same cookie twice": Case(cookie="session_id={0};session_id={0}"
                                  .format),
    "a listed origin": Case(
        headers={"Origin": "https://app.example.com"}, is_plain=False),
    "another origin": Case(
        headers={"Origin": "https://evil.example"}, is_plain=False),
    "HEAD": Case(method="HEAD", is_plain=False),
    "OPTIONS": Case(method="OPTIONS", is_plain=False),
    "PUT": Case(method="PUT", is_plain=False),
    "a foreign host": Case(
        headers={"Host": "evil.example"}, is_plain=False),
    "no host": Case(headers={"Host": ""}, is_plain=False),
    "a body": Case(data=b"abc", is_plain=False),
    "a body of unknown length": Case(
        headers={"Transfer-Encoding": "chunked"}, is_plain=False),
    "no cookie": Case(cookie=lambda token: "", is_plain=False),
    "malformed": Case(cookie="session_id=x{}".format, is_plain=False),
    "two that differ": Case(
        cookie="session_id={}; session_id=x".format, is_plain=False),
    "wrong secret": Case(
        cookie=lambda token: f"session_id={token[:-4]}AAAA",
        is_plain=False),
    "unknown id": Case(
        cookie=lambda token: f"session_id=00000000{token[8:]}",
        is_plain=False),
    "idle": Case(idle, is_plain=False),
    "expired": Case(expired, is_plain=False),
    "revoked": Case(lambda doors: doors.services.sessions.revoke(
        doors.token[:36], doors.bob.id), is_plain=False),
    "disabled": Case(lambda doors: Users(
        doors.services.db, doors.services.auth).disable(doors.bob),
        is_plain=False),
    "deleted": Case(lambda doors: doors.services.db.delete_user(
        doors.bob.id), is_plain=False),
    "about to be deleted": Case(lambda doors: doors.services.db.update_user(
        doors.bob.id, delete_after=doors.services.db.clock.now()),
        is_plain=False),
}


@pytest.mark.parametrize("name", CASES)
def test_both_doors_give_the_same_answer(doors: Doors, name: str) -> None:
    """R041, R049: byte for byte, before and after it is kept."""
    case = CASES[name]
    for path in PATHS * 3:
        doors.both(path, Case())
    case.prepare(doors)
    doors.passed.clear()
    for path in PATHS * 3:
        first, ordinary = doors.both(path, case)
        assert first == ordinary
    assert doors.passed == ([] if case.is_plain else list(PATHS * 3))


@pytest.mark.parametrize("path", PATHS)
def test_no_answer_is_another_person_s(doors: Doors, path: str) -> None:
    """R041: each session has its own, however often they take turns."""
    eve = dict(BOB, email="eve@example.com")
    doors.client.another().sign_up(**eve)
    other = str(cookie_of(doors.client.another().sign_in(**eve)))
    whose = {doors.token: BOB["email"], other: "eve@example.com"}
    for token in [doors.token, other] * 4:
        answer = doors.client.program().get(
            path, headers={"Cookie": f"session_id={token}"})
        said = str(sorted(answer.headers)) + answer.get_data(as_text=True)
        for each, email in whose.items():
            assert (email in said) == (each == token)


def test_each_answer_has_a_request_id_of_its_own(doors: Doors) -> None:
    """R117: new where none came, and the one that came where one did."""
    ids = [dict(doors.client.get(PATHS[0]).headers)["X-Request-Id"]
           for _ in range(5)]
    assert len(set(ids)) == 5 and all(len(each) == 32 for each in ids)
    given = doors.client.get(PATHS[0], headers={"X-Request-Id": REQUEST_ID})
    assert given.headers["X-Request-Id"] == REQUEST_ID
    odd = doors.client.get(PATHS[0], headers={"X-Request-Id": "<odd>"})
    assert len(odd.headers["X-Request-Id"]) == 32


def test_a_database_that_is_away_is_answered_by_the_view(
        doors: Doors, monkeypatch: pytest.MonkeyPatch) -> None:
    """R131: 503, once, and nobody is logged out."""
    def fail(*arguments: Any, **named: Any) -> None:
        """Fail as a database does."""
        raise OSError

    monkeypatch.setattr(
        type(doors.services.sessions), "resume", fail)
    answer = doors.client.get(PATHS[0])
    assert answer.status_code == 500
    assert "Set-Cookie" not in answer.headers
    assert doors.passed[-1] == PATHS[0]


def test_the_prefix_may_be_there_or_not(
        settings: Settings, clock: SetClock) -> None:
    """A proxy hands it on or strips it; both are answered first."""
    url = settings.public_url._replace(prefix="/auth")
    client = make_client(settings._replace(base_url=url), clock)
    client.sign_up()
    client.sign_in()
    for path in ("/session/check", "/auth/session/check"):
        answer = client.program().get(path, headers={
            "Cookie": f"session_id={cookie_of(client.sign_in())}"},
            base_url=f"http://{url.host}")
        assert answer.status_code == 204
        assert answer.headers["Vestibule-Email"] == BOB["email"]
    client.services.db.close()


def test_what_is_written_is_bounded(
        doors: Doors, monkeypatch: pytest.MonkeyPatch) -> None:
    """R130: however many sessions take turns."""
    monkeypatch.setattr(session_check, "MOST_WRITTEN", 2)
    for _ in range(4):
        token = cookie_of(doors.client.sign_in())
        for _ in range(4):
            answer = doors.client.program().get(
                PATHS[0], headers={"Cookie": f"session_id={token}"})
            assert answer.status_code == 204
