#!/usr/bin/env python3
"""The program as a whole: how it starts, refuses and stops."""

import socket
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Dict

import pytest

from tests.cli.commands import Terminal, execute, run, spawn
from tests.support.postgresql import free_port
from vestibule import __version__
from vestibule.cli.refusals import sentences
from vestibule.store.db import OperationalError
from vestibule.store.schema import HEAD

ADA = "ada@example.com"


def test_the_module_is_the_program(quick: Dict[str, str]) -> None:
    """``python3 -m vestibule`` names itself as the script does."""
    ran = execute(quick, "users", "nonsense")
    assert ran.status == 2
    assert ran.err.startswith("Usage: vestibule users ")


def test_version_says_what_it_stands_on(quick: Dict[str, str]) -> None:
    """A report of a problem can begin with it."""
    ran = execute(quick, "version")
    assert ran.status == 0, ran.err
    told = dict(line.split() for line in ran.out.splitlines())
    assert told["Vestibule"] == __version__
    assert told["Python"] == sys.version.split()[0]
    assert told["SQLAlchemy"].startswith(("1.3.", "1.4.", "2."))
    assert (told["Schema"], told["Database"]) == (HEAD, "sqlite")


def test_version_answers_whatever_the_settings_are() -> None:
    """Broken settings are when the version is asked for."""
    ran = run({"VESTIBULE_NONSENSE": "1"}, "version")
    assert ran.status == 0
    assert "unknown: see `vestibule config check`" in ran.out
    assert run({}, "--version").out == f"Vestibule {__version__}\n"


def test_a_mistaken_setting_is_one_line(quick: Dict[str, str]) -> None:
    """Every problem has its line, and there is no traceback."""
    quick.update(VESTIBULE_BCRYPT_COST="99", VESTIBULE_THREDS="3")
    for command in ("serve", "migrate", "deliver", "users list",
                    "config show", "config check"):
        ran = run(quick, *command.split())
        assert (ran.status, ran.out) == (1, "")
        first, second = ran.err.splitlines()
        assert first.startswith("VESTIBULE_THREDS (environment) is not a ")
        assert second.startswith("VESTIBULE_BCRYPT_COST must be ")


@pytest.mark.parametrize("command", [
    "users list", "users show x", "migrate --check", "deliver"])
def test_a_missing_database_is_not_made_by_accident(
        command: str, quick: Dict[str, str], folder: Path) -> None:
    """Who runs a command in the wrong folder learns of it."""
    ran = run(quick, *command.split())
    assert (ran.status, ran.out) == (1, "")
    assert ran.err == (
        f"There is no database {folder / 'quick.db'}: VESTIBULE_DATABASE_URL "
        "says which it is, and `vestibule migrate` makes it.\n")
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:"])
def test_a_database_in_memory_is_refused(
        url: str, quick: Dict[str, str], folder: Path) -> None:
    """What would be gone with the command is not begun."""
    quick["VESTIBULE_DATABASE_URL"] = url
    for command in ("users list", "migrate", "deliver --once",
                    f"users create {ADA} --invite"):
        ran = run(quick, *command.split())
        assert (ran.status, ran.out) == (1, "")
        assert ran.err.endswith("memory, which would end with this "
                                "command.\n")
    assert list(folder.iterdir()) == []


def test_a_file_that_is_no_database_is_refused(
        quick: Dict[str, str], folder: Path) -> None:
    """The driver's own words say what is wrong with the file."""
    (folder / "quick.db").write_text("no database " * 100)
    for command in ("users list", "migrate", "deliver --once"):
        ran = run(quick, *command.split())
        assert (ran.status, ran.out) == (1, "")
        assert ran.err == (
            "The database cannot be used: file is not a database. "
            "VESTIBULE_DATABASE_URL says which it is.\n")


def test_a_folder_that_is_missing_is_named(quick: Dict[str, str]) -> None:
    """A mistyped path is found by reading the sentence."""
    quick["VESTIBULE_DATABASE_URL"] = "sqlite:////no/such/folder/x.db"
    ran = run(quick, "migrate")
    assert ran.status == 1
    assert "/no/such/folder/x.db" in ran.err
    assert "Traceback" not in ran.err


def test_a_server_that_is_down_is_one_sentence(
        quick: Dict[str, str]) -> None:
    """It names the place and the setting, and not the password."""
    pytest.importorskip("psycopg2")
    port = free_port()
    quick["VESTIBULE_DATABASE_URL"] = (
        f"postgresql://me:hunter2@127.0.0.1:{port}/x")
    for command in ("users list", "migrate", "migrate --check",
                    "deliver --once"):
        ran = run(quick, *command.split())
        assert (ran.status, ran.out) == (1, "")
        assert ran.err.startswith("The database cannot be used: ")
        assert str(port) in ran.err and "VESTIBULE_DATABASE_URL" in ran.err
        assert "hunter2" not in ran.err and ran.err.count("\n") == 1


@pytest.mark.parametrize("url", [
    "postgresql:hunter2", "postgresql://me:hunter2/v",
    "postgresql://me:x@h:hunter2/v"])
