#!/usr/bin/env python3
"""Where settings come from, and what stops the start."""

from pathlib import Path
from typing import Any, Dict, List

import pytest

from vestibule.base.config import (
    SETTINGS, ConfigError, Settings, load)
from vestibule.base.settings_shown import shown
from vestibule.base.setting_values import Bind

KEY = "0123456789abcdefghijklmnopqrstuv"


def problems_of(environ: Dict[str, str]) -> List[str]:
    """Return the sentences with which a configuration is refused."""
    with pytest.raises(ConfigError) as refusal:
        load(environ)
    assert str(refusal.value) == "\n".join(refusal.value.problems)
    return refusal.value.problems


def write_toml(folder: Path, text: str) -> Dict[str, str]:
    """Write a TOML file; return the environment that names it."""
    path = folder / "vestibule.toml"
    path.write_text(text, encoding="utf-8")
    return {"VESTIBULE_CONFIG": str(path)}


def test_nothing_set_is_a_production_service_on_sqlite() -> None:
    """Production is what one gets without asking, and it is strict."""
    settings = load({}).settings
    assert settings == Settings()
    assert settings.profile == "production"
    assert not settings.is_development
    assert settings.bind == Bind("127.0.0.1", 5000)
    assert settings.database_url == "sqlite:///vestibule.db"
    assert settings.registration == "open"
    assert settings.bcrypt_cost == 12
    assert settings.minimum_password_length == 15


def test_every_setting_is_a_field_with_a_reason() -> None:
    """DESIGN section 3: 60 at most, each with a reason why two differ."""
    assert [setting.field for setting in SETTINGS] == list(Settings._fields)
    assert len(SETTINGS) <= 60
    for setting in SETTINGS:
        assert setting.name == "VESTIBULE_" + setting.field.upper()
        assert len(setting.reason.split()) >= 3


def test_names_of_other_programs_are_not_ours() -> None:
    """Only what begins with ``VESTIBULE_`` is read at all."""
    environ = {"PATH": "/bin", "DATABASE_URL": "x", "vestibule_bind": "x",
               "XVESTIBULE_BIND": "x"}
    assert load(environ).settings == Settings()


def test_all_settings_can_come_from_the_environment() -> None:
    """Each text becomes its value under the field's name."""
    loaded = load({
        "VESTIBULE_PROFILE": "production", "VESTIBULE_BIND": "[::1]:8000",
        "VESTIBULE_BASE_URL": "https://example.com/auth",
        "VESTIBULE_DATABASE_URL": "postgresql+psycopg2://u:p@db/v",
        "VESTIBULE_SECRET_KEY": KEY,
        "VESTIBULE_SMTP_URL": "smtp+tls://mail.example.com",
        "VESTIBULE_MAIL_FROM": "Auth@example.com",
        "VESTIBULE_SERVICE_NAME": "Example",
        "VESTIBULE_SUPPORT_ADDRESS": "help@example.com",
        "VESTIBULE_REGISTRATION": "closed",
        "VESTIBULE_PASSWORD_MIN_LENGTH": "8", "VESTIBULE_BCRYPT_COST": "11",
        "VESTIBULE_WORKERS": "3", "VESTIBULE_THREADS": "4",
        "VESTIBULE_TRUSTED_PROXIES": "10.0.0.0/8"})
    settings = loaded.settings
    assert settings.bind == Bind("::1", 8000)
    assert str(settings.base_url) == "https://example.com/auth"
    assert settings.mail_from == "auth@example.com"
    assert settings.minimum_password_length == 8
    assert (settings.workers, settings.threads) == (3, 4)
    assert str(settings.trusted_proxies[0]) == "10.0.0.0/8"
    assert set(loaded.sources.values()) == {"environment"}


