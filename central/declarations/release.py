"""Decides when a declaration ends (design invariant 5): a drill by one person, a real one by two. Pure."""

from dataclasses import replace
from enum import StrEnum

from central.declarations.records import DeclarationRecord, DeclarationState


class NotReleased(StrEnum):
    """Why a release or its withdrawal is refused."""

    SAME_PERSON = "same_person"
    ALREADY_ENDED = "already_ended"
    NOT_REQUESTED = "not_requested"


class ReleaseRefused(Exception):  # noqa: N818 - an answer to a person
    """The declaration stays as it was. ``kind`` is for machines, the message for people."""

    def __init__(self, kind: NotReleased, message: str) -> None:
        super().__init__(message)
        self.kind = kind


def agree(record: DeclarationRecord, by: str, at_ms: int) -> DeclarationRecord:
    """The declaration after ``by``, who has the right to release, agrees to its end.

    For a real one, the first person requests the release and a second, different person ends it. Raises
    :class:`ReleaseRefused`: already_ended, same_person.
    """
    if record.state is DeclarationState.ENDED:
        raise ReleaseRefused(NotReleased.ALREADY_ENDED, f"it was ended by {record.ended_by} already")
    if not record.drill and record.state is DeclarationState.ACTIVE:
        return replace(
            record, state=DeclarationState.RELEASE_REQUESTED, release_requested_by=by, release_requested_at_ms=at_ms
        )
    if not record.drill and record.release_requested_by == by:
        raise ReleaseRefused(
            NotReleased.SAME_PERSON, f"{by} has asked for the release; a second person must agree to it"
        )
    return replace(record, state=DeclarationState.ENDED, ended_by=by, ended_at_ms=at_ms)


def withdraw(record: DeclarationRecord) -> DeclarationRecord:
    """Drop a declaration's request for release. Raises :class:`ReleaseRefused`: already_ended, not_requested."""
    if record.state is DeclarationState.ENDED:
        raise ReleaseRefused(NotReleased.ALREADY_ENDED, f"it was ended by {record.ended_by} already")
    if record.state is not DeclarationState.RELEASE_REQUESTED:
        raise ReleaseRefused(NotReleased.NOT_REQUESTED, "nobody has asked for its release")
    return replace(record, state=DeclarationState.ACTIVE, release_requested_by=None, release_requested_at_ms=None)
