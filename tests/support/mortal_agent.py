"""An agent that is killed and started again hundreds of times: ``python -m tests.support.mortal_agent AGENT_YAML``.

This process has everything imported and runs nothing. For each line "start" it forks a child that is the agent, a
process of its own that ``kill -9`` ends as a power cut would, and says its pid; "reap" waits for the child's end. A
start costs a few milliseconds instead of most of a second. What the children say comes out of the same pipe, a line
at a time, so what a child said stands before the word that it was reaped.
"""

import asyncio
import hashlib
import json
import os
import random
import sys
from pathlib import Path
from typing import Any

from gpiozero.pins.mock import MockFactory

from edge_agent.agent import Agent
from edge_agent.agent_yaml.config_file import AgentFile, load
from edge_agent.bundle import trial as config_trial
from simulators.hardware.door import DoorPins, VirtualDoor
from simulators.hardware.pins import WirePin
from simulators.hardware.timers import LoopTimer
from tests.support.agents import COMPUTE_MODULE, FIRE_PIN, PANIC_PIN
from tests.support.people import token_of
from tests.support.swipes import swipe

KNOWN = 200
BADGE_EVERY_S = 0.01
PANIC_ONE_IN = 60
PRESS_BADGES = 10
"""Badges to one press of the panic button, and for how many it is held."""


def card_bits(number: int) -> tuple[int, bytes]:
    """What is on the nth card; its token depends on the agent's key, so nobody is let in: an event all the same."""
    return 32, number.to_bytes(4, "big")


def say(**what: Any) -> None:
    """A line to whoever kills us, in one write, so that it is there whole or not at all."""
    os.write(1, json.dumps(what).encode() + b"\n")


async def live(config: AgentFile) -> None:
    """Run the agent until the end, telling what it holds."""
    factory = MockFactory(revision=COMPUTE_MODULE)
    factory.pin(FIRE_PIN, pin_class=WirePin).drive(False)
    panic: WirePin = factory.pin(PANIC_PIN, pin_class=WirePin)
    timer = LoopTimer(asyncio.get_running_loop())
    for door in config.doors:
        first = door.lock.pin
        wiring = DoorPins(
            lock=first,
            contact=first + 1,
            bolt=first + 2,
            rex=first + 3,
            kind=door.lock.kind,
            fail_mode=door.lock.fail_mode,
        )
        VirtualDoor(wiring, pin_factory=factory, timer=timer, bolt_travel_s=0, bounce=False)
    agent = Agent(config, pin_factory=factory)
    running = asyncio.ensure_future(agent.run())
    ready = asyncio.ensure_future(agent.ready.wait())
    await asyncio.wait([running, ready], return_when=asyncio.FIRST_COMPLETED)
    if running.done():
        running.result()
    tell(agent)
    rng = random.Random()
    told, pressed = None, 0
    while not running.done():
        door = rng.choice(list(agent.doors.held))
        swipe(agent, door, *card_bits(rng.randrange(KNOWN)))
        pressed = PRESS_BADGES if rng.randrange(PANIC_ONE_IN) == 0 else max(0, pressed - 1)
        panic.drive(pressed == 0)
        now = (agent.configuration.rules.version, _floor(agent), agent.declarations.book.applied)
        if now != told:
            told = now
            tell(agent)
        await asyncio.sleep(BADGE_EVERY_S)
    running.result()


def _floor(agent: Agent) -> int:
    """The version that was rolled back, and that the doors are held to all the same; 0: none."""
    newer = agent.configuration.rules.no_looser_than
    return 0 if newer is None else newer.version


def tell(agent: Agent) -> None:
    """What the agent holds its doors to, and whom it knows."""
    say(
        version=agent.configuration.rules.version,
        floor=_floor(agent),
        applied=agent.declarations.book.applied,
        modes={name: str(door.state.mode) for name, door in agent.doors.held.items()},
        own=sum(
            len(one.declarations) for one in agent.declarations.book if one.audience == agent.declarations.own_topic
        ),
        last=agent.journal.outbox.last_seq,
        known=summary([_known(agent, number) for number in range(KNOWN)]),
    )


def summary(cardholders: list[str | None]) -> str:
    """Whom an agent knows, short enough for one write."""
    return hashlib.sha256(json.dumps(cardholders).encode()).hexdigest()


def _known(agent: Agent, number: int) -> str | None:
    found = agent.configuration.rules.credentials.find(token_of(number))
    return None if found is None else found.cardholder


def main() -> None:
    """Fork an agent for each "start"."""
    config = load(Path(sys.argv[1]))
    config_trial.HEALTHY_AFTER_MS = (
        0  # one beat: what lives for half a second is confirmed, what does not is on trial
    )
    child = 0
    for line in sys.stdin:
        if line == "start\n":
            child = os.fork()
            if child == 0:
                os.close(0)
                try:
                    asyncio.run(live(config))
                except BaseException as error:
                    say(died=repr(error))
                    raise
                finally:
                    os._exit(1)
            say(pid=child)
        elif line == "reap\n":
            os.waitpid(child, 0)
            say(reaped=child)


if __name__ == "__main__":
    main()
