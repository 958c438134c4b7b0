"""Routes of the past: events as they came, and doors and agents over time."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from starlette.concurrency import run_in_threadpool
from typing_extensions import TypedDict

from central.api.answers import encoded
from central.api.problems import HttpProblem, documented
from central.api.security import SignedIn
from central.api.services import Parts, Services
from central.api.strict import InDigits
from central.events.history import MOST_EVENTS, AgentSeries, DoorSeries
from central.events.history_buckets import SHORTEST_RESOLUTION_MS, BadRange, Buckets
from central.live.view_types import EventView
from central.live.views import stored_event

router = APIRouter(prefix="/api", tags=["history"])

MOST_POINTS = 100_000
"""The most points of one answer, all series together."""

DAY_MS = 24 * 3_600_000
USUAL_POINTS = 288
_LATEST_MS = 2**53

Utc = Annotated[int | None, Query(ge=0, le=_LATEST_MS, description="UTC milliseconds since 1970"), InDigits]
Name = Annotated[str | None, Query(pattern=r"^[a-z0-9][a-z0-9-]{0,47}$")]
Resolution = Annotated[
    int | None,
    Query(
        ge=SHORTEST_RESOLUTION_MS,
        le=_LATEST_MS,
        description="Length of a point; absent: a minute, or 1/288 of the range",
    ),
    InDigits,
]


class Events(TypedDict):
    """A page of events, newest first."""

    events: list[EventView]


class DoorPointView(TypedDict):
    """A door in one span of time."""

    t_ms: int
    condition: str
    mode: str | None
    conditions_ms: dict[str, int]
    granted: int
    denied: int


class DoorSeriesView(TypedDict):
    """A door over time."""

    site: str
    agent: str
    door: str
    points: list[DoorPointView]


class DoorHistory(TypedDict):
    """``conditions_ms``: how long each condition lasted within a point; condition and mode are those at its end."""

    resolution_ms: int
    series: list[DoorSeriesView]


class AgentPointView(TypedDict):
    """An agent in one span of time; null where it reported no health."""

    t_ms: int
    alive_ms: int
    outbox_depth: int | None
    rss_mib: float | None
    cpu_percent: float | None


class AgentSeriesView(TypedDict):
    """An agent over time."""

    site: str
    agent: str
    points: list[AgentPointView]


class AgentHistory(TypedDict):
    """Agents over time, one series each."""

    resolution_ms: int
    series: list[AgentSeriesView]


@router.get("/events", summary="Events", response_model=Events, responses=documented(401))
async def events(
    central: Parts,
    _: SignedIn,
    *,
    site: Name = None,
    agent: Name = None,
    door: Name = None,
    kind: Annotated[str | None, Query(max_length=200)] = None,
    from_ms: Utc = None,
    to_ms: Utc = None,
    before_id: Annotated[int | None, Query(ge=0, le=2**62, description="The last page's last id"), InDigits] = None,
    limit: Annotated[int, Query(ge=1, le=MOST_EVENTS), InDigits] = 100,
) -> Response:
    """A page of events, newest first. ``from_ms`` is included, ``to_ms`` is not."""
    found = await run_in_threadpool(
        central.history.events,
        site=site,
        agent=agent,
        door=door,
        kind=kind,
        from_ms=from_ms,
        to_ms=to_ms,
        before_id=before_id,
        limit=limit,
    )
    return encoded({"events": [stored_event(event) for event in found]})


@router.get("/history/doors", summary="Doors over time", response_model=DoorHistory, responses=documented(401, 404))
async def history_of_doors(
    central: Parts,
    _: SignedIn,
    *,
    site: Annotated[str, Query(pattern=r"^[a-z0-9][a-z0-9-]{0,47}$")],
    door: Name = None,
    from_ms: Utc = None,
    to_ms: Utc = None,
    resolution_ms: Resolution = None,
) -> Response:
    """A site's doors, or one. Without a range: the last day. At most 2,000 points a series."""
    if site not in central.inventory.sites:
        raise HttpProblem(404, f"There is no site {site!r}.")
    buckets = _buckets(central, from_ms, to_ms, resolution_ms)
    _check_points(buckets, 1 if door is not None else sum(1 for _ in central.inventory.sites[site].doors))
    now_ms = central.clock.utc_ms()
    series = await run_in_threadpool(central.history.doors, site, buckets, now_ms=now_ms, door=door)
    return await run_in_threadpool(_series, buckets, series)


@router.get("/history/agents", summary="Agents over time", response_model=AgentHistory, responses=documented(401))
async def history_of_agents(
    central: Parts,
    _: SignedIn,
    *,
    site: Name = None,
    agent: Name = None,
    from_ms: Utc = None,
    to_ms: Utc = None,
    resolution_ms: Resolution = None,
) -> Response:
    """When central heard agents, and the health they reported. Without a range: the last day."""
    buckets = _buckets(central, from_ms, to_ms, resolution_ms)
    asked = sum(site in {None, of} and agent in {None, name} for of, name in central.inventory.agents)
    _check_points(buckets, asked)
    now_ms = central.clock.utc_ms()
    series = await run_in_threadpool(central.history.agents, buckets, now_ms=now_ms, site=site, agent=agent)
    return await run_in_threadpool(_series, buckets, series)


def _buckets(central: Services, from_ms: int | None, to_ms: int | None, resolution_ms: int | None) -> Buckets:
    end_ms = central.clock.utc_ms() if to_ms is None else to_ms
    begin_ms = max(0, end_ms - DAY_MS) if from_ms is None else from_ms
    length_ms = resolution_ms if resolution_ms is not None else max(60_000, (end_ms - begin_ms) // USUAL_POINTS)
    try:
        return Buckets(begin_ms, end_ms, length_ms)
    except BadRange as bad:
        raise HttpProblem(422, f"{bad}.", "bad_range") from None


def _check_points(buckets: Buckets, series: int) -> None:
    if series * len(buckets) > MOST_POINTS:
        raise HttpProblem(
            422,
            f"{series} series of {len(buckets)} points each; at most {MOST_POINTS} points are given at once: "
            "ask for one site or door, for a longer resolution_ms, or for a shorter range.",
            "bad_range",
        )


def _series(buckets: Buckets, series: list[DoorSeries] | list[AgentSeries]) -> Response:
    view: dict[str, Any] = {"resolution_ms": buckets.resolution_ms, "series": series}
    return encoded(view)
