"""Every table of central's records, as SQLAlchemy Core sees it. The migrations make them; a test keeps both equal.

The same on SQLite and PostgreSQL. Times: ``*_ms`` are UTC milliseconds, ``*_ns`` UTC nanoseconds, unless a
column is named ``mono_ms``. JSON is kept as the text it came as.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

_NAME = String(48)  # a site's, agent's, zone's or door's name
_WORD = String(200)  # a ShortText of the wire
RowId = BigInteger().with_variant(Integer, "sqlite")  # SQLite numbers rows itself only where the type is INTEGER

events = Table(
    "events",
    metadata,
    Column("id", RowId, primary_key=True, autoincrement=True),  # rises in the order of commits: one writer
    Column("site", _NAME, nullable=False),
    Column("agent", _NAME, nullable=False),
    Column("stream", _WORD, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("door", _NAME),
    Column("kind", _WORD, nullable=False),
    Column("utc_ns", BigInteger, nullable=False),  # by the agent's clock; see clock_trusted
    Column("mono_ms", BigInteger, nullable=False),
    Column("clock_trusted", Boolean, nullable=False),
    Column("boot", _WORD, nullable=False),
    Column("received_ns", BigInteger, nullable=False),  # by central's clock
    Column("data", Text, nullable=False),
    UniqueConstraint("site", "agent", "stream", "seq"),
    Index("ix_events_site_door_utc_ns", "site", "door", "utc_ns"),
    Index("ix_events_kind_utc_ns", "kind", "utc_ns"),
    Index(
        "ix_events_health",
        "site",
        "agent",
        "utc_ns",
        sqlite_where=text("kind = 'agent_health'"),
        postgresql_where=text("kind = 'agent_health'"),
    ),
)

stream_cursors = Table(
    "stream_cursors",
    metadata,
    Column("site", _NAME, nullable=False),
    Column("agent", _NAME, nullable=False),
    Column("stream", _WORD, nullable=False),
    Column("committed", BigInteger, nullable=False),  # every event up to here is in events, or in stream_gaps
    Column("updated_ms", BigInteger, nullable=False),
    PrimaryKeyConstraint("site", "agent", "stream"),
)

stream_gaps = Table(
    "stream_gaps",
    metadata,
    Column("site", _NAME, nullable=False),
    Column("agent", _NAME, nullable=False),
    Column("stream", _WORD, nullable=False),
    Column("first_seq", BigInteger, nullable=False),
    Column("last_seq", BigInteger, nullable=False),
    Column("noticed_ms", BigInteger, nullable=False),
    PrimaryKeyConstraint("site", "agent", "stream", "first_seq"),
)

agent_presence = Table(
    "agent_presence",
    metadata,
    Column("id", RowId, primary_key=True, autoincrement=True),
    Column("site", _NAME, nullable=False),
    Column("agent", _NAME, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("alive", Boolean, nullable=False),  # as central saw it from then on
    Index("ix_agent_presence_site_agent_at_ms", "site", "agent", "at_ms"),
)

declarations = Table(
    "declarations",
    metadata,
    Column("id", _WORD, primary_key=True),
    Column("action", _WORD, nullable=False),
    Column("scope_kind", String(16), nullable=False),
    Column("scope_site", _NAME),
    Column("scope_zone", _NAME),
    Column("scope_door", _NAME),
    Column("drill", Boolean, nullable=False),
    Column("reason", Text, nullable=False),
    Column("declared_by", _WORD, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("origin", String(16), nullable=False),  # 'central' or 'agent'
    Column("origin_agent", String(97)),  # 'site/agent'
    Column("topic", String(128), nullable=False),
    Column("revision", BigInteger, nullable=False),  # of the topic's set that first carried it
    Column("state", String(32), nullable=False),  # 'active', 'release_requested', 'ended'
    Column("release_requested_by", _WORD),
    Column("release_requested_at_ms", BigInteger),
    Column("ended_by", _WORD),
    Column("ended_at_ms", BigInteger),
    Index("ix_declarations_state_at_ms", "state", "at_ms"),
)

declaration_sets = Table(
    "declaration_sets",
    metadata,
    Column("topic", String(128), primary_key=True),
    Column("revision", BigInteger, nullable=False),
    Column("jws", LargeBinary, nullable=False),
    Column("updated_ms", BigInteger, nullable=False),
)

config_bundles = Table(
    "config_bundles",
    metadata,
    Column("site", _NAME, nullable=False),
    Column("agent", _NAME, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("digest", String(128), nullable=False),
    Column("jws", LargeBinary, nullable=False),
    Column("pages", Integer, nullable=False, server_default=text("0")),  # the most pages of credentials it ever had
    PrimaryKeyConstraint("site", "agent"),
)

users = Table(
    "users",
    metadata,
    Column("username", _WORD, primary_key=True),
    Column("role", String(32), nullable=False),
    Column("password_hash", String(255), nullable=False),
    Column("disabled", Boolean, nullable=False, server_default=text("false")),
    Column("created_ms", BigInteger, nullable=False),
)

sessions = Table(
    "sessions",
    metadata,
    Column("token_hash", String(128), primary_key=True),
    Column("username", _WORD, ForeignKey("users.username", ondelete="CASCADE"), nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("expires_ms", BigInteger, nullable=False),
    Column("last_seen_ms", BigInteger, nullable=False),
    Index("ix_sessions_username", "username"),
)

audit = Table(
    "audit",
    metadata,
    Column("seq", RowId, primary_key=True, autoincrement=False),  # counted by the writer: a chain has no holes
    Column("at_ms", BigInteger, nullable=False),
    Column("who", _WORD, nullable=False),
    Column("action", _WORD, nullable=False),
    Column("subject", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("previous_hash", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
)

export_cursors = Table(
    "export_cursors",
    metadata,
    Column("name", _WORD, primary_key=True),
    Column("last_event_id", BigInteger, nullable=False),
    Column("updated_ms", BigInteger, nullable=False),
)
