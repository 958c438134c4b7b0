"""The workbench's HTTP side: the order book of each running virtual site, its state, and a page with buttons.

For one machine's own user: it listens on loopback, answers only to loopback's names (no DNS rebinding), and takes
orders as JSON only (no cross-site form). There is nothing real behind it. It knows no order: the sites' books do.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from simulators.orders.control import LONGEST_LINE, Answer, Order, OrderRefused, parse_order, send_order

Perform = Callable[[Order], Awaitable[Answer]]

LOOPBACK_NAMES = ("127.0.0.1", "localhost", "[::1]")
_PAGE = Path(__file__).parent / "page"


def over_socket(path: Path) -> Perform:
    """Orders for a virtual site that runs elsewhere and listens at a control socket."""

    async def carry_out(order: Order) -> Answer:
        return await asyncio.to_thread(send_order, path, order)

    return carry_out


def directly(perform: Callable[[Order], Answer]) -> Perform:
    """Orders for a virtual site on this very loop."""

    async def carry_out(order: Order) -> Answer:
        return perform(order)

    return carry_out


def workbench(sites: Mapping[str, Perform]) -> Starlette:
    """The application. ``sites``: ``site/agent`` -> how to give it an order."""
    bench = _Bench(sites)
    return Starlette(
        routes=[
            Route("/", bench.page),
            Route("/api/sites", bench.list_sites),
            Route("/api/sites/{site}/{agent}/orders", bench.list_orders, methods=["GET"]),
            Route("/api/sites/{site}/{agent}/orders", bench.order, methods=["POST"]),
            Route("/api/sites/{site}/{agent}/state", bench.state),
            Mount("/page", StaticFiles(directory=_PAGE)),
        ],
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=list(LOOPBACK_NAMES))],
    )


class _Bench:
    def __init__(self, sites: Mapping[str, Perform]) -> None:
        self._sites = sites

    async def page(self, _request: Request) -> Response:
        return FileResponse(_PAGE / "workbench.html")

    async def list_sites(self, _request: Request) -> Response:
        return JSONResponse({"sites": list(self._sites)})

    async def list_orders(self, request: Request) -> Response:
        return await self._perform(request, {"do": "help"})

    async def state(self, request: Request) -> Response:
        return await self._perform(request, {"do": "state"})

    async def order(self, request: Request) -> Response:
        if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
            return _error(415, "an order is sent as application/json")
        body = bytearray()
        async for part in request.stream():
            body += part
            if len(body) > LONGEST_LINE:
                return _error(413, f"an order has at most {LONGEST_LINE} bytes")
        try:
            order = parse_order(bytes(body))
        except OrderRefused as refused:
            return _error(422, str(refused))
        return await self._perform(request, order)

    async def _perform(self, request: Request, order: Order) -> Response:
        name = f"{request.path_params['site']}/{request.path_params['agent']}"
        perform = self._sites.get(name)
        if perform is None:
            return _error(404, f"no virtual site {name!r}; there are: {', '.join(self._sites)}")
        try:
            return JSONResponse({"done": order["do"], **await perform(order)})
        except OrderRefused as refused:
            return _error(422, str(refused))
        except OSError as error:
            return _error(503, f"{name} does not answer: {error}; is it running?")


def _error(status: int, what: str) -> Response:
    return JSONResponse({"error": what}, status_code=status)