def test_everything_wrong_is_named_at_once() -> None:
    """R148: names, values and clashes, so that all is mended in one go."""
    problems = problems_of({
        "VESTIBULE_BIND": "nowhere", "VESTIBULE_BCRYPT_COST": "4",
        "VESTIBULE_REGISTRATION": "maybe",
        "VESTIBULE_DEVELOPMENT_EXPOSED": "yes",
        "VESTIBULE_XYZZYXYZZYXYZZY": "x"})
    assert sorted(problems) == [
        "VESTIBULE_BCRYPT_COST must be at least 10 in production.",
        "VESTIBULE_BIND must be an address and a port, as in "
        "127.0.0.1:5000, not 'nowhere'.",
        "VESTIBULE_DEVELOPMENT_EXPOSED is for the development profile only.",
        "VESTIBULE_REGISTRATION must be open or closed, not 'maybe'.",
        "VESTIBULE_XYZZYXYZZYXYZZY (environment) is not a setting of "
        "Vestibule."]


@pytest.mark.parametrize("name, meant", [
    ("VESTIBULE_DATABSE_URL", "VESTIBULE_DATABASE_URL"),
    ("VESTIBULE_BCRYPT_COSTS", "VESTIBULE_BCRYPT_COST"),
    ("VESTIBULE_SECRET_KEY_FILES", "VESTIBULE_SECRET_KEY")])
def test_an_unknown_name_is_refused_with_the_nearest(
        name: str, meant: str) -> None:
    """R148: a slip of the fingers does not leave a default in force."""
    assert problems_of({name: "x"}) == [
        f"{name} (environment) is not a setting of Vestibule. "
        f"Did you mean {meant}?"]


def test_a_secret_can_come_from_a_file(tmp_path: Path) -> None:
    """R115: ``VESTIBULE_X_FILE``, its line end dropped, nothing else."""
    path = tmp_path / "key"
    path.write_text(f" {KEY} \r\n")
    loaded = load({"VESTIBULE_SECRET_KEY_FILE": str(path)})
    assert loaded.settings.secret_key == f" {KEY} "
    assert loaded.sources["VESTIBULE_SECRET_KEY"] == f"file {path}"


def test_a_secret_and_its_file_are_one_too_many(tmp_path: Path) -> None:
    """R115: which one counts is not for us to guess."""
    assert problems_of({
        "VESTIBULE_SECRET_KEY": KEY,
        "VESTIBULE_SECRET_KEY_FILE": str(tmp_path)}) == [
            "VESTIBULE_SECRET_KEY and VESTIBULE_SECRET_KEY_FILE are both "
            "set."]


@pytest.mark.parametrize("content, reason", [
    (None, "No such file or directory"), (b"\xff\xfe", "codec")])
def test_a_secret_that_cannot_be_read_stops_the_start(
        content: Any, reason: str, tmp_path: Path) -> None:
    """R115: no file, or no text in it, is said with the reason."""
    path = tmp_path / "key"
    if content is not None:
        path.write_bytes(content)
    problem, = problems_of({"VESTIBULE_SECRET_KEY_FILE": str(path)})
    assert problem.startswith("VESTIBULE_SECRET_KEY_FILE cannot be read: ")
    assert reason in problem


def test_a_weak_secret_in_a_file_is_refused_under_its_name(
        tmp_path: Path) -> None:
    """R115: a file makes no weak key strong."""
    path = tmp_path / "key"
    path.write_text("changeme\n")
    problem, = problems_of({"VESTIBULE_SECRET_KEY_FILE": str(path)})
    assert problem.startswith("VESTIBULE_SECRET_KEY is too weak")
    assert "changeme" not in problem


def test_a_file_of_settings_uses_the_same_names(tmp_path: Path) -> None:
    """TOML: texts, numbers and truth values under the full names."""
    loaded = load(write_toml(tmp_path, """
        VESTIBULE_PROFILE = "development"
        VESTIBULE_DEVELOPMENT_EXPOSED = true
        VESTIBULE_BIND = "0.0.0.0:80"
        VESTIBULE_BCRYPT_COST = 5
        """))
    assert loaded.settings.is_development
    assert loaded.settings.development_exposed
    assert loaded.settings.bcrypt_cost == 5
    assert set(loaded.sources.values()) == {"vestibule.toml"}


