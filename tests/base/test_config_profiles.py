#!/usr/bin/env python3
"""What each profile asks for, refuses, and derives."""

from pathlib import Path
from datetime import timedelta
from typing import Dict

import pytest

from vestibule.base.config import (
    ConfigError, Settings, load, require_service)
from vestibule.base.settings_shown import shown

KEY = "0123456789abcdefghijklmnopqrstuv"
DEVELOPMENT = {"VESTIBULE_PROFILE": "development"}
SERVICE = {"VESTIBULE_BASE_URL": "https://example.com",
           "VESTIBULE_SECRET_KEY": KEY,
           "VESTIBULE_SMTP_URL": "smtp+tls://mail.example.com",
           "VESTIBULE_MAIL_FROM": "auth@example.com"}


def settings_of(*parts: Dict[str, str], **changes: str) -> Settings:
    """Load settings from parts of an environment, names shortened."""
    environ: Dict[str, str] = {}
    for part in parts:
        environ.update(part)
    for name, value in changes.items():
        environ[f"VESTIBULE_{name}"] = value
    return load(environ).settings


def test_a_production_service_names_all_that_it_lacks() -> None:
    """R115: base URL, key and mail, all at once."""
    with pytest.raises(ConfigError) as refusal:
        require_service(load({}).settings)
    assert refusal.value.problems == [
        "VESTIBULE_BASE_URL is not set: where people reach the service; "
        "links and cookies need it.",
        "VESTIBULE_SECRET_KEY is not set: keys what is signed or masked; "
        "32 random characters or more.",
        "VESTIBULE_SMTP_URL is not set: how mail is sent: "
        "smtp+starttls://user:password@host:587.",
        "VESTIBULE_MAIL_FROM is not set: the address that letters come "
        "from."]


@pytest.mark.parametrize("name", sorted(SERVICE))
def test_a_production_service_can_do_without_none_of_them(name: str) -> None:
    """R115: each is missed by its name, and alone."""
    environ = {key: SERVICE[key] for key in SERVICE if key != name}
    with pytest.raises(ConfigError) as refusal:
        require_service(load(environ).settings)
    problem, = refusal.value.problems
    assert problem.startswith(f"{name} is not set: ")


def test_a_service_that_lacks_nothing_may_start() -> None:
    """A production service with all four, a development one with none."""
    require_service(settings_of(SERVICE))
    require_service(settings_of(DEVELOPMENT))


@pytest.mark.parametrize("cost", ["4", "9"])
def test_production_refuses_to_hash_cheaply(cost: str) -> None:
    """R025: below 10 is refused, whoever asks for it."""
    with pytest.raises(ConfigError, match="at least 10 in production"):
        settings_of(SERVICE, BCRYPT_COST=cost)
    assert settings_of(DEVELOPMENT, BCRYPT_COST=cost).bcrypt_cost == int(cost)
    assert settings_of(SERVICE, BCRYPT_COST="10").bcrypt_cost == 10


def test_production_refuses_short_passwords_below_eight() -> None:
    """R018: 15 unless the operator says less, and never below 8."""
    assert settings_of(SERVICE).minimum_password_length == 15
    lowest = settings_of(SERVICE, PASSWORD_MIN_LENGTH="8")
    assert lowest.minimum_password_length == 8
    with pytest.raises(ConfigError) as refusal:
        settings_of(SERVICE, PASSWORD_MIN_LENGTH="7")
    assert refusal.value.problems == [
        "VESTIBULE_PASSWORD_MIN_LENGTH must be at least 8 in production "
        "(NIST SP 800-63B-4)."]


def test_production_leaves_the_robbed_a_day_at_least() -> None:
    """A thief may ask for a deletion, and its owner must be able to act."""
    assert settings_of(SERVICE).deletion_grace == timedelta(days=14)
    assert settings_of(SERVICE, DELETION_GRACE="1d").deletion_grace
    with pytest.raises(ConfigError) as refusal:
        settings_of(SERVICE, DELETION_GRACE="23h")
    assert refusal.value.problems == [
        "VESTIBULE_DELETION_GRACE must be at least 1d in production: a thief "
        "may have asked for it."]
    assert settings_of(DEVELOPMENT, DELETION_GRACE="1m").deletion_grace


def test_development_takes_any_password_unless_told_otherwise() -> None:
    """DESIGN section 3: one code point will do there."""
    assert settings_of(DEVELOPMENT).minimum_password_length == 1
    told = settings_of(DEVELOPMENT, PASSWORD_MIN_LENGTH="9")
    assert told.minimum_password_length == 9


@pytest.mark.parametrize("url, usable", [
    ("https://example.com", True), ("http://example.com", False),
    ("http://127.0.0.1:5000", True), ("http://[::1]:5000", True),
    ("http://localhost", True), ("http://localhost.example.com", False),
    ("http://10.0.0.1", False)])
