#!/usr/bin/env python3
"""How tables are rid of rows that nobody needs any more."""

from typing import Any, NamedTuple

from vestibule.store.db import DB


class Doomed(NamedTuple):
    """Which rows are to go, and by which indexed column they are found.

    In the order of that column: where most of a table is doomed, PostgreSQL
    would otherwise read it from its beginning, and for each batch anew past
    all that were deleted before.
    """

    condition: Any
    column: Any


def purge(db: DB, model: Any, doomed: Doomed, limit: int) -> int:
    """Delete up to ``limit`` rows that are doomed; count them.

    Those that somebody holds are left for the next time: the purge waits
    for nobody, so nobody meets it in a circle. The table's key is one
    column.
    """
    key, = model.__table__.primary_key
    with db.transaction() as work:
        keys = [row[0] for row in work.query(key).filter(doomed.condition)
                .order_by(doomed.column)
                .limit(limit).with_for_update(skip_locked=True)]
        if not keys:
            return 0
        deleted: int = (work.query(model).filter(key.in_(keys))
                        .delete(synchronize_session=False))
    return deleted
