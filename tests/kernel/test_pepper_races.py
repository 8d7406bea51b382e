#!/usr/bin/env python3
"""Services that start at once with a new pepper, in real processes."""

from functools import partial
from typing import Any

from tests.support.builders import count, run_sql
from tests.support.processes import errors_of, racers
from vestibule.base.setting_values import Pepper
from vestibule.kernel.auth import Auth
from vestibule.kernel.peppers import Peppers
from vestibule.store.db import DB
from vestibule.store.pepper_canary import PepperCanaryStore

SECRET = "0123456789abcdefghijklmnopqrstuv"
ROUNDS, MANY = 10, 8


def start(secret: str, auth: Auth, given: Any) -> bool:
    """Start with a pepper, and say whether it is the right one."""
    peppers = Peppers(
        Pepper("2026a", secret), [], PepperCanaryStore(auth.db))
    return peppers.examine() == []


def test_of_many_that_start_at_once_one_writes_the_canary(
        database_url: str) -> None:
    """R027: and it fits for all of them."""
    with racers(database_url, [partial(start, SECRET)] * MANY) as people:
        db = DB(database_url)
        for _ in range(ROUNDS):
            run_sql(db, "DELETE FROM pepper_canaries")
            outcomes = people.run()
            assert errors_of(outcomes) == []
            assert [each.value for each in outcomes] == [True] * MANY
            assert count(db, "pepper_canaries") == 1
        db.close()


def test_of_two_secrets_under_one_id_one_is_wrong(database_url: str) -> None:
    """R027: whichever came first, the others see that theirs is another."""
    actions = [partial(start, secret * (1 + number % 2))
               for number, secret in enumerate([SECRET] * MANY)]
    with racers(database_url, actions) as people:
        db = DB(database_url)
        for _ in range(ROUNDS):
            run_sql(db, "DELETE FROM pepper_canaries")
            outcomes = people.run()
            assert errors_of(outcomes) == []
            verdicts = [each.value for each in outcomes]
            assert sorted(verdicts) == [False] * 4 + [True] * 4
            assert len(set(verdicts[::2])) == len(set(verdicts[1::2])) == 1
        db.close()
