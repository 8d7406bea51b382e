#!/usr/bin/env python3
"""Guessing, as attackers do it, against a service of two processes."""

import json
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any, Dict, Iterator, List, NamedTuple

import pytest

from tests.support.builders import EMAIL, PASSWORD
from tests.support.service import Service
from vestibule.store.attempt import Attempt
from vestibule.store.db import DB

BOB = {"email": EMAIL, "password": PASSWORD}
OTHER_PASSWORD = "another horse battery"
BUDGET, ADDRESS_BUDGET = 10, 50
HOME = "198.51.100.9"


class Told(NamedTuple):
    """What the service answered: the status, and the cookies it set."""

    status: int
    cookies: Dict[str, str]
    json: Any

    def cookie(self, name: str) -> str:
        """Return a cookie as it is sent back."""
        return f"{name}={self.cookies[name]}"


@pytest.fixture(name="environ")
def fixture_environ(database_url: str, tmp_path: Path,
                    monkeypatch: pytest.MonkeyPatch) -> Dict[str, str]:
    """Return the environment of two processes behind a trusted proxy.

    The limits are those that everybody has.
    """
    monkeypatch.chdir(tmp_path)
    return {"VESTIBULE_PROFILE": "development", "VESTIBULE_WORKERS": "2",
            "VESTIBULE_DATABASE_URL": database_url,
            "VESTIBULE_SECRET_KEY": "a key for tests, 0123456789abcdef",
            "VESTIBULE_TRUSTED_PROXIES": "127.0.0.1",
            "VESTIBULE_BCRYPT_COST": "4"}


@pytest.fixture(name="service")
def fixture_service(environ: Dict[str, str],
                    tmp_path: Path) -> Iterator[Service]:
    """Return a running service at which Bob has signed up."""
    with Service(environ, tmp_path) as running:
        assert ask(running, "POST /users", BOB).status == 200
        yield running


def ask(service: Service, call: str, body: Any, ip: str = HOME,
        cookie: str = "") -> Told:
    """Send ``POST /users``, say, from an address as the proxy tells it."""
    method, path = call.split()
    connection = HTTPConnection("127.0.0.1", service.port, timeout=60)
    try:
        while True:
            connection.request(method, path, json.dumps(body), {
                "Content-Type": "application/json", "X-Forwarded-For": ip,
                "Cookie": cookie})
            answer = connection.getresponse()
            text = answer.read().decode("utf-8")
            if answer.status != 503:
                break
            # No room for hashing: nothing was judged, so it comes again.
            time.sleep(0.01)
        jar: Any = SimpleCookie()
        for value in answer.headers.get_all("Set-Cookie") or []:
            jar.load(value)
        return Told(answer.status, {
            name: morsel.value for name, morsel in jar.items()},
            json.loads(text) if text else None)
    finally:
        connection.close()


def sign_in(service: Service, password: str = PASSWORD, ip: str = HOME,
            email: str = EMAIL, cookie: str = "") -> Told:
    """Try a password."""
    return ask(service, "POST /sessions",
               {"email": email, "password": password}, ip, cookie)


def all_at_once(service: Service, tries: List[Dict[str, str]]
                ) -> Dict[int, int]:
    """Try passwords in parallel; count the answers by their status."""
    with ThreadPoolExecutor(60) as pool:
        return Counter(told.status for told in pool.map(
            lambda each: sign_in(service, **each), tries))


def besiege(service: Service, addresses: int = 50, each: int = 10
            ) -> Dict[int, int]:
    """Guess at Bob's password from many addresses."""
    return all_at_once(service, [
        {"password": f"guess {number}", "ip": f"203.0.113.{address}"}
        for number in range(each) for address in range(addresses)])


def test_of_many_guesses_the_budget_is_evaluated(
        environ: Dict[str, str], tmp_path: Path) -> None:
    """R073, R080: sixty at one account, at once.

    One of the sixty is right, and lets no more of them through. Hashes cost
    what they cost in production, so that the tries overlap.
    """
    costly = dict(environ, VESTIBULE_BCRYPT_COST="10")
    with Service(costly, tmp_path) as service:
        assert ask(service, "POST /users", BOB).status == 200
        tries = [{"password": f"guess {number}"} for number in range(60)]
        tries[4]["password"] = PASSWORD
        found = all_at_once(service, tries)
        right = found.get(200, 0)
        assert found[401] + right == BUDGET and right <= 1
        assert found[429] == 60 - BUDGET


def test_of_a_spray_the_budget_of_the_address_is_evaluated(
        service: Service, environ: Dict[str, str]) -> None:
    """R076, R081: one password at many accounts, at once.

    Right ones in between let no more of them through.
    """
    tries = [{"email": f"user{number}@example.com", "password": PASSWORD,
              "ip": "203.0.113.1"} for number in range(120)]
    tries[5::20] = [{"password": PASSWORD, "ip": "203.0.113.1"}] * 6
    found = all_at_once(service, tries)
    assert found.pop(200, 0) <= 6
    assert found[401] <= ADDRESS_BUDGET
    later = all_at_once(service, tries[6:15] * 6)
    assert found[401] + later.get(401, 0) == ADDRESS_BUDGET
    db = DB(environ["VESTIBULE_DATABASE_URL"])
    # Who found no room for hashing got the try back, and the row stays.
    with db.reading() as work:
        counted = work.query(Attempt).filter(Attempt.count > 0).count()
    db.close()
    assert counted <= ADDRESS_BUDGET + 5


def test_guesses_do_not_keep_the_owner_out(service: Service) -> None:
    """R077: on a known device, with a session, and by a reset.

    Nor does a restart give anybody a try back (requirement R080).
    """
    signed_in = sign_in(service)
    assert besiege(service) == {401: BUDGET, 429: 500 - BUDGET}
    service.kill()
    service.start()
    assert besiege(service, 5, 1) == {429: 5}
    assert sign_in(service).status == 429
    get_in_where_known(service, signed_in)
    reset_password(service)


def get_in_where_known(service: Service, signed_in: Told) -> None:
    """Sign Bob in on his device, and change his password by his session."""
    device = signed_in.cookie("device")
    assert sign_in(service, ip="203.0.113.1", cookie=device).status == 200
    session = signed_in.cookie("session_id")
    assert ask(service, "GET /profile", None, cookie=session).status == 200
    changed = ask(service, "PUT /password", {
        "current_password": PASSWORD, "new_password": OTHER_PASSWORD},
        cookie=session)
    assert changed.status == 204


def reset_password(service: Service) -> None:
    """Reset Bob's password in a browser without cookies, and sign in."""
    asked = ask(service, "POST /reset_password", {"email": EMAIL})
    reset = ask(service, "PUT /reset_password", {
        "email": EMAIL, "reset_token": asked.json["reset_token"],
        "new_password": PASSWORD})
    assert reset.status == 200
    assert sign_in(service).status == 200
