"""Format 2: a store names the last of its migrations, so that Alembic can bring it forward.

The table is made by `__main__`, before Alembic first looks for it. Stores in PostgreSQL begin here.
"""

from __future__ import annotations

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Nothing but the name itself."""
