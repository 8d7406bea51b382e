#!/usr/bin/env python3
"""``vestibule config``: nothing secret is shown, nothing wrong is missed."""

import json
from pathlib import Path
from typing import Dict, Tuple

import pytest

from tests.cli.commands import execute, run
from vestibule.base.config import SETTINGS

KEY = "tG3kqv9ZsYw1xQ8uLr5nB2mHc7dJf4pA"
PEPPER = "pB7xR2mT9kW4nQ8vL1sY6dF3hJ5gC0zA"
SECRETS = {
    "VESTIBULE_SECRET_KEY": KEY,
    "VESTIBULE_PEPPER": f"2026a:{PEPPER}",
    "VESTIBULE_PEPPER_FALLBACKS": f"a:old{PEPPER}, b:older://{PEPPER}@x",
    "VESTIBULE_DATABASE_URL": "postgresql://me:hunter2@db.example.com/v",
    "VESTIBULE_SMTP_URL": "smtp+starttls://me:letmein@mx.example.com:587",
}


@pytest.fixture
def production() -> Dict[str, str]:
    """Return the environment of a service that could start."""
    return dict(SECRETS, VESTIBULE_BASE_URL="https://example.com/auth",
                VESTIBULE_MAIL_FROM="mail@example.com")


@pytest.mark.parametrize("option", [(), ("--json",)])
def test_show_masks_every_secret(
        option: Tuple[str, ...], production: Dict[str, str]) -> None:
    """Who may look over a shoulder learns no password."""
    ran = execute(production, "config", "show", *option)
    assert ran.status == 0, ran.err
    for secret in (KEY, PEPPER, "hunter2", "letmein"):
        assert secret not in ran.out + ran.err
    assert "me:********@db.example.com/v" in ran.out


@pytest.mark.parametrize("name, text", [
    ("SECRET_KEY", f"{KEY}://{KEY}"),
    ("DATABASE_URL", "postgresql://h/db?user=me&password=hunter2"),
    ("DATABASE_URL", "postgresql://h/db?password=hunter2@x&user=me"),
    ("DATABASE_URL", "postgresql://h/db?user=a@b&password=hunter2"),
    ("DATABASE_URL", "postgresql://me:hunter2/db"),
    ("DATABASE_URL", "postgresql://me:hun/hunter2@h/db"),
    ("SMTP_URL", "smtps://me:x?hunter2@h"),
    ("SMTP_URL", "smtps://me:hunter2"),
    ("SMTP_URL", "hunter2")])
def test_show_masks_what_only_may_be_a_secret(name: str, text: str) -> None:
    """Mistyped, a password may stand where nobody expects one."""
    ran = run({f"VESTIBULE_{name}": text}, "config", "show")
    assert ran.status == 0, ran.err
    assert "hunter2" not in ran.out and KEY not in ran.out


@pytest.mark.parametrize("text", [
    "sqlite:///vestibule.db", "sqlite:////var/lib/my service/v.db",
    "postgresql+psycopg2://db.example.com:5432/v", "postgresql://[::1]:1/v",
    "postgresql:///v"])
def test_show_shows_a_url_without_a_secret(text: str) -> None:
    """Which database it is, is what the operator wants to know."""
    ran = run({"VESTIBULE_DATABASE_URL": text}, "config", "show")
    assert f" {text}  environment" in ran.out


def test_a_pepper_can_come_from_a_file(folder: Path) -> None:
    """R027, R115: as every secret, and it is not shown either."""
    (folder / "pepper").write_text(f"2026a:{PEPPER}\n")
    ran = run({"VESTIBULE_PEPPER_FILE": "pepper"}, "config", "show")
    assert PEPPER not in ran.out
    assert "VESTIBULE_PEPPER " in ran.out and "file pepper" in ran.out


@pytest.mark.parametrize("environ", [
    {"PEPPER": f"a:{PEPPER}", "PEPPER_FALLBACKS": f"a:x{PEPPER}"},
    {"PEPPER_FALLBACKS": f"a:{PEPPER},a:x{PEPPER}"}])
def test_two_peppers_with_one_id_are_refused(
        environ: Dict[str, str]) -> None:
    """R027: the id in a hash has to say which of them it was."""
    ran = run({f"VESTIBULE_{name}": text for name, text in environ.items()},
              "config", "show")
    assert ran.status == 1 and PEPPER not in ran.err
    assert "use an id twice" in ran.err


def test_show_masks_a_secret_from_a_file(folder: Path) -> None:
    """The source is the file, and its content stays in it."""
    (folder / "key").write_text(KEY + "\n")
    ran = run({"VESTIBULE_SECRET_KEY_FILE": "key"}, "config", "show")
    assert KEY not in ran.out
    line, = [line for line in ran.out.splitlines() if "SECRET_KEY" in line]
    assert line.split(None, 2) == [
        "VESTIBULE_SECRET_KEY", "********", "file key"]


def test_show_says_where_each_value_comes_from(folder: Path) -> None:
    """The environment wins over the file, the file over the default."""
    (folder / "v.toml").write_text(
        'VESTIBULE_SERVICE_NAME = "From the file"\n'
        'VESTIBULE_BIND = "127.0.0.1:5001"\n')
    ran = run({"VESTIBULE_CONFIG": "v.toml",
               "VESTIBULE_BIND": "127.0.0.1:5002"},
              "config", "show", "--json")
    rows = json.loads(ran.out)
    assert [row["name"] for row in rows] == [each.name for each in SETTINGS]
    told = {row["name"]: (row["value"], row["source"]) for row in rows}
    assert told["VESTIBULE_BIND"] == ("127.0.0.1:5002", "environment")
    assert told["VESTIBULE_SERVICE_NAME"] == ("From the file", "v.toml")
    assert told["VESTIBULE_THREADS"] == ("8", "default")


def test_show_aligns_its_columns() -> None:
    """A table is read by eye."""
    lines = run({}, "config", "show").out.splitlines()
    place = lines[0].index("SOURCE")
    assert {line[place:] for line in lines[1:]} == {"default"}


def test_check_is_content_with_what_suffices(
        production: Dict[str, str], quick: Dict[str, str],
        folder: Path) -> None:
    """It says so in one word, and makes no file."""
    production["VESTIBULE_DATABASE_URL"] = "sqlite:///v.db"
    for environ in (production, quick):
        ran = run(environ, "config", "check")
        assert (ran.status, ran.out, ran.err) == (0, "ok\n", "")
    assert list(folder.iterdir()) == []


def test_check_names_every_problem() -> None:
    """What is missing and what is unusable stand together."""
    ran = run({"VESTIBULE_SMTP_URL": "smtp://mail.example.com",
               "VESTIBULE_DATABASE_URL": "mysql://x"}, "config", "check")
    assert (ran.status, ran.out) == (1, "")
    assert [line.split()[0].rstrip(":") for line in ran.err.splitlines()] == [
        "VESTIBULE_BASE_URL", "VESTIBULE_SECRET_KEY", "VESTIBULE_MAIL_FROM",
        "VESTIBULE_DATABASE_URL", "VESTIBULE_SMTP_URL"]


def test_check_quotes_no_secret(production: Dict[str, str]) -> None:
    """A mistyped password is not printed to explain what is wrong."""
    production["VESTIBULE_SMTP_URL"] = "smtps://me:let@me:in@h:465"
    ran = run(production, "config", "check")
    assert ran.status == 1
    assert "VESTIBULE_SMTP_URL: " in ran.err and "let" not in ran.err
