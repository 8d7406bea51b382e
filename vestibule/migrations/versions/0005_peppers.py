#!/usr/bin/env python3
"""Canaries, by which a wrong pepper is noticed before it does harm."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table of canaries, one row for each pepper."""
    op.create_table(
        "pepper_canaries",
        sa.Column("key_id", sa.String(16), primary_key=True),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False))


def downgrade() -> None:
    """Take it away again; hashes with a pepper stay as they are."""
    op.drop_table("pepper_canaries")
