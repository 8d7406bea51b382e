#!/usr/bin/env python3
"""A service with a pepper, as an operator starts it, and starts it wrong."""

import base64
from pathlib import Path
from typing import Any, Dict, Iterator

import pytest

from tests.cli.commands import Ran, execute
from tests.support.builders import everything
from tests.support.client import BOB, cookie_of, make_client
from tests.support.service import Reply, Service
from vestibule.base.config import load
from vestibule.store.db import DB

WRONG = dict(BOB, password="a wrong one")
SECRET = "pB7xR2mT9kW4nQ8vL1sY6dF3hJ5gC0zA"
OTHER = "k3Vd8Zq1Xw6Tn9Rb4Lm7Ys2Hf5Jg0CpA"
WANTS_PROBLEM = "application/problem+json"


@pytest.fixture(name="environ")
def fixture_environ(database_url: str, tmp_path: Path,
                    monkeypatch: pytest.MonkeyPatch) -> Dict[str, str]:
    """Return the environment of a service of two processes."""
    monkeypatch.chdir(tmp_path)
    return {"VESTIBULE_PROFILE": "development", "VESTIBULE_WORKERS": "2",
            "VESTIBULE_DATABASE_URL": database_url,
            "VESTIBULE_BCRYPT_COST": "4"}


@pytest.fixture(name="registered")
def fixture_registered(environ: Dict[str, str]) -> str:
    """Let Bob have signed up and in under a pepper; return his cookie.

    That was a service without a socket, in the folder of those to come:
    from there they have its key.
    """
    client = make_client(load(dict(
        environ, VESTIBULE_PEPPER=f"2026a:{SECRET}")).settings)
    assert client.sign_up().status_code == 200
    answer = client.sign_in()
    assert client.get("/health/ready").status_code == 200
    client.services.db.close()
    return f"session_id={cookie_of(answer)}"


def ready(service: Service) -> Reply:
    """Ask for readiness as a program that likes problems."""
    return service.request("GET", "/health/ready", Accept=WANTS_PROBLEM)


def commands(environ: Dict[str, str]) -> "Iterator[Ran]":
    """Run what prints settings or users, and yield what it prints."""
    for words in (("config", "show"), ("config", "show", "--json"),
                  ("config", "check"), ("users", "list"),
                  ("users", "show", BOB["email"])):
        ran = execute(environ, *words)
        assert ran.status == 0, ran.err
        yield ran


def test_the_pepper_is_nowhere_but_in_the_settings(
        environ: Dict[str, str], tmp_path: Path) -> None:
    """R027: not in the database, the logs, the answers or the commands."""
    (tmp_path / "pepper").write_text(f"2026a:{SECRET}\n")
    environ["VESTIBULE_PEPPER_FILE"] = str(tmp_path / "pepper")
    said = []
    with Service(environ, tmp_path) as service:
        for method, path, body, status in (
                ("POST", "/users", BOB, 200), ("POST", "/sessions", BOB, 200),
                ("POST", "/sessions", WRONG, 401),
                ("GET", "/health/ready", None, 200),
                ("POST", "/reset_password", BOB, 200),
                ("GET", "/profile", None, 403)):
            answer = service.request(method, path, body)
            assert answer.status == status
            said += [answer.text, str(answer.headers)]
        assert service.terminate() == 0
    said += [ran.out + ran.err for ran in commands(environ)]
    db = DB(environ["VESTIBULE_DATABASE_URL"])
    said.append(everything(db))
    db.close()
    wrong = dict(environ, VESTIBULE_PEPPER=f"2026a:{OTHER}")
    del wrong["VESTIBULE_PEPPER_FILE"]
    with Service(wrong, tmp_path) as service:
        said += [ready(service).text,
                 service.request("POST", "/sessions", BOB).text]
    held = b"".join(file.read_bytes() for file in tmp_path.iterdir()
                    if file.is_file() and file.name != "pepper")
    held += "\n".join(said).encode("utf-8")
    assert b"{v1:2026a}$2b$04$" in held and rb'pepper \"2026a\"' in held
    for secret in (SECRET.encode(), OTHER.encode()):
        for form in (secret, secret[:12], secret[-12:],
                     secret.hex().encode(), base64.b64encode(secret)):
            assert form not in held


@pytest.mark.parametrize("peppers, what_to_do", [
    ({"VESTIBULE_PEPPER": f"2026a:{OTHER}"}, "set the right secret again"),
    ({"VESTIBULE_PEPPER": f"2027a:{OTHER}"}, "VESTIBULE_PEPPER_FALLBACKS"),
    ({}, "put it into VESTIBULE_PEPPER")])
def test_a_wrong_pepper_at_the_start_is_no_mass_of_refusals(
        environ: Dict[str, str], registered: str, tmp_path: Path,
        peppers: Dict[str, str], what_to_do: str) -> None:
    """R027: not ready, with a line in the log; whoever is in stays in."""
    with Service(dict(environ, **peppers), tmp_path) as service:
        log = service.log.read_text()
        assert r'pepper \"2026a\"' in log and what_to_do in log
        for _ in range(3):
            refused = ready(service)
            assert (refused.status, refused.json["code"]) == (503, "pepper")
        calls: Any = [("POST", "/sessions", BOB), ("POST", "/users", BOB),
                      ("POST", "/sessions", WRONG)]
        for call in calls:
            answer = service.request(*call)
            assert answer.status == 503 and "Retry-After" in answer.headers
        assert service.request(
            "GET", "/profile", Cookie=registered).status == 200
        assert service.request("GET", "/health/live").status == 200
    mended = dict(environ, VESTIBULE_PEPPER=f"2026a:{SECRET}")
    with Service(mended, tmp_path) as service:
        assert ready(service).status == 200
        assert service.request("POST", "/sessions", BOB).status == 200
        assert service.request("POST", "/sessions", WRONG).status == 401


def test_a_pepper_is_rotated(environ: Dict[str, str], registered: str,
                             tmp_path: Path) -> None:
    """R016, R027: the old one is a fallback until nobody needs it."""
    new = {"VESTIBULE_PEPPER": f"2027a:{OTHER}"}
    both = dict(new, VESTIBULE_PEPPER_FALLBACKS=f"2026a:{SECRET}")
    for peppers in (both, new):
        with Service(dict(environ, **peppers), tmp_path) as service:
            assert ready(service).status == 200
            assert service.request("POST", "/sessions", BOB).status == 200
            assert service.request("POST", "/sessions", WRONG).status == 401
            assert "pepper" not in service.log.read_text()


def test_an_operator_makes_no_user_with_a_wrong_pepper(
        environ: Dict[str, str], registered: str) -> None:
    """R027: it is refused and explained; what needs no password goes on."""
    environ["VESTIBULE_PEPPER"] = f"2026a:{OTHER}"
    made = execute(environ, "users", "create", "ada@example.com",
                   "--password-stdin", given="some words for Ada")
    assert made.status == 1 and "Traceback" not in made.err
    assert 'pepper "2026a" is not the secret' in made.err
    assert execute(environ, "users", "list").out.count("@") == 1
    assert execute(environ, "users", "create", "ada@example.com",
                   "--invite").status == 0
