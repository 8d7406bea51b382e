#!/usr/bin/env python3
"""``vestibule users``: what an operator does, seen by those it is done to."""

import json
import re
from typing import Dict

from tests.cli.commands import Terminal, run
from tests.cli.conftest import ADA, PASSWORD
from vestibule.kernel.auth import Auth
from vestibule.store.event import EventStore

LINK = re.compile(r"http://127\.0\.0\.1:5000/reset\?token=([\w-]{43})\n")


def test_a_user_made_here_can_log_in_and_is_verified(
        environ: Dict[str, str], library: Auth) -> None:
    """The line end of a file is no part of the password in it."""
    ran = run(environ, "users", "create", " Ada@Example.com",
              "--password-stdin", given=f"{PASSWORD}\r\n")
    user = library.authenticate(ADA, PASSWORD)
    assert (ran.status, ran.err) == (0, "")
    assert ran.out == f"Made the user {ADA}, {user.id}.\n"
    assert user.email_verified_at is not None


def test_a_password_keeps_its_blanks(
        environ: Dict[str, str], library: Auth) -> None:
    """Of what is piped only one line end is dropped."""
    run(environ, "users", "create", ADA, "--password-stdin",
        given=" pass wörd \n")
    assert library.valid_login(ADA, " pass wörd ")


def test_the_first_user_is_made_with_the_database(
        quick: Dict[str, str]) -> None:
    """On SQLite nothing has to be done before, and the file is named."""
    ran = run(quick, "users", "create", ADA, "--password-stdin",
              given=PASSWORD)
    assert ran.status == 0
    assert ran.err.startswith("Making the database /")
    assert json.loads(run(quick, "users", "list", "--json").out)[0][
        "email"] == ADA


def test_a_password_is_asked_for_twice_unseen(
        environ: Dict[str, str], library: Auth) -> None:
    """At a terminal nothing of it is shown."""
    terminal = Terminal(environ, "users", "create", ADA)
    terminal.answer("Password: ", f"{PASSWORD}\n")
    terminal.answer("The same again: ", f"{PASSWORD}\n")
    assert terminal.end() == 0
    assert PASSWORD not in terminal.shown
    assert library.valid_login(ADA, PASSWORD)


def test_an_invited_user_chooses_the_password(
        environ: Dict[str, str], library: Auth) -> None:
    """The link stands alone on stdout, and is good for one password."""
    ran = run(environ, "users", "create", ADA, "--invite")
    assert ran.status == 0
    link = LINK.fullmatch(ran.out)
    assert link is not None
    assert "30 minutes" in ran.err and ADA in ran.err
    user = library.db.find_user_by(email=ADA)
    assert user.hashed_password is None and user.email_verified_at
    library.update_password(link.group(1), PASSWORD)
    assert library.valid_login(ADA, PASSWORD)


def test_a_reset_link_is_the_mailed_one(
        environ: Dict[str, str], library: Auth, ada: str) -> None:
    """The support desk hands on what the person could have been mailed."""
    ran = run(environ, "users", "reset-link", ada)
    link = LINK.fullmatch(ran.out)
    assert link is not None
    assert "good once, for 30 minutes" in ran.err
    session = library.create_session(ADA)
    library.update_password(link.group(1), "another password")
    assert library.valid_login(ADA, "another password")
    assert library.get_user_from_session_id(session) is None


def test_links_begin_with_the_base_url(
        environ: Dict[str, str], ada: str) -> None:
    """A path prefix belongs to it."""
    environ.update(VESTIBULE_PROFILE="production", VESTIBULE_BCRYPT_COST="10",
                   VESTIBULE_BASE_URL="https://example.com/auth/")
    ran = run(environ, "users", "reset-link", ADA)
    assert ran.out.startswith("https://example.com/auth/reset?token=")


def test_production_needs_the_database_alone(
        database_url: str, library: Auth) -> None:
    """An operator's shell has no mail server, key or base URL."""
    environ = {"VESTIBULE_DATABASE_URL": database_url,
               "VESTIBULE_BCRYPT_COST": "10"}
    made = run(environ, "users", "create", ADA, "--password-stdin",
               given=PASSWORD)
    assert made.status == 0, made.err
    for command in ("list", f"show {ADA}", f"verify {ADA}",
                    f"disable {ADA}", f"enable {ADA}",
                    f"revoke-sessions {ADA}", f"delete {ADA} --yes"):
        ran = run(environ, "users", *command.split())
        assert (ran.status, ran.err) == (0, ""), command


