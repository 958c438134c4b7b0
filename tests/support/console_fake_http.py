"""The fake central's routes: central's API by its names, over tests.support.console_fake.FakeCentral."""

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse
from fastapi.staticfiles import StaticFiles

from tests.support.console_fake import OFFICER, PASSWORD, FakeCentral, Refusal, now_ms

CONSOLE = Path(__file__).parents[2] / "central" / "console"
CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
COOKIE = "doorward_session"


def application(fake: FakeCentral) -> FastAPI:
    """Serves the console and answers for it."""

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        fake.loop = asyncio.get_running_loop()
        renewing = asyncio.create_task(_renew(fake))
        yield
        renewing.cancel()

    app = FastAPI(lifespan=lifespan)

    @app.exception_handler(Refusal)
    async def refused(_: Request, refusal: Refusal) -> Response:
        content = {"type": refusal.kind, "title": "", "status": refusal.status, "detail": refusal.detail}
        return JSONResponse(content, refusal.status, media_type="application/problem+json")

    @app.middleware("http")
    async def secure(request: Request, call_next: Any) -> Response:
        answer: Response = await call_next(request)
        answer.headers["Content-Security-Policy"] = CSP
        return answer

    _session_routes(app, fake)
    _reading_routes(app, fake)
    _acting_routes(app, fake)
    app.mount("/", StaticFiles(directory=CONSOLE, html=True))
    return app


async def _renew(fake: FakeCentral) -> None:
    while True:
        fake.renew_evidence()
        await asyncio.sleep(2)


def _check(fake: FakeCentral, request: Request) -> None:
    if request.cookies.get(COOKIE) not in fake.sessions:
        raise Refusal(401, "Nobody is signed in, or the session has ended.")


def _session() -> dict[str, Any]:
    return {"username": OFFICER, "role": "officer", "expires_ms": now_ms() + 3_600_000}


def _session_routes(app: FastAPI, fake: FakeCentral) -> None:
    @app.post("/api/session")
    async def sign_in(body: dict[str, str], response: Response) -> dict[str, Any]:
        if body["username"] != OFFICER or body["password"] != PASSWORD:
            raise Refusal(401, "Name or password is wrong.")
        token = secrets.token_hex(8)
        fake.sessions.add(token)
        response.set_cookie(COOKIE, token, httponly=True, samesite="strict")
        return {**_session(), "token": token}

    @app.get("/api/session")
    async def session(request: Request) -> dict[str, Any]:
        _check(fake, request)
        return _session()


def _reading_routes(app: FastAPI, fake: FakeCentral) -> None:
    @app.get("/api/overview")
    async def overview(request: Request) -> dict[str, Any]:
        _check(fake, request)
        active = [fake.declared(view) for view in fake.declarations.values() if view["state"] != "ended"]
        return {
            "server_ms": now_ms(), "broker_connected": fake.broker_connected, "district": "Riverside District",
            "totals": fake.totals(), "sites": [fake.summary(site) for site in fake.sites.values()],
            "declarations": active,
        }  # fmt: skip

    @app.get("/api/sites/{site}")
    async def school(site: str, request: Request) -> dict[str, Any]:
        _check(fake, request)
        known = _school(fake, site)
        zones = sorted({zone for door in known["doors"].values() for zone in door["zones"]})
        doors = list(known["doors"].values())
        return {**known, "server_ms": now_ms(), "zones": zones, "agents": fake.agents(site), "doors": doors}

    @app.get("/api/sites/{site}/doors/{door}")
    async def one_door(site: str, door: str, request: Request) -> dict[str, Any]:
        _check(fake, request)
        known = _door(fake, site, door)
        mine = [event for event in fake.events if (event["site"], event["door"]) == (site, door)]
        return {**known, "events": mine[::-1][:50]}

    @app.get("/api/declarations/{key}")
    async def declaration(key: str, request: Request) -> dict[str, Any]:
        _check(fake, request)
        view = _declaration(fake, key)
        return {**fake.declared(view), "doors": [fake.row(view, door) for door in fake.covered(view)]}

    @app.get("/api/events")
    async def events(request: Request, before_id: int = 1 << 60, limit: int = 100) -> dict[str, Any]:
        _check(fake, request)
        wanted = {name: request.query_params.get(name, "") for name in ("site", "door", "kind")}
        found = [
            event
            for event in fake.events[::-1]
            if event["id"] < before_id and all(not value or event[name] == value for name, value in wanted.items())
        ]
        return {"events": found[:limit]}

    @app.get("/api/history/doors")
    async def history(request: Request, resolution_ms: int) -> dict[str, Any]:
        _check(fake, request)
        return {"resolution_ms": resolution_ms, "series": []}

    @app.get("/api/live")
    async def live(request: Request) -> Response:
        _check(fake, request)
        return StreamingResponse(fake.stream(dict(request.query_params)), media_type="text/event-stream")


def _acting_routes(app: FastAPI, fake: FakeCentral) -> None:
    @app.post("/api/declarations", status_code=201)
    async def declare(body: dict[str, Any], request: Request) -> dict[str, Any]:
        _check(fake, request)
        if fake.refuse_next is not None:
            refusal, fake.refuse_next = fake.refuse_next, None
            raise refusal
        return fake.declare(OFFICER, body)

    @app.post("/api/sites/{site}/doors/{door}/commands", status_code=202)
    async def command(site: str, door: str, body: dict[str, str], request: Request) -> dict[str, Any]:
        """Sent, and never answered."""
        _check(fake, request)
        _door(fake, site, door)
        fake.commands.append(body["kind"])
        return {"id": body["kind"], "expires_ms": now_ms() + 5_000}


def _school(fake: FakeCentral, site: str) -> dict[str, Any]:
    if site not in fake.sites:
        raise Refusal(404, f"There is no school {site!r}.")
    return fake.sites[site]


def _door(fake: FakeCentral, site: str, door: str) -> dict[str, Any]:
    doors: dict[str, dict[str, Any]] = _school(fake, site)["doors"]
    if door not in doors:
        raise Refusal(404, f"{site} has no door {door!r}.")
    return doors[door]


def _declaration(fake: FakeCentral, key: str) -> dict[str, Any]:
    if key not in fake.declarations:
        raise Refusal(404, f"There is no declaration {key!r}.")
    return fake.declarations[key]
