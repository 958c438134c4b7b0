"""``doorward demo``: three simulated schools, live in a browser; or one scenario played in them, and its result.

The address, the accounts and what to try go to stdout. With --json, or while a scenario plays, stdout carries the
result alone and everything else goes to stderr.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path
from typing import TextIO

from ground.problems import ConfigError
from simulators.demo import CONSOLE_PORT, HOST, ROLES, Demo, begin_the_day, running_demo, unless_a_child_dies
from simulators.district.api import ApiError
from simulators.district.children import ChildFailed
from simulators.scenario.parse import load_scenario, scenario_file, scenario_names
from simulators.scenario.player import Result, ScenarioPlayer
from simulators.scenario.steps import Scenario
from simulators.workbench.app import over_socket
from simulators.workbench.server import serving

log = logging.getLogger(__name__)

EXIT_FAILED = 1
EXIT_USAGE = 2

SETTLE_S = 6.0
"""After a scenario with people: people who had just held up a badge have passed."""

_ROLE_HELP = {
    "administrator": "users, audit log, everything below",
    "officer": "declares, and releases as one of two",
    "officer2": "the second person a real release needs",
    "responder": "declares and releases",
    "facilities": "declares, opens and tests single doors",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``doorward demo``."""
    names = ", ".join(scenario_names())
    parser.add_argument(
        "--scenario",
        metavar="NAME",
        action="append",
        help=f"play one and end: {names}, or the path of a .yaml; again to play another in the same district, "
        "or 'all' of them",
    )
    parser.add_argument("--json", action="store_true", help="with --scenario: print one JSON object on stdout")
    parser.add_argument("--port", type=int, metavar="N", help=f"the console's port; default {CONSOLE_PORT}, if free")
    parser.add_argument("--data", type=Path, metavar="DIR", help="a new folder for it all; default: a temporary one")
    parser.add_argument("--keep", action="store_true", help="keep the temporary folder (a failure always does)")


