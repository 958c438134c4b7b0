"""The declaration sets an agent holds, one per topic, and the rule by which a new one takes an old one's place.

Pure: signatures are checked before (protocol.signing), the book is made durable after (edge_agent.storage.state_db).
A set is desired state and not an event (invariant 3): only a higher revision changes anything.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from protocol.messages import Declaration, DeclarationSet
from protocol.refusal import Reason, Refused


@dataclass(frozen=True, slots=True)
class DeclarationBook:
    """Accepted sets by topic. Never changed; :func:`accept` makes the next one."""

    sets: Mapping[str, DeclarationSet] = field(default_factory=lambda: MappingProxyType({}))

    def __iter__(self) -> Iterator[DeclarationSet]:
        return iter(self.sets.values())

    @property
    def applied(self) -> dict[str, int]:
        """Topic -> revision, as a snapshot reports it."""
        return {topic: document.revision for topic, document in self.sets.items()}


def accept(book: DeclarationBook, topic: str, document: DeclarationSet) -> DeclarationBook:
    """The book with a set that arrived on a topic.

    Raises :class:`Refused`: older_revision; duplicate, if the revision is the one held (two different sets of
    one revision are a fault of the signer's: the first stays); wrong_target, if it was signed for another topic.
    """
    if document.audience != topic:
        raise Refused(Reason.WRONG_TARGET, f"signed for {document.audience!r}, arrived on {topic!r}")
    held = book.sets.get(topic)
    if held is not None and document.revision == held.revision:
        what = "the same set" if document == held else "a different set, the one held stays"
        raise Refused(Reason.DUPLICATE, f"{topic}: revision {held.revision} is held already; {what}")
    if held is not None and document.revision < held.revision:
        raise Refused(Reason.OLDER_REVISION, f"{topic}: revision {document.revision}, held is {held.revision}")
    return DeclarationBook(MappingProxyType({**book.sets, topic: document}))


def declared(book: DeclarationBook, topic: str, declaration: Declaration) -> DeclarationSet:
    """The next set of the agent's own topic, with one declaration more; not yet accepted."""
    return _next(book, topic, (*_declarations(book, topic), declaration))


def without_ended(book: DeclarationBook, topic: str, ended: frozenset[str]) -> DeclarationSet | None:
    """The next set of the agent's own topic less what central has ended; None if that takes nothing away."""
    before = _declarations(book, topic)
    kept = tuple(declaration for declaration in before if declaration.id not in ended)
    return _next(book, topic, kept) if len(kept) < len(before) else None


def joined(book: DeclarationBook, topic: str, arrived: DeclarationSet, ended: frozenset[str]) -> DeclarationSet:
    """The next set of the agent's own topic after one of its own that arrived with a higher revision than the one
    held: what either declares, less what central has ended, so that a leftover of the broker's releases nothing."""
    both = {one.id: one for one in (*arrived.declarations, *_declarations(book, topic))}
    kept = tuple(declaration for declaration in both.values() if declaration.id not in ended)
    return DeclarationSet(audience=topic, revision=arrived.revision + 1, declarations=kept)


def _declarations(book: DeclarationBook, topic: str) -> tuple[Declaration, ...]:
    return book.sets[topic].declarations if topic in book.sets else ()


def _next(book: DeclarationBook, topic: str, declarations: tuple[Declaration, ...]) -> DeclarationSet:
    revision = book.sets[topic].revision + 1 if topic in book.sets else 1
    return DeclarationSet(audience=topic, revision=revision, declarations=declarations)
