"""Run by Alembic: takes the steps inside the caller's transaction, all or none."""

from __future__ import annotations

from alembic import context

from api.database.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
context.run_migrations()
