"""A whole district on one machine: broker, central, virtual schools with real agents, people and accounts.

Every part is the real program in its own process, started as a person would start it; what is virtual begins at
the GPIO pins and the serial line. Talks to central over HTTP only.
"""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import socket
import sys
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ground.free_port import free_port
from simulators.district.api import ApiError, DistrictApi, wait_for_central
from simulators.district.children import Children
from simulators.district.make import AgentFolder, MadeDistrict, make_district
from simulators.district.plan import DistrictSize
from simulators.orders.control import send_order

log = logging.getLogger(__name__)

HOST = "127.0.0.1"
CONSOLE_PORT = 8080
DOORWARD = (sys.executable, "-m", "doorward.main")

BROKER_WITHIN_S = 20.0
CENTRAL_WITHIN_S = 60.0
DOORS_WITHIN_S = 90.0
ASK_EVERY_S = 0.25
SAY_EVERY_S = 3.0
SETTLED_FOR = 3
"""A district counts as up once it was seen so this many times in a row: agents still take their configuration."""

ROLES = {
    "administrator": "administrator",
    "officer": "officer",
    "officer2": "officer",
    "responder": "responder",
    "facilities": "facilities",
}
"""Username -> role of the accounts that are made."""


@dataclass(frozen=True, slots=True)
class Demo:
    """A running district, every door of it seen fresh."""

    district: MadeDistrict
    address: str
    broker_port: int
    passwords: dict[str, str]
    users: dict[str, DistrictApi]
    """Username -> that user, signed in."""
    children: Children
    machines: AgentMachines


class AgentMachines:
    """The agents' machines: each has power or has none."""

    def __init__(self, children: Children, cards: Path, seed: int) -> None:
        self._children = children
        self._given = ("--cards", str(cards), "--seed", str(seed))

    async def restore_power(self, agent: AgentFolder) -> None:
        """Start the agent on its virtual doors; its files are as they were left."""
        command = [*DOORWARD, "simulate", "agent", str(agent.config), "--control", str(agent.control), *self._given]
        await self._children.start(agent_process(agent), command)

    async def cut_power(self, agent: AgentFolder) -> None:
        """End it in the middle of whatever it does. KeyError if it has no power."""
        await self._children.kill(agent_process(agent))


def agent_process(agent: AgentFolder) -> str:
    """The name of an agent's process among the children."""
    return f"agent-{agent.site}-{agent.agent}"


@asynccontextmanager
async def running_demo(
    folder: Path, *, port: int | None = None, size: DistrictSize | None = None, seed: int = 0
) -> AsyncIterator[Demo]:
    """Bring a district up in an empty or new folder; when the block ends every process of it has ended.

    ``port`` is the console's, 8080 or else any free one if None. Raises :class:`ChildFailed` if a process ends
    by itself on the way up, :class:`ApiError` if the district does not come up, OSError if the port is taken.
    """
    broker_port = free_port()
    console_port = console(port)
    district = make_district(folder, broker_port=broker_port, size=size, round_the_clock=True, seed=seed)
    passwords = {name: secrets.token_urlsafe(12) for name in ROLES}
    address = f"http://{HOST}:{console_port}"
    async with AsyncExitStack() as stack:
        children = await stack.enter_async_context(Children(folder / "logs"))
        users = {name: await stack.enter_async_context(DistrictApi(address)) for name in ROLES}
        machines = AgentMachines(children, district.cards, seed)
        demo = Demo(district, address, broker_port, passwords, users, children, machines)
        await unless_a_child_dies(children, _bring_up(demo, console_port))
        yield demo


async def unless_a_child_dies(children: Children, work: Any) -> Any:
    """The outcome of some work; :class:`ChildFailed` as soon as a process ends that should not have."""
    working, dying = asyncio.ensure_future(work), asyncio.ensure_future(children.died())
    try:
        await asyncio.wait([working, dying], return_when=asyncio.FIRST_COMPLETED)
        # A request that fails because its process died is reported as that death, if it is known in time.
        if working.done() and working.exception() is not None:
            await asyncio.wait([dying], timeout=1.0)
        return dying.result() if dying.done() else working.result()
    finally:
        for task in (working, dying):
            task.cancel()
        await asyncio.gather(working, dying, return_exceptions=True)


def begin_the_day(demo: Demo, speed: float = 60.0) -> None:
    """Let people move in every school."""
    for agent in demo.district.agents:
        send_order(agent.control, {"do": "people", "speed": speed})


