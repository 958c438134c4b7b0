"""Reads and writes declarations (one row each, for ever) and the latest signed set of each topic. SQL only.

``central.declarations.release`` decides what may happen to one, ``central.declarations.service`` sends it out.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, RowMapping, delete, select, update

from central.records.schema import declaration_sets, declarations
from protocol.messages import Declaration, Scope
from protocol.words import ScopeKind

WIRE_REASON = 120
"""Characters of a reason that agents get: only their logs use it, and a set has a limit of bytes."""


class Origin(StrEnum):
    """Where a declaration was made."""

    CENTRAL = "central"
    AGENT = "agent"  # by a panic button


class DeclarationState(StrEnum):
    """How far a declaration has got."""

    ACTIVE = "active"
    RELEASE_REQUESTED = "release_requested"  # by one person; active until another agrees
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class DeclarationRecord:
    """One declaration and its present state. ``revision``: of the topic's set that first carried it."""

    id: str
    action: str
    scope: Scope
    drill: bool
    reason: str
    by: str
    at_ms: int
    origin: Origin
    topic: str
    revision: int
    state: DeclarationState = DeclarationState.ACTIVE
    origin_agent: str | None = None  # "site/agent"
    release_requested_by: str | None = None
    release_requested_at_ms: int | None = None
    ended_by: str | None = None
    ended_at_ms: int | None = None

    @property
    def active(self) -> bool:
        """Not ended yet, its release requested or not."""
        return self.state is not DeclarationState.ENDED

    def on_the_wire(self) -> Declaration:
        """The form that agents receive."""
        return Declaration(
            id=self.id,
            action=self.action,
            scope=self.scope,
            by=self.by,
            at_ms=self.at_ms,
            drill=self.drill,
            reason=self.reason[:WIRE_REASON],
        )


@dataclass(frozen=True, slots=True)
class SetRecord:
    """The latest signed set of a topic: central's own, or an agent's as it was last accepted."""

    topic: str
    revision: int
    jws: bytes


def insert(connection: Connection, record: DeclarationRecord) -> None:
    scope = record.scope
    connection.execute(
        declarations.insert().values(
            id=record.id,
            action=record.action,
            scope_kind=scope.kind.value,
            scope_site=scope.site,
            scope_zone=scope.zone,
            scope_door=scope.door,
            drill=record.drill,
            reason=record.reason,
            declared_by=record.by,
            at_ms=record.at_ms,
            origin=record.origin.value,
            origin_agent=record.origin_agent,
            topic=record.topic,
            revision=record.revision,
            **_of_state(record),
        )
    )


def save_state(connection: Connection, record: DeclarationRecord) -> None:
    """Update a declaration to its present state."""
    connection.execute(update(declarations).where(declarations.c.id == record.id).values(_of_state(record)))


def get(connection: Connection, declaration_id: str) -> DeclarationRecord | None:
    """The declaration of an id, if any."""
    found = connection.execute(select(declarations).where(declarations.c.id == declaration_id)).mappings().first()
    return None if found is None else _record(found)


def active(connection: Connection) -> list[DeclarationRecord]:
    """All active declarations, oldest first."""
    query = select(declarations).where(declarations.c.state != DeclarationState.ENDED.value)
    return [_record(row) for row in connection.execute(query.order_by(declarations.c.at_ms)).mappings()]


def latest(connection: Connection, *, ended_only: bool, limit: int) -> list[DeclarationRecord]:
    """At most ``limit`` declarations, newest first."""
    query = select(declarations).order_by(declarations.c.at_ms.desc(), declarations.c.id).limit(limit)
    if ended_only:
        query = query.where(declarations.c.state == DeclarationState.ENDED.value)
    return [_record(row) for row in connection.execute(query).mappings()]


def ended_of_agents(connection: Connection, site: str, since_ms: int, listed: Iterable[str]) -> list[str]:
    """Ids of a site's agents' own declarations that have ended, since a time or among those still listed."""
    query = select(declarations.c.id).where(
        declarations.c.state == DeclarationState.ENDED.value,
        declarations.c.origin == Origin.AGENT.value,
        declarations.c.scope_site == site,
        (declarations.c.ended_at_ms >= since_ms) | declarations.c.id.in_(list(listed)),
    )
    return list(connection.execute(query.order_by(declarations.c.ended_at_ms.desc())).scalars())


def sets(connection: Connection) -> list[SetRecord]:
    """The latest set of every topic."""
    rows = connection.execute(select(declaration_sets))
    return [SetRecord(row.topic, row.revision, bytes(row.jws)) for row in rows]


def revision_of(connection: Connection, topic: str) -> int:
    """The latest revision of a topic; 0 before the first."""
    query = select(declaration_sets.c.revision).where(declaration_sets.c.topic == topic)
    return connection.execute(query).scalar() or 0


def save_set(connection: Connection, document: SetRecord, at_ms: int) -> None:
    """Store a set in place of the topic's last one."""
    connection.execute(delete(declaration_sets).where(declaration_sets.c.topic == document.topic))
    connection.execute(
        declaration_sets.insert().values(
            topic=document.topic, revision=document.revision, jws=document.jws, updated_ms=at_ms
        )
    )


def _of_state(record: DeclarationRecord) -> dict[str, Any]:
    return {
        "state": record.state.value,
        "release_requested_by": record.release_requested_by,
        "release_requested_at_ms": record.release_requested_at_ms,
        "ended_by": record.ended_by,
        "ended_at_ms": record.ended_at_ms,
    }


def _record(row: RowMapping) -> DeclarationRecord:
    scope = Scope(
        kind=ScopeKind(row["scope_kind"]), site=row["scope_site"], zone=row["scope_zone"], door=row["scope_door"]
    )
    return DeclarationRecord(
        id=row["id"],
        action=row["action"],
        scope=scope,
        drill=row["drill"],
        reason=row["reason"],
        by=row["declared_by"],
        at_ms=row["at_ms"],
        origin=Origin(row["origin"]),
        topic=row["topic"],
        revision=row["revision"],
        state=DeclarationState(row["state"]),
        origin_agent=row["origin_agent"],
        release_requested_by=row["release_requested_by"],
        release_requested_at_ms=row["release_requested_at_ms"],
        ended_by=row["ended_by"],
        ended_at_ms=row["ended_at_ms"],
    )
