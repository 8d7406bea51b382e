#!/usr/bin/env python3
"""What Alembic runs for each command: it uses the connection it is given.

``vestibule.store.schema`` opens the connection and its transaction.
"""

from alembic import context

from vestibule.store.models import METADATA


def run() -> None:
    """Run the migrations on the connection that the caller has opened."""
    context.configure(
        connection=context.config.attributes["connection"],
        target_metadata=METADATA, render_as_batch=True,
        transactional_ddl=True)
    with context.begin_transaction():
        context.run_migrations()


run()
