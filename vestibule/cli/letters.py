#!/usr/bin/env python3
"""``vestibule letters``: what became of the mail, and another try for it."""

from typing import Any, Dict, Optional

import click

from vestibule.cli.input import printable
from vestibule.cli.opening import load_settings, open_desk
from vestibule.cli.output import (
    instant, print_aside, print_json, print_table)
from vestibule.cli.refusals import Refusal
from vestibule.store.letter import STATES, Letter, LetterStore


@click.group()
def letters() -> None:
    """See which letters wait, went out or could not be sent.

    \b
    Example:
      vestibule letters list
    """


@letters.command("list")
@click.option("--state", type=click.Choice(STATES),
              help="Only letters in this state.")
@click.option("--limit", type=click.IntRange(1, 10000), default=100,
              show_default=True, help="How many to print at most.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_letters(state: Optional[str], limit: int, as_json: bool) -> None:
    """Print letters, the newest first.

    queued: waits for its next try. sent: a mail server took it. dropped:
    there was nobody to send it to, or a newer one took its place. dead: it
    could not be sent, and is not tried again.

    \b
    Example:
      vestibule letters list --state dead --limit 20
    """
    with open_desk(load_settings().settings) as desk:
        found = LetterStore(desk.auth.db).newest(limit, state)
    if as_json:
        print_json([_facts(letter) for letter in found])
        return
    rows = [("ID", "TO", "KIND", "STATE", "TRIES", "WRITTEN", "ERROR")]
    for letter in found:
        rows.append((letter.id, letter.recipient, letter.kind, letter.state,
                     str(letter.attempts), instant(letter.created_at) or "",
                     letter.last_error or ""))
    print_table(rows)


@letters.command()
@click.argument("letter_id", metavar="ID", callback=printable)
def retry(letter_id: str) -> None:
    """Put a dead letter back into the queue, to be sent at once.

    \b
    Example:
      vestibule letters retry 6f1c1c62-3a0c-4b7e-9d55-0f6a8e0f3b11
    """
    with open_desk(load_settings().settings) as desk:
        store = LetterStore(desk.auth.db)
        if not store.requeue(letter_id, desk.auth.db.clock.now()):
            raise Refusal(f"There is no dead letter {letter_id}: "
                          "`vestibule letters list --state dead` shows them.")
    print_aside("It is sent by the next round of the delivery.")
    click.echo(f"Queued the letter {letter_id}.")


def _facts(letter: Letter) -> Dict[str, Any]:
    """Return a letter as its JSON object."""
    return {"id": letter.id, "to": letter.recipient, "kind": letter.kind,
            "state": letter.state, "attempts": letter.attempts,
            "created_at": instant(letter.created_at),
            "next_try_at": instant(letter.next_try_at),
            "settled_at": instant(letter.settled_at),
            "last_error": letter.last_error}
