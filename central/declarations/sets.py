"""Makes the signed set of a topic from the records, inside the transaction that changed them.

A site's set carries central's declarations there, and those that an agent declared and then dropped on its own: an
agent alone releases nothing. ``ended`` names agents' own declarations that two people have ended.
"""

import logging
from collections.abc import Iterable, Iterator, Mapping

import msgspec
from sqlalchemy import Connection

from central.declarations import records as rows
from central.declarations.records import DeclarationRecord, Origin, SetRecord
from protocol import topics
from protocol.messages import Declaration, DeclarationSet, Scope
from protocol.refusal import Refused
from protocol.signing import Keyring, SigningKey
from protocol.words import KeyRole, ScopeKind

log = logging.getLogger(__name__)

MOST_ALIKE = 100
"""The most real declarations, and the most drills, of a topic. Both fit, so drills keep no real one out."""

ENDED_KEPT_MS = 90 * 24 * 3_600_000
"""A set names an ended declaration at least this long. An agent may have been off all summer, and still hold the
declaration of a neighbour that has since been removed."""

MOST_ENDED = 400
MOST_ENDED_BYTES = 20 * 1024

MOST_OF_AGENTS_BYTES = 20 * 1024
"""Bytes of a set for agents' own declarations, real and oldest first, so that central's own always fit."""

Listed = Mapping[str, Mapping[str, Declaration]]
"""The declarations of the agents' own sets: by the agent's topic, then by id."""


def topic_of(scope: Scope) -> str:
    """The topic whose set carries central's declarations of a scope."""
    if scope.kind is ScopeKind.DISTRICT:
        return topics.district_declarations()
    assert scope.site is not None, "all scopes but the district's have a site"
    return topics.site_declarations(scope.site)


def same(one: Declaration | DeclarationRecord, other: Declaration) -> bool:
    """Whether two declarations of one id lock the same doors."""
    return (one.action, one.scope, one.drill) == (other.action, other.scope, other.drill)


def carried_in(record: DeclarationRecord, topic: str, listed: Listed) -> bool:
    """Whether a topic's set must carry an active declaration: an agent's own only while that agent does not list it
    as adopted.
    """
    if record.origin is Origin.CENTRAL:
        return record.topic == topic
    still = listed.get(record.topic, {}).get(record.id)
    return (still is None or not same(record, still)) and topic_of(record.scope) == topic


def carriers(records: Iterable[DeclarationRecord], listed: Listed) -> dict[str, frozenset[str]]:
    """The ids of active declarations that central's sets must carry, by topic."""
    wanted: dict[str, frozenset[str]] = {}
    for record in records:
        topic = topic_of(record.scope)
        if carried_in(record, topic, listed):
            wanted[topic] = wanted.get(topic, frozenset()) | {record.id}
    return wanted


def carries(stored: SetRecord | None, key: SigningKey, wanted: frozenset[str]) -> bool:
    """Whether a stored set is signed with this key and carries exactly these ids."""
    if stored is None:
        return False
    try:
        document = Keyring([key.trusted(KeyRole.DISTRICT)]).open(DeclarationSet, stored.topic, stored.jws)
    except Refused:
        return False
    return {declaration.id for declaration in document.declarations} == wanted


def next_revision(connection: Connection, topic: str, now_ms: int) -> int:
    """The revision of a topic's next set: above the last, and above any that another machine made before now."""
    return max(rows.revision_of(connection, topic) + 1, now_ms)


def make_set(connection: Connection, key: SigningKey, topic: str, *, listed: Listed, now_ms: int) -> SetRecord:
    """Sign and store the topic's next set from this transaction's active declarations."""
    site = topics.parse(topic).site
    active = [record for record in rows.active(connection) if carried_in(record, topic, listed)]
    ended: list[str] = []
    if site is not None:
        ended = rows.ended_of_agents(connection, site, now_ms - ENDED_KEPT_MS, _of_site(listed, site))
    document = DeclarationSet(
        audience=topic,
        revision=next_revision(connection, topic, now_ms),
        declarations=tuple(record.on_the_wire() for record in _that_fit(active, topic)),
        ended=tuple(_ids_that_fit(ended)),
    )
    stored = SetRecord(topic, document.revision, key.sign(document))
    rows.save_set(connection, stored, now_ms)
    return stored


def _that_fit(active: list[DeclarationRecord], topic: str) -> list[DeclarationRecord]:
    """All of central's own, then those of agents that fit."""
    fit = [record for record in active if record.origin is Origin.CENTRAL]
    others = sorted((record for record in active if record.origin is not Origin.CENTRAL), key=lambda one: one.drill)
    room, left = MOST_OF_AGENTS_BYTES, 0
    for record in others:
        room -= len(msgspec.json.encode(record.on_the_wire()))
        if room < 0:
            left += 1
        else:
            fit.append(record)
    if left:
        log.error("%s has no room for %d of what agents declared and dropped; end some of them", topic, left)
    return fit


def _ids_that_fit(ended: list[str]) -> Iterator[str]:
    """The latest ids that fit: agents chose them, and may have chosen long ones."""
    room = MOST_ENDED_BYTES
    for id_ in ended[:MOST_ENDED]:
        room -= len(msgspec.json.encode(id_)) + 1
        if room < 0:
            log.error("no room to name all of the agents' own declarations that have ended")
            return
        yield id_


def _of_site(listed: Listed, site: str) -> set[str]:
    return {id_ for topic, ids in listed.items() if topics.parse(topic).site == site for id_ in ids}
