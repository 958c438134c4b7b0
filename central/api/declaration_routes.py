"""Routes to declare, to release, and to follow each door's closure."""

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query, Response
from pydantic import ConfigDict, Field, StringConstraints
from starlette.concurrency import run_in_threadpool

from central.api.answers import encoded
from central.api.problems import HttpProblem, documented
from central.api.security import Declarer, Releaser, SignedIn
from central.api.services import Parts, Services
from central.api.strict import ByValue, InDigits, StrictBody, StrictRoute, TrueOrFalse
from central.declarations.records import DeclarationRecord
from central.declarations.release import ReleaseRefused
from central.declarations.service import ENDED, DeclarationRefused, NoSuchDeclaration
from central.live.view_types import DeclarationDetail, DeclarationView
from protocol.messages import Scope
from protocol.words import ScopeKind, SrpAction

router = APIRouter(prefix="/api/declarations", tags=["declarations"], route_class=StrictRoute)

MOST_REASON = 500
Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,47}$")]
Id = Annotated[str, Path(description="A declaration's id", max_length=200)]


class DistrictScope(StrictBody):
    """All schools of the district."""

    kind: Literal[ScopeKind.DISTRICT]


class SiteScope(StrictBody):
    """One school of the district."""

    kind: Literal[ScopeKind.SITE]
    site: Name


class ZoneScope(StrictBody):
    """A zone of a school."""

    kind: Literal[ScopeKind.ZONE]
    site: Name
    zone: Name


class DoorScope(StrictBody):
    """A door of a school."""

    kind: Literal[ScopeKind.DOOR]
    site: Name
    door: Name


class DeclareBody(StrictBody):
    """The declaration to make. ``drill`` has no default: a drill must never pass for a real one, nor the reverse."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "action": "lockdown",
                    "scope": {"kind": "site", "site": "lincoln-high"},
                    "drill": False,
                    "reason": "report of an intruder at the gym",
                }
            ]
        },
    )

    action: Annotated[SrpAction, ByValue] = Field(
        description="lockdown secures all doors, secure the perimeter; others move no lock"
    )
    scope: DistrictScope | SiteScope | ZoneScope | DoorScope = Field(
        discriminator="kind", description="Where; each kind names just what it needs"
    )
    drill: bool
    reason: str = Field(default="", max_length=MOST_REASON)


@router.post(
    "",
    summary="Declare",
    status_code=201,
    response_model=DeclarationView,
    responses=documented(401, 403, 404, 409, 413),
)
async def declare(body: DeclareBody, central: Parts, who: Declarer) -> Response:
    """Any role may. When this answers, the declaration is committed and on its way to every agent; ``closure``, here
    and in the live stream, counts the doors proven so far. 404 ``no_such_scope``.
    """
    scope = Scope(**body.scope.model_dump())
    try:
        record = await central.declarations.declare(
            body.action, scope, drill=body.drill, reason=_printable(body.reason), by=who.username
        )
    except DeclarationRefused as refused:
        status = 404 if refused.kind == "no_such_scope" else 409
        raise HttpProblem(status, f"{refused}.", refused.kind) from None
    return encoded(central.views.declaration(record), 201)


@router.get("", summary="The declarations", response_model=list[DeclarationView], responses=documented(401))
async def declarations(
    central: Parts,
    _: SignedIn,
    active: Annotated[
        bool | None, Query(description="true: that hold; false: ended; absent: both"), TrueOrFalse
    ] = None,
    limit: Annotated[int, Query(ge=1, le=500), InDigits] = 100,
) -> Response:
    """A page of declarations, newest first."""
    if active is True:
        return encoded([central.views.declaration(one) for one in reversed(central.declarations.active[-limit:])])
    records = await run_in_threadpool(central.declarations.latest, limit, ended_only=active is False)
    closures = await run_in_threadpool(
        central.audit.details, ENDED, [record.id for record in records if not record.active]
    )
    return encoded([central.views.declaration(record, closures.get(record.id)) for record in records])


@router.get(
    "/{id}",
    summary="A declaration with its doors",
    response_model=DeclarationDetail,
    responses=documented(401, 404),
)
async def declaration(id: Id, central: Parts, _: SignedIn) -> Response:  # noqa: A002 - the path's own word
    """The declaration, and each door it covers: proven, pending or failed, and why."""
    try:
        record = await run_in_threadpool(central.declarations.get, id)
    except NoSuchDeclaration as missing:
        raise HttpProblem(404, f"{missing}.") from None
    view = await _view(central, record)
    return encoded({**view, "doors": central.views.rows(record.id, central.clock.mono_ms())})


@router.post(
    "/{id}/release",
    summary="Agree to the release",
    response_model=DeclarationView,
    responses=documented(401, 403, 404, 409),
)
async def release(id: Id, central: Parts, who: Releaser) -> Response:  # noqa: A002
    """A drill ends at once. A real declaration needs two people: the first requests the release, a second ends it.
    409 ``same_person`` if the first asks again, 409 ``already_ended``.
    """
    try:
        record = await central.declarations.agree(id, who.username)
    except NoSuchDeclaration as missing:
        raise HttpProblem(404, f"{missing}.") from None
    except ReleaseRefused as refused:
        raise HttpProblem(409, f"{refused}.", refused.kind) from None
    return encoded(await _view(central, record))


@router.delete(
    "/{id}/release",
    summary="Withdraw the request for release",
    response_model=DeclarationView,
    responses=documented(401, 403, 404, 409),
)
async def withdraw(id: Id, central: Parts, who: Releaser) -> Response:  # noqa: A002
    """Any person with the right to release may withdraw a request. 409 ``not_requested``, ``already_ended``."""
    try:
        record = await central.declarations.withdraw(id, who.username)
    except NoSuchDeclaration as missing:
        raise HttpProblem(404, f"{missing}.") from None
    except ReleaseRefused as refused:
        raise HttpProblem(409, f"{refused}.", refused.kind) from None
    return encoded(await _view(central, record))


async def _view(central: Services, record: DeclarationRecord) -> DeclarationView:
    if record.active:
        return central.views.declaration(record)
    closures = await run_in_threadpool(central.audit.details, ENDED, [record.id])
    return central.views.declaration(record, closures.get(record.id))


def _printable(text: str) -> str:
    """Replace control characters by spaces: no database or log needs them."""
    return "".join(character if character.isprintable() else " " for character in text).strip()
