#!/usr/bin/env python3
"""The service below a path prefix of its base URL."""

from typing import Dict, Iterator

import pytest

from tests.support.client import Client, make_client
from vestibule.base.config import load


@pytest.fixture
def prefixed(environ: Dict[str, str]) -> Iterator[Client]:
    """Return a client of a service at /auth."""
    made = make_client(load(dict(
        environ, VESTIBULE_BASE_URL="http://127.0.0.1:5000/auth")).settings)
    yield Client(made.app, "http://127.0.0.1:5000/")
    made.services.db.close()


def test_a_proxy_may_hand_the_prefix_on_or_strip_it(
        prefixed: Client) -> None:
    """Both reach the same view, and nothing else does."""
    for path in ("/auth/", "/auth", "/"):
        answer = prefixed.get(path)
        assert answer.get_json() == {"message": "Bienvenue"}
    for path in ("/authx", "/auth/auth/", "/other/"):
        assert prefixed.get(path).status_code == 404


def test_what_leads_back_leads_below_the_prefix(prefixed: Client) -> None:
    """Redirects and pages stay in the part of the site that is ours."""
    prefixed.sign_up()
    prefixed.sign_in()
    answer = prefixed.delete("/sessions")
    assert answer.headers["Location"] == "/auth/"
    for path in ("/auth/reset?token=x", "/reset?token=x"):
        page = prefixed.get(path).get_data(as_text=True)
        assert 'action="/auth/reset"' in page
        assert 'href="/auth/static/vestibule.css"' in page
