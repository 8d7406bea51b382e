#!/usr/bin/env python3
"""${message}."""

import sqlalchemy as sa
from alembic import op

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Take the step."""
    ${upgrades if upgrades else "raise NotImplementedError"}


def downgrade() -> None:
    """Take the step back."""
    ${downgrades if downgrades else "raise NotImplementedError"}
