#!/usr/bin/env python3
"""``vestibule letters``: what an operator sees of the mail."""

import json
from typing import Dict

from tests.cli.commands import run
from vestibule.kernel.auth import Auth
from vestibule.store.letter import DEAD, LetterStore, Outcome


def _dead_letter(library: Auth) -> str:
    """Write a letter that could not be sent; return its id."""
    library.request_reset("ada@example.com")
    store = LetterStore(library.db)
    letter, now = store.newest(1)[0], library.db.clock.now()
    assert store.claim(letter, now)
    store.settle(letter, Outcome(DEAD, now, "550 no such mailbox"), now)
    return letter.id


def test_letters_are_listed_with_their_state(
        environ: Dict[str, str], library: Auth) -> None:
    """R134: a dead letter shows, and why it died."""
    letter_id = _dead_letter(library)
    ran = run(environ, "letters", "list")
    assert ran.status == 0
    head, row = ran.out.splitlines()
    assert head.split() == ["ID", "TO", "KIND", "STATE", "TRIES", "WRITTEN",
                            "ERROR"]
    assert row.split()[:4] == [letter_id, "ada@example.com", "reset", "dead"]
    assert row.endswith("550 no such mailbox")


def test_letters_of_one_state_are_picked(
        environ: Dict[str, str], library: Auth) -> None:
    """As JSON too, which says when the next try is."""
    letter_id = _dead_letter(library)
    library.request_reset("eve@example.com")
    ran = run(environ, "letters", "list", "--state", "dead", "--json")
    (only,) = json.loads(ran.out)
    assert (only["id"], only["state"]) == (letter_id, "dead")
    assert only["next_try_at"].endswith("Z")


def test_a_dead_letter_is_queued_again_once(
        environ: Dict[str, str], library: Auth) -> None:
    """The second time there is no dead letter any more."""
    letter_id = _dead_letter(library)
    ran = run(environ, "letters", "retry", letter_id)
    assert (ran.status, ran.out) == (0, f"Queued the letter {letter_id}.\n")
    letter = LetterStore(library.db).newest(1)[0]
    assert (letter.state, letter.attempts) == ("queued", 0)
    again = run(environ, "letters", "retry", letter_id)
    assert again.status == 1
    assert again.err.startswith(f"There is no dead letter {letter_id}: ")
