#!/usr/bin/env python3
"""Codes beside links, what an undo takes back, and reserved addresses."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

TOKEN_COLUMNS = ("code_digest", "code_expires_at", "code_tries",
                 "password_tries", "changed_at")


def upgrade() -> None:
    """Add what verification, changes of address and undos need."""
    op.add_column("one_time_tokens", sa.Column("code_digest", sa.String(64)))
    op.add_column("one_time_tokens",
                  sa.Column("code_expires_at", sa.BigInteger))
    for name in ("code_tries", "password_tries"):
        op.add_column("one_time_tokens", sa.Column(
            name, sa.Integer, nullable=False, server_default="0"))
    op.add_column("one_time_tokens", sa.Column("changed_at", sa.BigInteger))
    op.create_index("ix_one_time_tokens_sent_to", "one_time_tokens",
                    ["sent_to", "purpose"])
    op.create_index("ix_letters_user_id", "letters", ["user_id", "kind"])
    op.create_table(
        "reservations",
        sa.Column("email", sa.String(254), primary_key=True),
        sa.Column("user_id", sa.String(36),
                  sa.ForeignKey("users.id", ondelete="CASCADE"),
                  nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False))
    op.create_index("ix_reservations_user_id", "reservations", ["user_id"])
    op.create_index("ix_reservations_expires_at", "reservations",
                    ["expires_at"])


def downgrade() -> None:
    """Take them away again."""
    op.drop_table("reservations")
    op.drop_index("ix_letters_user_id", "letters")
    op.drop_index("ix_one_time_tokens_sent_to", "one_time_tokens")
    with op.batch_alter_table("one_time_tokens") as tokens:
        for name in TOKEN_COLUMNS:
            tokens.drop_column(name)
