"""``doorward simulate walk-test``: watch a walk test of a virtual school, with faults by lot, and read its report.

For people who will walk real doors: a scripted person does what is asked, the words are the real ones, and
the report is signed with the key of the file. Nothing of the agent's own data is touched.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TextIO

from edge_agent.agent_yaml.config_file import AgentFile, load
from edge_agent.walk_test.cli import finish
from edge_agent.walk_test.terminal import Terminal
from edge_agent.walk_test.walk import Walk
from edge_agent.walk_test.words import Step, StepResult
from simulators.hardware.door import DoorInput, VirtualDoor
from simulators.hardware.switch import WireFault
from simulators.school.walked_site import WalkedSite
from simulators.school.walker import Walker

_FAULTS: dict[str, Callable[[VirtualDoor], object]] = {
    "contact reversed": lambda door: door.break_wire(DoorInput.CONTACT, WireFault.REVERSED),
    "contact cut": lambda door: door.break_wire(DoorInput.CONTACT, WireFault.CUT),
    "exit button cut": lambda door: door.break_wire(DoorInput.REX, WireFault.CUT),
    "weak bolt": lambda door: door.weaken_bolt(2.5),
    "weak latch": lambda door: door.weaken_latch(),
    "dead strike": lambda door: door.kill_strike(),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of ``walk-test``."""
    parser.add_argument("config", type=Path, metavar="AGENT_YAML")
    parser.add_argument("--faults", type=int, default=3, metavar="N", help="how many doors are broken; default 3")
    parser.add_argument("--seed", type=int, default=0, help="which doors, and how; default 0")
    parser.add_argument("--speed", type=float, default=20.0, help="how many times as fast as life; default 20")
    parser.add_argument("--report", type=Path, default=Path(), metavar="DIR", help="where the report goes; default .")


def run(arguments: argparse.Namespace) -> int:
    """Run it; 0 all doors passed, 1 not so. Raises ConfigError, ValueError or OSError."""
    if not arguments.speed > 0:
        raise ValueError(f"--speed {arguments.speed}: expected more than 0")
    config = load(arguments.config)
    if not 0 <= arguments.faults <= len(config.doors):
        raise ValueError(f"--faults {arguments.faults}: this agent has {len(config.doors)} doors")
    with TemporaryDirectory(prefix="doorward-walk-") as folder:
        scratch = replace(config, data=Path(folder) / "data")
        return asyncio.run(_walk(scratch, arguments))


async def _walk(config: AgentFile, arguments: argparse.Namespace) -> int:
    rng = random.Random(f"walk-test/{arguments.seed}")
    with (
        Path(os.devnull).open() as no_keys,  # noqa: ASYNC230 - it never waits
        WalkedSite(config, seed=arguments.seed, least_pace=1 / arguments.speed) as site,
    ):
        planted = {name: rng.choice(list(_FAULTS)) for name in rng.sample(sorted(site.doors), arguments.faults)}
        for name, fault in planted.items():
            _FAULTS[fault](site.doors[name])
        person = _WatchedWalker(site, no_keys, seed=arguments.seed)
        walk = Walk(site.config, prompts=person, by="a scripted person", **site.options)
        try:
            outcome = await walk.run()
        finally:
            walk.close()
    code = finish(config, outcome, arguments.report, print_json=False, simulated=True)
    for name, fault in sorted(planted.items()):
        print(f"Planted at {name}: {fault}")
    return code


class _WatchedWalker(Walker):
    """A scripted person, and a terminal to watch them at."""

    def __init__(self, site: WalkedSite, no_keys: TextIO, *, seed: int) -> None:
        super().__init__(site, seed=seed)
        self._terminal = Terminal(no_keys)

    def door(self, door: str, number: int, of: int) -> None:
        self._terminal.door(door, number, of)
        super().door(door, number, of)

    def instruct(self, step: Step, text: str) -> None:
        self._terminal.instruct(step, text)
        super().instruct(step, text)

    def result(self, step: Step, result: StepResult) -> None:
        self._terminal.result(step, result)
        super().result(step, result)

    def say(self, text: str) -> None:
        self._terminal.say(text)
        super().say(text)
