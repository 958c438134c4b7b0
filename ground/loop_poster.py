"""Brings calls from other threads to an asyncio loop."""

import asyncio
from collections.abc import Callable

Post = Callable[..., object]
"""``post(callback, *arguments)`` runs the callback where its owner wants it: on the loop."""


def poster(loop: asyncio.AbstractEventLoop) -> Post:
    """A :data:`Post` for any thread. Drops calls once the loop has closed: a driver's thread may outlive it."""

    def post(callback: Callable[..., object], *arguments: object) -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(callback, *arguments)

    return post
