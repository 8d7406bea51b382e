#!/usr/bin/env python3
"""A row that is inserted unless there is one."""

from functools import partial
from typing import Any

from tests.support.builders import EMAIL, HASH, count
from tests.support.processes import Processes, errors_of
from vestibule.store.attempt import Attempt
from vestibule.store.db import DB
from vestibule.store.inserting import insert_new

RACERS = 6


def put(db: DB, burst: Any) -> bool:
    """Insert a row under one key."""
    return insert_new(db, "attempts", key="a", count=1, open=1,
                      burst=burst, ends_at=1)


def test_a_row_that_is_there_is_left_alone(db: DB) -> None:
    """And the open transaction stays usable, on every database."""
    with db.transaction() as work:
        assert put(db, 1) is True
        assert put(db, 2) is False
        db.add_user(EMAIL, HASH)
        assert [row[0] for row in work.query(Attempt.burst)] == [1]
    assert db.find_user_by(email=EMAIL)


def test_of_many_at_once_one_inserts_it(database_url: str) -> None:
    """R104: the others wait for it, and are told that it is there."""
    DB(database_url).close()
    with Processes(partial(DB, database_url), [put] * RACERS) as racers:
        found = racers.run(1)
    assert errors_of(found) == []
    assert sorted(each.value for each in found) == (
        [False] * (RACERS - 1) + [True])
    db = DB(database_url)
    assert count(db, "attempts") == 1
    db.close()
