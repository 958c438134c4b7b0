"""``doorward agent``: run the agent of one Raspberry Pi, check its configuration, make its key."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import os
import secrets
import signal
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gpiozero.exc import GPIOZeroError

from edge_agent.agent import Agent
from edge_agent.agent_yaml.cli import add_check, add_setup_files, check, write_setup_files
from edge_agent.agent_yaml.config_file import AgentFile, ConfigError, load_to_serve
from edge_agent.host.watchdog import Watchdog
from edge_agent.readers import provisioning_cli
from edge_agent.storage.database import DatabaseTooNew
from edge_agent.storage.lock_file import Holding
from edge_agent.walk_test import cli as walk_test
from protocol.signing import SigningKey
from protocol.words import KeyRole

log = logging.getLogger(__name__)

EXIT_FAILED = 1
EXIT_USAGE = 2

LETTING_OUT_S = 60.0
"""The longest that a configured release lasts."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    run_ = actions.add_parser("run", help="hold the doors of this Pi until stopped")
    run_.add_argument("config", type=Path, help="agent.yaml")
    run_.add_argument("--verbose", action="store_true", help="log every message that is ignored, too")
    add_check(
        actions.add_parser("check", help="list every mistake of a configuration and its key files, touch nothing")
    )
    add_setup_files(actions.add_parser("setup-files", help="write units, udev rules and first boot of this Pi"))
    keygen = actions.add_parser("keygen", help="make this agent's signing key, and print what central must trust")
    keygen.add_argument("directory", type=Path, help="where agent.jwk is to be (mode 0600, never overwritten)")
    keygen.add_argument("--kid", help="the key's name, unique in the district; default: one made up")
    provisioning_cli.add_parser(actions)
    walk = actions.add_parser("walk-test", help="walk the doors with a person, and write a signed report")
    walk_test.add_arguments(walk)


def run(arguments: argparse.Namespace) -> int:
    """Run one; 0 done, 1 it failed, 2 the configuration is wrong."""
    actions: dict[str, Callable[[argparse.Namespace], int]] = {
        "check": check,
        "provision-reader": provisioning_cli.run,
        "setup-files": write_setup_files,
        "walk-test": walk_test.run,
    }
    try:
        if arguments.action in actions:
            return actions[arguments.action](arguments)
        if arguments.action == "keygen":
            return _keygen(arguments.directory, arguments.kid or f"agent-{secrets.token_hex(4)}")
        config = load_to_serve(arguments.config)
    except ConfigError as error:
        print(error, file=sys.stderr)
        return EXIT_USAGE
    return _run(config, verbose=arguments.verbose)


def _run(config: AgentFile, *, verbose: bool) -> int:
    logging.basicConfig(
        level=logging.DEBUG if verbose else logging.INFO,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        stream=sys.stderr,
    )
    os.umask(0o077)
    held = False
    try:
        Holding(config.data, "the agent")  # until this process ends
        watchdog = Watchdog.of()
        agent = Agent(config, pin_factory=_pi_pins(), watchdog=watchdog)
        held = True
        asyncio.run(_until_stopped(agent, watchdog))
    except GPIOZeroError as error:
        print(f"doorward agent: GPIO: {error}; this program runs on a Raspberry Pi, and a laptop has "
              "'doorward simulate'", file=sys.stderr)  # fmt: skip
        code = EXIT_FAILED
    except (OSError, sqlite3.Error, DatabaseTooNew, ImportError) as error:
        print(f"doorward agent: {error}", file=sys.stderr)
        code = EXIT_FAILED
    except Exception:
        log.exception("doorward agent: a fault of ours")
        code = EXIT_FAILED
    else:
        code = 0
    if not held:
        return code
    # Not by returning: gpiozero would turn every output into an input at exit, and a maglock would let go. The
    # kernel leaves the pins as the agent left them: locked.
    logging.shutdown()
    sys.stderr.flush()
    os._exit(code)


async def _until_stopped(agent: Agent, watchdog: Watchdog) -> None:
    task = asyncio.ensure_future(agent.run())
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, task.cancel)
    try:
        await task
    except asyncio.CancelledError:
        watchdog.stopping()
        # The locks' own timers end with the process: first let people out who have just asked to leave.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LETTING_OUT_S):
                while agent.doors.letting_out:  # noqa: ASYNC110 - a timer's thread ends it
                    await asyncio.sleep(0.05)
        log.info("stopped; the doors are locked")


def _pi_pins() -> Any:
    from gpiozero.pins.lgpio import LGPIOFactory  # noqa: PLC0415 - only a Pi has it

    return LGPIOFactory()


def _keygen(directory: Path, kid: str) -> int:
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = directory / "agent.jwk"
    key = SigningKey.generate(kid)
    try:
        key.save(path)
    except FileExistsError:
        print(f"{path} is there already; remove it first if it is really to be replaced", file=sys.stderr)
        return EXIT_FAILED
    print(f"key: {{kid: {kid}, x: {key.trusted(KeyRole.AGENT).x}}}")
    print(f"{path} is made; the line above belongs to this agent in central's district.yaml", file=sys.stderr)
    return 0
