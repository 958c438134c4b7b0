"""Which mode a door is in: the strictest of its schedule and of every declaration that covers it (invariant 4).

Pure and without memory: the same sets always give the same mode, so that ending one declaration cannot loosen
what another holds, and the end of the last returns the door to its schedule as it is then.
"""

from collections.abc import Iterable, Iterator

from protocol import topics
from protocol.messages import Declaration, DeclarationSet, DoorSettings, Scope
from protocol.words import DoorMode, ScopeKind, SrpAction, door_mode_for, strictest

_KNOWN_ACTIONS = frozenset(SrpAction)


def effective_mode(
    settings: DoorSettings,
    site: str,
    sets: Iterable[DeclarationSet],
    scheduled: DoorMode,
    *,
    zones_known: bool = True,
) -> tuple[DoorMode, tuple[str, ...]]:
    """A door's mode and the ids, sorted, of the declarations that ask one of it.

    ``sets`` are all sets that an agent holds, of the district, of its site and of the site's agents; ``audience``
    says whose each is. Actions that only direct people ask nothing of a door and are not among the ids; nor are
    actions that this version does not know, see :func:`unknown_actions`. ``zones_known`` False: central has not
    said which zones the door is in, so it may be in any zone of its site.
    """
    asked = {
        declaration.id: mode
        for declaration in active(site, sets)
        if _covers(declaration.scope, settings, site, zones_known=zones_known)
        and (mode := door_mode_for(declaration.action, perimeter=settings.perimeter)) is not None
    }
    return strictest(scheduled, *asked.values()), tuple(sorted(asked))


def active(site: str, sets: Iterable[DeclarationSet]) -> Iterator[Declaration]:
    """The declarations of some sets, less those of agents that central has ended.

    ``ended`` names only agents' own declarations: central ends its own by leaving them out.
    """
    held = tuple(sets)
    ended = {id_ for document in held if _is_centrals(document, site) for id_ in document.ended}
    for document in held:
        own = topics.parse(document.audience).agent is not None
        for declaration in document.declarations:
            if not (own and declaration.id in ended):
                yield declaration


def unknown_actions(site: str, sets: Iterable[DeclarationSet]) -> tuple[Declaration, ...]:
    """Active declarations of an action this version does not know: they ask nothing of a door and are reported."""
    return tuple(declaration for declaration in active(site, sets) if declaration.action not in _KNOWN_ACTIONS)


def _is_centrals(document: DeclarationSet, site: str) -> bool:
    """Whether a set is the district's or this site's, and not an agent's."""
    topic = topics.parse(document.audience)
    return topic.agent is None and topic.site in (None, site)


def _covers(scope: Scope, settings: DoorSettings, site: str, *, zones_known: bool) -> bool:
    match scope.kind:
        case ScopeKind.DISTRICT:
            return True
        case ScopeKind.SITE:
            return scope.site == site
        case ScopeKind.ZONE:
            return scope.site == site and (scope.zone in settings.zones or not zones_known)
        case ScopeKind.DOOR:
            return scope.site == site and scope.door == settings.door
