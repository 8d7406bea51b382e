#!/usr/bin/env python3
"""``vestibule migrate``, on each kind of database."""

from typing import Dict

import pytest

from tests.cli.commands import run
from vestibule.base.config import load
from vestibule.cli.opening import open_bare
from vestibule.store.schema import EMPTY, HEAD, downgrade

ADA = "ada@example.com"


@pytest.fixture
def bare(bare_url: str) -> Dict[str, str]:
    """Return the environment of production, with a database and no more."""
    return {"VESTIBULE_DATABASE_URL": bare_url}


def test_it_makes_the_schema_once(bare: Dict[str, str]) -> None:
    """The second time there is nothing to do, and it says so."""
    first = run(bare, "migrate")
    assert (first.status, first.out) == (0, f"The schema was made: {HEAD}.\n")
    second = run(bare, "migrate")
    assert (second.status, second.out) == (
        0, f"The schema is {HEAD}, as needed.\n")
    assert second.err == ""


def test_check_tells_and_changes_nothing(bare: Dict[str, str]) -> None:
    """Status 1 before, 0 after: a deployment can ask."""
    for _ in range(2):
        before = run(bare, "migrate", "--check")
        assert (before.status, before.out) == (1, "")
        assert "`vestibule migrate`" in before.err
        assert before.err.count("\n") == 1
    assert run(bare, "migrate").status == 0
    after = run(bare, "migrate", "--check")
    assert (after.status, after.out) == (
        0, f"The schema is {HEAD}, as needed.\n")


def test_check_sees_a_database_that_was_emptied(
        bare: Dict[str, str]) -> None:
    """It is the schema that counts, and not that there is a database."""
    assert run(bare, "migrate").status == 0
    with open_bare(load(bare).settings) as engine:
        downgrade(engine, EMPTY)
    ran = run(bare, "migrate", "--check")
    assert ran.status == 1
    assert ran.err == (f"The database's schema is missing, this Vestibule "
                       f"needs {HEAD}: run `vestibule migrate`.\n")


@pytest.mark.parametrize("command", [
    "users list", f"users create {ADA} --invite", "deliver --once"])
def test_commands_say_when_it_has_to_run(
        command: str, bare: Dict[str, str], database_kind: str) -> None:
    """A server's schema is nobody's to make but this command's."""
    bare.update(VESTIBULE_PROFILE="development")
    ran = run(bare, *command.split())
    if database_kind == "sqlite":
        assert "There is no database" in ran.err or ran.status == 0
    else:
        assert (ran.status, ran.out) == (1, "")
        assert ran.err == (f"The database's schema is missing, this "
                           f"Vestibule needs {HEAD}: run `vestibule "
                           "migrate`.\n")


def test_on_sqlite_it_says_which_file_it_makes(
        quick: Dict[str, str]) -> None:
    """Who is in the wrong folder notices."""
    ran = run(quick, "migrate")
    assert ran.err.startswith("Making the database /")
    assert ran.err.endswith("/quick.db.\n")
    assert run(quick, "migrate").err == ""
