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

from simulators.children import ChildFailed
from simulators.demo import CONSOLE_PORT, ROLES, Demo, begin_the_day, running_demo, unless_a_child_dies
from simulators.district_api import ApiError
from simulators.scenario import ConfigError, Scenario, load_scenario, scenario_file, scenario_names
from simulators.scenario_player import Result, ScenarioPlayer

log = logging.getLogger(__name__)

EXIT_FAILED = 1
EXIT_USAGE = 2

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
    parser.add_argument("--scenario", metavar="NAME", help=f"play one and end: {names}, or the path of a .yaml")
    parser.add_argument("--json", action="store_true", help="with --scenario: print one JSON object on stdout")
    parser.add_argument("--port", type=int, metavar="N", help=f"the console's port; default {CONSOLE_PORT}, if free")
    parser.add_argument("--data", type=Path, metavar="DIR", help="a new folder for it all; default: a temporary one")
    parser.add_argument("--keep", action="store_true", help="keep the temporary folder (a failure always does)")


def run(arguments: argparse.Namespace) -> int:
    """Run the demo; 0 it went well or was ended by Ctrl-C, 1 something failed, 2 wrong usage."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S", stream=sys.stderr)
    logging.getLogger("httpx").setLevel(logging.WARNING)
    try:
        scenario = _scenario(arguments)
    except ValueError as error:
        print(f"doorward demo: {error}", file=sys.stderr)
        return EXIT_USAGE
    os.umask(0o077)
    folder: Path = (arguments.data or Path(tempfile.mkdtemp(prefix="doorward-demo-"))).resolve()
    code = EXIT_FAILED
    try:
        code = asyncio.run(_until_told(folder, arguments, scenario))
    except (ChildFailed, ApiError, OSError, ConfigError) as error:
        print(f"doorward demo: {error}", file=sys.stderr)
        code = EXIT_USAGE if isinstance(error, ConfigError) else EXIT_FAILED
    if code == 0 and arguments.data is None and not arguments.keep:
        shutil.rmtree(folder, ignore_errors=True)
    elif folder.exists():
        print(f"Logs and data are kept in {folder}", file=sys.stderr)
    return code


def _scenario(arguments: argparse.Namespace) -> Scenario | None:
    if arguments.scenario:
        return load_scenario(scenario_file(arguments.scenario))
    if arguments.json:
        raise ValueError(f"--json needs --scenario; there are: {', '.join(scenario_names())}")
    return None


async def _until_told(folder: Path, arguments: argparse.Namespace, scenario: Scenario | None) -> int:
    task = asyncio.ensure_future(_demo(folder, arguments, scenario))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, task.cancel)
    try:
        return await task
    except asyncio.CancelledError:
        log.info("ended")
        return 0 if scenario is None else EXIT_FAILED


async def _demo(folder: Path, arguments: argparse.Namespace, scenario: Scenario | None) -> int:
    async with running_demo(folder, port=arguments.port) as demo:
        if scenario is None:
            begin_the_day(demo)
            _introduce(demo, sys.stdout)
            await demo.children.died()
        assert scenario is not None, "died() does not return"
        log.info("playing %s: %s", scenario.name, scenario.title)
        player = ScenarioPlayer(scenario, demo.district.agents, demo.users)
        result: Result = await unless_a_child_dies(demo.children, player.play())
    if arguments.json:
        print(json.dumps(result.as_json()))
    else:
        _tell(scenario, result, sys.stdout)
    return 0 if result.ok else EXIT_FAILED


def _introduce(demo: Demo, out: TextIO) -> None:
    district = demo.district
    first = district.agents[0]
    frozen = demo.children.pids[f"agent-{first.site}-{first.agent}"]
    sites = len({agent.site for agent in district.agents})
    accounts = "\n".join(
        f"    {name:<14} {demo.passwords[name]:<18} {_ROLE_HELP.get(name, role)}" for name, role in ROLES.items()
    )
    out.write(f"""
  {sites} schools, {len(district.agents)} agents, {len(district.doors)} doors: every door seen, people are moving.

    {demo.address}/

  Accounts of this run
{accounts}

  Try
    Sign in as officer and declare a lockdown of the district: watch every door be proven, one by one.
    Release it: officer asks, officer2 (in a private window) agrees. One alone cannot.
    In another terminal, make trouble at {first.site}:
      CTL="{_command()} simulate ctl {first.control}"
      $CTL '{{"do":"jam","door":"gym"}}'            a bolt that does not enter its frame ("unjam" mends it)
      $CTL '{{"do":"force","door":"gym-outside"}}'  a break-in ("close" shuts it)
      $CTL '{{"do":"swipe","door":"gym","card":"lost"}}'
      $CTL '{{"do":"fire","on":true}}'              maglocks with fire release let go, even in a lockdown
      $CTL '{{"do":"panic"}}'                       the whole school locks down, without central
    Freeze an agent (kill -STOP {frozen}, then -CONT) and watch its doors turn unknown.

  Logs: {district.folder / "logs"}     Ctrl-C ends everything.

""")
    out.flush()


def _command() -> str:
    """How this program was started, for others of its subcommands."""
    started = Path(sys.argv[0])
    return str(started) if started.name == "doorward" else "doorward"


def _tell(scenario: Scenario, result: Result, out: TextIO) -> None:
    for door in result.doors:
        took = "" if door.proven_ms is None else f"{door.proven_ms} ms"
        out.write(f"  {door.site + '/' + door.door:<40} {door.state:<8} {door.condition:<10} {took:>9}\n")
    out.writelines(f"  FAILED: {failure}\n" for failure in result.failures)
    slowest = "" if result.slowest_ms is None else f", the slowest in {result.slowest_ms} ms"
    proven = result.count("proven")
    others = ", ".join(f"{result.count(state)} {state}" for state in ("pending", "failed"))
    verdict = "as expected" if result.ok else "NOT as expected"
    out.write(f"{scenario.name}: {verdict}; of {len(result.doors)} doors {proven} proven{slowest}, {others}\n")
