#!/usr/bin/env python3
"""The first tables: users, sessions, one-time tokens, letters, events."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

UUID_TEXT = sa.String(36)
SERIAL = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Make the tables, those that others refer to first."""
    _create_users()
    _create_sessions()
    _create_one_time_tokens()
    _create_letters()
    _create_events()


def downgrade() -> None:
    """Drop the tables, those that refer to others first."""
    for table in ("events", "letters", "one_time_tokens", "sessions",
                  "users"):
        op.drop_table(table)


def _create_users() -> None:
    """Make the table of users."""
    op.create_table(
        "users",
        sa.Column("id", UUID_TEXT, primary_key=True),
        sa.Column("email", sa.String(254), nullable=False, unique=True),
        sa.Column("email_verified_at", sa.BigInteger),
        sa.Column("hashed_password", sa.String(255)),
        sa.Column("password_changed_at", sa.BigInteger),
        sa.Column("disabled_at", sa.BigInteger),
        sa.Column("delete_after", sa.BigInteger),
        sa.Column("name", sa.Text),
        sa.Column("locale", sa.Text),
        sa.Column("picture", sa.Text),
        sa.Column("metadata", sa.Text),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("updated_at", sa.BigInteger, nullable=False))


def _create_sessions() -> None:
    """Make the table of sessions."""
    op.create_table(
        "sessions",
        sa.Column("id", UUID_TEXT, primary_key=True),
        sa.Column("secret_digest", sa.String(64), nullable=False),
        sa.Column("user_id", UUID_TEXT,
                  sa.ForeignKey("users.id", ondelete="CASCADE"),
                  nullable=False),
        sa.Column("amr", sa.String(255), nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("authenticated_at", sa.BigInteger, nullable=False),
        sa.Column("last_seen_at", sa.BigInteger, nullable=False),
        sa.Column("idle_expires_at", sa.BigInteger, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
        sa.Column("ip", sa.String(45)),
        sa.Column("user_agent", sa.Text),
        sa.Column("label", sa.Text))
    op.create_index("ix_sessions_user_id", "sessions",
                    ["user_id", "created_at"])
    op.create_index("ix_sessions_idle_expires_at", "sessions",
                    ["idle_expires_at"])


def _create_one_time_tokens() -> None:
    """Make the table of one-time tokens."""
    op.create_table(
        "one_time_tokens",
        sa.Column("digest", sa.String(64), primary_key=True),
        sa.Column("purpose", sa.String(32), nullable=False),
        sa.Column("user_id", UUID_TEXT,
                  sa.ForeignKey("users.id", ondelete="CASCADE"),
                  nullable=False),
        sa.Column("sent_to", sa.String(254)),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
        sa.Column("used_at", sa.BigInteger))
    op.create_index("ix_one_time_tokens_user_id", "one_time_tokens",
                    ["user_id", "purpose"])
    op.create_index("ix_one_time_tokens_expires_at", "one_time_tokens",
                    ["expires_at"])


def _create_letters() -> None:
    """Make the table of letters."""
    op.create_table(
        "letters",
        sa.Column("id", UUID_TEXT, primary_key=True),
        sa.Column("recipient", sa.String(254), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("user_id", UUID_TEXT),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("next_try_at", sa.BigInteger, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("settled_at", sa.BigInteger),
        sa.Column("last_error", sa.Text))
    op.create_index("ix_letters_due", "letters", ["state", "next_try_at"])
    op.create_index("ix_letters_recipient", "letters",
                    ["recipient", "kind", "created_at"])


def _create_events() -> None:
    """Make the table of events."""
    op.create_table(
        "events",
        sa.Column("id", SERIAL, primary_key=True, autoincrement=True),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("what", sa.String(64), nullable=False),
        sa.Column("user_id", UUID_TEXT),
        sa.Column("target", sa.String(128)),
        sa.Column("ip", sa.String(45)),
        sa.Column("user_agent", sa.Text),
        sa.Column("request_id", sa.String(64)),
        sa.Column("detail", sa.Text),
        sqlite_autoincrement=True)
    op.create_index("ix_events_user_id", "events", ["user_id", "id"])
    op.create_index("ix_events_request_id", "events", ["request_id"])
