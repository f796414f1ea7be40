"""Which folder the database serves."""

from __future__ import annotations

from uuid import uuid4

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make the table, with its one row."""
    table = op.create_table(
        "instance",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("folder", sa.Text),
        sa.PrimaryKeyConstraint("id", name="pk_instance"),
    )
    op.bulk_insert(table, [{"id": uuid4().hex}])
