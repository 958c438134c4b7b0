"""Waiting for a condition with a deadline, instead of sleeping and hoping."""

import asyncio
import time
from collections.abc import Callable

LOOK_S = 0.005
"""How often the condition is evaluated."""

STARVED_S = 4 * LOOK_S
"""What one look may cost of the deadline. One that comes later was held up by other programs on the same cores."""


AGAIN_S = 3.0


async def until_after(act: Callable[[], object], condition: Callable[[], object], what: str = "the effect") -> None:
    """Act, and again every few seconds, until the condition holds.

    For a person who holds a card to a reader: what waited at it while its line was held up is rightly dropped.
    """
    for _ in range(6):
        act()
        end = time.monotonic() + AGAIN_S
        while time.monotonic() < end:
            if condition():
                return
            await asyncio.sleep(LOOK_S)
    raise AssertionError(f"{what} did not come about")


async def until(condition: Callable[[], object], what: str = "the condition", within: float = 30.0) -> None:
    """Return once the condition holds; fail, naming it, when time is up.

    Pass ``within`` (seconds) only where a time is promised. It counts the time this process really had: on a machine
    with nothing else to do that is the clock's, and on a busy one a promise is not broken by the neighbours.
    """
    left = within
    while not condition():
        assert left > 0, f"{what} did not come about within {within} s"
        slept_at = time.monotonic()
        await asyncio.sleep(LOOK_S)
        left -= min(time.monotonic() - slept_at, STARVED_S)
