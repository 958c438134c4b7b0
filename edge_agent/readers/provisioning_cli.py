"""``doorward agent provision-reader``: give one reader on an isolated line its key."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edge_agent.readers.provisioning import Done

EXIT_FAILED = 1
EXIT_USAGE = 2


def add_parser(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = actions.add_parser(
        "provision-reader",
        help="give one OSDP reader, alone on its line, its key",
        description="Give one OSDP reader its secure channel key. Connect it alone: anybody who listens on the "
        "line meanwhile learns the key. Stop the agent if it uses the line.",
    )
    parser.add_argument("config", type=Path, help="agent.yaml")
    parser.add_argument("reader", help="the reader's name in it")
    parser.add_argument("--device", help="serial port it is connected to now; default: the one of its line")
    parser.add_argument("--baud", type=int, help="speed the reader has now; default: the one of its line")
    parser.add_argument("--set-address", action="store_true", help="give it the address and speed of agent.yaml")
    parser.add_argument("--replace", action="store_true", help="the key file is of a reader that is gone or reset")
    parser.add_argument("--json", action="store_true", help="print what was done as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Do it; 0 done, 1 it failed, 2 the configuration is wrong."""
    # Here, so that an agent in service does not even load the code that knows a reader's default key.
    from edge_agent.readers.provisioning import CannotProvision, Provisioning, find_target  # noqa: PLC0415

    try:
        target = find_target(arguments.config, arguments.reader)
    except CannotProvision as error:
        return _failed(error.code, str(error), as_json=arguments.json, code=EXIT_USAGE)
    device = arguments.device or target.device
    provisioning = Provisioning(
        target,
        device=device,
        baud=arguments.baud or target.baud,
        say=lambda step: print(step, file=sys.stderr, flush=True),
        replace=arguments.replace,
        change_address=arguments.set_address,
    )
    try:
        done = asyncio.run(provisioning.run())
    except CannotProvision as error:
        return _failed(error.code, str(error), as_json=arguments.json)
    except OSError as error:
        cure = "; if the agent uses it, stop the agent first ('systemctl stop doorward-agent')"
        return _failed("port_or_disk", f"{device}: {error}{cure}", as_json=arguments.json)
    except KeyboardInterrupt:
        return _failed("interrupted", "interrupted: run it again, it goes on where it was", as_json=arguments.json)
    _print_done(arguments.reader, done, as_json=arguments.json)
    return 0


def _print_done(reader: str, done: Done, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps({
            "reader": reader,
            "outcome": done.outcome,
            "key_file": str(done.key_file),
            "device": asdict(done.reader),
        }))  # fmt: skip
    else:
        print(f"{reader}: {done.outcome.value}; from now on it is spoken to with the key in {done.key_file} alone")


def _failed(reason: str, message: str, *, as_json: bool, code: int = EXIT_FAILED) -> int:
    if as_json:
        print(json.dumps({"error": reason, "detail": message}))
    else:
        print(f"doorward agent provision-reader: {message}", file=sys.stderr)
    return code
