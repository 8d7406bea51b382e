#!/usr/bin/env python3
"""Whom the service answers for, and whose requests it takes."""

from typing import Any, Dict

import pytest

from tests.support.client import BOB, Client
from vestibule.base.config import load
from vestibule.web.hosts import allowed_hosts

OURS = "https://example.com"


@pytest.mark.parametrize("host", [
    "evil.org", "example.com.evil.org", "example.com:8443", "", "localhost",
    "example.com@evil.org", "example.org"])
def test_a_foreign_host_is_refused(production: Client, host: str) -> None:
    """R097: 421, on error pages too."""
    for path in ("/", "/profile", "/no-such-page", "/openapi.json"):
        answer = production.get(path, headers={"Host": host})
        assert answer.status_code == 421
        assert host == "" or host not in answer.get_data(as_text=True)


@pytest.mark.parametrize("host", [
    "example.com", "EXAMPLE.com", "example.com:443", "127.0.0.1:5000"])
def test_our_own_hosts_are_answered(production: Client, host: str) -> None:
    """The base URL's host and the bind address are ours."""
    assert production.get("/", headers={"Host": host}).status_code == 200


def test_health_is_told_to_any_host(production: Client) -> None:
    """Probes know a machine by its address alone."""
    answer = production.get("/health/live", headers={"Host": "10.1.2.3"})
    assert answer.status_code == 200


def test_in_development_this_machine_has_all_its_names() -> None:
    """``localhost`` and ``[::1]`` will do there."""
    settings = load({"VESTIBULE_PROFILE": "development",
                     "VESTIBULE_BIND": "127.0.0.1:8080"}).settings
    assert allowed_hosts(settings) == {
        "127.0.0.1:8080", "localhost:8080", "[::1]:8080"}


@pytest.mark.parametrize("headers, taken", [
    ({}, True),
    ({"Origin": OURS}, True),
    ({"Origin": "https://evil.org"}, False),
    ({"Origin": "http://example.com"}, False),
    ({"Origin": "https://example.com.evil.org"}, False),
    ({"Origin": "https://www.example.com"}, False),
    ({"Origin": "null"}, False),
    ({"Origin": ""}, False),
    ({"Sec-Fetch-Site": "same-origin"}, True),
    ({"Sec-Fetch-Site": "none"}, True),
    ({"Sec-Fetch-Site": "same-site"}, False),
    ({"Sec-Fetch-Site": "cross-site"}, False),
    ({"Sec-Fetch-Site": "cross-site", "Origin": OURS}, False),
    ({"Sec-Fetch-Site": "garbage"}, False),
])
def test_an_unsafe_request_of_another_site_has_no_effect(
        production: Client, headers: Dict[str, str], taken: bool) -> None:
    """R045, R047: registering and logging in included, in any encoding."""
    for encoding in ("json", "data"):
        options: Any = {encoding: BOB, "headers": headers}
        answer = production.request("POST", "/users", **options)
        assert (answer.status_code == 403) is not taken
    assert bool(production.services.db.list_users(1)) is taken


def test_another_site_cannot_log_anybody_out(client: Client) -> None:
    """R045: the session is as live as before."""
    client.sign_up()
    client.sign_in()
    answer = client.delete("/sessions",
                           headers={"Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 403
    assert "Set-Cookie" not in answer.headers
    assert client.get("/profile").status_code == 200


def test_links_from_other_sites_are_followed(production: Client) -> None:
    """Safe methods come from anywhere."""
    answer = production.get("/reset?token=x",
                            headers={"Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 200