def test_the_environment_goes_before_the_file_before_the_default(
        tmp_path: Path) -> None:
    """DESIGN section 3: and each value is shown with its source."""
    environ = write_toml(tmp_path, """
        VESTIBULE_THREADS = 3
        VESTIBULE_SERVICE_NAME = "From the file"
        VESTIBULE_DEVELOPMENT_EXPOSED = false
        """)
    environ["VESTIBULE_THREADS"] = "5"
    loaded = load(environ)
    assert loaded.settings.threads == 5
    assert loaded.settings.service_name == "From the file"
    rows = {name: (value, source) for name, value, source in shown(loaded)}
    assert rows["VESTIBULE_THREADS"] == ("5", "environment")
    assert rows["VESTIBULE_SERVICE_NAME"] == (
        "From the file", "vestibule.toml")
    assert rows["VESTIBULE_DEVELOPMENT_EXPOSED"] == ("no", "vestibule.toml")
    assert rows["VESTIBULE_WORKERS"] == ("", "default")
    assert rows["VESTIBULE_BIND"] == ("127.0.0.1:5000", "default")
    assert list(rows) == [setting.name for setting in SETTINGS]


@pytest.mark.parametrize("text, problem", [
    ("VESTIBULE_XYZZYXYZZYXYZZY = 'blue'",
     "VESTIBULE_XYZZYXYZZYXYZZY (vestibule.toml) is not a setting of "
     "Vestibule."),
    ("VESTIBULE_TREADS = 4",
     "VESTIBULE_TREADS (vestibule.toml) is not a setting of Vestibule. "
     "Did you mean VESTIBULE_THREADS?"),
    ("bind = '127.0.0.1:1'",
     "bind (vestibule.toml) is not a setting of Vestibule."),
    ("VESTIBULE_THREADS = -1",
     "VESTIBULE_THREADS must be a whole number from 1 to 256, not '-1'."),
    ("VESTIBULE_TRUSTED_PROXIES = ['10.0.0.0/8']",
     "VESTIBULE_TRUSTED_PROXIES must be a text or a number."),
    ("[VESTIBULE_BIND]\nport = 1",
     "VESTIBULE_BIND must be a text or a number.")])
def test_what_a_file_has_wrong_is_refused_likewise(
        text: str, problem: str, tmp_path: Path) -> None:
    """R148: unknown names, unusable values, tables and lists."""
    assert problems_of(write_toml(tmp_path, text)) == [problem]


@pytest.mark.parametrize("content", [b"a = ", b"\xff\xfe = 1", None])
def test_a_file_that_cannot_be_read_stops_the_start(
        content: Any, tmp_path: Path) -> None:
    """R148: a named file that is no TOML, or is not there."""
    path = tmp_path / "vestibule.toml"
    if content is not None:
        path.write_bytes(content)
    problem, = problems_of({"VESTIBULE_CONFIG": str(path)})
    assert problem.startswith("VESTIBULE_CONFIG cannot be read: ")


@pytest.mark.parametrize("threads, places, hashing, problem", [
    ("8", "9", "1", "9 places for logins and 8 threads"),
    ("8", "8", "1", "8 places for logins and 8 threads"),
    ("1", None, "1", "VESTIBULE_THREADS must be 2 or more"),
    ("1", "1", "1", "VESTIBULE_THREADS must be 2 or more"),
    ("8", "2", "3", "VESTIBULE_HASHING_PLACES, which is 2."),
    ("8", "7", "7", ""), ("2", None, "1", ""), ("256", None, "192", "")])
def test_hashing_leaves_threads_for_all_else(
        threads: str, places: Any, hashing: str, problem: str) -> None:
    """R125: otherwise the bound would bound nothing; said at the start."""
    environ = {"VESTIBULE_THREADS": threads,
               "VESTIBULE_HASHING_THREADS": hashing}
    if places is not None:
        environ["VESTIBULE_HASHING_PLACES"] = places
    if not problem:
        settings = load(environ).settings
        assert settings.places_for_hashing < settings.threads
        return
    with pytest.raises(ConfigError) as refused:
        load(environ)
    sentence, = refused.value.problems
    assert problem in sentence


def test_there_is_room_for_hashing_by_default() -> None:
    """R125: with any number of threads that may be set."""
    assert Settings().places_for_hashing == 6
    for threads in range(2, 257):
        settings = Settings(threads=threads)
        assert 1 <= settings.places_for_hashing < threads
