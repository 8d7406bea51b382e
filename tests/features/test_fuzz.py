#!/usr/bin/env python3
"""Schemathesis makes requests up from `openapi.json` and sends them.

It runs as a program of its own against a running service, which is asked for
the document: good requests and bad ones, one by one and in sequences, about
a thousand on each kind of database, always the same. It does so as a
stranger, and then as somebody who is signed in.
"""

import copy
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, Iterator

import pytest

from tests.support.contract import Contract
from tests.support.examples import factor
from tests.support.service import ROOT, Service
from vestibule.features.api_document.routes import DOCUMENT

schemathesis = pytest.importorskip(
    "schemathesis", reason="schemathesis is installed with SQLAlchemy 2 on "
    "Python 3.12 and newer only: make test STACK=sqlalchemy2")
fuzz_session = pytest.importorskip("tests.support.fuzz_session")

PROGRAM = "from schemathesis.cli import schemathesis; schemathesis()"
MANY, SOME, FEW = 30, 6, 4
SECONDS = 300
# How many times as much is tried in a long run, and at most.
MORE = min(factor(), 5)
# A session that is not there is 404, and what stands in a line of text no
# pattern of the document says in full; a good registration may find its
# address taken, or its key used by another one, and who is not signed in has
# to say whom the letter is for. A cursor has to be one that was given out. At
# /undo there is a page, too, which is not for programs.
SETTINGS = """
checks.negative_data_rejection.expected-statuses = [
    "400", "401", "403", "404", "405", "411", "412", "413", "415", "422"]
checks.positive_data_acceptance.expected-statuses = [
    "200", "202", "204", "303", "401", "403", "404", "412"]

[[operations]]
include-operation-id = "register_user"
checks.positive_data_acceptance.expected-statuses = [
    "200", "400", "409", "422"]

[[operations]]
include-operation-id = "list_activity"
checks.positive_data_acceptance.expected-statuses = ["200", "403", "422"]

[[operations]]
include-operation-id = "ask_for_verification"
checks.positive_data_acceptance.expected-statuses = ["200", "422"]

[[operations]]
include-operation-id = "undo_change"
checks.unsupported_method.enabled = false
checks.allow_header_conformance.enabled = false

[[operations]]
include-operation-id = ["label_session", "change_profile"]
checks.positive_data_acceptance.expected-statuses = [
    "200", "403", "404", "412", "422"]
"""
CONTRACT = Contract(DOCUMENT)


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
    _assert_faultless(service, tmp_path, {}, "--max-examples", MANY * MORE)


def test_nor_does_one_of_somebody_who_is_signed_in(
        service: Service, tmp_path: Path) -> None:
    """R102: behind the login neither, where every operation succeeds too."""
    behind = [operation for operation in CONTRACT.operations.values()
              if operation.needs_session]
    chosen = [f"--include-operation-id={operation.id}"
              for operation in behind]
    _assert_faultless(
        service, tmp_path, {"SCHEMATHESIS_HOOKS": fuzz_session.__name__},
        "--max-examples", SOME * MORE, *chosen)
    lines = (tmp_path / fuzz_session.ANSWERED).read_text().splitlines()
    for operation in behind:
        done = {f"{operation.id} {status}"
                for status in operation.answers if status < 400}
        assert done.intersection(lines), operation.id


def test_an_undocumented_answer_would_be_found(
        service: Service, tmp_path: Path) -> None:
    """A document that keeps one status to itself turns the run red."""
    document = copy.deepcopy(DOCUMENT)
    del document["paths"]["/profile"]["get"]["responses"]["403"]
    file = tmp_path / "openapi.json"
    file.write_text(json.dumps(document))
    run = _schemathesis(
        tmp_path, {}, "run", file, "--url", f"http://127.0.0.1:{service.port}",
        "--include-path", "/profile", "--phases", "fuzzing",
        "--max-examples", FEW)
    assert run.returncode == 1, run.stdout
    assert "Undocumented status code" in run.stdout


def _assert_faultless(service: Service, folder: Path,
                      environ: Dict[str, str], *options: Any) -> None:
    """Let schemathesis do all it can to the service, and find nothing."""
    settings = folder / "schemathesis.toml"
    settings.write_text(SETTINGS)
    url = f"http://127.0.0.1:{service.port}/openapi.json"
    run = _schemathesis(folder, environ, "--config-file", settings, "run",
                        url, *options)
    assert run.returncode == 0, run.stdout
    assert service.faults() == []


def _schemathesis(folder: Path, environ: Dict[str, str],
                  *arguments: Any) -> Any:
    """Run schemathesis without chance, and return what became of it."""
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, *map(str, arguments), "--no-color",
         "--generation-deterministic", "--request-timeout", "10",
         "--max-redirects", "0", "--continue-on-failure"],
        cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        env=dict(environ, PATH=os.environ["PATH"], PYTHONPATH=str(ROOT)),
        encoding="utf-8", timeout=SECONDS * MORE)
