#!/usr/bin/env python3
"""An index on the date after which a user is to be erased."""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Let those whose date has come be found quickly."""
    op.create_index("ix_users_delete_after", "users", ["delete_after"])


def downgrade() -> None:
    """Take the index away again."""
    op.drop_index("ix_users_delete_after", "users")
