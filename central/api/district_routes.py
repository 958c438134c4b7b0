"""Routes of the district as it is now (overview, sites, doors) and of momentary acts on a door."""

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from central.api.answers import encoded
from central.api.problems import HttpProblem, documented
from central.api.security import Commander, SignedIn
from central.api.services import Parts
from central.api.strict import StrictBody, StrictRoute
from central.live.view_types import DoorDetail, Overview, SiteView
from central.live.views import stored_event
from central.people.roles import Right, may, roles_with
from protocol.mqtt import NotConnected
from protocol.words import CommandKind

router = APIRouter(prefix="/api", route_class=StrictRoute)

EVENTS_OF_A_DOOR = 50

SiteName = Annotated[str, Path(description="A site's name, as in topics", examples=["lincoln-high"])]
DoorName = Annotated[str, Path(description="A door's name, unique within its site", examples=["main-entrance"])]


class HealthView(BaseModel):
    """Central's own condition. ``problems``: sentences for people; none if ok."""

    ok: bool
    broker_connected: bool
    doors: int
    agents_alive: int
    events_committed: int = Field(description="Since central's start")
    refused: dict[str, int] = Field(description="What came in and was refused, by reason, since central's start")
    strangers: int = Field(description="Agents and doors that speak and are not in the district's file")
    problems: list[str]


class Grant(StrictBody):
    """Open the door once, as a badge would."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"kind": "grant"}]})

    kind: Literal[CommandKind.GRANT]


class TestLock(StrictBody):
    """Command the lock again, and report its sensors."""

    kind: Literal[CommandKind.TEST_LOCK]


class ClearDuress(StrictBody):
    """Clear the door's duress alarm, once a person has dealt with it."""

    kind: Literal[CommandKind.CLEAR_DURESS]


class ForgivePassback(StrictBody):
    """Have the door's agent forget where one cardholder is, or all."""

    kind: Literal[CommandKind.FORGIVE_PASSBACK]
    cardholder: str | None = Field(
        default=None, max_length=200, description="Whom; all whom the agent knows if left out"
    )


class RotateReaderKey(StrictBody):
    """Give a reader a new secure channel key."""

    kind: Literal[CommandKind.ROTATE_READER_KEY]
    reader: str = Field(max_length=48, description="Which reader")


CommandBody = Annotated[
    Grant | TestLock | ClearDuress | ForgivePassback | RotateReaderKey, Field(discriminator="kind")
]
"""A shape for each kind: tools would read a shape for several as if it were for the last of them."""


class CommandView(BaseModel):
    """A command on its way. The agent answers with a command_done or message_refused event that carries the id."""

    id: str
    expires_ms: int = Field(description="UTC ms; not carried out later than this")


@router.get("/health", tags=["health"], summary="How central is")
async def health(central: Parts) -> HealthView:
    """For monitoring; needs no session."""
    found = central.health()
    return HealthView(
        ok=not found.problems,
        broker_connected=found.broker_connected,
        doors=central.fleet.totals.doors,
        agents_alive=central.fleet.totals.agents_alive,
        events_committed=found.events_committed,
        refused=found.refused,
        strangers=len(central.fleet.strangers),
        problems=list(found.problems),
    )


@router.get(
    "/overview",
    tags=["district"],
    summary="The district in a screen",
    response_model=Overview,
    responses=documented(401),
)
async def overview(central: Parts, _: SignedIn) -> Response:
    """Sums, a line for each site, and the declarations that hold."""
    active = central.declarations.active
    view: Overview = {
        "server_ms": central.clock.utc_ms(),
        "broker_connected": central.health().broker_connected,
        "district": central.inventory.name,
        "totals": central.views.totals(),
        "sites": central.views.summaries(central.inventory.sites, active),
        "declarations": [central.views.declaration(record) for record in active],
    }
    return encoded(view)


@router.get(
    "/sites/{site}",
    tags=["district"],
    summary="A site with its agents and doors",
    response_model=SiteView,
    responses=documented(401, 404),
)
async def site(site: SiteName, central: Parts, _: SignedIn) -> Response:
    """A site with every agent and door, as they are now."""
    if site not in central.inventory.sites:
        raise HttpProblem(404, f"There is no site {site!r}.")
    return encoded(central.views.site(site, central.clock.utc_ms()))


@router.get(
    "/sites/{site}/doors/{door}",
    tags=["district"],
    summary="A door with its latest events",
    response_model=DoorDetail,
    responses=documented(401, 404),
)
async def door(site: SiteName, door: DoorName, central: Parts, _: SignedIn) -> Response:
    """One door, and the last 50 events that name it."""
    live = central.fleet.doors.get((site, door))
    if live is None:
        raise HttpProblem(404, f"{site} has no door {door!r}.")
    events = await run_in_threadpool(central.history.events, site=site, door=door, limit=EVENTS_OF_A_DOOR)
    return encoded({**central.views.door(live), "events": [stored_event(event) for event in events]})


@router.post(
    "/sites/{site}/doors/{door}/commands",
    tags=["district"],
    summary="A momentary act: open a door once, test its lock, and so on",
    status_code=202,
    responses=documented(401, 403, 404, 413),
)
async def command(site: SiteName, door: DoorName, body: CommandBody, central: Parts, who: Commander) -> CommandView:
    """Send a momentary act. The agent refuses it while a declaration holds the door."""
    if (site, door) not in central.inventory.doors:
        raise HttpProblem(404, f"{site} has no door {door!r}.")
    if body.kind is CommandKind.CLEAR_DURESS and not may(who.role, Right.RELEASE):
        able = " or ".join(role for role in roles_with(Right.RELEASE) if may(role, Right.COMMAND))
        raise HttpProblem(403, f"A {who.role} may not clear a duress alarm; who may: {able}.", "not_allowed")
    data = body.model_dump(exclude={"kind"}, exclude_none=True)
    try:
        sent = await central.commands.send(site, door, body.kind, who.username, data)
    except NotConnected:
        raise HttpProblem(
            503, "There is no broker just now; the command may not have been sent.", "no_broker"
        ) from None
    return CommandView(id=sent.id, expires_ms=sent.expires_ms)
