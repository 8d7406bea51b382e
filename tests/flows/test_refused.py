#!/usr/bin/env python3
"""Why a request was refused, from a running service to the operator."""

import time
from pathlib import Path
from typing import Dict

from tests.cli.commands import Ran, run
from tests.support.client import BOB
from tests.support.service import Service

FIRST, SECOND = "first-0123456789", "second-0123456789"
# Somewhat longer than refusals wait in memory.
SECONDS = 15


def refuse(service: Service, request_id: str) -> None:
    """Send a request that is refused."""
    answer = service.request("POST", "/sessions", BOB,
                             X_Request_Id=request_id)
    assert (answer.status, answer.headers["X-Request-Id"]) == (
        401, request_id)


def explained_soon(environ: Dict[str, str], request_id: str) -> Ran:
    """Explain a request as soon as that is possible."""
    until = time.monotonic() + SECONDS
    while True:
        ran = run(environ, "explain", request_id)
        if "was refused with 401" in ran.out or time.monotonic() > until:
            return ran
        time.sleep(0.2)


def test_a_killed_service_loses_its_last_seconds_alone(
        environ: Dict[str, str], tmp_path: Path) -> None:
    """R122: what was refused before them is explained after it.

    The event of the login was written with the answer, and is not lost.
    """
    environ = dict(environ, VESTIBULE_WORKERS="1")
    with Service(environ, tmp_path) as service:
        refuse(service, FIRST)
        assert explained_soon(environ, FIRST).status == 0
        refuse(service, SECOND)
        service.kill()
    for request_id, stored in ((FIRST, True), (SECOND, False)):
        told = run(environ, "explain", request_id)
        assert ("was refused with 401" in told.out) == stored
        assert "The reason: unknown_email." in " ".join(told.out.split())


def test_a_service_that_stops_loses_no_refusal(
        environ: Dict[str, str], tmp_path: Path) -> None:
    """R122: of a process that ends in good order."""
    with Service(environ, tmp_path) as service:
        for number in range(9):
            refuse(service, f"{FIRST}-{number}")
        assert service.terminate() == 0
    for number in range(9):
        told = run(environ, "explain", f"{FIRST}-{number}")
        assert "was refused with 401" in told.out
