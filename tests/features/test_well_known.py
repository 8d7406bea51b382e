#!/usr/bin/env python3
"""``/.well-known``: what browsers and researchers look for by themselves."""

from datetime import datetime, timedelta, timezone
from typing import Any, Dict

import pytest

from tests.support.client import Client, make_client
from tests.support.clock import SetClock
from vestibule.base.config import Settings, load
from vestibule.base.setting_values import base_url

CHANGE_PASSWORD = "/.well-known/change-password"
SECURITY_TXT = "/.well-known/security.txt"


def served(settings: Settings, clock: SetClock, **changes: Any) -> Client:
    """Return a client of a service with some settings changed."""
    return make_client(settings._replace(**changes), clock)


def test_password_managers_find_the_page(client: Client) -> None:
    """There is a form there, and a page that is not there is 404."""
    answer = client.get(CHANGE_PASSWORD)
    assert answer.status_code == 303
    page = client.get(answer.headers["Location"])
    assert page.status_code == 200 and b"<form" in page.data
    missing = "/.well-known/resource-that-should-not-exist-whose-status-code-"
    assert client.get(
        f"{missing}should-not-be-200").status_code == 404


@pytest.mark.parametrize("path", [
    CHANGE_PASSWORD, f"/auth{CHANGE_PASSWORD}"])
def test_under_a_path_the_page_is_under_it_too(
        settings: Settings, clock: SetClock, path: str) -> None:
    """Asked for at the root of the host, it leads below the base URL."""
    client = served(
        settings, clock, base_url=base_url("https://example.com/auth"))
    answer = client.request(
        "GET", path, base_url="https://example.com")
    assert answer.status_code == 303
    assert answer.headers["Location"] == "/auth/forgot"
    client.services.db.close()


def test_without_a_contact_there_is_no_security_txt(client: Client) -> None:
    """A file without a Contact would be none (RFC 9116 2.5.3)."""
    assert client.get(SECURITY_TXT).status_code == 404


@pytest.mark.parametrize("url, canonical", [
    ("https://example.com", ["https://example.com"]),
    ("https://example.com/auth",
     ["https://example.com", "https://example.com/auth"])])
def test_security_txt_says_whom_to_tell(
        environ: Dict[str, str], clock: SetClock, url: str,
        canonical: Any) -> None:
    """RFC 9116: Contact, Expires within a year, and where it is found."""
    settings = load(dict(
        environ, VESTIBULE_BASE_URL=url,
        VESTIBULE_SECURITY_CONTACT="Security@Example.com")).settings
    client = make_client(settings, clock)
    answer = client.request("GET", SECURITY_TXT,
                            base_url="https://example.com")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    contact, expires, *places = answer.text.splitlines()
    assert contact == "Contact: mailto:security@example.com"
    assert places == [
        f"Canonical: {each}/.well-known/security.txt" for each in canonical]
    until = datetime.strptime(expires, "Expires: %Y-%m-%dT%H:%M:%SZ").replace(
        tzinfo=timezone.utc)
    left = until - clock.now()
    assert timedelta(days=90) < left < timedelta(days=365)
    client.services.db.close()


def test_security_txt_never_gets_old(
        settings: Settings, clock: SetClock) -> None:
    """R138: what is served in two years expires in more than two years."""
    client = served(settings, clock,
                    security_contact="https://example.com/report")
    clock.advance(days=730)
    text = client.get(SECURITY_TXT).text
    assert "Contact: https://example.com/report\n" in text
    assert "\nExpires: 2028-08-2" in text
    client.services.db.close()
