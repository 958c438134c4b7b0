"""The writer's statements for the bare driver: SQLAlchemy's executemany would double the cost of SQLite's own."""

from dataclasses import dataclass, fields
from typing import Self


@dataclass(frozen=True, slots=True)
class IngestSql:
    """The statements of one SQL dialect."""

    last_id: str = "SELECT coalesce(max(id), 0) FROM events"
    cursor: str = "SELECT committed FROM stream_cursors WHERE site = ? AND agent = ? AND stream = ?"
    # The conflict names its columns, so that only a known event is passed over in silence.
    insert_event: str = (
        "INSERT INTO events (id, site, agent, stream, seq, door, kind, utc_ns, mono_ms, clock_trusted, boot, "
        "received_ns, data) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
        "ON CONFLICT (site, agent, stream, seq) DO NOTHING"
    )
    ids_from: str = "SELECT id FROM events WHERE id >= ?"
    insert_gap: str = (
        "INSERT INTO stream_gaps (site, agent, stream, first_seq, last_seq, noticed_ms) VALUES (?, ?, ?, ?, ?, ?) "
        "ON CONFLICT DO NOTHING"
    )
    move_cursor: str = (
        "INSERT INTO stream_cursors (site, agent, stream, committed, updated_ms) VALUES (?, ?, ?, ?, ?) "
        "ON CONFLICT (site, agent, stream) DO UPDATE "
        "SET committed = excluded.committed, updated_ms = excluded.updated_ms"
    )
    insert_presence: str = "INSERT INTO agent_presence (site, agent, at_ms, alive) VALUES (?, ?, ?, ?)"
    # An agent alive at the end of the last run was alive at least until its last event arrived.
    close_presence: str = (
        "INSERT INTO agent_presence (site, agent, at_ms, alive) "
        "SELECT last.site, last.agent, last.until_ms, false FROM ("
        "SELECT p.site, p.agent, max(p.id) AS id, "
        "max(CASE WHEN c.updated_ms > p.at_ms THEN c.updated_ms ELSE p.at_ms END) AS until_ms "
        "FROM agent_presence p LEFT JOIN stream_cursors c ON c.site = p.site AND c.agent = p.agent "
        "GROUP BY p.site, p.agent) AS last JOIN agent_presence AS seen ON seen.id = last.id WHERE seen.alive"
    )

    @classmethod
    def of(cls, dialect: str) -> Self:
        """The statements for ``sqlite`` or ``postgresql``, which differ in how a parameter is marked."""
        plain = cls()
        if dialect == "sqlite":
            return plain
        return cls(**{field.name: getattr(plain, field.name).replace("?", "%s") for field in fields(cls)})
