#!/usr/bin/env python3
"""Requests that carried an Idempotency-Key, and their answers."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make their table."""
    op.create_table(
        "idempotency",
        sa.Column("key_digest", sa.String(64), primary_key=True),
        sa.Column("request_digest", sa.String(64), nullable=False),
        sa.Column("started_at", sa.BigInteger, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
        sa.Column("status", sa.Integer),
        sa.Column("body", sa.Text),
        sa.Column("mismatches", sa.Integer, nullable=False,
                  server_default="0"))
    op.create_index("ix_idempotency_expires_at", "idempotency",
                    ["expires_at"])


def downgrade() -> None:
    """Drop the table."""
    op.drop_table("idempotency")
