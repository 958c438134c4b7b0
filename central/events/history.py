"""Reads the past from the records: events as they came, and doors and agents over time.

Times are the agents' own UTC, also of an untrusted clock.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import msgspec
from sqlalchemy import Connection, Engine, Row, Select, and_, func, select

from central.events.history_buckets import Buckets, Since, lasted, overlaid
from central.records.schema import agent_presence, events, stream_cursors
from protocol.words import Condition, EventKind

MOST_EVENTS = 1_000
"""The most events of a page."""

_LATEST_NS = 2**63 - 1


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """One event from the records. ``data`` is the agent's JSON text."""

    id: int
    site: str
    agent: str
    stream: str
    seq: int
    door: str | None
    kind: str
    at_ms: int
    clock_trusted: bool
    received_ms: int
    data: str


@dataclass(frozen=True, slots=True)
class DoorPoint:
    """A door in one bucket: condition and mode at its end, how long each condition lasted, grants and denials."""

    t_ms: int
    condition: str
    mode: str | None
    conditions_ms: dict[str, int]
    granted: int
    denied: int


@dataclass(frozen=True, slots=True)
class DoorSeries:
    """A door over time."""

    site: str
    agent: str
    door: str
    points: list[DoorPoint]


@dataclass(frozen=True, slots=True)
class AgentPoint:
    """An agent in one bucket: how long central saw it alive, and its last reported health, if any."""

    t_ms: int
    alive_ms: int
    outbox_depth: int | None
    rss_mib: float | None
    cpu_percent: float | None


@dataclass(frozen=True, slots=True)
class AgentSeries:
    """An agent over time."""

    site: str
    agent: str
    points: list[AgentPoint]


_Known = TypeVar("_Known", bound=msgspec.Struct)


class _Health(msgspec.Struct):
    """The known fields of an ``agent_health`` event's data."""

    outbox_depth: int | None = None
    rss_mib: float | None = None
    cpu_percent: float | None = None


class _To(msgspec.Struct):
    """The data of a change: its new value."""

    to: str = ""


@dataclass(slots=True)
class _DoorPast:
    """One door's events, as read from the records."""

    agent: str
    condition: str = Condition.UNKNOWN
    mode: str | None = None
    conditions: list[Since[str]] = field(default_factory=list)
    modes: list[Since[str | None]] = field(default_factory=list)
    granted: list[int] = field(default_factory=list)
    denied: list[int] = field(default_factory=list)


_OF_DOORS = (
    EventKind.CONDITION_CHANGED,
    EventKind.MODE_CHANGED,
    EventKind.ACCESS_GRANTED,
    EventKind.ACCESS_DENIED,
)


