#!/usr/bin/env python3
"""The column types: what goes in comes out, alike on every database."""

from datetime import datetime, timedelta, timezone
from typing import Any, Dict, Sequence

import pytest
from sqlalchemy import text

from tests.support.builders import EMAIL, HASH, run_sql
from vestibule.store.db import DB
from vestibule.store.event import Event, EventStore
from vestibule.store.models import METADATA, MODELS
from vestibule.store.tables import (
    EPOCH, from_microseconds, new_id, to_microseconds)

INSTANT = datetime(2026, 3, 1, 12, 30, 45, 123456, tzinfo=timezone.utc)


@pytest.mark.parametrize("instant", [
    INSTANT, EPOCH, EPOCH + timedelta(microseconds=1),
    datetime(2038, 1, 19, 3, 14, 8, tzinfo=timezone.utc),
    datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=timezone.utc)])
def test_an_instant_comes_back_to_the_microsecond(
        db: DB, instant: datetime) -> None:
    """R138: aware, in UTC, not rounded, and no year 2038."""
    user = db.add_user(EMAIL, HASH)
    db.update_user(user.id, disabled_at=instant)
    found = db.find_user_by(disabled_at=instant).disabled_at
    assert found == instant
    assert found is not None and found.utcoffset() == timedelta(0)


def test_an_instant_of_another_zone_is_the_same_instant(db: DB) -> None:
    """R138: what is stored is the instant, not how its clock spelled it."""
    user = db.add_user(EMAIL, HASH)
    zone = timezone(timedelta(hours=5, minutes=45))
    db.update_user(user.id, disabled_at=INSTANT.astimezone(zone))
    assert db.find_user_by(id=user.id).disabled_at == INSTANT


def test_the_table_holds_microseconds_since_1970(db: DB) -> None:
    """R138: a whole number, which raw statements compare and index."""
    user = db.add_user(EMAIL, HASH)
    db.update_user(user.id, disabled_at=INSTANT)
    with db.reading() as work:
        stored = work.execute(
            text("SELECT disabled_at FROM users")).scalar()
    assert stored == 1772368245123456 == to_microseconds(INSTANT)
    assert from_microseconds(stored) == INSTANT


def test_an_instant_without_a_zone_is_refused(db: DB) -> None:
    """R138: it could mean any of two dozen instants."""
    user = db.add_user(EMAIL, HASH)
    with pytest.raises(Exception, match="offset-naive"):
        db.update_user(user.id, disabled_at=datetime(2026, 3, 1))
    assert db.find_user_by(id=user.id).disabled_at is None


@pytest.mark.parametrize("value", [
    {}, {"theme": "dark"}, {"a": [1, 2.5, None, True, {"b": "\u00e9"}]},
    {"\U0001f600": "\u2028"}, None])
def test_an_object_comes_back_as_it_was(
        db: DB, value: Dict[str, Any]) -> None:
    """JSON is kept as text in ASCII, so that both databases store one."""
    user = db.add_user(EMAIL, HASH)
    db.update_user(user.id, app_metadata=value)
    assert db.find_user_by(id=user.id).app_metadata == value
    with db.reading() as work:
        stored = work.execute(text("SELECT metadata FROM users")).scalar()
    assert stored is None if value is None else stored.isascii()


def test_text_beyond_ascii_comes_back(db: DB) -> None:
    """R094: names of any script are stored whole, alike everywhere."""
    user = db.add_user(EMAIL, HASH)
    name = "\u0412\u0430\u0441\u044f \u5f20 \U0001f600" * 100
    db.update_user(user.id, name=name)
    assert db.find_user_by(name=name).id == user.id


def test_the_numbers_of_events_are_never_used_again(
        db: DB) -> None:
    """R038: a reader that remembers a number never meets another event."""
    def add() -> int:
        """Write an event and return its number."""
        event = Event(at=INSTANT, what="test.done", user_id="u")
        EventStore(db).add(event)
        return event.id

    first = add()
    last = add()
    run_sql(db, "DELETE FROM events")
    assert first < last < add()


def test_every_model_is_known_to_whoever_needs_all() -> None:
    """R144: migrations compare with this list, so none may be missing."""
    models: Sequence[Any] = MODELS
    names = {model.__tablename__ for model in models}
    assert names == set(METADATA.tables) == {
        "users", "sessions", "one_time_tokens", "reservations", "letters",
        "events", "pepper_canaries", "idempotency", "refusals",
        "attempts", "failures"}


def test_ids_are_random() -> None:
    """R086: no id tells how many there are, or which comes next."""
    assert len({new_id() for _ in range(1000)}) == 1000
