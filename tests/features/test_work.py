#!/usr/bin/env python3
"""What each call costs in hashes, and a session check in calls and memory.

Never in seconds: a change of these figures is no accident, on any machine.
"""

import gc
import sys
import tracemalloc
from io import BytesIO
from typing import Any, Callable, Dict, List, Tuple

import pytest

from tests.support.client import BOB, Client, cookie_of
from tests.support.hash_work import Work
from vestibule.store.news import News

pytestmark = pytest.mark.uncached
NEW = "another good password"
WRONG = "a wrong password"
NOBODY = "nobody@example.com"
EVE = "eve@example.com"
# A tenth more than it is today, on whichever Python and SQLAlchemy is dearer.
MOST_CALLS = {"sqlite": 100, "postgresql": 153, "cached": 37}
MOST_BYTES = {"uncached": 9600, "cached": 2400}
# Of a thousand checks; a block for each would be a thousand.
FEW_BLOCKS = 500
WARMING = 50


def stranger(method: str, path: str, **body: Any) -> Callable[[Client], Any]:
    """Return what sends a request from another browser, without cookies."""
    return lambda client: client.another().request(method, path, json=body)


def own(method: str, path: str, **body: Any) -> Callable[[Client], Any]:
    """Return what sends a request in Bob's session."""
    return lambda client: client.request(method, path, json=body)


def reset_token(client: Client) -> str:
    """Return a reset token of Bob's."""
    answer = client.post("/reset_password", {"email": BOB["email"]})
    return str(answer.get_json()["reset_token"])


def spend(client: Client) -> Any:
    """Set a new password by a token that was handed out before."""
    return client.put("/reset_password", {
        "email": BOB["email"], "reset_token": reset_token(client),
        "new_password": NEW})


# By call: what it is, its status, and how often it asks bcrypt.
CALLS: Dict[str, Tuple[Callable[[Client], Any], int, int]] = {
    "greet": (own("GET", "/"), 200, 0),
    "live": (own("GET", "/health/live"), 200, 0),
    "ready": (own("GET", "/health/ready"), 200, 0),
    "register": (stranger("POST", "/users", email=EVE, password=NEW),
                 200, 1),
    "register, taken": (stranger("POST", "/users", **BOB), 400, 1),
    "register, unfit": (
        stranger("POST", "/users", email="eve", password=NEW), 422, 0),
    "log in": (stranger("POST", "/sessions", **BOB), 200, 1),
    "log in, wrong": (stranger("POST", "/sessions", **dict(
        BOB, password=WRONG)), 401, 1),
    "log in, unknown": (stranger("POST", "/sessions", **dict(
        BOB, email=NOBODY)), 401, 1),
    "log in, no address": (stranger("POST", "/sessions", **dict(
        BOB, email="no address")), 401, 1),
    "log in, unfit": (stranger("POST", "/sessions", email=[1]), 422, 0),
    "log out": (own("DELETE", "/sessions"), 303, 0),
    "check": (own("GET", "/session/check"), 204, 0),
    "check, nobody": (stranger("GET", "/session/check"), 403, 0),
    "profile": (own("GET", "/profile"), 200, 0),
    "change profile": (own("PATCH", "/profile", name="Bob"), 200, 0),
    "session": (own("GET", "/session"), 200, 0),
    "list": (own("GET", "/sessions"), 200, 0),
    "end others": (own("DELETE", "/sessions/others"), 200, 0),
    "activity": (own("GET", "/profile/activity"), 200, 0),
    "export": (own("GET", "/profile/export"), 200, 0),
    "reauthenticate": (own("POST", "/session/reauthenticate",
                           password=BOB["password"]), 200, 1),
    "reauthenticate, wrong": (own(
        "POST", "/session/reauthenticate", password=WRONG), 401, 1),
    "change": (own("PUT", "/password", new_password=NEW,
                   current_password=BOB["password"]), 204, 2),
    "change, wrong": (own("PUT", "/password", new_password=NEW,
                          current_password=WRONG), 403, 1),
    "change, unfit": (own("PUT", "/password", new_password="",
                          current_password=BOB["password"]), 422, 0),
    "ask for a reset": (stranger(
        "POST", "/reset_password", email=BOB["email"]), 200, 0),
    "ask for a reset, unknown": (stranger(
        "POST", "/reset_password", email=NOBODY), 403, 0),
    "reset": (spend, 200, 1),
    "reset, wrong": (stranger(
        "PUT", "/reset_password", email=BOB["email"], reset_token="none",
        new_password=NEW), 403, 0),
    "reset, wrong code": (stranger(
        "PUT", "/reset_password", email=BOB["email"], code="00000000",
        new_password=NEW), 403, 0),
    "ask to verify": (stranger(
        "POST", "/verify_email", email=BOB["email"]), 200, 0),
    "verify, wrong": (stranger(
        "PUT", "/verify_email", token="none"), 403, 0),
    "change address": (own("PUT", "/email", email=EVE), 202, 0),
    "undo, wrong": (stranger("POST", "/undo", token="none"), 403, 0),
    "leave": (own("DELETE", "/profile"), 202, 0),
    "restore, wrong": (stranger("POST", "/profile/restore", **dict(
        BOB, password=WRONG)), 401, 1),
}


