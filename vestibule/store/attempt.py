#!/usr/bin/env python3
"""The table of attempts: how often something was tried, by a keyed digest.

A row is a window that begins with the first try. A try is counted before it
is made, so that any number of tries at once are counted exactly.
"""

from datetime import datetime
from typing import Any, Dict, NamedTuple, Sequence

from sqlalchemy import Column, Index, Integer, String, bindparam, text

from vestibule.base.limits import Budget
from vestibule.store.db import DB
from vestibule.store.inserting import insert_new
from vestibule.store.purging import Doomed, purge
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


# The statements of a try are made once: each password that anybody types runs
# all of them, and building them anew took longer than they take.
FIND = Attempt.__table__.select().where(
    Attempt.__table__.c.key.in_(bindparam("keys", expanding=True)))
# A window that is over begins anew. Of tries at one instant the first to be
# written need not be the first that was made, and a window begins with that:
# else those made before could not be withdrawn.
COUNT = text("""
UPDATE attempts SET
    count = CASE WHEN ends_at <= :now THEN 1 ELSE count + 1 END,
    open = CASE WHEN ends_at <= :now THEN 1 ELSE open + 1 END,
    burst = CASE WHEN ends_at <= :now OR open = 0 THEN 1 ELSE burst + 1 END,
    ends_at = CASE WHEN ends_at <= :now
                     OR (count >= 0 AND ends_at > :ends_at) THEN :ends_at
                   ELSE ends_at END
WHERE key = :key AND (ends_at <= :now OR count < :most)""")
SETTLE = text("UPDATE attempts SET open = open - 1 "
              "WHERE key = :key AND open > 0")
# A window that began since the try was counted ends later than this.
WITHDRAW = text("""
UPDATE attempts SET open = open - 1, count = count - 1, burst = burst - 1
WHERE key = :key AND open > 0 AND (ends_at <= :latest OR count < 0)""")
CLEAR = text("""
UPDATE attempts SET
    open = open - 1,
    count = CASE WHEN count < 0 THEN count
                 WHEN burst > 1 THEN burst ELSE 0 END,
    burst = CASE WHEN burst > 1 THEN burst ELSE 0 END
WHERE key = :key AND open > 0""")


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

    def withdraw(self, wanted: Sequence[Wanted],
                 counted_at: datetime) -> None:
        """Forget one try that was counted then, and no other.

        A window that began since is left alone: what it has counted is not
        this try. Else those who let many tries hang over the end of one
        window had as many more in the next.
        """
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
        rows = self._rows([each.key for each in wanted])
        spent = [Exhausted(each.key, rows[each.key].ends_at)
                 for each in wanted if each.key in rows
                 and rows[each.key].ends_at > now
                 and rows[each.key].used >= each.budget.most]
        if spent:
            raise max(spent, key=lambda each: each.ends_at)
        with self._db.transaction():
            for each in sorted(wanted):
                self._take(each, now, each.key in rows)

    def settle(self, keys: Sequence[str]) -> None:
        """Note that a try was wrong; see ``AttemptStore``."""
        self._close(SETTLE, [{"key": key} for key in keys])

    def clear(self, keys: Sequence[str]) -> None:
        """Note that a try was right; see ``AttemptStore``."""
        self._close(CLEAR, [{"key": key} for key in keys])

    def withdraw(self, wanted: Sequence[Wanted],
                 counted_at: datetime) -> None:
        """Forget a try that was counted then; see ``AttemptStore``."""
        self._close(WITHDRAW, [{
            "key": each.key,
            "latest": to_microseconds(counted_at + each.budget.window)}
            for each in wanted])

    def windows(self, keys: Sequence[str],
                now: datetime) -> Dict[str, Window]:
        """Return what is counted; see ``AttemptStore``."""
        rows = self._rows(keys)
        return {key: rows[key] for key in rows if rows[key].ends_at > now}

    def forget(self, keys: Sequence[str]) -> None:
        """Forget what is counted; see ``AttemptStore``."""
        with self._db.transaction() as work:
            (work.query(Attempt)
             .filter(Attempt.__table__.c.key.in_(list(keys)))
             .delete(synchronize_session=False))

    def lift(self, keys: Sequence[str], ends_at: datetime) -> None:
        """Let everything through until then; see ``AttemptStore``."""
        for key in sorted(keys):
            # In between somebody may try, or a purge take the row.
            while not (self._lift(key, ends_at)
                       or self._begin(key, LIFTED, 0, ends_at)):
                pass

    def purge(self, now: datetime, limit: int) -> int:
        """Delete up to ``limit`` windows that are over; return how many."""
        column = Attempt.__table__.c.ends_at
        return purge(self._db, Attempt, Doomed(column <= now, column), limit)

    def _rows(self, keys: Sequence[str]) -> Dict[str, Window]:
        """Return the rows of these keys, also of windows that are over."""
        with self._db.reading() as work:
            rows = work.execute(FIND, {"keys": list(keys)}).fetchall()
        return {key: Window(count, ends_at)
                for key, count, _, _, ends_at in rows}

    def _take(self, wanted: Wanted, now: datetime, seen: bool) -> None:
        """Count a try under one key, whose row was seen a moment ago or not.

        Since then somebody may have made it, or a purge taken it away.
        """
        ends_at = now + wanted.budget.window
        if seen and self._count(wanted, now):
            return
        if self._begin(wanted.key, 1, 1, ends_at):
            return
        if seen or not self._count(wanted, now):
            window = self.windows([wanted.key], now).get(wanted.key)
            raise Exhausted(wanted.key, window.ends_at if window else now)

    def _begin(self, key: str, count: int, tries: int,
               ends_at: datetime) -> bool:
        """Begin a window with these open tries, where there is no row."""
        return insert_new(
            self._db, "attempts", key=key, count=count, open=tries,
            burst=tries, ends_at=to_microseconds(ends_at))

    def _count(self, wanted: Wanted, now: datetime) -> bool:
        """Count a try in the row of its key; say whether there was room."""
        with self._db.transaction() as work:
            counted = work.execute(COUNT, {
                "key": wanted.key, "most": wanted.budget.most,
                "now": to_microseconds(now),
                "ends_at": to_microseconds(now + wanted.budget.window)})
        return bool(counted.rowcount)

    def _lift(self, key: str, ends_at: datetime) -> bool:
        """Lift what is counted under one key, if there is a row of it."""
        with self._db.transaction() as work:
            lifted = (work.query(Attempt).filter(Attempt.key == key)
                      .update({Attempt.count: LIFTED,
                               Attempt.ends_at: ends_at},
                              synchronize_session=False))
        return bool(lifted)

    def _close(self, statement: Any,
               tries: Sequence[Dict[str, Any]]) -> None:
        """Close one open try under each key, in their order."""
        with self._db.transaction() as work:
            for values in sorted(tries, key=lambda each: each["key"]):
                work.execute(statement, values)
