#!/usr/bin/env python3
"""A transaction lets every cache know what it changes (decision 44)."""

import os
import stat
from pathlib import Path
from typing import Any, List

import pytest
from sqlalchemy import text

from tests.support.builders import HASH, overheard
from tests.support.clock import SetClock
from vestibule.store import changes
from vestibule.store.changes import slots_told
from vestibule.store.db import DB
from vestibule.store.generations import SLOTS, Generations, slot_of

BOB, EVE = "bob", "eve"


@pytest.fixture(name="numbers")
def fixture_numbers(db: DB) -> Any:
    """Return the numbers of the database."""
    opened = db.generations.get()
    assert opened is not None
    return opened.numbers


def is_in_doubt(numbers: Any, key: str) -> bool:
    """Say whether what is kept of an id may be used."""
    return bool(numbers[slot_of(key)] & 1)


def test_a_change_is_in_doubt_until_it_is_committed(
        db: DB, numbers: Any) -> None:
    """R041: and before whoever made it is told that it is done."""
    seen: List[bool] = []
    with db.transaction():
        db.changing(BOB)
        db.after_commit(lambda: seen.append(is_in_doubt(numbers, BOB)))
        assert is_in_doubt(numbers, BOB)
        assert not is_in_doubt(numbers, EVE)
    assert seen == [False]
    assert numbers[slot_of(BOB)] != 0


def test_who_joins_a_transaction_ends_nothing(db: DB, numbers: Any) -> None:
    """R041: the outermost commit is the one that counts."""
    with db.transaction():
        with db.transaction():
            db.changing(BOB)
            db.changing(BOB, EVE)
        assert is_in_doubt(numbers, BOB) and is_in_doubt(numbers, EVE)
    assert not is_in_doubt(numbers, BOB) and not is_in_doubt(numbers, EVE)


def test_what_is_rolled_back_is_over_as_well(db: DB, numbers: Any) -> None:
    """R041: nothing stays in doubt that is known."""
    with pytest.raises(KeyError):
        with db.transaction():
            db.changing(BOB)
            raise KeyError
    assert not is_in_doubt(numbers, BOB)
    with db.transaction():
        pass
    assert not is_in_doubt(numbers, BOB)


def test_a_commit_that_fails_leaves_doubt(
        db: DB, numbers: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """R041: the server may have done it all the same."""
    with pytest.raises(KeyError):
        with db.transaction() as work:
            db.changing(BOB)

            def fail() -> None:
                """Fail as a connection does that breaks now."""
                raise KeyError

            monkeypatch.setattr(work, "commit", fail)
    assert is_in_doubt(numbers, BOB)
    with db.transaction():
        db.changing(BOB)
    assert not is_in_doubt(numbers, BOB)


def test_every_change_of_a_user_is_announced(db: DB, numbers: Any) -> None:
    """R034, R041: of an attribute, and of there being one at all."""
    user = db.add_user("bob@example.com", HASH)
    before = numbers[slot_of(user.id)]
    db.update_user(user.id, name="Bob")
    changed = numbers[slot_of(user.id)]
    db.delete_user(user.id)
    assert len({before, changed, numbers[slot_of(user.id)]}) == 3


def test_postgresql_is_told_in_the_transaction(db: DB) -> None:
    """R041: one statement for all that changes, none where nothing does."""
    with overheard(db.engine) as statements:
        with db.transaction() as work:
            work.execute(text("SELECT 1"))
            db.changing(BOB, EVE)
            db.changing(BOB)
        with db.transaction() as work:
            work.execute(text("SELECT 1"))
    told = [each for each in statements if "pg_notify" in each]
    assert len(told) == (0 if db.is_sqlite else 1)


def test_slots_are_read_as_they_are_told() -> None:
    """R041: too many for PostgreSQL's 8,000 bytes are all of them."""
    told: List[str] = []

    class Work:
        """Takes down what is told."""

        def execute(self, statement: Any, values: Any) -> None:
            """Take it down."""
            told.append(values["slots"])

    class Nothing:
        """A machine on which nobody has a file."""

        def get(self) -> None:
            """Return that there is none."""

    for count in (1, 1000, 4000):
        change = changes.Changes(Nothing(), True)  # type: ignore[arg-type]
        keys = [f"{n}" for n in range(count)]
        change.of(*keys)
        change.tell(Work())
        change.end(True)
        assert len(told[-1]) < 8000
        assert set(map(slot_of, keys)) <= set(slots_told(told[-1]))
    assert len(slots_told(told[-1])) == SLOTS


def test_the_file_stands_beside_a_sqlite_database(
        db: DB, numbers: Any, tmp_path: Path) -> None:
    """As SQLite's own do; for PostgreSQL it is in memory."""
    names = [path.name for path in tmp_path.iterdir()
             if path.name.endswith("-generations")]
    assert len(names) == (1 if db.is_sqlite else 0)


def test_two_programs_find_the_same_file(
        db: DB, numbers: Any, database_url: str, clock: SetClock) -> None:
    """R041: the service and an operator's command."""
    command = DB(database_url, clock)
    with command.transaction():
        command.changing(BOB)
        assert is_in_doubt(numbers, BOB)
    command.close()


def test_a_file_that_was_taken_away_is_made_anew(
        db: DB, database_url: str, clock: SetClock) -> None:
    """R041: whoever changes something sees it at once."""
    opened = db.generations.get()
    assert opened is not None
    os.unlink(str(getattr(opened, "_path")))
    another = DB(database_url, clock)
    new = another.generations.get()
    assert new is not None and new is not opened
    with db.transaction():
        db.changing(BOB)
        assert is_in_doubt(new.numbers, BOB)
    another.close()


def test_where_there_can_be_no_file_changes_go_on(
        db: DB, caplog: pytest.LogCaptureFixture,
        monkeypatch: pytest.MonkeyPatch) -> None:
    """R120: with one line in the log."""
    def refuse(path: Any, beside: Any) -> Generations:
        """Refuse as a full disk does."""
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(changes, "Generations", refuse)
    user = db.add_user("bob@example.com", HASH)
    for name in ("Bob", "Rob"):
        db.update_user(user.id, name=name)
    assert db.find_user_by(id=user.id).name == "Rob"
    assert len(caplog.records) == 1
    assert "No space left on device" in caplog.text


def test_the_file_of_a_server_is_this_user_s(
        db: DB, numbers: Any) -> None:
    """R102: in a folder where everybody may write."""
    path = str(getattr(db.generations.get(), "_path"))
    if db.is_sqlite:
        assert path.endswith(".db-generations")
    else:
        assert f"vestibule-{os.geteuid()}-" in path
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
