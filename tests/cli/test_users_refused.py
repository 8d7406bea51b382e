#!/usr/bin/env python3
"""What ``vestibule users`` refuses: each time one sentence and a status."""

from typing import Dict, Tuple

import pytest

from tests.cli.commands import Ran, run
from tests.cli.conftest import ADA, PASSWORD
from vestibule.kernel.auth import Auth
from vestibule.kernel.password_policy import SENTENCES

UNFIT = ("The address is not one that mail can be sent to; it should look "
         "like ada@example.com.")
TAKEN = "Somebody is registered with this address already."


def refused(ran: Ran) -> str:
    """Return the one sentence with which a command was refused."""
    assert (ran.status, ran.out) == (1, "")
    assert ran.err.count("\n") == 1
    return ran.err.rstrip("\n")


@pytest.mark.parametrize("who", ["nobody@example.com", "no-such-id"])
@pytest.mark.parametrize("command", [
    "show", "verify", "reset-link", "disable", "enable", "delete --yes",
    "revoke-sessions", "set-email"])
def test_somebody_unknown_is_named(
        command: str, who: str, quick: Dict[str, str]) -> None:
    """The same sentence, whatever was to be done."""
    run(quick, "migrate")
    words = command.split()
    more = ["x@example.com"] if command == "set-email" else []
    ran = run(quick, "users", words[0], who, *more, *words[1:])
    assert refused(ran) == f"There is no user {who}."


def test_a_taken_address_is_refused(
        environ: Dict[str, str], library: Auth, ada: str) -> None:
    """By whichever way, and nothing is changed."""
    library.register_user("bob@example.com", PASSWORD)
    assert refused(run(environ, "users", "create", ADA, "--password-stdin",
                       given="another")) == TAKEN
    assert refused(run(environ, "users", "create", ADA, "--invite")) == TAKEN
    assert refused(run(environ, "users", "set-email", "bob@example.com",
                       ADA)) == TAKEN
    assert library.valid_login(ADA, PASSWORD)
    assert library.valid_login("bob@example.com", PASSWORD)


def test_an_unfit_address_is_refused(
        environ: Dict[str, str], ada: str) -> None:
    """Before a password is asked for, and before anything is made."""
    for unfit in ("nonsense", "a b@example.com", "x@example.test@"):
        assert refused(run(environ, "users", "create", unfit)) == UNFIT
        assert refused(run(environ, "users", "set-email", ADA,
                           unfit)) == UNFIT
    assert "too long" in refused(run(
        environ, "users", "create", "x" * 300 + "@example.com", "--invite"))


def test_local_names_are_for_developers(database_url: str) -> None:
    """In production no mail reaches them."""
    ran = run({"VESTIBULE_DATABASE_URL": database_url}, "users", "create",
              "ada@localhost", "--invite")
    assert ran.status == 1
    assert UNFIT in ran.err


@pytest.mark.parametrize("given, sentence", [
    ("", "The password is empty."),
    ("\n", "The password is empty."),
    ("x" * 257, "The password is too long: 256 characters are the most."),
    ("x" * 9999, "The password is too long: 256 characters are the most."),
    ("a\0b", "The password holds NUL or broken characters."),
    ("one\ntwo\n", "Standard input holds more than one line, so that it is "
     "not clear which is the password."),
    (b"\xff\xfe", "The password is not in UTF-8.")])
def test_an_unfit_password_is_refused(
        given: str, sentence: str, quick: Dict[str, str]) -> None:
    """The sentence never repeats the password."""
    run(quick, "migrate")
    ran = run(quick, "users", "create", ADA, "--password-stdin", given=given)
    assert refused(ran) == sentence


def test_a_short_password_is_refused_in_production(
        database_url: str, library: Auth) -> None:
    """The sentence says how long it has to be."""
    ran = run({"VESTIBULE_DATABASE_URL": database_url}, "users", "create",
              ADA, "--password-stdin", given="hunter2")
    assert refused(ran) == "A password needs at least 15 characters."
    assert not library.db.list_users(1)


@pytest.mark.parametrize("given, sentence", [
    ("correcthorsebatterystaple", SENTENCES["common"]),
    ("ada@example.com 1815", SENTENCES["contains_email"])])
def test_an_easy_password_is_refused_in_production(
        given: str, sentence: str, database_url: str, library: Auth) -> None:
    """R020: operators are bound to the rules, too, and told once."""
    ran = run({"VESTIBULE_DATABASE_URL": database_url}, "users", "create",
              ADA, "--password-stdin", given=given)
    assert refused(ran) == sentence
    assert not library.db.list_users(1)


def test_without_a_terminal_nobody_is_asked(
        environ: Dict[str, str], library: Auth, ada: str) -> None:
    """A script learns which option it lacks, and waits for nothing."""
    assert refused(run(environ, "users", "create", "bob@example.com",
                       given=f"{PASSWORD}\n{PASSWORD}\n")) == (
        "There is no terminal to ask for a password on: use "
        "--password-stdin or --invite.")
    assert refused(run(environ, "users", "delete", ADA, given="y\n")) == (
        "There is no terminal to ask on: add --yes to delete without being "
        "asked.")
    assert library.valid_login(ADA, PASSWORD)


def test_a_link_needs_a_base_url(
        database_url: str, library: Auth, ada: str) -> None:
    """In production nobody guesses it, and nobody is made in vain."""
    environ = {"VESTIBULE_DATABASE_URL": database_url}
    for command in (("reset-link", ADA),
                    ("create", "bob@example.com", "--invite")):
        assert refused(run(environ, "users", *command)) == (
            "VESTIBULE_BASE_URL is not set: the link begins with it.")
    assert len(library.db.list_users(9)) == 1


def test_there_is_no_link_for_a_disabled_user(
        environ: Dict[str, str], ada: str) -> None:
    """It would not work; what would is said."""
    run(environ, "users", "disable", ADA)
    assert refused(run(environ, "users", "reset-link", ADA)) == (
        f"{ADA} is disabled: run `vestibule users enable` first.")


@pytest.mark.parametrize("arguments", [
    ("create",), ("show",), ("set-email", ADA), ("list", "--limit", "0"),
    ("list", "--limit", "many"), ("show", ADA, "--nonsense"),
    ("create", ADA, "--invite", "--password-stdin"),
    ("show", "a\x1b[2Jda@example.com"), ("create", "a\udcffda@example.com"),
    ("create", ADA, "--password", "hunter2")])
def test_wrong_arguments_are_told_from_refusals(
        arguments: Tuple[str, ...], quick: Dict[str, str]) -> None:
    """They end with status 2 and say how the command is used."""
    ran = run(quick, "users", *arguments)
    assert (ran.status, ran.out) == (2, "")
    assert ran.err.startswith("Usage: vestibule users ")
    assert "Error: " in ran.err