def test_production_refuses_http_beyond_this_machine(
        url: str, usable: bool) -> None:
    """DESIGN section 3: cookies travel on the base URL."""
    if usable:
        assert str(settings_of(SERVICE, BASE_URL=url).base_url) == url
        return
    with pytest.raises(ConfigError) as refusal:
        settings_of(SERVICE, BASE_URL=url)
    assert refusal.value.problems == [
        "VESTIBULE_BASE_URL must begin with https:// in production, since "
        "cookies travel on it."]


@pytest.mark.parametrize("bind", ["0.0.0.0:5000", "[::]:5000",
                                  "10.0.0.1:5000", "example.com:5000"])
def test_development_keeps_to_loopback(bind: str) -> None:
    """DESIGN section 3: it hands out reset tokens, so no stranger comes."""
    with pytest.raises(ConfigError) as refusal:
        settings_of(DEVELOPMENT, BIND=bind)
    assert refusal.value.problems == [
        "VESTIBULE_BIND is reachable from other machines, and the "
        "development profile hands out reset tokens: bind to 127.0.0.1, or "
        "set VESTIBULE_DEVELOPMENT_EXPOSED=yes."]
    exposed = settings_of(DEVELOPMENT, BIND=bind, DEVELOPMENT_EXPOSED="yes")
    assert str(exposed.bind) == bind
    assert str(settings_of(SERVICE, BIND=bind).bind) == bind


def test_no_convenience_can_be_switched_on_in_production() -> None:
    """DESIGN section 3: to be exposed is for development alone."""
    with pytest.raises(ConfigError, match="development profile only"):
        settings_of(SERVICE, DEVELOPMENT_EXPOSED="yes")
    assert not settings_of(
        SERVICE, DEVELOPMENT_EXPOSED="no").development_exposed


def test_the_public_url_is_the_base_url_or_else_the_bind_address() -> None:
    """R055: links come from the settings, whatever a request says."""
    assert str(settings_of(SERVICE).public_url) == "https://example.com"
    for bind, url in (("127.0.0.1:5001", "http://127.0.0.1:5001"),
                      ("[::1]:5001", "http://[::1]:5001")):
        settings = settings_of(DEVELOPMENT, BIND=bind)
        assert str(settings.public_url) == url
    exposed = settings_of(DEVELOPMENT, BIND="0.0.0.0:80",
                          DEVELOPMENT_EXPOSED="yes")
    assert str(exposed.public_url) == "http://127.0.0.1:80"


@pytest.mark.parametrize("url, file", [
    ("sqlite:///x.db", "x.db"), ("sqlite:////var/lib/x.db", "/var/lib/x.db"),
    ("postgresql://db/x", "vestibule.db")])
def test_the_development_files_lie_beside_the_database(
        url: str, file: str) -> None:
    """The key and the mailbox are made there, or where the service runs."""
    settings = settings_of(DEVELOPMENT, DATABASE_URL=url)
    assert settings.data_file == Path(file)


@pytest.mark.parametrize("name, value, masked", [
    ("SECRET_KEY", KEY, "********"),
    ("DATABASE_URL", "postgresql+psycopg2://vest:pa:ss@db:5432/v",
     "postgresql+psycopg2://vest:********@db:5432/v"),
    ("DATABASE_URL", "postgresql://vest:p@ss/w@db/v",
     "postgresql://vest:********@db/v"),
    ("DATABASE_URL", "postgresql://db/v", "postgresql://db/v"),
    ("DATABASE_URL", "sqlite:///x.db", "sqlite:///x.db"),
    ("DATABASE_URL", "nonsense", "********"),
    ("SMTP_URL", "smtp+starttls://me:secret@mail.example.com:587",
     "smtp+starttls://me:********@mail.example.com:587"),
    ("REDIS_URL", "rediss://:s%40cret@redis.example.com:6379/0",
     "rediss://:********@redis.example.com:6379/0"),
    ("REDIS_URL", "unix://me:secret@/run/redis.sock?db=1",
     "unix://me:********@/run/redis.sock?********"),
    ("SMTP_URL", "smtp+tls://mail.example.com",
     "smtp+tls://mail.example.com"),
    ("MAIL_FROM", "auth@example.com", "auth@example.com")])
def test_secrets_are_masked_where_settings_are_shown(
        name: str, value: str, masked: str) -> None:
    """R117: ``config show`` shows the user and host of a URL, no more."""
    loaded = load({f"VESTIBULE_{name}": value})
    rows = {row[0]: row[1] for row in shown(loaded)}
    assert rows[f"VESTIBULE_{name}"] == masked


def test_a_refusal_repeats_no_secret() -> None:
    """R117: what is wrong with a secret is said without it."""
    with pytest.raises(ConfigError) as refusal:
        load({"VESTIBULE_SECRET_KEY": "hunter2",
              "VESTIBULE_DATABASE_URL": "postgresql://me:hunter2\n@db/v",
              "VESTIBULE_SMTP_URL": "smtp://me:hunter2\n@mail"})
    assert len(refusal.value.problems) == 3
    assert "hunter2" not in str(refusal.value)
