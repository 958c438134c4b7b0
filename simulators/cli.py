"""``doorward simulate``: make a virtual district, run one agent of it on virtual doors, give it orders."""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import signal
import sqlite3
import sys
from pathlib import Path

from edge_agent.config_file import AgentFile, ConfigError, load
from edge_agent.database import DatabaseTooNew
from simulators.cards import Card, load_cards
from simulators.control import OrderRefused, listening, parse_order, send_order
from simulators.district import make_district
from simulators.people import People
from simulators.rhythm import DayClock
from simulators.school_plan import DistrictSize
from simulators.site_orders import SiteOrders
from simulators.virtual_site import VirtualSite

log = logging.getLogger(__name__)

EXIT_FAILED = 1
EXIT_USAGE = 2

_ORDERS = (
    'orders, for example: {"do":"jam","door":"gym"}  {"do":"swipe","door":"gym","card":"ch-0001"}  '
    '{"do":"fire","on":true}  {"do":"panic"}  {"do":"state"}'
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The subcommands of ``doorward simulate``."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    agent = actions.add_parser("agent", help="run a real agent on virtual doors and readers")
    agent.add_argument("config", type=Path, metavar="AGENT_YAML")
    agent.add_argument("--control", type=Path, metavar="SOCKET", help="take orders on this Unix socket")
    agent.add_argument("--cards", type=Path, metavar="FILE", help="cards.json: what people hold to the readers")
    agent.add_argument("--seed", type=int, default=0, help="shapes the people's day and the bolts; default 0")
    agent.add_argument("--rhythm", action="store_true", help="let people move from the start")
    agent.add_argument("--speed", type=float, default=60.0, help="how many times as fast their day is; default 60")
    ctl = actions.add_parser("ctl", help="give a running virtual site one order", description=_ORDERS)
    ctl.add_argument("socket", type=Path, metavar="SOCKET")
    ctl.add_argument("order", metavar="ORDER", help="one JSON object")
    district = actions.add_parser("district", help="make the keys and files of a virtual district")
    district.add_argument("folder", type=Path, metavar="DIR", help="a new folder")
    district.add_argument("--broker-port", type=int, default=1883, metavar="N")
    size = DistrictSize()
    district.add_argument("--sites", type=int, default=size.sites, metavar="N", help=f"default {size.sites}")
    district.add_argument("--agents", type=int, default=size.agents, metavar="N", help="a site's")
    district.add_argument("--doors", type=int, default=size.doors, metavar="N", help="an agent's")
    district.add_argument("--readers", type=int, default=size.readers, metavar="N", help="an agent's")


def run(arguments: argparse.Namespace) -> int:
    """Run one; 0 done, 1 it failed, 2 wrong usage or configuration."""
    try:
        match arguments.action:
            case "ctl":
                return _ctl(arguments.socket, arguments.order)
            case "district":
                return _district(arguments)
            case _:
                return _agent(arguments)
    except (ConfigError, ValueError) as error:
        print(f"doorward simulate: {error}", file=sys.stderr)
        return EXIT_USAGE
    except (OSError, sqlite3.Error, DatabaseTooNew) as error:
        print(f"doorward simulate: {error}", file=sys.stderr)
        return EXIT_FAILED


def _ctl(path: Path, text: str) -> int:
    try:
        answer = send_order(path, parse_order(text.encode()))
    except OrderRefused as refused:
        print(f"doorward simulate ctl: {refused}", file=sys.stderr)
        return EXIT_USAGE
    except OSError as error:
        print(f"doorward simulate ctl: {path}: {error}; is that virtual site running?", file=sys.stderr)
        return EXIT_FAILED
    print(json.dumps(answer))
    return 0


def _district(arguments: argparse.Namespace) -> int:
    size = DistrictSize(arguments.sites, arguments.agents, arguments.doors, arguments.readers)
    district = make_district(arguments.folder, broker_port=arguments.broker_port, size=size)
    print(f"{district.file}: {size.sites} sites, {len(district.agents)} agents, {size.all_doors} doors")
    return 0


def _agent(arguments: argparse.Namespace) -> int:
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr
    )
    os.umask(0o077)
    config = load(arguments.config)
    cards = load_cards(arguments.cards) if arguments.cards else ()
    clock = DayClock(speed=arguments.speed) if arguments.rhythm else None
    asyncio.run(_run_site(config, cards, clock, arguments.control, arguments.seed))
    return 0


async def _run_site(
    config: AgentFile, cards: tuple[Card, ...], clock: DayClock | None, control: Path | None, seed: int
) -> None:
    with VirtualSite(config, seed=seed) as site:
        task = asyncio.ensure_future(_live(site, People(site, cards, seed=seed), cards, clock, control))
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, task.cancel)
        try:
            await task
        except asyncio.CancelledError:
            log.info("stopped")


async def _live(
    site: VirtualSite, people: People, cards: tuple[Card, ...], clock: DayClock | None, control: Path | None
) -> None:
    if clock is not None:
        people.begin(clock)
    try:
        if control is None:
            await site.run()
            return
        async with listening(control, SiteOrders(site, people, cards)):
            await site.run()
    finally:
        people.rest()
