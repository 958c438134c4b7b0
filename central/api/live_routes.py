"""Route of the live stream, as server-sent events."""

from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool

from central.api.problems import HttpProblem, documented
from central.api.security import SignedIn, Token
from central.api.services import Parts, Services
from central.declarations.service import NoSuchDeclaration
from central.live.hub import PING, Listener

router = APIRouter(prefix="/api", tags=["live"])

MOST_LISTENERS = 500

_EXAMPLE = 'event: ping\ndata: {"server_ms": 1790000000000, "broker_connected": true}\n\n'
_STREAM: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "A stream of events, each a name and a JSON object",
        "content": {"text/event-stream": {"schema": {"type": "string"}, "example": _EXAMPLE}},
    }
}


@router.get(
    "/live",
    summary="What changes, as it changes",
    response_class=StreamingResponse,
    responses={**_STREAM, **documented(401, 404)},
)
async def live(
    central: Parts,
    _: SignedIn,
    token: Token,
    site: Annotated[str | None, Query(max_length=48, description="Tell of this site's doors, too")] = None,
    declaration: Annotated[str | None, Query(max_length=200, description="Tell of its doors' closure, too")] = None,
) -> Response:
    """Fetch what you show when ``hello`` comes, and again on ``resync`` (you read too slowly and missed some).

    - ``hello`` {server_ms, evidence_lasts_ms: evidence older than this proves nothing, stream_silent_ms}
    - ``overview`` {sites: the SiteSummaries that changed, totals}, at most 2 a second
    - ``doors`` the DoorViews that changed, of the site asked for, at most 5 a second
    - ``declaration`` a DeclarationView that changed, at most 5 a second
    - ``closure`` {id, doors: the rows that changed}, of the declaration asked for
    - ``event`` an EventView worth a line: alarms, denials, answers to commands
    - ``ping`` {server_ms, broker_connected}, every 3 s: without a word for stream_silent_ms, believe nothing you show
    """
    if site is not None and site not in central.inventory.sites:
        raise HttpProblem(404, f"There is no site {site!r}.")
    if declaration is not None:
        try:
            await run_in_threadpool(central.declarations.get, declaration)
        except NoSuchDeclaration as missing:
            raise HttpProblem(404, f"{missing}.") from None
    if len(central.hub) >= MOST_LISTENERS:
        raise HttpProblem(503, f"{MOST_LISTENERS} consoles listen already; close one of them.", "too_many_listeners")
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    frames = _frames(central, token, site, declaration)
    return StreamingResponse(frames, media_type="text/event-stream", headers=headers)


async def _frames(central: Services, token: str, site: str | None, declaration: str | None) -> AsyncIterator[bytes]:
    listener: Listener = central.hub.open(site, declaration)
    try:
        async for kind, frame in listener:
            if kind == PING and not await run_in_threadpool(central.accounts.still_valid, token):
                return
            yield frame
    finally:
        central.hub.close(listener)
