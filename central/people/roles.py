"""The rights of each role. Pure.

Anyone signed in may lock; releasing, commanding doors and administering take a role (design invariant 5).
"""

from enum import StrEnum


class Role(StrEnum):
    """A person's role in the district."""

    OFFICER = "officer"  # school resource officers, dispatch
    RESPONDER = "responder"  # school staff who answer an emergency
    FACILITIES = "facilities"  # staff who maintain doors and locks
    ADMINISTRATOR = "administrator"


class Right(StrEnum):
    """A right that a role may give."""

    LOOK = "look"
    DECLARE = "declare"
    RELEASE = "release"
    COMMAND = "command"
    AUDIT = "audit"
    ADMINISTER = "administer"


_EVERYONE = frozenset({Right.LOOK, Right.DECLARE})

RIGHTS: dict[Role, frozenset[Right]] = {
    Role.OFFICER: _EVERYONE | {Right.RELEASE, Right.COMMAND, Right.AUDIT},
    Role.RESPONDER: _EVERYONE | {Right.RELEASE},
    Role.FACILITIES: _EVERYONE | {Right.COMMAND},
    Role.ADMINISTRATOR: frozenset(Right),
}


def may(role: Role, right: Right) -> bool:
    """Whether a role gives a right."""
    return right in RIGHTS[role]


def roles_with(right: Right) -> list[Role]:
    """The roles that give a right, for messages."""
    return [role for role in Role if may(role, right)]
