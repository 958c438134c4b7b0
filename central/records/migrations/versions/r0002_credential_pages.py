"""The most pages of credentials an agent has ever had, so that the broker is rid of those no longer used."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """What this version adds."""
    op.add_column("config_bundles", sa.Column("pages", sa.Integer(), nullable=False, server_default=sa.text("0")))


def downgrade() -> None:
    """Remove the column again."""
    op.drop_column("config_bundles", "pages")
