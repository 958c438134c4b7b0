"""The first tables: events and how far they came, declarations, configuration, people, audit, exports."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """What this version adds."""
    op.create_table(
        "agent_presence",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("site", sa.String(length=48), nullable=False),
        sa.Column("agent", sa.String(length=48), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("alive", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_agent_presence")),
    )
    op.create_index("ix_agent_presence_site_agent_at_ms", "agent_presence", ["site", "agent", "at_ms"], unique=False)
    op.create_table(
        "audit",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("who", sa.String(length=200), nullable=False),
        sa.Column("action", sa.String(length=200), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("previous_hash", sa.String(length=64), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_audit")),
    )
    op.create_table(
        "config_bundles",
        sa.Column("site", sa.String(length=48), nullable=False),
        sa.Column("agent", sa.String(length=48), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.String(length=128), nullable=False),
        sa.Column("jws", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("site", "agent", name=op.f("pk_config_bundles")),
    )
    op.create_table(
        "declaration_sets",
        sa.Column("topic", sa.String(length=128), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("jws", sa.LargeBinary(), nullable=False),
        sa.Column("updated_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("topic", name=op.f("pk_declaration_sets")),
    )
    op.create_table(
        "declarations",
        sa.Column("id", sa.String(length=200), nullable=False),
        sa.Column("action", sa.String(length=200), nullable=False),
        sa.Column("scope_kind", sa.String(length=16), nullable=False),
        sa.Column("scope_site", sa.String(length=48), nullable=True),
        sa.Column("scope_zone", sa.String(length=48), nullable=True),
        sa.Column("scope_door", sa.String(length=48), nullable=True),
        sa.Column("drill", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("declared_by", sa.String(length=200), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("origin", sa.String(length=16), nullable=False),
        sa.Column("origin_agent", sa.String(length=97), nullable=True),
        sa.Column("topic", sa.String(length=128), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=32), nullable=False),
        sa.Column("release_requested_by", sa.String(length=200), nullable=True),
        sa.Column("release_requested_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("ended_by", sa.String(length=200), nullable=True),
        sa.Column("ended_at_ms", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_declarations")),
    )
    op.create_index("ix_declarations_state_at_ms", "declarations", ["state", "at_ms"], unique=False)
    op.create_table(
        "events",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("site", sa.String(length=48), nullable=False),
        sa.Column("agent", sa.String(length=48), nullable=False),
        sa.Column("stream", sa.String(length=200), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("door", sa.String(length=48), nullable=True),
        sa.Column("kind", sa.String(length=200), nullable=False),
        sa.Column("utc_ns", sa.BigInteger(), nullable=False),
        sa.Column("mono_ms", sa.BigInteger(), nullable=False),
        sa.Column("clock_trusted", sa.Boolean(), nullable=False),
        sa.Column("boot", sa.String(length=200), nullable=False),
        sa.Column("received_ns", sa.BigInteger(), nullable=False),
        sa.Column("data", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_events")),
        sa.UniqueConstraint("site", "agent", "stream", "seq", name=op.f("uq_events_site_agent_stream_seq")),
    )
    op.create_index(
        "ix_events_health",
        "events",
        ["site", "agent", "utc_ns"],
        unique=False,
        sqlite_where=sa.text("kind = 'agent_health'"),
        postgresql_where=sa.text("kind = 'agent_health'"),
    )
    op.create_index("ix_events_kind_utc_ns", "events", ["kind", "utc_ns"], unique=False)
    op.create_index("ix_events_site_door_utc_ns", "events", ["site", "door", "utc_ns"], unique=False)
    op.create_table(
        "export_cursors",
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("last_event_id", sa.BigInteger(), nullable=False),
        sa.Column("updated_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_export_cursors")),
    )
    op.create_table(
        "stream_cursors",
        sa.Column("site", sa.String(length=48), nullable=False),
        sa.Column("agent", sa.String(length=48), nullable=False),
        sa.Column("stream", sa.String(length=200), nullable=False),
        sa.Column("committed", sa.BigInteger(), nullable=False),
        sa.Column("updated_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("site", "agent", "stream", name=op.f("pk_stream_cursors")),
    )
    op.create_table(
        "stream_gaps",
        sa.Column("site", sa.String(length=48), nullable=False),
        sa.Column("agent", sa.String(length=48), nullable=False),
        sa.Column("stream", sa.String(length=200), nullable=False),
        sa.Column("first_seq", sa.BigInteger(), nullable=False),
        sa.Column("last_seq", sa.BigInteger(), nullable=False),
        sa.Column("noticed_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("site", "agent", "stream", "first_seq", name=op.f("pk_stream_gaps")),
    )
    op.create_table(
        "users",
        sa.Column("username", sa.String(length=200), nullable=False),
        sa.Column("role", sa.String(length=32), nullable=False),
        sa.Column("password_hash", sa.String(length=255), nullable=False),
        sa.Column("disabled", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("username", name=op.f("pk_users")),
    )
    op.create_table(
        "sessions",
        sa.Column("token_hash", sa.String(length=128), nullable=False),
        sa.Column("username", sa.String(length=200), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("expires_ms", sa.BigInteger(), nullable=False),
        sa.Column("last_seen_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["username"], ["users.username"], name=op.f("fk_sessions_username_users"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_sessions")),
    )
    op.create_index("ix_sessions_username", "sessions", ["username"], unique=False)


def downgrade() -> None:
    """The way back: nothing of central is left."""
    for table in (
        "sessions",
        "users",
        "stream_gaps",
        "stream_cursors",
        "export_cursors",
        "events",
        "declarations",
        "declaration_sets",
        "config_bundles",
        "audit",
        "agent_presence",
    ):
        op.drop_table(table)
