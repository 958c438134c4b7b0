"""The sets that agents sign themselves (panic buttons): of each agent the last one that central accepted.

No I/O: ``central.declarations.service`` keeps them in the records and acts on them.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from central.declarations.records import DeclarationRecord, Origin, SetRecord
from central.declarations.sets import Listed, same
from protocol import topics
from protocol.messages import Declaration, DeclarationSet, TrustedKey
from protocol.refusal import Reason, Refused
from protocol.signing import Keyring
from protocol.words import ScopeKind

OLDEST_MS = 7 * 24 * 3_600_000
"""A declaration dated longer ago was dated by a wrong clock."""

EARLY_MS = 5_000
"""A declaration dated further in the future was dated by a wrong clock."""

MOST_ADOPTED = 20
"""Active declarations of one agent at most: a stolen key must not fill its site's set."""


@dataclass(frozen=True, slots=True)
class OwnSet:
    """A set that replaces an earlier one. ``dropped``: ids that the earlier one listed and this one does not, or
    lists with another action, scope or drill.
    """

    site: str
    agent: str
    document: DeclarationSet
    stored: SetRecord
    dropped: frozenset[str]

    @property
    def name(self) -> str:
        """The agent's name in the records."""
        return f"{self.site}/{self.agent}"


class OwnSets:
    """Holds the latest set of every agent that has one. ``keys`` are the agents' own."""

    def __init__(self, keys: Iterable[TrustedKey]) -> None:
        self._keyring = Keyring(keys)
        self._held: dict[str, DeclarationSet] = {}

    def accept(self, site: str, agent: str, topic: str, jws: bytes) -> OwnSet | None:
        """Check a set that arrived and hold it; None if it is the one already held.

        Raises :class:`Refused`: as ``Keyring.open``, older_revision, not_allowed if it reaches beyond its site, or
        malformed if an id is not printable.
        """
        document = self._keyring.open(DeclarationSet, topic, jws)
        for declaration in document.declarations:
            if declaration.scope.kind is ScopeKind.DISTRICT:
                raise Refused(Reason.NOT_ALLOWED, f"{site}/{agent} may not declare for the district")
            if not (declaration.id.isprintable() and declaration.action.isprintable()):
                raise Refused(Reason.MALFORMED, f"{site}/{agent} declares {declaration.id!r}: characters no id has")
        before = self._held.get(topic)
        if before is not None and document.revision <= before.revision:
            if document == before:
                return None
            raise Refused(Reason.OLDER_REVISION, f"revision {document.revision}; {before.revision} is held")
        self._held[topic] = document
        now = by_id(document)
        earlier = before.declarations if before is not None else ()
        dropped = frozenset(one.id for one in earlier if one.id not in now or not same(one, now[one.id]))
        return OwnSet(site, agent, document, SetRecord(topic, document.revision, jws), dropped)

    def restore(self, stored: SetRecord) -> None:
        """Load a set from the records, if its signer is still trusted."""
        try:
            self._held[stored.topic] = self._keyring.open(DeclarationSet, stored.topic, stored.jws)
        except Refused:
            self._held.pop(stored.topic, None)

    def listed(self) -> Listed:
        """The declarations of each agent's set."""
        return {topic: by_id(document) for topic, document in self._held.items()}


def adopted(own: OwnSet, declaration: Declaration, now_ms: int) -> DeclarationRecord:
    """Turn an agent's declaration into central's record of it."""
    dated = now_ms - OLDEST_MS <= declaration.at_ms <= now_ms + EARLY_MS
    return DeclarationRecord(
        id=declaration.id,
        action=declaration.action,
        scope=declaration.scope,
        drill=declaration.drill,
        reason="".join(character for character in declaration.reason if character.isprintable()),
        by=f"panic button at {own.name}",
        at_ms=min(declaration.at_ms, now_ms) if dated else now_ms,
        origin=Origin.AGENT,
        topic=own.stored.topic,
        revision=own.document.revision,
        origin_agent=own.name,
    )


def no_room(surplus: int) -> Refused:
    """The refusal of an agent's declarations beyond MOST_ADOPTED."""
    return Refused(Reason.NOT_ALLOWED, f"{surplus} more than the {MOST_ADOPTED} an agent may hold; end some first")


def is_agents(topic: str) -> bool:
    """Whether a topic belongs to an agent."""
    return topics.parse(topic).agent is not None


def by_id(document: DeclarationSet) -> dict[str, Declaration]:
    """The declarations of a set by id; the last of an id listed twice."""
    return {declaration.id: declaration for declaration in document.declarations}
