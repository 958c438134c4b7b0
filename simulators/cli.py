"""``doorward simulate``: make a virtual district, run one agent of it on virtual doors, give it orders."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import logging
import os
import signal
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from edge_agent.agent_yaml.config_file import AgentFile, ConfigError, load
from edge_agent.storage.database import DatabaseTooNew
from simulators.district.make import make_district
from simulators.district.plan import DistrictSize
from simulators.orders.book import order_from_words
from simulators.orders.control import Order, OrderRefused, listening, parse_order, send_order
from simulators.orders.site import site_orders
from simulators.school import walked_cli
from simulators.school.cards import Card, load_cards
from simulators.school.people import People
from simulators.school.rhythm import DayClock
from simulators.school.site import VirtualSite
from simulators.workbench.app import Perform, directly, over_socket
from simulators.workbench.server import address, serving

log = logging.getLogger(__name__)

EXIT_FAILED = 1
EXIT_USAGE = 2

_ORDERS = """\
for example:
  doorward simulate ctl SOCKET help                              every order there is
  doorward simulate ctl SOCKET swipe door=gym card=ch-0001
  doorward simulate ctl SOCKET type_pin door=gym pin=2468#
  doorward simulate ctl SOCKET cut door=gym input=contact        and: cut door=gym input=contact on=false
  doorward simulate ctl SOCKET fire
  doorward simulate ctl SOCKET faults seed=7 count=3             three doors broken by lot; 'mend' mends them
  doorward simulate ctl SOCKET state
  doorward simulate ctl SOCKET '{"do":"jam","door":"gym"}'       the same as JSON"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The subcommands of ``doorward simulate``."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    agent = actions.add_parser("agent", help="run a real agent on virtual doors and readers")
    agent.add_argument("config", type=Path, metavar="AGENT_YAML")
    agent.add_argument("--control", type=Path, metavar="SOCKET", help="take orders on this Unix socket")
    agent.add_argument(
        "--http", metavar="PORT", help="take orders by HTTP, and in a browser, on this port of loopback"
    )
    agent.add_argument("--cards", type=Path, metavar="FILE", help="cards.json: what people hold to the readers")
    agent.add_argument("--seed", type=int, default=0, help="shapes the people's day and the bolts; default 0")
    agent.add_argument("--rhythm", action="store_true", help="let people move from the start")
    agent.add_argument("--speed", type=float, default=60.0, help="how many times as fast their day is; default 60")
    ctl = actions.add_parser(
        "ctl",
        help="give a running virtual site one order",
        epilog=_ORDERS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    ctl.add_argument("socket", type=Path, metavar="SOCKET")
    ctl.add_argument(
        "order", nargs="+", metavar="ORDER", help="a verb and its fields as name=value, or one JSON object"
    )
    bench = actions.add_parser("workbench", help="work the running sites of a made district in a browser")
    bench.add_argument(
        "folder", type=Path, metavar="DIR", help="the district's folder, as 'simulate district' made it"
    )
    bench.add_argument("--http", metavar="PORT", default="8090", help="the port of loopback; default 8090")
    walked_cli.add_arguments(actions.add_parser("walk-test", help="watch a walk test of virtual doors, some broken"))
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
    actions: dict[str, Callable[[], int]] = {
        "agent": lambda: _agent(arguments),
        "ctl": lambda: _ctl(arguments.socket, arguments.order),
        "workbench": lambda: _workbench(arguments.folder, *address(arguments.http)),
        "district": lambda: _district(arguments),
        "walk-test": lambda: walked_cli.run(arguments),
    }
    try:
        return actions[arguments.action]()
    except (ConfigError, ValueError) as error:
        print(f"doorward simulate: {error}", file=sys.stderr)
        return EXIT_USAGE
    except (OSError, sqlite3.Error, DatabaseTooNew) as error:
        print(f"doorward simulate: {error}", file=sys.stderr)
        return EXIT_FAILED


def _ctl(path: Path, words: list[str]) -> int:
    try:
        answer = send_order(path, _order(path, words))
    except OrderRefused as refused:
        print(f"doorward simulate ctl: {refused}", file=sys.stderr)
        return EXIT_USAGE
    except OSError as error:
        print(f"doorward simulate ctl: {path}: {error}; is that virtual site running?", file=sys.stderr)
        return EXIT_FAILED
    print(_help(answer["orders"]) if words == ["help"] else json.dumps(answer))
    return 0


def _order(path: Path, words: list[str]) -> Order:
    if words[0].lstrip().startswith("{"):
        return parse_order(" ".join(words).encode())
    if words == ["help"]:
        return {"do": "help"}
    return order_from_words(send_order(path, {"do": "help"})["orders"], words)


def _help(orders: list[dict[str, Any]]) -> str:
    lines = []
    for verb in orders:
        lines.append(f"{verb['do']}: {verb['help']}")
        for field in verb["fields"]:
            usual = "" if "default" not in field else f" (default {json.dumps(field['default'])})"
            choices = f": {', '.join(field['choices'])}" if "choices" in field else ""
            needed = " [needed]" if field["required"] else ""
            lines.append(f"    {field['name']}={field['kind']}{needed}  {field['help']}{choices}{usual}")
    return "\n".join(lines)


def _workbench(folder: Path, host: str, port: int) -> int:
    sockets = sorted((folder / "run").glob("*.sock"))
    if not sockets:
        raise ValueError(f"no virtual site runs in {folder}: there is no socket in {folder / 'run'}")
    asyncio.run(_serve_workbench(sockets, host, port))
    return 0


async def _serve_workbench(sockets: list[Path], host: str, port: int) -> None:
    sites: dict[str, Perform] = {}
    for path in sockets:
        try:
            state = await asyncio.to_thread(send_order, path, {"do": "state"})
        except (OSError, OrderRefused) as error:
            log.warning("%s is left out: %s", path, error)
        else:
            sites[f"{state['site']}/{state['agent']}"] = over_socket(path)
    async with serving(sites, host, port) as at:
        print(f"{len(sites)} virtual sites at {at}; Ctrl-C ends the workbench, not them", flush=True)
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        await stop.wait()


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
    http = address(arguments.http) if arguments.http else None
    asyncio.run(_run_site(config, cards, arguments.seed, clock=clock, control=arguments.control, http=http))
    return 0


async def _run_site(config: AgentFile, cards: tuple[Card, ...], seed: int, **ways: Any) -> None:
    with VirtualSite(config, seed=seed) as site:
        task = asyncio.ensure_future(_live(site, People(site, cards, seed=seed), cards, **ways))
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, task.cancel)
        try:
            await task
        except asyncio.CancelledError:
            log.info("stopped")


async def _live(
    site: VirtualSite,
    people: People,
    cards: tuple[Card, ...],
    *,
    clock: DayClock | None,
    control: Path | None,
    http: tuple[str, int] | None,
) -> None:
    if clock is not None:
        people.begin(clock)
    orders = site_orders(site, people, cards)
    try:
        async with contextlib.AsyncExitStack() as stack:
            if control is not None:
                await stack.enter_async_context(listening(control, orders))
            if http is not None:
                sites = {f"{site.site}/{site.agent_name}": directly(orders)}
                log.info("workbench at %s", await stack.enter_async_context(serving(sites, *http)))
            await site.run()
    finally:
        people.rest()