# --- coming up ----------------------------------------------------------------------------------------------


async def _bring_up(demo: Demo, console_port: int) -> None:
    children, district = demo.children, demo.district
    log.info("starting the broker on port %d", demo.broker_port)
    await children.start("broker", [*DOORWARD, "central", "broker", "--port", str(demo.broker_port)])
    await asyncio.gather(_listening(demo.broker_port, BROKER_WITHIN_S), _first_account(demo))
    log.info("starting central at %s", demo.address)
    await children.start(
        "central",
        [
            *(*DOORWARD, "central", "run"),
            *("--district", str(district.file), "--data", str(district.central)),
            *("--broker", f"{HOST}:{demo.broker_port}", "--http", f"{HOST}:{console_port}"),
        ],
    )
    log.info("starting %d agents with %d doors", len(district.agents), len(district.doors))
    for agent in district.agents:
        await demo.machines.restore_power(agent)
    await wait_for_central(demo.users["administrator"], CENTRAL_WITHIN_S)
    await _accounts(demo)
    await _every_door_seen(demo)


async def _first_account(demo: Demo) -> None:
    """The administrator, made as on a new server; the password goes in by standard input."""
    command = [*DOORWARD, "central", "add-user", "administrator", ROLES["administrator"]]
    password = demo.passwords["administrator"].encode() + b"\n"
    await demo.children.finish("add-user", [*command, "--data", str(demo.district.central)], password)


async def _accounts(demo: Demo) -> None:
    administrator = demo.users["administrator"]
    await administrator.sign_in("administrator", demo.passwords["administrator"])
    for name, role in ROLES.items():
        if name != "administrator":
            await administrator.create_user(name, role, demo.passwords[name])
            await demo.users[name].sign_in(name, demo.passwords[name])


async def _every_door_seen(demo: Demo) -> None:
    """Every agent alive with the configuration that central wants, every door with fresh evidence."""
    loop = asyncio.get_running_loop()
    began, said_at, settled = loop.time(), loop.time(), 0
    while settled < SETTLED_FOR:
        waiting_for = await _not_yet(demo)
        settled = 0 if waiting_for else settled + 1
        now = loop.time()
        if now - began > DOORS_WITHIN_S:
            raise ApiError(f"not up after {DOORS_WITHIN_S:.0f} s: {waiting_for}; see {demo.district.folder / 'logs'}")
        if waiting_for and now - said_at > SAY_EVERY_S:
            said_at = now
            log.info("waiting: %s", waiting_for)
        await asyncio.sleep(ASK_EVERY_S)


async def _not_yet(demo: Demo) -> str:
    """What is still missing, as a sentence; empty when nothing is."""
    user = demo.users["administrator"]
    views = [await user.site(site) for site in _sites(demo.district)]
    agents = [agent for view in views for agent in view["agents"]]
    doors = [door for view in views for door in view["doors"]]
    silent = [f"{agent['site']}/{agent['agent']}" for agent in agents if not agent["alive"]]
    if silent:
        return f"no word yet from {', '.join(silent)}"
    behind = [agent for agent in agents if agent["config_version"] != agent["config_wanted"]]
    if behind:
        return f"{len(behind)} agents without their configuration yet"
    unknown = [door["door"] for door in doors if door["condition"] == "unknown"]
    if unknown or len(doors) != len(demo.district.doors):
        return f"{len(doors) - len(unknown)} of {len(demo.district.doors)} doors seen"
    return ""


def _sites(district: MadeDistrict) -> Iterable[str]:
    return dict.fromkeys(agent.site for agent in district.agents)


# --- ports --------------------------------------------------------------------------------------------------


def console(asked: int | None) -> int:
    """The port for the console: the one asked for (OSError if it is taken), else 8080, else a free one."""
    port = CONSOLE_PORT if asked is None else asked
    with socket.socket() as probe:
        # As the server will: a port whose last connections are still closing is free to it.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            if asked is None:
                return free_port()
            raise OSError(f"port {asked} of {HOST}: {os.strerror(error.errno or 0)}; choose another --port") from None
        return int(probe.getsockname()[1])


async def _listening(port: int, within_s: float) -> None:
    try:
        async with asyncio.timeout(within_s):
            while True:
                try:
                    _, writer = await asyncio.open_connection(HOST, port)
                except OSError:
                    await asyncio.sleep(0.05)
                else:
                    writer.close()
                    return
    except TimeoutError:
        raise ApiError(f"nothing listens on port {port} after {within_s:.0f} s") from None
