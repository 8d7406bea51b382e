#!/usr/bin/env python3
"""The table of attempts: how often something was tried, by a keyed digest.

A row is a window that begins with the first try. A try is counted before it
is made, so that any number of tries at once are counted exactly.
"""

from datetime import datetime
from typing import Any, Dict, NamedTuple, Sequence

from sqlalchemy import BigInteger, Column, Index, Integer, String, type_coerce

from vestibule.base.limits import Budget
from vestibule.store.compat import case_when
from vestibule.store.db import DB, IntegrityError
from vestibule.store.purging import purge
from vestibule.store.tables import Base, Timestamp, to_microseconds

# A limit that is lifted counts from here: more than anybody can try.
LIFTED = -10 ** 9


class Attempt(Base):
    """The tries under one key in its window; ``open`` are not decided yet.

    ``burst`` are those counted since none was open: they came at once.
    ``count`` is below nought where the limit is lifted until the end. No row
    names anybody: the key is a keyed digest.
    """

    __tablename__ = "attempts"
    __table_args__ = (Index("ix_attempts_ends_at", "ends_at"),)

    key: str = Column(String(80), primary_key=True)
    count: int = Column(Integer, nullable=False)
    open: int = Column(Integer, nullable=False)
    burst: int = Column(Integer, nullable=False)
    ends_at: datetime = Column(Timestamp, nullable=False)


class Wanted(NamedTuple):
    """A try that is to be counted under a key, within a budget."""

    key: str
    budget: Budget


class Window(NamedTuple):
    """What is counted under a key now, and when that ends."""

    used: int
    ends_at: datetime

    @property
    def lifted(self) -> bool:
        """Say whether an operator has lifted the limit for this while."""
        return self.used < 0


class Exhausted(Exception):
    """A budget is used up: ``key`` says which, ``ends_at`` until when."""

    def __init__(self, key: str, ends_at: datetime) -> None:
        """Keep the key and the end of its window."""
        super().__init__(key)
        self.key = key
        self.ends_at = ends_at


class AttemptsAway(Exception):
    """Tries cannot be counted in this place now; the text says why."""


class AttemptStore:
    """Where tries are counted: the plug for the database and for Redis."""

    def reserve(self, wanted: Sequence[Wanted], now: datetime) -> None:
        """Count a try under every key, or under none.

        Raises ``Exhausted`` for the key that stays so longest. It is atomic
        for each key: of any number of calls at once no more than its budget
        return.
        """
        raise NotImplementedError

    def settle(self, keys: Sequence[str]) -> None:
        """Note that a try under these keys was wrong: it stays counted."""
        raise NotImplementedError

    def clear(self, keys: Sequence[str]) -> None:
        """Note that a try was right: what was counted before is forgotten.

        But where others came at once with it, all of those stay, decided or
        not, and so does itself: otherwise one right guess among many at once
        would let more of them through.
        """
        raise NotImplementedError

    def withdraw(self, keys: Sequence[str]) -> None:
        """Forget a try that was counted and then not made."""
        raise NotImplementedError

    def windows(self, keys: Sequence[str],
                now: datetime) -> Dict[str, Window]:
        """Return what is counted now under those of the keys that are."""
        raise NotImplementedError

    def forget(self, keys: Sequence[str]) -> None:
        """Forget everything that is counted under these keys."""
        raise NotImplementedError

    def lift(self, keys: Sequence[str], ends_at: datetime) -> None:
        """Let everything through under these keys until then.

        It is still counted, from far below nought, and ``clear`` leaves it.
        """
        raise NotImplementedError


