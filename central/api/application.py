"""The HTTP application: the API's routes, its document, and the console's files."""

from pathlib import Path

from fastapi import FastAPI
from fastapi.responses import HTMLResponse
from fastapi.routing import APIRoute
from fastapi.staticfiles import StaticFiles
from starlette.routing import Route

from central.api import (
    admin_routes,
    declaration_routes,
    district_routes,
    live_routes,
    problems,
    record_routes,
    session_routes,
)
from central.api.middleware import Guard
from central.api.reference import reference_page
from central.api.services import Services

CONSOLE = Path(__file__).parents[1] / "console"

_ABOUT = """\
Watches and locks every door of a school district, and proves it door by door.

Sign in with POST /api/session; a browser then has a cookie, a machine sends the token as a bearer. Times named *_ms
are UTC milliseconds on central's clock unless they say what they last. Errors are application/problem+json: type is
for machines, detail is a sentence for people. A body is JSON in UTF-8, each value of its documented type; an unknown
field is refused, an unknown query parameter is ignored.

Anyone signed in may declare. A drill ends by one person, a real declaration by two different ones. A door is called
secure only on fresh evidence; what is not known is unknown.
"""

_TAGS = [
    {"name": "session", "description": "Signing in and out"},
    {"name": "district", "description": "The district, its sites and doors as they are now"},
    {"name": "declarations", "description": "Declaring, releasing, and how far the doors have got"},
    {"name": "live", "description": "What changes, as it changes"},
    {"name": "history", "description": "Events, and doors and agents over time"},
    {"name": "people", "description": "Accounts, and the log of what people did"},
    {"name": "health", "description": "For monitoring"},
]


def create_application(services: Services, *, console: Path = CONSOLE) -> FastAPI:
    """Build the application on these services. ``console``: the folder served at /."""
    app = FastAPI(
        title="Doorward central",
        version="1",
        description=_ABOUT,
        openapi_tags=_TAGS,
        openapi_url="/api/openapi.json",
        docs_url=None,
        redoc_url=None,
        generate_unique_id_function=_operation_id,
        responses=problems.ANYWHERE,
    )
    app.state.services = services
    problems.install(app)
    app.add_middleware(Guard)
    for module in (
        session_routes,
        district_routes,
        declaration_routes,
        live_routes,
        record_routes,
        admin_routes,
    ):
        app.include_router(module.router)

    @app.get("/docs", include_in_schema=False)
    async def reference() -> HTMLResponse:
        return HTMLResponse(reference_page(app.openapi()))

    app.router.routes.append(Route("/api/{rest:path}", problems.NoSuchRoute(app), include_in_schema=False))
    if console.is_dir():
        app.mount("/", StaticFiles(directory=console, html=True))
    return app


def _operation_id(route: APIRoute) -> str:
    return route.name
