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
# Columns by which a statement finds what is somebody's, and not what is of a
# kind: of the latter there may be as much as there are rows.
TELLING = {"rowid", "user_id", "recipient", "sent_to", "request_id"} | {
    column.name for table in METADATA.sorted_tables
    for column in table.columns if column.primary_key or column.unique}
LIMITED = re.compile(r"\bLIMIT\b|SELECT (min|max)\(")
# A PostgreSQL of today takes other ways than one of version 10 would.
AS_POSTGRESQL_10 = ("SET LOCAL enable_seqscan = off; "
                    "SET LOCAL enable_incremental_sort = off")
KINDS = ("queued", "sent", "dropped", "dead", "reset", "verify", "undo")
GATHERING = ("Sort", "Aggregate", "Unique", "WindowAgg", "Bitmap Heap Scan")
EQUAL = re.compile(r"\(\(?(\w+)\)?(?:::\w+)? =")
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
            return list(_of_sqlite(
                lines, LIMITED.search(sent.statement) is not None))
        _run(connection, AS_POSTGRESQL_10, None)
        (plans,), = _run(
            connection, f"EXPLAIN (FORMAT JSON) {sent.statement}",
            sent.values)
    return list(_of_postgresql(plans[0]["Plan"]))


def _of_sqlite(lines: List[str], is_limited: bool) -> Iterator[str]:
    """Yield what is wrong with the lines of a plan.

    An index that covers a statement is still read from end to end by SCAN.
    """
    ends_early = is_limited and not any("TEMP B" in line for line in lines)
    for line in lines:
        if ((line.startswith("SCAN") and "CONSTANT ROW" not in line)
                or "AUTOMATIC" in line):
            yield line
        elif line.startswith("SEARCH") and not ends_early and not (
                TELLING & set(re.findall(r"(\w+)=\?", line))):
            yield f"{line}, all of it"


def _of_postgresql(plan: Dict[str, Any],
                   ends_early: bool = False) -> Iterator[str]:
    """Yield what is wrong with a plan and with those that it is made of.

    Whoever is limited ends early, unless somebody on the way wants all rows.
    """
    kind = plan["Node Type"]
    condition = plan.get("Index Cond", "")
    if kind == "Seq Scan":
        yield f"Seq Scan on {plan['Relation Name']}"
    elif kind in SCANS:
        is_walk = not re.search(r"[=<>]|IS NULL", condition)
        if is_walk and not (ends_early and "Filter" not in plan):
            yield f"{kind} of all of {plan['Index Name']}"
        elif not ends_early and not TELLING & set(EQUAL.findall(condition)):
            yield f"{kind} by {condition}, all of it"
    if kind in GATHERING:
        ends_early = False
    for part in plan.get("Plans", ()):
        yield from _of_postgresql(part, ends_early or kind == "Limit")


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
    """Return what a column holds in the row of a number.

    Half of what need not be there is not.
    """
    if column.nullable and number % 2:
        return None
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
    if column.name in ("state", "kind", "purpose"):
        return KINDS[number % len(KINDS)]
    return f"{column.name[:8]}{number}"
