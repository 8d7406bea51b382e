#!/usr/bin/env python3
"""A service that many requests are sent to, one after the other."""

from typing import Any, Iterator

import pytest

from tests.support.client import make_client
from tests.support.clock import SetClock
from tests.support.databases import SQLITE
from tests.support.fields import Sender
from tests.support.roomy import ROOMY
from vestibule.base.config import load


@pytest.fixture(scope="module")
def sender(tmp_path_factory: pytest.TempPathFactory,
           pytestconfig: Any) -> Iterator[Sender]:
    """Return the means to send to one development service, on SQLite.

    It is for requests of which the database hears nothing, or nothing in
    which databases differ; ``test_same_on_all.py`` looks after those.
    """
    url = pytestconfig.databases.empty(
        SQLITE, tmp_path_factory.mktemp("service"))
    settings = load({
        "VESTIBULE_PROFILE": "development", "VESTIBULE_DATABASE_URL": url,
        "VESTIBULE_LIMITS": ROOMY,
        "VESTIBULE_SECRET_KEY": "a key for tests, 0123456789abcdef",
        "VESTIBULE_BCRYPT_COST": "4"}).settings
    client = make_client(settings, SetClock())
    yield Sender(client)
    client.services.db.close()
