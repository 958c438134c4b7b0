"""``doorward agent walk-test``: walk the doors with a person at a terminal, write the signed report, check one."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import getpass
import json
import logging
import os
import signal
import sqlite3
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from gpiozero.exc import GPIOZeroError

from edge_agent.agent_yaml.config_file import AgentFile, ConfigError, load
from edge_agent.storage.database import DatabaseTooNew
from edge_agent.storage.lock_file import AlreadyHeld
from edge_agent.walk_test import report as reports
from edge_agent.walk_test.report_files import write
from edge_agent.walk_test.report_page import verify_page
from edge_agent.walk_test.runner import Ending
from edge_agent.walk_test.terminal import Terminal
from edge_agent.walk_test.walk import CannotWalk, Outcome, Walk
from edge_agent.walk_test.words import Verdict
from protocol.messages import TrustedKey
from protocol.refusal import Refused
from protocol.signing import Keyring
from protocol.words import KeyRole

log = logging.getLogger(__name__)

_SYSTEMCTL, _UNIT = "sudo systemctl", "doorward-agent"

EXIT_PASSED = 0
EXIT_FAILED = 1
EXIT_USAGE = 2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("config", type=Path, nargs="?", help="agent.yaml")
    parser.add_argument("--door", action="append", default=[], metavar="DOOR", help="this door only; may be repeated")
    parser.add_argument("--resume", action="store_true", help="go on with the walk that was stopped")
    parser.add_argument("--report", type=Path, default=Path(), metavar="DIR", help="where the report goes; default .")
    parser.add_argument("--by", metavar="NAME", help="who walks; default: the name of the login")
    parser.add_argument("--json", action="store_true", help="print the report as JSON when it is done")
    parser.add_argument(
        "--verify", type=Path, metavar="FILE", help="check a report (.jws or .html) and touch nothing"
    )
    parser.add_argument(
        "--key",
        metavar="KID:X",
        help="with --verify, without agent.yaml: the agent's public key as keygen printed it",
    )


def run(arguments: argparse.Namespace) -> int:
    """Run it; 0 all doors passed (or the report is genuine), 1 not so, 2 wrong usage or configuration."""
    try:
        if arguments.verify is not None:
            return _verify(arguments)
        if arguments.config is None:
            print("doorward agent walk-test: which agent? Name its agent.yaml", file=sys.stderr)
            return EXIT_USAGE
        config = load(arguments.config)
    except (ConfigError, ValueError) as error:
        print(error, file=sys.stderr)
        return EXIT_USAGE
    except OSError as error:
        print(f"doorward agent walk-test: {error}", file=sys.stderr)
        return EXIT_FAILED
    return _walk(config, arguments)


def _walk(config: AgentFile, arguments: argparse.Namespace) -> int:
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    os.umask(0o077)
    config = replace(config, data=config.data.resolve())
    arguments.report = arguments.report.resolve()
    try:
        config.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.chdir(config.data)  # lgpio makes a named pipe where it is imported
        pins = _pi_pins()
    except GPIOZeroError as error:
        print(f"doorward agent walk-test: GPIO: {error}; it runs on a Raspberry Pi", file=sys.stderr)
        return EXIT_FAILED
    except (OSError, ImportError) as error:
        print(f"doorward agent walk-test: {error}", file=sys.stderr)
        return EXIT_FAILED
    code = EXIT_FAILED
    try:
        code = _guarded(config, arguments, pins)
        sys.stdout.flush()
    except BaseException:
        # Logging may fail, too: perhaps the terminal is gone.
        with contextlib.suppress(Exception):
            log.exception("walk-test: a fault of ours")
    finally:
        # As the agent does: on a return gpiozero would turn every output into an input, and a maglock would let go.
        os._exit(code)


def _guarded(config: AgentFile, arguments: argparse.Namespace, pins: Any) -> int:
    try:
        return asyncio.run(_until_stopped(config, arguments, pins))
    except CannotWalk as error:
        print(f"doorward agent walk-test: {error}", file=sys.stderr)
        return EXIT_USAGE
    except AlreadyHeld as error:
        print(f"doorward agent walk-test: {error}. Stop the agent first: {_SYSTEMCTL} stop {_UNIT}", file=sys.stderr)
    except (GPIOZeroError, OSError, sqlite3.Error, DatabaseTooNew) as error:
        print(f"doorward agent walk-test: {error}", file=sys.stderr)
    except asyncio.CancelledError:
        print("stopped; the doors are locked. Go on with --resume", file=sys.stderr)
    return EXIT_FAILED


async def _until_stopped(config: AgentFile, arguments: argparse.Namespace, pins: Any) -> int:
    loop = asyncio.get_running_loop()
    task = asyncio.current_task()
    assert task is not None
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        loop.add_signal_handler(number, task.cancel)
    terminal = Terminal(out=sys.stderr if arguments.json else sys.stdout)
    walk = Walk(
        config,
        pin_factory=pins,
        prompts=terminal,
        by=arguments.by or os.environ.get("SUDO_USER") or getpass.getuser(),
        doors=tuple(arguments.door),
        resume=arguments.resume,
    )
    with terminal.raw_keys():
        outcome = await walk.run()
    return finish(config, outcome, arguments.report, print_json=arguments.json)


def finish(config: AgentFile, outcome: Outcome, folder: Path, *, print_json: bool, simulated: bool = False) -> int:
    """Write the report, print where it is and what comes next; the exit code."""
    files = write(folder, outcome.report, config.signing_key)
    if print_json:
        print(reports.encode(outcome.report).decode())
    out = sys.stderr if print_json else sys.stdout
    findings = sum(len(door.findings) for door in outcome.report.doors)
    match outcome.ending:
        case Ending.PANIC:
            print("THE PANIC BUTTON WAS PRESSED. A lockdown is declared on this Pi; start the agent NOW, so that "
                  f"the school hears of it: {_SYSTEMCTL} start {_UNIT}", file=out)  # fmt: skip
        case Ending.QUIT:
            print("Stopped; the doors are locked. Go on with --resume.", file=out)
        case Ending.FINISHED:
            print(f"Done: {outcome.report.verdict}, {findings} to look at.", file=out)
    print(f"Report: {files.page}\n        {files.signed}\n        {files.json}", file=out)
    if outcome.ending is not Ending.PANIC and not simulated:
        print(f"Now start the agent again: {_SYSTEMCTL} start {_UNIT}", file=out)
    return EXIT_PASSED if outcome.report.verdict is Verdict.PASSED else EXIT_FAILED


def _pi_pins() -> Any:
    from gpiozero.pins.lgpio import LGPIOFactory  # noqa: PLC0415 - only a Pi has it

    return LGPIOFactory()


def _verify(arguments: argparse.Namespace) -> int:
    content = arguments.verify.read_bytes()
    key = _key(arguments)
    answer: dict[str, object] = {"file": str(arguments.verify)}
    try:
        if arguments.verify.suffix == ".html":
            report = verify_page(content.decode(errors="replace"), key)
        else:
            report = reports.verify(content, key)
    except Refused as refused:
        plain = arguments.verify.suffix == ".json"
        why = "a plain copy without a signature; check the .jws or the .html beside it" if plain else str(refused)
        print(f"{arguments.verify}: NOT genuine: {why}", file=sys.stderr)
        if arguments.json:
            print(json.dumps(answer | {"genuine": False, "why": why}))
        return EXIT_FAILED
    if arguments.json:
        of = f"{report.site}/{report.agent}"
        print(json.dumps(answer | {"genuine": True, "agent": of, "by": report.by, "verdict": report.verdict}))
    else:
        print(f"{arguments.verify}: genuine; {report.site}/{report.agent}, walked by {report.by}: {report.verdict}")
    return EXIT_PASSED


def _key(arguments: argparse.Namespace) -> TrustedKey:
    if arguments.config is not None:
        config = load(arguments.config)
        return config.signing_key.trusted(KeyRole.AGENT, site=config.site, agent=config.agent)
    if arguments.key is None:
        raise ValueError("doorward agent walk-test --verify: name the agent.yaml, or the agent's public key by --key")
    kid, _, x = arguments.key.rpartition(":")
    key = TrustedKey(kid=kid, x=x, role=KeyRole.AGENT)
    try:
        Keyring([key])
    except (ValueError, Refused) as error:
        kid, why = "", str(error)
    else:
        why = "there is no ':' in it"
    if not kid:
        raise ValueError(f"doorward agent walk-test --key: expected KID:X, as keygen printed the two: {why}")
    return key
