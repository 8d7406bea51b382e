#!/usr/bin/env python3
"""No dead session is served from the cache by real processes, either.

One machine on SQLite, and two on PostgreSQL that share nothing else, with two
processes each. ``make soak`` does the same at length.
"""

import random
from pathlib import Path
from typing import Dict, Optional

import pytest

from tests.support.hunt import ENOUGH_KEPT, hunted
from tests.support.hunt_judge import (
    CHECK, PROFILE, SESSION_PAGE, Answer, Asked, Person, Row, Ticket, find_of)
from tests.support.hunt_tally import Plan
from vestibule.base.digest import digest_of
from vestibule.store.generations import HAS_LOCKS

SHORT = Plan(checks=2000, changes=12, kills=1, seed=0)
ADA, SECRET = "ada@example.com", "a secret"
LIVE = Row("an id", digest_of(SECRET), None, None, 3, "n7")
GOOD = Answer(200, b'HTTP/1.1 200 OK\r\nETag: "3"',
              b'{"email": "ada@example.com", "label": "n7"}')
# The database was seen changed at the instant 20.
OLDEST, NEWEST = 10.0, 20.0


@pytest.mark.skipif(not HAS_LOCKS, reason="there is no cache without locks")
def test_no_dead_session_is_served_while_processes_are_killed(
        environ: Dict[str, str], tmp_path: Path) -> None:
    """R031, R034, R041: at once on the machine, in a second elsewhere.

    The user whom the hunt changes by hand shows that it can tell an old
    answer, and that there were old ones to be had: from the cache.
    """
    plan = SHORT._replace(seed=random.randrange(10 ** 6))
    print(f"seed {plan.seed}")
    done = hunted(environ, tmp_path, plan)
    print(done.summary())
    assert not done.finds
    assert done.surely_kept >= ENOUGH_KEPT


@pytest.mark.parametrize("changed, path", [
    (None, CHECK), (LIVE._replace(disabled_at=1), CHECK),
    (LIVE._replace(delete_after=1), CHECK),
    (LIVE._replace(secret_digest=digest_of("another")), CHECK),
    (LIVE._replace(version=4), PROFILE),
    (LIVE._replace(label="n8"), SESSION_PAGE)])
@pytest.mark.parametrize("machine, began, is_find", [
    (0, NEWEST - 0.001, False), (0, NEWEST, True), (0, NEWEST + 0.001, True),
    (1, NEWEST + 1, False), (1, NEWEST + 1.001, True)])
def test_the_hunt_knows_a_find(
        changed: Optional[Row], path: str, machine: int, began: float,
        is_find: bool) -> None:
    """R041: what began in time was answered rightly, and no other."""
    ticket = ticket_of(0)
    ticket.note(LIVE, OLDEST)
    ticket.note(changed, NEWEST)
    found = find_of(Asked(ticket, path, machine, began), GOOD)
    assert (" was served: " in found) == bool(found) == is_find


@pytest.mark.parametrize("answer, told", [
    (GOOD, ""), (Answer(403, b"", b""), ""), (Answer(503, b"", b""), ""),
    (GOOD._replace(body=b"bob@example.com"), "somebody else's session"),
    (Answer(404, b"", b""), "an answer that nobody expects")])
def test_the_hunt_knows_what_cannot_be(answer: Answer, told: str) -> None:
    """R041: nobody is answered as somebody else."""
    ticket = ticket_of(None)
    ticket.note(LIVE, OLDEST)
    found = find_of(Asked(ticket, CHECK, 0, NEWEST), answer)
    assert found.startswith(told) and bool(found) == bool(told)


def ticket_of(machine: Optional[int]) -> Ticket:
    """Return a session of somebody who changes on this machine."""
    person = Person(ADA, machine)
    person.tickets.append(Ticket(person, f"an id.{SECRET}"))
    return person.tickets[0]
