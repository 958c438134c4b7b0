"""A virtual site with its real agent, running for a test: every door secure when the block begins."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from edge_agent.policy.rules import Rules
from protocol.words import Condition
from simulators.school.site import VirtualSite
from tests.support.waiting import until


def condition(site: VirtualSite, door: str) -> Condition:
    """What the agent takes a door for."""
    return site.agent.doors.held[door].state.condition


def alarms(site: VirtualSite, door: str) -> set[str]:
    """The alarms the agent reports with a door."""
    doors = site.agent.doors
    return set(doors.report(doors.held[door]).alarms)


async def reaches(site: VirtualSite, door: str, wanted: Condition) -> None:
    """Return once the agent takes a door for this."""
    await until(lambda: condition(site, door) is wanted, f"{door} {wanted}")


@contextlib.asynccontextmanager
async def running(site: VirtualSite, rules: Rules) -> AsyncIterator[None]:
    """Run the site's agent by these rules, in place of what central would have sent."""
    task = asyncio.create_task(site.run())
    try:
        await until(lambda: site.agent.ready.is_set() or task.done(), "the agent")
        site.agent.doors.set_rules(rules)
        for door in site.doors:
            await reaches(site, door, Condition.SECURE)
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])
        with contextlib.suppress(asyncio.CancelledError):
            task.result()