def test_a_disabled_user_is_shut_out_until_enabled(
        environ: Dict[str, str], library: Auth, ada: str) -> None:
    """Sessions end at once; twice is as good as once."""
    session = library.create_session(ADA)
    for _ in range(2):
        ran = run(environ, "users", "disable", ADA)
        assert (ran.status, ran.out) == (0, f"{ADA} is disabled.\n")
    assert library.get_user_from_session_id(session) is None
    assert not library.valid_login(ADA, PASSWORD)
    for _ in range(2):
        ran = run(environ, "users", "enable", ada)
        assert (ran.status, ran.out) == (0, f"{ADA} is enabled.\n")
    assert library.valid_login(ADA, PASSWORD)
    assert library.get_user_from_session_id(session) is None


def test_revoking_ends_every_session(
        environ: Dict[str, str], library: Auth, ada: str) -> None:
    """It says how many there were, and logging in still works."""
    sessions = [library.create_session(ADA) for _ in range(2)]
    ran = run(environ, "users", "revoke-sessions", ADA)
    assert (ran.status, ran.out) == (0, f"Sessions of {ADA} ended: 2.\n")
    for session in sessions:
        assert library.get_user_from_session_id(session) is None
    assert library.valid_login(ADA, PASSWORD)


def test_an_address_can_be_changed(
        environ: Dict[str, str], library: Auth, ada: str) -> None:
    """The canonical spelling is stored and told."""
    ran = run(environ, "users", "set-email", ADA, "Lovelace@Example.ORG")
    assert (ran.status, ran.out) == (
        0, f"{ADA} is lovelace@example.org now.\n")
    assert library.valid_login("lovelace@example.org", PASSWORD)
    assert not library.valid_login(ADA, PASSWORD)


def test_an_address_can_be_vouched_for(
        environ: Dict[str, str], library: Auth) -> None:
    """Verifying twice leaves the first time standing."""
    library.register_user(ADA, PASSWORD)
    assert library.db.find_user_by(email=ADA).email_verified_at is None
    assert run(environ, "users", "verify", ADA).status == 0
    first = library.db.find_user_by(email=ADA).email_verified_at
    ran = run(environ, "users", "verify", ADA)
    assert (ran.status, ran.out) == (0, f"{ADA} is verified.\n")
    assert library.db.find_user_by(email=ADA).email_verified_at == first
    assert first is not None


def test_show_tells_all_but_the_hash(
        environ: Dict[str, str], library: Auth, ada: str) -> None:
    """Times are ISO 8601 in UTC, and sessions are counted."""
    library.create_session(ADA)
    told = json.loads(run(environ, "users", "show", ADA, "--json").out)
    instant = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
    for name in ("created_at", "updated_at", "email_verified_at"):
        assert instant.fullmatch(told.pop(name))
    assert told == {"id": ada, "email": ADA, "state": "active",
                    "disabled_at": None, "delete_after": None,
                    "has_password": True, "sessions": 1}
    shown = run(environ, "users", "show", ada).out
    assert "$2b$" not in shown
    assert dict(line.split() for line in shown.splitlines())[
        "sessions"] == "1"


def test_show_counts_no_session_that_is_over(
        environ: Dict[str, str], auth: Auth, ada: str) -> None:
    """The clock of the fixture is months behind the real one."""
    auth.create_session(ADA)
    told = json.loads(run(environ, "users", "show", ADA, "--json").out)
    assert told["sessions"] == 0


def test_list_goes_page_by_page(
        environ: Dict[str, str], library: Auth) -> None:
    """It says how to go on, and when there is no more it does not."""
    for name in ("cleo", "ada", "bob"):
        library.register_user(f"{name}@example.com", PASSWORD)
    first = run(environ, "users", "list", "--limit", "2")
    assert [line.split()[0] for line in first.out.splitlines()] == [
        "EMAIL", ADA, "bob@example.com"]
    assert first.err.endswith("--after bob@example.com\n")
    rest = run(environ, "users", "list", "--after", "BOB@example.com")
    assert [line.split()[:3] for line in rest.out.splitlines()[1:]] == [
        ["cleo@example.com", "active", "no"]]
    assert rest.err == ""


def test_list_is_json_for_programs(environ: Dict[str, str]) -> None:
    """Nobody is an empty list."""
    ran = run(environ, "users", "list", "--json")
    assert (ran.status, json.loads(ran.out), ran.err) == (0, [], "")


def test_events_tell_that_it_was_an_operator(
        environ: Dict[str, str], library: Auth, ada: str) -> None:
    """An audit knows a command from a request (requirement R149)."""
    run(environ, "users", "disable", ADA)
    run(environ, "users", "enable", ADA)
    run(environ, "users", "reset-link", ADA)
    run(environ, "users", "delete", ADA, "--yes")
    events = EventStore(library.db).of_user(ada)
    assert [event.what for event in events] == [
        "user.registered", "email.verified", "user.disabled",
        "user.enabled", "reset.issued", "user.deletion_announced"]
    assert {event.user_agent for event in events} == {
        "vestibule command line"}
