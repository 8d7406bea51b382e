#!/usr/bin/env python3
"""Tries that are counted, and failures in a row."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make their tables."""
    op.create_table(
        "attempts",
        sa.Column("key", sa.String(80), primary_key=True),
        sa.Column("count", sa.Integer, nullable=False),
        sa.Column("open", sa.Integer, nullable=False),
        sa.Column("burst", sa.Integer, nullable=False),
        sa.Column("ends_at", sa.BigInteger, nullable=False))
    op.create_index("ix_attempts_ends_at", "attempts", ["ends_at"])
    op.create_table(
        "failures",
        sa.Column("holder", sa.String(64), primary_key=True),
        sa.Column("device", sa.String(64), primary_key=True),
        sa.Column("count", sa.Integer, nullable=False),
        sa.Column("changed_at", sa.BigInteger, nullable=False),
        sa.Column("user_id", sa.String(36),
                  sa.ForeignKey("users.id", ondelete="CASCADE")))
    op.create_index("ix_failures_user_id", "failures", ["user_id"])
    op.create_index("ix_failures_changed_at", "failures", ["changed_at"])


def downgrade() -> None:
    """Drop the tables."""
    op.drop_table("failures")
    op.drop_table("attempts")
