"""Plays a scenario against a running district: orders to the virtual schools, requests to central, the outcome.

What central shows is the only thing that counts; the truth about the virtual doors is never asked.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from simulators.district.api import DistrictApi
from simulators.district.make import AgentFolder
from simulators.orders.control import Order, OrderRefused, send_order
from simulators.scenario.expectations import ASK_EVERY_S, Expectations
from simulators.scenario.steps import (
    Declare,
    DoorRef,
    ExpectAlarm,
    ExpectClosure,
    ExpectDoor,
    ExpectEvents,
    ExpectMode,
    MovePeople,
    Never,
    Power,
    Release,
    Scenario,
    ScenarioStep,
    SiteOrder,
    Wait,
)
from simulators.school.rhythm import DayClock, shown

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class DoorResult:
    """A door of the last declaration, as central shows it at the end."""

    site: str
    agent: str
    door: str
    state: str
    condition: str
    evidence: Mapping[str, Any]
    proven_ms: int | None
    """From the declaration to its proof; None while it is not proven."""


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a scenario. ``failures``: a sentence for each thing that was expected and did not come."""

    declaration_id: str | None
    doors: tuple[DoorResult, ...]
    failures: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether everything expected came."""
        return not self.failures

    def count(self, state: str) -> int:
        """How many doors are proven, pending or failed."""
        return sum(door.state == state for door in self.doors)

    @property
    def slowest_ms(self) -> int | None:
        """The longest a proven door took."""
        return max((door.proven_ms for door in self.doors if door.proven_ms is not None), default=None)

    def as_json(self) -> dict[str, Any]:
        """One object: the declaration, every door, and the sums."""
        return {
            "declaration_id": self.declaration_id,
            "doors": [{k: v for k, v in asdict(door).items() if k != "state"} for door in self.doors],
            "summary": {state: self.count(state) for state in ("proven", "pending", "failed")}
            | {"slowest_ms": self.slowest_ms},
        }


class Machines(Protocol):
    """Takes the power from an agent's machine, without a warning, and gives it back."""

    async def cut_power(self, agent: AgentFolder) -> None:
        """Nothing of the program is left when it returns."""

    async def restore_power(self, agent: AgentFolder) -> None:
        """The program is started again."""