def test_a_malformed_database_url_is_not_quoted(
        url: str, quick: Dict[str, str]) -> None:
    """Any piece of it may be part of the password."""
    pytest.importorskip("psycopg2")
    quick["VESTIBULE_DATABASE_URL"] = url
    for command in ("users list", "migrate", "deliver", "config check"):
        ran = run(quick, *command.split())
        assert (ran.status, ran.out) == (1, "")
        assert ran.err.startswith(
            "VESTIBULE_DATABASE_URL: the database URL is malformed")
        assert "hunter2" not in ran.err


@pytest.mark.parametrize("command", [
    "users list", "users create ada@example.com --invite", "migrate",
    "migrate --check", "deliver", "deliver --once", "serve"])
def test_the_schema_of_a_newer_vestibule_is_refused(
        command: str, quick: Dict[str, str], folder: Path) -> None:
    """Nothing is changed in what this version does not know."""
    assert run(quick, "migrate").status == 0
    connection = sqlite3.connect(str(folder / "quick.db"))
    with connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    ran = run(quick, *command.split())
    assert (ran.status, ran.out) == (1, "")
    assert ran.err == (
        f"The database's schema is 9999, which this Vestibule, made for "
        f"{HEAD}, does not know: run a newer Vestibule.\n")


def test_a_reader_that_goes_away_is_no_error(quick: Dict[str, str]) -> None:
    """``vestibule config show | head -1`` prints no traceback."""
    process = spawn(quick, "config", "show")
    assert process.stdout is not None
    process.stdout.close()
    process.stdout = None
    _, err = process.communicate(timeout=15)
    assert "Traceback" not in err


def test_interrupted_it_ends_with_130(quick: Dict[str, str]) -> None:
    """Ctrl-C at a question is an answer."""
    terminal = Terminal(quick, "users", "create", ADA)
    terminal.answer("Password: ", "\x03")
    assert terminal.end() == 130
    assert "Traceback" not in terminal.shown
    assert "Abort" not in terminal.shown


def test_serve_names_all_that_production_lacks(folder: Path) -> None:
    """Whoever sets up a service reads once what to do."""
    ran = run({}, "serve")
    assert (ran.status, ran.out) == (1, "")
    assert [line.split()[0] for line in ran.err.splitlines()] == [
        "VESTIBULE_BASE_URL", "VESTIBULE_SECRET_KEY", "VESTIBULE_SMTP_URL",
        "VESTIBULE_MAIL_FROM"]
    assert list(folder.iterdir()) == []


def test_serve_names_a_port_that_is_taken(quick: Dict[str, str]) -> None:
    """Somebody else listens there: one sentence, with what to do."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen(1)
        place = f"127.0.0.1:{other.getsockname()[1]}"
        ran = run(dict(quick, VESTIBULE_BIND=place), "serve")
    assert (ran.status, ran.out) == (1, "")
    assert ran.err.startswith(f"VESTIBULE_BIND={place} cannot be used: ")
    assert ran.err.count("\n") == 1


def test_what_the_system_refuses_is_a_sentence() -> None:
    """The file is named, where there is one."""
    assert sentences(PermissionError(13, "Permission denied", "/x")) == [
        "Permission denied: /x."]
    assert sentences(OSError("the disk is on fire")) == [
        "The disk is on fire."]


def test_a_piece_of_a_password_is_not_repeated() -> None:
    """A driver may take the end of a mistyped password for the host."""
    said = OperationalError(
        "SELECT 1", {}, Exception('no host "word@127.0.0.1"\nmore'))
    assert sentences(said) == [
        "The database cannot be used. VESTIBULE_DATABASE_URL says which it "
        "is."]


def test_routes_lists_what_is_answered(folder: Path) -> None:
    """It needs no settings, leaves nothing, and is sorted by path."""
    ran = run({"VESTIBULE_NONSENSE": "1"}, "routes")
    assert ran.status == 0, ran.err
    rows = [line.split(None, 2) for line in ran.out.splitlines()]
    assert [row[:2] for row in rows] == sorted(
        (row[:2] for row in rows), key=lambda row: (row[1], row[0]))
    assert all(purpose.rstrip(")").endswith((".", "only"))
               for _, _, purpose in rows)
    assert {(method, path) for method, path, _ in rows} >= {
        ("GET", "/"), ("POST", "/users"), ("POST", "/sessions"),
        ("DELETE", "/sessions"), ("GET", "/profile"),
        ("POST", "/reset_password"), ("PUT", "/reset_password")}
    assert list(folder.iterdir()) == []


def test_routes_marks_what_only_developers_have() -> None:
    """Nobody looks for the mailbox in production."""
    lines = run({}, "routes").out.splitlines()
    marked = [line for line in lines if line.endswith("(development only)")]
    assert marked
    assert all("/dev/" in line for line in marked)
    assert not [line for line in lines
                if "/dev/" in line and line not in marked]


def test_it_runs_without_streams(quick: Dict[str, str]) -> None:
    """Started by a supervisor with stdin closed, it refuses all the same."""
    process = subprocess.run(
        ["sh", "-c", f"'{sys.executable}' -m vestibule users delete x <&-"],
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": ":".join(sys.path),
             **quick},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=15)
    assert process.returncode == 1
    assert process.stderr.startswith(b"There is no terminal to ask on")
