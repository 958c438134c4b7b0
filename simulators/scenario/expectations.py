"""What a scenario expects, asked of central until it comes or its time is up. Answers with a sentence if it does not.

What central shows is the only thing that counts; the truth about the virtual doors is never asked.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

from simulators.district.api import DistrictApi
from simulators.scenario.steps import (
    DoorRef,
    ExpectAlarm,
    ExpectClosure,
    ExpectDoor,
    ExpectEvents,
    ExpectMode,
    ExpectSeen,
    ScenarioStep,
)

ASK_EVERY_S = 0.1
MOST_EVENTS = 500


class Expectations:
    """Asks central as ``observer``; make it as the scenario begins. ``broken``: doors that need not be proven.

    Every check returns None, or what was shown instead, as a sentence.
    """

    def __init__(self, observer: DistrictApi, broken: frozenset[DoorRef], sites: tuple[str, ...], doors: int) -> None:
        self._observer = observer
        self._broken = broken
        self._sites = sites
        self._doors = doors
        self._began_ms = time.time_ns() // 1_000_000
        self._checks: dict[type[ScenarioStep], Callable[[Any], Awaitable[str | None]]] = {
            ExpectDoor: self._door,
            ExpectMode: self._mode,
            ExpectAlarm: self._alarm,
            ExpectEvents: self._events,
            ExpectSeen: self._seen,
        }

    def can_check(self, step: ScenarioStep) -> bool:
        """Whether it knows this kind of step."""
        return type(step) in self._checks

    async def check(self, step: ScenarioStep) -> str | None:
        """One expectation that needs nothing but the step."""
        return await self._checks[type(step)](step)

    async def closure(self, step: ExpectClosure, declaration: str) -> str | None:
        """All but the broken doors of a declaration are proven at one and the same time."""

        async def unproven() -> str | None:
            view = await self._observer.declaration(declaration)
            missing = [
                f"{row['site']}/{row['door']} ({row['why'] or row['condition']})"
                for row in view["doors"]
                if row["state"] != "proven" and DoorRef(row["site"], row["door"]) not in self._broken
            ]
            if view["doors"] and not missing:
                return None
            return f"not proven within {step.within_s:g} s: {', '.join(missing) or 'no door is covered'}"

        return await within(step.within_s, unproven)

    async def _door(self, step: ExpectDoor) -> str | None:
        return await self._shows(step.door, "condition", step.condition, step.within_s)

    async def _mode(self, step: ExpectMode) -> str | None:
        return await self._shows(step.door, "mode", step.mode, step.within_s)

    async def _shows(self, door: DoorRef, what: str, wanted: str, within_s: float) -> str | None:
        async def other() -> str | None:
            shown = (await self._observer.door(door.site, door.door))[what]
            return None if shown == wanted else f"{door} is shown {shown}, not {wanted}, after {within_s:g} s"

        return await within(within_s, other)

    async def _alarm(self, step: ExpectAlarm) -> str | None:
        wanted = step.alarm if step.on else f"no {step.alarm}"

        async def other() -> str | None:
            alarms = (await self._observer.door(step.door.site, step.door.door))["alarms"]
            if (step.alarm in alarms) is step.on:
                return None
            return f"{step.door} shows {', '.join(alarms) or 'no alarm'}, not {wanted}, after {step.within_s:g} s"

        return await within(step.within_s, other)

    async def _events(self, step: ExpectEvents) -> str | None:
        where = f"{step.site}/{step.door}" if step.door else step.site
        asked = {"site": step.site, "door": step.door, "kind": step.kind, "from_ms": self._began_ms}

        async def too_few() -> str | None:
            count = len(await self._observer.events(limit=MOST_EVENTS, **asked))
            if count >= step.at_least:
                return None
            return f"{where} has {count} {step.kind} events, not {step.at_least}, after {step.within_s:g} s"

        return await within(step.within_s, too_few)

    async def _seen(self, step: ExpectSeen) -> str | None:
        async def unseen() -> str | None:
            views = [await self._observer.site(site) for site in self._sites]
            doors = [door for view in views for door in view["doors"]]
            unknown = [f"{door['site']}/{door['door']}" for door in doors if door["condition"] == "unknown"]
            if len(doors) == self._doors and not unknown:
                return None
            return f"no fresh evidence of {', '.join(unknown) or 'every door'} after {step.within_s:g} s"

        return await within(step.within_s, unseen)


async def within(seconds: float, fault: Callable[[], Awaitable[str | None]]) -> str | None:
    """None once ``fault`` finds nothing; else what it found last. Asks once more when time is up."""
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    while True:
        last = loop.time() >= end
        found = await fault()
        if found is None or last:
            return found
        await asyncio.sleep(ASK_EVERY_S)