class DatabaseAttempts(AttemptStore):
    """Counts tries in the table, exactly across processes and machines."""

    def __init__(self, db: DB) -> None:
        """Work on this database, inside its open transaction if any."""
        self._db = db

    def reserve(self, wanted: Sequence[Wanted], now: datetime) -> None:
        """Count a try under every key; see ``AttemptStore``.

        It reads first: a flood of refused tries writes nothing. Keys are
        taken in their order, so that nobody waits in a circle.
        """
        windows = self.windows([each.key for each in wanted], now)
        spent = [Exhausted(each.key, windows[each.key].ends_at)
                 for each in wanted if each.key in windows
                 and windows[each.key].used >= each.budget.most]
        if spent:
            raise max(spent, key=lambda each: each.ends_at)
        with self._db.transaction():
            for each in sorted(wanted):
                self._take(each, now)

    def settle(self, keys: Sequence[str]) -> None:
        """Note that a try was wrong; see ``AttemptStore``."""
        self._close(keys, {})

    def clear(self, keys: Sequence[str]) -> None:
        """Note that a try was right; see ``AttemptStore``."""
        left = case_when(Attempt.burst > 1, Attempt.burst, 0)
        self._close(keys, {Attempt.burst: left, Attempt.count: case_when(
            Attempt.count < 0, Attempt.count, left)})

    def withdraw(self, keys: Sequence[str]) -> None:
        """Forget a try that was not made; see ``AttemptStore``."""
        self._close(keys, {Attempt.count: Attempt.count - 1,
                           Attempt.burst: Attempt.burst - 1})

    def windows(self, keys: Sequence[str],
                now: datetime) -> Dict[str, Window]:
        """Return what is counted; see ``AttemptStore``."""
        with self._db.reading() as work:
            rows = (work.query(Attempt.key, Attempt.count, Attempt.ends_at)
                    .filter(Attempt.__table__.c.key.in_(list(keys)),
                            Attempt.ends_at > now).all())
        return {row[0]: Window(row[1], row[2]) for row in rows}

    def forget(self, keys: Sequence[str]) -> None:
        """Forget what is counted; see ``AttemptStore``."""
        with self._db.transaction() as work:
            (work.query(Attempt)
             .filter(Attempt.__table__.c.key.in_(list(keys)))
             .delete(synchronize_session=False))

    def lift(self, keys: Sequence[str], ends_at: datetime) -> None:
        """Let everything through until then; see ``AttemptStore``."""
        with self._db.transaction() as work:
            for key in sorted(keys):
                if self._lift(key, ends_at):
                    continue
                try:
                    with work.begin_nested():
                        work.add(Attempt(key=key, count=LIFTED, open=0,
                                         burst=0, ends_at=ends_at))
                        work.flush()
                except IntegrityError:
                    # Somebody tried in this very moment.
                    self._lift(key, ends_at)

    def purge(self, now: datetime, limit: int) -> int:
        """Delete up to ``limit`` windows that are over; return how many."""
        return purge(self._db, Attempt, Attempt.ends_at <= now, limit)

    def _lift(self, key: str, ends_at: datetime) -> bool:
        """Lift what is counted under one key, if there is a row of it."""
        with self._db.transaction() as work:
            lifted = (work.query(Attempt).filter(Attempt.key == key)
                      .update({Attempt.count: LIFTED,
                               Attempt.ends_at: ends_at},
                              synchronize_session=False))
        return bool(lifted)

    def _take(self, wanted: Wanted, now: datetime) -> None:
        """Count a try under one key, whose row may have to be made first."""
        if self._count(wanted, now):
            return
        try:
            with self._db.transaction() as work, work.begin_nested():
                work.add(Attempt(key=wanted.key, count=1, open=1, burst=1,
                                 ends_at=now + wanted.budget.window))
                work.flush()
        except IntegrityError:
            # Somebody made it first, or it was there and is used up.
            if not self._count(wanted, now):
                raise self._exhausted(wanted, now) from None

    def _count(self, wanted: Wanted, now: datetime) -> bool:
        """Count a try in the row of its key; say whether there was room.

        One conditional UPDATE: a window that is over begins anew.
        """
        count = to_microseconds(now)
        ends_at = type_coerce(Attempt.__table__.c.ends_at, BigInteger)
        over = ends_at <= count
        values: Dict[Any, Any] = {
            Attempt.count: case_when(over, 1, Attempt.count + 1),
            Attempt.open: case_when(over, 1, Attempt.open + 1),
            Attempt.burst: case_when(
                over | (Attempt.open == 0), 1, Attempt.burst + 1),
            Attempt.ends_at: case_when(
                over, to_microseconds(now + wanted.budget.window), ends_at)}
        with self._db.transaction() as work:
            counted = (
                work.query(Attempt).filter(Attempt.key == wanted.key)
                .filter(over | (Attempt.count < wanted.budget.most))
                .update(values, synchronize_session=False))
        return bool(counted)

    def _exhausted(self, wanted: Wanted, now: datetime) -> Exhausted:
        """Return the refusal of a try for which there was no room."""
        window = self.windows([wanted.key], now).get(wanted.key)
        return Exhausted(wanted.key, now if window is None
                         else window.ends_at)

    def _close(self, keys: Sequence[str], values: Dict[Any, Any]) -> None:
        """Close one open try under each key, and set these values."""
        with self._db.transaction() as work:
            for key in sorted(keys):
                (work.query(Attempt).filter(Attempt.key == key)
                 .filter(Attempt.open > 0)
                 .update({**values, Attempt.open: Attempt.open - 1},
                         synchronize_session=False))
