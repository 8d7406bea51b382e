#!/usr/bin/env python3
"""Refusals: what was answered with an error, and by which rule."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

SERIAL = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Make their table."""
    op.create_table(
        "refusals",
        sa.Column("id", SERIAL, primary_key=True, autoincrement=True),
        sa.Column("request_id", sa.String(64), nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("status", sa.Integer, nullable=False),
        sa.Column("code", sa.String(64), nullable=False),
        sa.Column("rule", sa.String(300)),
        sa.Column("method", sa.String(16), nullable=False),
        sa.Column("path", sa.String(128), nullable=False))
    op.create_index("ix_refusals_request_id", "refusals", ["request_id"])


def downgrade() -> None:
    """Drop the table."""
    op.drop_table("refusals")