class History:
    """Safe from several threads: every call is a transaction of its own."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def events(
        self,
        *,
        site: str | None = None,
        agent: str | None = None,
        door: str | None = None,
        kind: str | None = None,
        from_ms: int | None = None,
        to_ms: int | None = None,
        before_id: int | None = None,
        limit: int = 100,
    ) -> list[StoredEvent]:
        """A page of events, newest first by id; give the last one's id as ``before_id`` for the next page.

        ``from_ms`` is included, ``to_ms`` is not. At most MOST_EVENTS, whatever the limit.
        """
        equal = ((events.c.site, site), (events.c.agent, agent), (events.c.door, door), (events.c.kind, kind))
        query = select(events).where(*(column == value for column, value in equal if value is not None))
        if from_ms is not None:
            query = query.where(events.c.utc_ns >= _ns(from_ms))
        if to_ms is not None:
            query = query.where(events.c.utc_ns < _ns(to_ms))
        if before_id is not None:
            query = query.where(events.c.id < before_id)
        query = query.order_by(events.c.id.desc()).limit(max(0, min(limit, MOST_EVENTS)))
        with self._engine.connect() as connection:
            return [_stored(row) for row in connection.execute(query)]

    def doors(self, site: str, buckets: Buckets, *, now_ms: int, door: str | None = None) -> list[DoorSeries]:
        """The doors of a site, or one, over time. A door without any event has no series.

        While its agent was not running a door is unknown, whatever it was before. Time after ``now_ms`` (UTC) does
        not count.
        """
        with self._engine.connect() as connection:
            past = self._read_doors(connection, site, door, buckets)
            spans = {
                agent: _dead_spans(connection, site, agent, buckets, now_ms)
                for agent in {found.agent for found in past.values()}
            }
        return [
            DoorSeries(site, found.agent, name, _door_points(found, spans[found.agent], buckets, now_ms))
            for name, found in sorted(past.items())
        ]

    def agents(
        self, buckets: Buckets, *, now_ms: int, site: str | None = None, agent: str | None = None
    ) -> list[AgentSeries]:
        """Agents over time: when central heard them, and the health they reported."""
        presence: dict[tuple[str, str], list[Since[bool]]] = {}
        health: dict[tuple[str, str], dict[int, _Health]] = {}
        with self._engine.connect() as connection:
            seen = select(agent_presence).where(agent_presence.c.at_ms < buckets.to_ms)
            for row in connection.execute(_of_agent(seen, agent_presence, site, agent).order_by(agent_presence.c.id)):
                presence.setdefault((row.site, row.agent), []).append(Since(row.at_ms, row.alive))
            said = select(events.c.site, events.c.agent, events.c.utc_ns, events.c.data).where(
                events.c.kind == EventKind.AGENT_HEALTH.value, *_within(buckets)
            )
            for row in connection.execute(_of_agent(said, events, site, agent).order_by(events.c.utc_ns)):
                of_agent = health.setdefault((row.site, row.agent), {})
                of_agent[buckets.index(_ms(row.utc_ns))] = _read(_Health, row.data)
        for changes in presence.values():
            changes.sort(key=lambda change: change.at_ms)
        return [
            AgentSeries(*key, _agent_points(presence.get(key, []), health.get(key, {}), buckets, now_ms))
            for key in sorted({*presence, *health})
        ]

    def _read_doors(
        self, connection: Connection, site: str, door: str | None, buckets: Buckets
    ) -> dict[str, _DoorPast]:
        past: dict[str, _DoorPast] = {}
        chosen = [events.c.site == site, events.c.door == door if door is not None else events.c.door.is_not(None)]
        for kind in (EventKind.CONDITION_CHANGED, EventKind.MODE_CHANGED):
            last = (
                select(events.c.door, func.max(events.c.utc_ns).label("utc_ns"))
                .where(*chosen, events.c.kind == kind.value, events.c.utc_ns < _ns(buckets.from_ms))
                .group_by(events.c.door)
                .subquery()
            )
            before = (
                select(events.c.agent, events.c.door, events.c.data)
                .join(last, and_(events.c.door == last.c.door, events.c.utc_ns == last.c.utc_ns))
                .where(events.c.site == site, events.c.kind == kind.value)
                .order_by(events.c.id)
            )
            for agent, name, data in connection.execute(before):
                found = past.setdefault(name, _DoorPast(agent))
                if kind is EventKind.CONDITION_CHANGED:
                    found.condition = _condition(data)
                else:
                    found.mode = _read(_To, data).to
        during = (
            select(events.c.agent, events.c.door, events.c.kind, events.c.utc_ns, events.c.data)
            .where(*chosen, events.c.kind.in_([kind.value for kind in _OF_DOORS]), *_within(buckets))
            .order_by(events.c.utc_ns, events.c.id)
        )
        for row in connection.execute(during):
            _note(past.setdefault(row.door, _DoorPast(row.agent)), row.kind, _ms(row.utc_ns), row.data)
        return past


def _note(past: _DoorPast, kind: str, at_ms: int, data: str) -> None:
    match kind:
        case EventKind.CONDITION_CHANGED:
            past.conditions.append(Since(at_ms, _condition(data)))
        case EventKind.MODE_CHANGED:
            past.modes.append(Since(at_ms, _read(_To, data).to))
        case EventKind.ACCESS_GRANTED:
            past.granted.append(at_ms)
        case EventKind.ACCESS_DENIED:
            past.denied.append(at_ms)


def _dead_spans(
    connection: Connection, site: str, agent: str, buckets: Buckets, now_ms: int
) -> list[tuple[int, int]]:
    """When an agent was not running, in order: from the last event of one run to the first of the next.

    An agent that was only cut off kept writing into its outbox: once those events arrive, it counts as running.
    """
    mine = and_(events.c.site == site, events.c.agent == agent)
    previous = events.alias("previous")
    before = (
        select(previous.c.utc_ns)
        .where(
            previous.c.site == events.c.site,
            previous.c.agent == events.c.agent,
            previous.c.stream == events.c.stream,
            previous.c.seq < events.c.seq,
        )
        .order_by(previous.c.seq.desc())
        .limit(1)
        .scalar_subquery()
    )
    starts = (
        select(events.c.utc_ns, before.label("before_ns"))
        .where(mine, events.c.kind == EventKind.AGENT_STARTED.value, events.c.utc_ns >= _ns(buckets.from_ms))
        .order_by(events.c.utc_ns)
    )
    spans: list[tuple[int, int]] = []
    for row in connection.execute(starts):
        end_ms = _ms(row.utc_ns)
        start_ms = max(_ms(row.before_ns if row.before_ns is not None else 0), spans[-1][1] if spans else 0)
        if start_ms < end_ms:
            spans.append((start_ms, end_ms))
    seen = connection.execute(
        select(agent_presence)
        .where(agent_presence.c.site == site, agent_presence.c.agent == agent)
        .order_by(agent_presence.c.id.desc())
        .limit(1)
    ).first()
    if seen is not None and not seen.alive:
        cursor = stream_cursors.c
        last = connection.execute(
            select(events.c.utc_ns)
            .join_from(
                stream_cursors,
                events,
                and_(
                    events.c.site == cursor.site,
                    events.c.agent == cursor.agent,
                    events.c.stream == cursor.stream,
                    events.c.seq == cursor.committed,
                ),
            )
            .where(cursor.site == site, cursor.agent == agent)
            .order_by(cursor.updated_ms.desc())
            .limit(1)
        ).scalar()
        start_ms = max(seen.at_ms, _ms(last or 0))
        if start_ms < now_ms:
            spans.append((start_ms, now_ms))
    return spans


def _door_points(past: _DoorPast, dead: list[tuple[int, int]], buckets: Buckets, now_ms: int) -> list[DoorPoint]:
    conditions = overlaid(past.condition, past.conditions, dead, Condition.UNKNOWN.value)
    granted, denied = _per_bucket(past.granted, buckets), _per_bucket(past.denied, buckets)
    return [
        DoorPoint(start_ms, condition.last, mode.last, condition.ms, granted[index], denied[index])
        for index, ((start_ms, _), condition, mode) in enumerate(
            zip(
                buckets,
                lasted(buckets, past.condition, conditions, now_ms),
                lasted(buckets, past.mode, past.modes, now_ms),
                strict=True,
            )
        )
    ]


def _agent_points(
    presence: list[Since[bool]], health: dict[int, _Health], buckets: Buckets, now_ms: int
) -> list[AgentPoint]:
    nothing = _Health()
    points = []
    for index, ((start_ms, _), seen) in enumerate(
        zip(buckets, lasted(buckets, False, presence, now_ms), strict=True)
    ):
        said = health.get(index, nothing)
        points.append(AgentPoint(start_ms, seen.ms.get(True, 0), said.outbox_depth, said.rss_mib, said.cpu_percent))
    return points


def _per_bucket(moments: Iterable[int], buckets: Buckets) -> list[int]:
    counts = [0] * len(buckets)
    for at_ms in moments:
        counts[buckets.index(at_ms)] += 1
    return counts


def _of_agent(query: Select[Any], table: Any, site: str | None, agent: str | None) -> Select[Any]:
    chosen = ((table.c.site, site), (table.c.agent, agent))
    return query.where(*(column == name for column, name in chosen if name is not None))


def _within(buckets: Buckets) -> tuple[Any, Any]:
    return events.c.utc_ns >= _ns(buckets.from_ms), events.c.utc_ns < _ns(buckets.to_ms)


def _condition(data: str) -> str:
    """The new condition; unknown for a word that only newer agents know."""
    return Condition(_read(_To, data).to).value


def _read(kind: type[_Known], data: str) -> _Known:
    """The fields of an event's data that this version knows; the defaults if it has another form."""
    try:
        return msgspec.json.decode(data, type=kind)
    except msgspec.DecodeError:
        return kind()


def _stored(row: Row[Any]) -> StoredEvent:
    return StoredEvent(
        id=row.id,
        site=row.site,
        agent=row.agent,
        stream=row.stream,
        seq=row.seq,
        door=row.door,
        kind=row.kind,
        at_ms=_ms(row.utc_ns),
        clock_trusted=row.clock_trusted,
        received_ms=_ms(row.received_ns),
        data=row.data,
    )


def _ms(ns: int) -> int:
    return ns // 1_000_000


def _ns(ms: int) -> int:
    return max(0, min(ms * 1_000_000, _LATEST_NS))