def run(arguments: argparse.Namespace) -> int:
    """Run the demo; 0 it went well or was ended by Ctrl-C, 1 something failed, 2 wrong usage."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S", stream=sys.stderr)
    logging.getLogger("httpx").setLevel(logging.WARNING)
    try:
        scenarios = _scenarios(arguments)
    except ValueError as error:
        print(f"doorward demo: {error}", file=sys.stderr)
        return EXIT_USAGE
    os.umask(0o077)
    folder: Path = (arguments.data or Path(tempfile.mkdtemp(prefix="doorward-demo-"))).resolve()
    code = EXIT_FAILED
    try:
        code = asyncio.run(_until_ended(folder, arguments, scenarios))
    except (ChildFailed, ApiError, OSError, ConfigError) as error:
        print(f"doorward demo: {error}", file=sys.stderr)
        code = EXIT_USAGE if isinstance(error, ConfigError) else EXIT_FAILED
    if code == 0 and arguments.data is None and not arguments.keep:
        shutil.rmtree(folder, ignore_errors=True)
    elif folder.exists():
        print(f"Logs and data are kept in {folder}", file=sys.stderr)
    return code


def _scenarios(arguments: argparse.Namespace) -> tuple[Scenario, ...]:
    names: list[str] = arguments.scenario or []
    if arguments.json and not names:
        raise ValueError(f"--json needs --scenario; there are: {', '.join(scenario_names())}")
    chosen = [each for name in names for each in (scenario_names() if name == "all" else (name,))]
    scenarios = [load_scenario(scenario_file(name)) for name in chosen]
    return tuple(sorted(scenarios, key=lambda scenario: scenario.leaves_broken))


async def _until_ended(folder: Path, arguments: argparse.Namespace, scenarios: tuple[Scenario, ...]) -> int:
    task = asyncio.ensure_future(_demo(folder, arguments, scenarios))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, task.cancel)
    try:
        return await task
    except asyncio.CancelledError:
        log.info("ended")
        return EXIT_FAILED if scenarios else 0


async def _demo(folder: Path, arguments: argparse.Namespace, scenarios: tuple[Scenario, ...]) -> int:
    async with running_demo(folder, port=arguments.port) as demo:
        if not scenarios:
            await _live(demo)
        results: list[Result] = []
        for scenario in scenarios:
            results.append(await _play(demo, scenario))
            if scenario.moves_people and scenario is not scenarios[-1]:
                await asyncio.sleep(SETTLE_S)
    if arguments.json:
        found = {scenario.name: result.as_json() for scenario, result in zip(scenarios, results, strict=True)}
        print(json.dumps(next(iter(found.values())) if len(found) == 1 else {"scenarios": found}))
    else:
        for scenario, result in zip(scenarios, results, strict=True):
            _print_result(scenario, result, sys.stdout)
    return 0 if all(result.ok for result in results) else EXIT_FAILED


async def _live(demo: Demo) -> None:
    """Run until a person ends it."""
    begin_the_day(demo)
    sites = {agent.key: over_socket(agent.control) for agent in demo.district.agents}
    async with serving(sites, HOST, 0) as workbench:
        _introduce(demo, workbench, sys.stdout)
        await demo.children.died()


async def _play(demo: Demo, scenario: Scenario) -> Result:
    log.info("playing %s: %s", scenario.name, scenario.title)
    player = ScenarioPlayer(scenario, demo.district.agents, demo.users, demo.machines)
    result: Result = await unless_a_child_dies(demo.children, player.play())
    return result


def _introduce(demo: Demo, workbench: str, out: TextIO) -> None:
    district = demo.district
    first = district.agents[0]
    frozen = demo.children.pids[f"agent-{first.site}-{first.agent}"]
    sites = len({agent.site for agent in district.agents})
    accounts = "\n".join(
        f"    {name:<14} {demo.passwords[name]:<18} {_ROLE_HELP.get(name, role)}" for name, role in ROLES.items()
    )
    out.write(f"""
  {sites} schools, {len(district.agents)} agents, {len(district.doors)} doors: every door seen, people are moving.

    {demo.address}/          the console
    {workbench}          the workbench: swipe, jam, prop, cut, trip the fire alarm

  Accounts of this run
{accounts}

  Try
    Sign in as officer and declare a lockdown of the district: watch every door be proven, one by one.
    Release it: officer asks, officer2 (in a private window) agrees. One alone cannot.
    In the workbench, or in another terminal, make trouble at {first.site}:
      CTL="{_command()} simulate ctl {first.control}"
      $CTL jam door=gym              a bolt that does not enter its frame ("unjam" mends it)
      $CTL force door=gym-outside    a break-in ("close" shuts it)
      $CTL swipe door=gym card=lost
      $CTL fire                      maglocks with fire release let go, even in a lockdown ("fire on=false" ends it)
      $CTL panic                     the whole school locks down, without central
      $CTL help                      everything else
    Freeze an agent (kill -STOP {frozen}, then -CONT) and watch its doors turn unknown.

  Logs: {district.folder / "logs"}     Ctrl-C ends everything.

""")
    out.flush()


def _command() -> str:
    """How this program was started, for others of its subcommands."""
    started = Path(sys.argv[0])
    return str(started) if started.name == "doorward" else "doorward"


def _print_result(scenario: Scenario, result: Result, out: TextIO) -> None:
    for door in result.doors:
        took = "" if door.proven_ms is None else f"{door.proven_ms} ms"
        out.write(f"  {door.site + '/' + door.door:<40} {door.state:<8} {door.condition:<10} {took:>9}\n")
    out.writelines(f"  FAILED: {failure}\n" for failure in result.failures)
    verdict = "as expected" if result.ok else "NOT as expected"
    if not result.doors:
        out.write(f"{scenario.name}: {verdict}\n")
        return
    slowest = "" if result.slowest_ms is None else f", the slowest in {result.slowest_ms} ms"
    proven = result.count("proven")
    others = ", ".join(f"{result.count(state)} {state}" for state in ("pending", "failed"))
    out.write(f"{scenario.name}: {verdict}; of {len(result.doors)} doors {proven} proven{slowest}, {others}\n")
