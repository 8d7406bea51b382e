#!/usr/bin/env python3
"""Deleting and restoring users by command."""

import json
import re
from typing import Dict, List

import pytest

from tests.cli.commands import Terminal, run
from tests.cli.conftest import ADA, PASSWORD
from vestibule.kernel.auth import Auth
from vestibule.store.db import NoResultFound
from vestibule.store.event import EventStore

INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


def whats(library: Auth, user_id: str) -> List[str]:
    """Return what was written down under an id or a pseudonym."""
    return [each.what for each in EventStore(library.db).of_user(user_id)]


def test_a_deleted_user_is_shut_out_until_restored(
        environ: Dict[str, str], library: Auth, ada: str) -> None:
    """R034, R149: like the person's own; twice tells the same date."""
    session = library.create_session(ADA)
    told = set()
    for _ in range(2):
        ran = run(environ, "users", "delete", ADA, "--yes")
        assert ran.status == 0
        told.add(ran.out)
    [line] = told
    assert re.fullmatch(
        f"{ADA} is shut out, and will be erased after "
        f"{INSTANT.pattern}\\.\n", line)
    assert library.get_user_from_session_id(session) is None
    assert not library.valid_login(ADA, PASSWORD)
    for _ in range(2):
        ran = run(environ, "users", "restore", ada)
        assert (ran.status, ran.out) == (0, f"{ADA} is restored.\n")
    assert library.valid_login(ADA, PASSWORD)
    assert library.get_user_from_session_id(session) is None
    events = EventStore(library.db).of_user(ada)
    assert [each.what for each in events
            if each.what.startswith("user.")][1:] == [
        "user.deletion_announced", "user.restored"]
    assert events[-2].user_agent == "vestibule command line"


def test_the_grace_is_that_of_the_settings(
        environ: Dict[str, str], library: Auth, ada: str) -> None:
    """The date is shown wherever a user is, and the state is a word."""
    environ["VESTIBULE_DELETION_GRACE"] = "30d"
    run(environ, "users", "delete", ADA, "--yes")
    user = library.db.find_user_by(id=ada)
    assert user.delete_after is not None
    assert (user.delete_after - library.db.clock.now()).days == 29
    told = json.loads(run(environ, "users", "show", ADA, "--json").out)
    assert INSTANT.fullmatch(told["delete_after"])
    assert told["state"] == "deleting"
    assert "deleting" in run(environ, "users", "list").out


def test_now_leaves_nothing(
        environ: Dict[str, str], library: Auth, ada: str) -> None:
    """R034, R149: announced before or not; the proof is an operator's."""
    run(environ, "users", "delete", ADA, "--yes")
    ran = run(environ, "users", "delete", ADA, "--now", "--yes")
    assert (ran.status, ran.out) == (0, f"{ADA} is deleted.\n")
    with pytest.raises(NoResultFound):
        library.db.find_user_by(id=ada)
    assert whats(library, ada) == []
    keyed = Auth(library.db, key=environ["VESTIBULE_SECRET_KEY"])
    proof = EventStore(library.db).of_user(keyed.audit.pseudonym(ada))[-1]
    assert (proof.what, proof.user_agent) == (
        "user.erased", "vestibule command line")
    ran = run(environ, "users", "restore", ada)
    assert (ran.status, ran.err) == (1, f"There is no user {ada}.\n")


def test_now_needs_the_key_in_production(
        environ: Dict[str, str], library: Auth, ada: str) -> None:
    """Without it whoever knows an id could find its pseudonym."""
    del environ["VESTIBULE_SECRET_KEY"]
    environ.update(VESTIBULE_PROFILE="production",
                   VESTIBULE_BCRYPT_COST="10")
    ran = run(environ, "users", "delete", ADA, "--now", "--yes")
    assert ran.status == 1
    assert ran.err.startswith("VESTIBULE_SECRET_KEY is not set")
    assert library.db.find_user_by(id=ada)
    assert run(environ, "users", "delete", ADA, "--yes").status == 0


def test_deleting_asks_first(
        environ: Dict[str, str], library: Auth, ada: str) -> None:
    """Only yes is yes, and the question tells which deletion it is."""
    terminal = Terminal(environ, "users", "delete", ADA)
    terminal.answer(f"Delete {ADA}? [y/N]: ", "\n")
    assert terminal.end() == 1
    assert "Nothing was deleted." in terminal.shown
    assert library.valid_login(ADA, PASSWORD)
    terminal = Terminal(environ, "users", "delete", ADA, "--now")
    terminal.answer(f"Delete {ADA} for good? [y/N]: ", "y\n")
    assert terminal.end() == 0
    assert not library.valid_login(ADA, PASSWORD)
