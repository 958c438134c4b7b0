"""Waiting for a condition with a deadline, instead of sleeping and hoping."""

import asyncio
import time
from collections.abc import Callable


async def until(condition: Callable[[], object], what: str = "the condition", within: float = 10.0) -> None:
    """Return once the condition holds; fail, naming it, when time is up."""
    end = time.monotonic() + within
    while not condition():
        assert time.monotonic() < end, f"{what} did not come about within {within} s"
        await asyncio.sleep(0.005)
