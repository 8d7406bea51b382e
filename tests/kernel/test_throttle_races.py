#!/usr/bin/env python3
"""Tries at one instant, in real processes: the limits are exact."""

from collections import Counter
from typing import Dict, List

from tests.support.builders import EMAIL, make_user, run_sql
from tests.support.limited import (
    IN, REFUSED, THROTTLED, limited, limited_processes, outcome)
from tests.support.processes import Outcome
from vestibule.base.limits import DEFAULTS, QUARTER, Budget
from vestibule.kernel.auth import Auth
from vestibule.store.db import DB

WIDE = Budget(1000000, QUARTER)
PROCESSES = 6


def registered(database_url: str) -> None:
    """Register Bob, and close the database again."""
    db = DB(database_url)
    make_user(limited(db))
    db.close()


def guess_ten_times(auth: Auth, email: str) -> List[str]:
    """Try ten wrong passwords, one after the other."""
    return [outcome(auth, email, f"guess {number}") for number in range(10)]


def sign_in_often(auth: Auth, email: str) -> List[str]:
    """Try the right password, one time after the other."""
    return [outcome(auth, email) for _ in range(15)]


def guess_and_sign_in(auth: Auth, given: object) -> List[str]:
    """Try wrong and right passwords by turns, as a user who has one."""
    found = []
    for number in range(10):
        found.append(outcome(auth, f"user{number}@example.com", "a guess"))
        found.append(outcome(auth).replace(THROTTLED, "right, throttled"))
    return found


def said(found: List[Outcome]) -> Dict[str, int]:
    """Count what came of all tries of all processes."""
    assert not [each for each in found if each.error], found
    return Counter(word for each in found for word in each.value)


def test_of_many_tries_at_once_the_budget_is_made(
        database_url: str) -> None:
    """R073: known or not, exactly ten are evaluated, in all processes."""
    registered(database_url)
    with limited_processes(
            database_url, [guess_ten_times] * PROCESSES) as people:
        for email in (EMAIL, "nobody@example.com"):
            run = DB(database_url)
            run_sql(run, "DELETE FROM attempts WHERE key LIKE '%address%'")
            run.close()
            assert said(people.run(email)) == {
                REFUSED: 10, THROTTLED: 10 * PROCESSES - 10}


def test_those_who_sign_in_at_once_do_not_wait_in_a_circle(
        database_url: str) -> None:
    """R104: every try takes its keys in one order, also when it is over."""
    registered(database_url)
    limits = DEFAULTS._replace(
        password_address=WIDE, password_identifier=WIDE)
    with limited_processes(
            database_url, [sign_in_often] * PROCESSES, limits) as people:
        assert said(people.run(EMAIL)) == {IN: 15 * PROCESSES}


def test_right_passwords_in_between_let_no_guess_more_through(
        database_url: str) -> None:
    """R073, R076: what is left of an address is what was not wrong."""
    registered(database_url)
    limits = DEFAULTS._replace(
        password_address=Budget(20, QUARTER), password_identifier=WIDE)
    with limited_processes(
            database_url, [guess_and_sign_in] * PROCESSES, limits) as people:
        found = said(people.run(None))
    assert found[REFUSED] <= 20 and found[IN] > 0
    assert sum(found.values()) == 2 * 10 * PROCESSES
    db = DB(database_url)
    auth = limited(db, limits)
    left = [outcome(auth, "other@example.com", "x") for _ in range(25)]
    assert found[REFUSED] + left.count(REFUSED) == 20
    db.close()
