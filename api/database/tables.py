"""The tables of the service's database.

Invariants: no balance, account id or key is in any of them, and of a token only its digest; times
are Unix seconds. Beside these stand the tables of the job queue, which DBOS makes and keeps.
"""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

metadata: Final = sa.MetaData(
    naming_convention={"pk": "pk_%(table_name)s", "uq": "uq_%(table_name)s_%(column_0_name)s"}
)

# digest: SHA-256 of the secret; scopes: separated by spaces.
tokens: Final = sa.Table(
    "tokens",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("digest", sa.LargeBinary(32), nullable=False, unique=True),
    sa.Column("scopes", sa.Text, nullable=False),
    sa.Column("created", sa.BigInteger, nullable=False),
    sa.Column("expires", sa.BigInteger, nullable=False),
    sa.Column("revoked", sa.BigInteger),
)

# Of one row, made by the migration. id: as in a file of the folder; folder: its path, NULL until a
# service began over it (`api.snapshots.instance`).
instance: Final = sa.Table(
    "instance",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("folder", sa.Text),
)

# number: in order of creation. under_way: 1 in the states of `UNDER_WAY`, else NULL; being unique,
# it lets one snapshot be under way at a time. job: the one job that may change the row. starts: how
# often a worker took that job up. stage, done, total, began: how far it got, began being when the
# stage did. manifest: the digest. revision: grows with every change.
snapshots: Final = sa.Table(
    "snapshots",
    metadata,
    # SQLite counts by itself only where the type is INTEGER to the letter.
    sa.Column("number", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
    sa.Column("snapshot_id", sa.Text, nullable=False, unique=True),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("time", sa.BigInteger, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("under_way", sa.Integer, unique=True),
    sa.Column("job", sa.Text),
    sa.Column("starts", sa.Integer, nullable=False),
    sa.Column("stage", sa.Text),
    sa.Column("done", sa.BigInteger),
    sa.Column("total", sa.BigInteger),
    sa.Column("began", sa.Double),
    sa.Column("manifest", sa.LargeBinary(32)),
    sa.Column("detail", sa.Text),
    sa.Column("created", sa.BigInteger, nullable=False),
    sa.Column("updated", sa.Double, nullable=False),
    sa.Column("revision", sa.BigInteger, nullable=False),
)
