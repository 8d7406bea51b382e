#!/usr/bin/env python3
"""Schemathesis makes requests up from `openapi.json` and sends them.

It runs as a program of its own against a running service, which is asked for
the document: good requests and bad ones, one by one and in sequences, about
a thousand on each kind of database, always the same.
"""

import copy
import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, Iterator

import pytest

from tests.support.client import BOB
from tests.support.service import Service
from vestibule.features.api_document.routes import DOCUMENT

schemathesis = pytest.importorskip(
    "schemathesis", reason="schemathesis is installed with SQLAlchemy 2 on "
    "Python 3.12 and newer only: make test STACK=sqlalchemy2")

PROGRAM = "from schemathesis.cli import schemathesis; schemathesis()"
MANY, FEW = 60, 5
SECONDS = 120
# A cookie is sent with two operations whatever schemathesis thinks up, so
# that leaving it out is no test there; a good registration may find its
# address taken.
SETTINGS = """
checks.negative_data_rejection.expected-statuses = [
    "400", "401", "403", "405", "411", "413", "415", "422"]

[[operations]]
include-operation-id = "user_profile"
headers = {{ Cookie = "{reader}" }}
checks.negative_data_rejection.enabled = false

[[operations]]
include-operation-id = "log_out"
headers = {{ Cookie = "{leaver}" }}
checks.negative_data_rejection.enabled = false

[[operations]]
include-operation-id = "register_user"
checks.positive_data_acceptance.expected-statuses = ["200", "400"]
"""


@pytest.fixture(name="service")
def fixture_service(
        environ: Dict[str, str], tmp_path: Path) -> Iterator[Service]:
    """Run a development service with one worker."""
    with Service(dict(environ, VESTIBULE_WORKERS="1"), tmp_path) as service:
        yield service


def test_the_document_is_openapi_3_1() -> None:
    """By the rules of the specification, as schemathesis has them."""
    schemathesis.openapi.from_dict(DOCUMENT).validate()
    broken = copy.deepcopy(DOCUMENT)
    del broken["paths"]["/"]["get"]["responses"]["200"]["description"]
    with pytest.raises(Exception, match="description"):
        schemathesis.openapi.from_dict(broken).validate()


def test_no_request_gets_what_is_not_documented(
        service: Service, tmp_path: Path) -> None:
    """R102: no 5xx, no other status, header or body than was promised."""
    settings = tmp_path / "schemathesis.toml"
    settings.write_text(SETTINGS.format(
        reader=_cookie(service, "reader@example.com"),
        leaver=_cookie(service, "leaver@example.com")))
    url = f"http://127.0.0.1:{service.port}/openapi.json"
    run = _schemathesis(tmp_path, "--config-file", settings, "run", url,
                        "--max-examples", MANY)
    assert run.returncode == 0, run.stdout
    assert "Traceback" not in service.log.read_text()


def test_an_undocumented_answer_would_be_found(
        service: Service, tmp_path: Path) -> None:
    """A document that keeps one status to itself turns the run red."""
    document = copy.deepcopy(DOCUMENT)
    del document["paths"]["/profile"]["get"]["responses"]["403"]
    file = tmp_path / "openapi.json"
    file.write_text(json.dumps(document))
    run = _schemathesis(
        tmp_path, "run", file, "--url", f"http://127.0.0.1:{service.port}",
        "--include-path", "/profile", "--phases", "fuzzing",
        "--max-examples", FEW)
    assert run.returncode == 1, run.stdout
    assert "Undocumented status code" in run.stdout


def _cookie(service: Service, email: str) -> str:
    """Register somebody, start a session, and return its cookie."""
    person = dict(BOB, email=email)
    service.request("POST", "/users", person)
    answer = service.request("POST", "/sessions", person)
    return answer.headers["Set-Cookie"].partition(";")[0]


def _schemathesis(folder: Path, *arguments: Any) -> Any:
    """Run schemathesis without chance, and return what became of it."""
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, *map(str, arguments), "--no-color",
         "--generation-deterministic", "--request-timeout", "10",
         "--max-redirects", "0", "--continue-on-failure"],
        cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        encoding="utf-8", timeout=SECONDS)
