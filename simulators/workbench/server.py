"""Serves the workbench on a running loop, beside the virtual sites or a scenario."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator, Mapping

import uvicorn

from simulators.workbench.app import LOOPBACK_NAMES, Perform, workbench

STARTS_WITHIN_S = 10.0


def address(text: str) -> tuple[str, int]:
    """``127.0.0.1:8090`` or ``8090``. ValueError for anything that is not loopback, or no port."""
    host, _, port = text.rpartition(":")
    host = host or "127.0.0.1"
    if host not in LOOPBACK_NAMES:
        raise ValueError(f"{text!r}: the workbench listens on this machine only, as 127.0.0.1:PORT")
    if not port.isdigit() or not 0 <= int(port) <= 65535:
        raise ValueError(f"{text!r}: expected a port from 0 (any free one) to 65535")
    return host, int(port)


@contextlib.asynccontextmanager
async def serving(sites: Mapping[str, Perform], host: str, port: int) -> AsyncIterator[str]:
    """Serve until the block ends; the address is its value. OSError if the port is taken."""
    family = socket.AF_INET6 if host == "[::1]" else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host.strip("[]"), port))
        config = uvicorn.Config(workbench(sites), log_level="warning", lifespan="off", timeout_graceful_shutdown=1)
        server = _Quiet(config)
        task = asyncio.create_task(server.serve(sockets=[sock]))
        try:
            async with asyncio.timeout(STARTS_WITHIN_S):
                while not server.started and not task.done():  # noqa: ASYNC110 - uvicorn has no event for it
                    await asyncio.sleep(0.01)
            yield f"http://{host}:{sock.getsockname()[1]}/"
        finally:
            server.should_exit = True
            await asyncio.wait([task])


class _Quiet(uvicorn.Server):
    """Leaves the signals to the program it is a part of."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