class ScenarioPlayer:
    """Plays one scenario once.

    ``agents`` are the running virtual sites. ``users`` maps the names a scenario uses (``by:``) to signed-in users.
    """

    def __init__(
        self,
        scenario: Scenario,
        agents: tuple[AgentFolder, ...],
        users: Mapping[str, DistrictApi],
        machines: Machines,
    ) -> None:
        self._scenario = scenario
        self._agents = agents
        self._users = users
        self._machines = machines
        self._observer = next(iter(users.values()))
        self._expectations = Expectations(
            self._observer,
            scenario.breaks,
            tuple(dict.fromkeys(agent.site for agent in agents)),
            sum(len(agent.doors) for agent in agents),
        )
        self._clock = DayClock(scenario.starts, scenario.speed)
        self._began = 0.0
        self._declared: dict[str, str] = {}
        self._latest: str | None = None
        self._failures: list[str] = []
        self._steps: dict[type[ScenarioStep], Callable[[Any], Awaitable[None]]] = {
            Wait: self._wait,
            MovePeople: self._people,
            SiteOrder: self._site_order,
            Declare: self._declare,
            Release: self._release,
            Power: self._power,
            ExpectClosure: self._expect_closure,
        }

    async def play(self) -> Result:
        """Play it to its end, or to the first thing that does not come.

        :class:`ConfigError` for a step that fits no district like this one, :class:`ApiError` if central fails.
        """
        self._check()
        self._began = asyncio.get_running_loop().time()
        try:
            await self._play_steps()
        finally:
            await self._rest()
        return await self._result()

    async def _play_steps(self) -> None:
        async with contextlib.AsyncExitStack() as watches:
            for step in self._scenario.steps:
                await self._until_due(step)
                if isinstance(step, Never):
                    await watches.enter_async_context(self._watching(step))
                elif self._expectations.can_check(step):
                    await self._expect(step)
                else:
                    await self._steps[type(step)](step)
                if self._failures:
                    break

    async def _rest(self) -> None:
        """Let all people rest: the next scenario begins without them."""
        for agent in self._agents:
            # An agent without power has no people, either.
            with contextlib.suppress(OrderRefused, OSError):
                await asyncio.to_thread(send_order, agent.control, {"do": "people", "on": False})

    def _check(self) -> None:
        """Every name in every step is known before the first is played."""
        for step in self._scenario.steps:
            match step:
                case SiteOrder():
                    self._control(step)
                case ExpectDoor() | ExpectMode() | ExpectAlarm() | Never():
                    self._find(step.door, step)
                case Power():
                    self._agent(step.site, step.agent, step)
                case ExpectEvents() if all(agent.site != step.site for agent in self._agents):
                    raise step.fault(f"there is no school {step.site!r} in this district")
                case Declare() | Release() if step.by not in self._users:
                    raise step.fault(f"nobody is called {step.by!r}; there are: {', '.join(self._users)}")

    # --- time ---

    def _elapsed(self) -> float:
        return asyncio.get_running_loop().time() - self._began

    async def _until_due(self, step: ScenarioStep) -> None:
        wait_s = step.after_s if step.at is None else self._clock.seconds_until(step.at, self._elapsed())
        await asyncio.sleep(wait_s)

    def _say(self, what: str) -> None:
        log.info("%s  %s", shown(self._clock.minute(self._elapsed())), what)

    # --- deeds ---

    async def _wait(self, _step: Wait) -> None:
        return

    async def _people(self, step: MovePeople) -> None:
        self._say("the school day goes on" if step.on else "everybody rests")
        order: Order = {"do": "people", "on": False}
        if step.on:
            order = {"do": "people", "from": shown(self._clock.minute(self._elapsed())), "speed": self._clock.speed}
        await asyncio.gather(*(self._send(agent.control, order, step) for agent in self._agents))

    async def _site_order(self, step: SiteOrder) -> None:
        self._say(f"{step.site}: {' '.join(str(part) for part in step.order.values())}")
        await self._send(self._control(step), step.order, step)

    async def _power(self, step: Power) -> None:
        self._say(f"{step.site}/{step.agent}: the power {'is back' if step.on else 'fails'}")
        agent = self._agent(step.site, step.agent, step)
        await (self._machines.restore_power(agent) if step.on else self._machines.cut_power(agent))

    async def _declare(self, step: Declare) -> None:
        view = await self._users[step.by].declare(step.action, step.scope, drill=step.drill, reason=step.reason)
        self._declared[step.name] = self._latest = view["id"]
        kind = "a drill" if step.drill else "real"
        self._say(f"{step.by} declares {step.action} ({kind}) over {' '.join(step.scope.values())}")

    async def _release(self, step: Release) -> None:
        view = await self._users[step.by].release(self._declared[step.name])
        self._say(f"{step.by} releases {step.name}: {view['state']}")

    async def _send(self, control: Path, order: Order, step: ScenarioStep) -> None:
        try:
            await asyncio.to_thread(send_order, control, order)
        except (OrderRefused, OSError) as error:
            raise step.fault(f"the virtual site at {control} did not do it: {error}") from None

    # --- expectations ---

    async def _expect(self, step: ScenarioStep) -> None:
        self._report(step, await self._expectations.check(step))

    async def _expect_closure(self, step: ExpectClosure) -> None:
        self._report(step, await self._expectations.closure(step, self._declared[step.name]))

    def _report(self, step: ScenarioStep, failure: str | None) -> None:
        if failure is not None:
            self._fail(failure)
        else:
            self._say(f"as expected: {step.said}")

    @contextlib.asynccontextmanager
    async def _watching(self, step: Never) -> Any:
        """Watch a door until the scenario ends; fail once it is shown as it must not be."""

        async def watch() -> None:
            while True:
                view = await self._observer.door(step.door.site, step.door.door)
                if view["condition"] == step.condition:
                    self._fail(f"{step.door} was shown {step.condition}")
                    return
                await asyncio.sleep(ASK_EVERY_S)

        task = asyncio.create_task(watch())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait([task])
            if not task.cancelled():
                task.result()

    def _fail(self, what: str) -> None:
        self._say(f"FAILED: {what}")
        self._failures.append(what)

    # --- names and ends ---

    def _control(self, step: SiteOrder) -> Path:
        if step.agent is None:
            return self._find(DoorRef(step.site, step.order["door"]), step).control
        return self._agent(step.site, step.agent, step).control

    def _agent(self, site: str, agent: str, step: ScenarioStep) -> AgentFolder:
        for known in self._agents:
            if (known.site, known.agent) == (site, agent):
                return known
        raise step.fault(f"there is no agent {site}/{agent} in this district")

    def _find(self, door: DoorRef, step: ScenarioStep) -> AgentFolder:
        for agent in self._agents:
            if agent.site == door.site and door.door in agent.doors:
                return agent
        raise step.fault(f"there is no door {door} in this district")

    async def _result(self) -> Result:
        rows: list[Any] = []
        if self._latest is not None:
            rows = (await self._observer.declaration(self._latest))["doors"]
        doors = tuple(
            DoorResult(
                **{part: row[part] for part in ("site", "agent", "door", "state", "condition", "evidence")},
                proven_ms=row["proven_ms"] if row["state"] == "proven" else None,
            )
            for row in rows
        )
        return Result(self._latest, doors, tuple(self._failures))
