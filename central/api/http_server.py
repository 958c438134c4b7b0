"""Serves the application over HTTP or HTTPS. Knows no route: see ``central.api.application``."""

import asyncio
import contextlib
import socket
from collections.abc import Iterator

import uvicorn
from fastapi import FastAPI

from central.settings import Settings, SettingsError

LAST_REQUESTS_S = 2
"""How long requests under way may still take when central ends."""


class HttpServer(uvicorn.Server):
    """Listens once made, so that its address is known; answers once ``ready`` is set. To end it, set ``should_exit``.

    It leaves the process's signals to the command line.
    """

    def __init__(self, application: FastAPI, settings: Settings) -> None:
        """Raises SettingsError if it cannot listen there."""
        super().__init__(
            uvicorn.Config(
                application,
                log_config=None,
                access_log=False,
                server_header=False,
                lifespan="off",
                ssl_certfile=settings.tls_cert,
                ssl_keyfile=settings.tls_key,
                timeout_graceful_shutdown=LAST_REQUESTS_S,
            )
        )
        self.ready = asyncio.Event()
        self._scheme = "https" if settings.tls_cert is not None else "http"
        self.socket = _listening(settings.http_host, settings.http_port)

    @property
    def address(self) -> str:
        """The URL of the console and the API."""
        host, port = self.socket.getsockname()[:2]
        return f"{self._scheme}://{f'[{host}]' if ':' in host else host}:{port}"

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _listening(host: str, port: int) -> socket.socket:
    """Open a listening socket whose connections send at once. Without a named protocol, asyncio would not set
    TCP_NODELAY, and each answer would wait 40 ms for the client's acknowledgement.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP, flags=socket.AI_PASSIVE
        )[0]
        listening = socket.socket(family, kind, protocol)
    except OSError as error:
        raise SettingsError(f"cannot listen on {host}:{port}: {error.strerror}; choose another --http") from None
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        listening.bind(address)
        listening.listen(2048)
    except OSError as error:
        listening.close()
        raise SettingsError(f"cannot listen on {host}:{port}: {error.strerror}; choose another --http") from None
    return listening