@pytest.mark.parametrize("name", CALLS)
def test_a_call_asks_bcrypt_so_often(
        client: Client, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """R008, R083, R124: what is dear is done as often as has to be."""
    call, status, hashes = CALLS[name]
    client.sign_up()
    client.sign_in()
    answers: List[Any] = []
    work = Work(monkeypatch)
    work.of(lambda: answers.append(call(client)))
    assert (answers[0].status_code, len(work.units)) == (status, hashes)


class Calls:
    """Counts the functions that run, of Python and of what is native."""

    def __init__(self) -> None:
        """Begin with none."""
        self.count = 0

    def __call__(self, frame: Any, event: str, argument: Any) -> None:
        """Count one that begins."""
        self.count += event in ("call", "c_call")

    def of(self, action: Callable[[], Any]) -> int:
        """Return how many an action takes."""
        self.count = 0
        sys.setprofile(self)
        try:
            action()
        finally:
            sys.setprofile(None)
        return self.count


def a_check(client: Client) -> Callable[[], int]:
    """Return what asks for Bob's session as a server does, past any client.

    It returns the length of the answer.
    """
    client.sign_up()
    token = cookie_of(client.sign_in())
    app = client.app.wsgi_app

    def started(status: str, headers: List[Tuple[str, str]]) -> None:
        """See that the session is live."""
        assert status == "200 OK"

    def check() -> int:
        """Ask once for the session."""
        return sum(map(len, app({
            "REQUEST_METHOD": "GET", "PATH_INFO": "/profile",
            "SCRIPT_NAME": "", "QUERY_STRING": "", "HTTP_HOST":
            "127.0.0.1:5000", "HTTP_COOKIE": f"session_id={token}",
            "REMOTE_ADDR": "127.0.0.1", "SERVER_NAME": "127.0.0.1",
            "SERVER_PORT": "5000", "SERVER_PROTOCOL": "HTTP/1.1",
            "wsgi.url_scheme": "http", "wsgi.input": BytesIO(),
            "wsgi.errors": sys.stderr}, started)))
    for _ in range(WARMING):
        assert check() > 0
    return check


def keep_sessions(client: Client, check: Callable[[], Any]) -> None:
    """Have sessions kept in memory from now on, and Bob's be there."""
    client.services.sessions.cache.begin(News(client.services.db))
    for _ in range(3):
        check()


def peak_of(action: Callable[[], Any]) -> int:
    """Return how many bytes an action holds at most."""
    gc.collect()
    tracemalloc.start()
    try:
        action()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_a_session_check_runs_so_many_functions(client: Client) -> None:
    """R124: with the cache, now and then one more has to look for news."""
    check, calls = a_check(client), Calls()
    most = MOST_CALLS["sqlite" if client.services.db.is_sqlite
                      else "postgresql"]
    assert max(calls.of(check) for _ in range(9)) <= most
    keep_sessions(client, check)
    assert min(calls.of(check) for _ in range(9)) <= MOST_CALLS["cached"]


def test_a_session_check_takes_so_much_memory(client: Client) -> None:
    """R130: little at once, and nothing stays."""
    check = a_check(client)
    assert peak_of(check) <= MOST_BYTES["uncached"]
    assert left_by(check) <= FEW_BLOCKS
    keep_sessions(client, check)
    assert min(peak_of(check) for _ in range(9)) <= MOST_BYTES["cached"]
    assert left_by(check) <= FEW_BLOCKS


def test_what_a_session_check_keeps_would_be_seen(client: Client) -> None:
    """R130: a line of each one is enough."""
    lines: List[str] = []
    check = a_check(client)
    keep_sessions(client, check)
    assert left_by(lambda: lines.append(f"{check()} bytes")) > FEW_BLOCKS


def left_by(check: Callable[[], Any]) -> int:
    """Return how many blocks of memory a thousand checks leave."""
    gc.collect()
    before = sys.getallocatedblocks()
    for _ in range(1000):
        check()
    gc.collect()
    return sys.getallocatedblocks() - before
