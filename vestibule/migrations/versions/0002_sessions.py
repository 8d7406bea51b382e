#!/usr/bin/env python3
"""Sessions that end with the browser, and whose session an event was."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add what sessions, events and the purge of letters need."""
    op.add_column("sessions", sa.Column(
        "remembered", sa.Boolean(create_constraint=False), nullable=False,
        server_default=sa.true()))
    op.add_column("events", sa.Column("session_id", sa.String(36)))
    op.create_index("ix_letters_settled_at", "letters", ["settled_at"])


def downgrade() -> None:
    """Take them away again."""
    op.drop_index("ix_letters_settled_at", "letters")
    with op.batch_alter_table("events") as events:
        events.drop_column("session_id")
    with op.batch_alter_table("sessions") as sessions:
        sessions.drop_column("remembered")
