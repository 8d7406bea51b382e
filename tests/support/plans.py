#!/usr/bin/env python3
"""How a database means to carry a statement out, and what is wrong with it.

A good plan is a look-up by an index, whose work does not grow with the table:
nothing is read from end to end, and nothing is sorted or gathered but what
belongs to somebody.
"""

import re
from datetime import datetime, timedelta, timezone
from typing import Any, Dict, Iterator, List, Set

from sqlalchemy import Boolean, Column, Integer
from sqlalchemy.engine import Engine

from tests.support.sent import Sent
from vestibule.store.models import METADATA
from vestibule.store.tables import JSONText, Timestamp

ROWS = 1000
EXPLAINED = re.compile(r"\s*(SELECT|INSERT|UPDATE|DELETE)\b")
# Half of all instants are before the day on which clocks of tests stand.
BEGIN = datetime(2026, 3, 1, tzinfo=timezone.utc) - timedelta(days=ROWS / 2)
# By it a statement finds much of a table, and not what is somebody's.
FEW_VALUES = {"state"}
# A PostgreSQL of today takes other ways than one of version 10 would.
AS_POSTGRESQL_10 = ("SET LOCAL enable_seqscan = off; "
                    "SET LOCAL enable_incremental_sort = off")
GATHERING = ("Sort", "Incremental Sort", "Aggregate", "Unique", "WindowAgg")
SCANS = ("Index Scan", "Index Only Scan", "Bitmap Index Scan")


def fill(engine: Engine) -> None:
    """Put so many rows into each table that an index is worth it.

    On PostgreSQL they are counted, for the planner to know; on SQLite they
    are not, since no service of ours ever does.
    """
    with engine.begin() as connection:
        for table in METADATA.sorted_tables:
            connection.execute(table.insert(), [
                {column.name: _value(column, number)
                 for column in table.columns}
                for number in range(1, ROWS + 1)])
    if engine.dialect.name == "postgresql":
        with engine.begin() as connection:
            _run(connection, "ANALYZE", None)


def faults(engine: Engine, sent: Sent) -> List[str]:
    """Return what is wrong with how a statement would be carried out."""
    if not EXPLAINED.match(sent.statement):
        return []
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            lines = [row[3] for row in _run(
                connection, f"EXPLAIN QUERY PLAN {sent.statement}",
                sent.values)]
            return list(_of_sqlite(lines))
        _run(connection, AS_POSTGRESQL_10, None)
        (plans,), = _run(
            connection, f"EXPLAIN (FORMAT JSON) {sent.statement}",
            sent.values)
    return list(_of_postgresql(plans[0]["Plan"]))


def _of_sqlite(lines: List[str]) -> Iterator[str]:
    """Yield what is wrong with the lines of a plan.

    An index that covers a statement is still read from end to end by SCAN.
    """
    found: Set[str] = set()
    for line in lines:
        found |= set(re.findall(r"(\w+)=\?", line))
        if ((line.startswith("SCAN") and "CONSTANT ROW" not in line)
                or "AUTOMATIC" in line):
            yield line
    for line in lines:
        if "TEMP B-TREE" in line and not found - FEW_VALUES:
            yield f"{line}, of a whole range"


def _of_postgresql(plan: Dict[str, Any], gathers: str = "",
                   is_limited: bool = False) -> Iterator[str]:
    """Yield what is wrong with a plan and with those that it is made of.

    ``gathers`` is what somebody above wants all rows for. Whoever is limited
    and leaves no row out ends early, with the least of a column, say.
    """
    kind = plan["Node Type"]
    condition = plan.get("Index Cond", "")
    if is_limited and kind in SCANS and "Filter" not in plan:
        return
    if kind == "Seq Scan":
        yield f"Seq Scan on {plan['Relation Name']}"
    elif kind in SCANS:
        name = plan.get("Index Name")
        if not re.search(r"[=<>]|IS NULL", condition):
            yield f"{kind} of all of {name}"
        elif gathers and not _equalities(condition):
            yield f"{gathers} of a whole range of {name}: {condition}"
    if kind in GATHERING:
        gathers = kind
    for part in plan.get("Plans", ()):
        yield from _of_postgresql(part, gathers, kind == "Limit")


def _equalities(condition: str) -> Set[str]:
    """Return by which columns an index finds what is somebody's."""
    return set(re.findall(
        r"\(\(?(\w+)\)?(?:::\w+)? (?:=|IS NULL)", condition)) - FEW_VALUES


def _run(connection: Any, statement: str, values: Any) -> Any:
    """Run a statement past SQLAlchemy; return its rows, if it has any."""
    cursor = connection.connection.cursor()
    try:
        if values is None:
            cursor.execute(statement)
        else:
            cursor.execute(statement, values)
        return cursor.fetchall() if cursor.description else []
    finally:
        cursor.close()


def _value(column: "Column[Any]", number: int) -> Any:
    """Return what a column holds in the row of a number."""
    if column.foreign_keys:
        return f"id{number}"
    if isinstance(column.type, Timestamp):
        return BEGIN + timedelta(days=number)
    if isinstance(column.type, Boolean):
        return True
    if isinstance(column.type, JSONText):
        return {}
    if column.primary_key and not hasattr(column.type, "length"):
        return number
    if isinstance(column.type, Integer):
        return number
    if column.name in FEW_VALUES:
        return "queued"
    return f"{column.name[:8]}{number}"
