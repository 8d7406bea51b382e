#!/usr/bin/env python3
"""How tables are rid of rows that nobody needs any more."""

from typing import Any

from vestibule.store.db import DB


def purge(db: DB, model: Any, doomed: Any, limit: int) -> int:
    """Delete up to ``limit`` rows for which ``doomed`` holds; count them.

    Those that somebody holds are left for the next time: the purge waits
    for nobody, so nobody meets it in a circle. The table's key is one
    column.
    """
    key, = model.__table__.primary_key
    with db.transaction() as work:
        keys = [row[0] for row in work.query(key).filter(doomed)
                .limit(limit).with_for_update(skip_locked=True)]
        if not keys:
            return 0
        deleted: int = (work.query(model).filter(key.in_(keys))
                        .delete(synchronize_session=False))
    return deleted
