#!/usr/bin/env python3
"""The last use of a session, from a request to the table, over a stop."""

from datetime import timedelta
from pathlib import Path
from typing import Dict

from tests.support.client import BOB
from tests.support.service import Service
from vestibule.store.db import DB
from vestibule.store.session import Session

ROUNDS = 3


def test_a_service_that_stops_writes_down_what_it_noted(
        environ: Dict[str, str], tmp_path: Path) -> None:
    """R039: what waits in memory for the next batch is not lost by SIGTERM.
    """
    environ = dict(environ, VESTIBULE_WORKERS="1")
    db = DB(environ["VESTIBULE_DATABASE_URL"])
    for _ in range(ROUNDS):
        with Service(environ, tmp_path) as service:
            service.request("POST", "/users", BOB)
            answer = service.request("POST", "/sessions", BOB)
            cookie = answer.headers["Set-Cookie"].partition(";")[0]
            long_ago = db.clock.now() - timedelta(minutes=5)
            with db.transaction() as work:
                work.query(Session).update({Session.last_seen_at: long_ago},
                                           synchronize_session=False)
            used = service.request("GET", "/session/check", Cookie=cookie)
            assert used.status == 204
            assert service.terminate() == 0
        with db.reading() as work:
            noted = [row[0] for row in work.query(Session.last_seen_at)]
        assert max(noted) > long_ago
    db.close()
