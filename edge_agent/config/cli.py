"""``doorward agent check``: every mistake of a configuration before anybody climbs a ladder."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from edge_agent.config import boards
from edge_agent.config.agent_file import AgentFile
from edge_agent.config.report import as_json
from edge_agent.config_file import examine, load

EXIT_MISTAKES = 2


def add_check(parser: argparse.ArgumentParser) -> None:
    """Its arguments."""
    parser.add_argument("config", type=Path, help="agent.yaml")
    parser.add_argument(
        "--board", choices=[*boards.board_names(), boards.CUSTOM], help="check pins against this board"
    )
    parser.add_argument("--strict", action="store_true", help="fail on what is only dubious, too")
    parser.add_argument("--json", action="store_true", help="print the problems as JSON, for a program")


def check(arguments: argparse.Namespace) -> int:
    """Print all that is wrong or dubious; 0 if the file can be used, 2 if not (``--strict``: if not flawless)."""
    problems = examine(arguments.config, arguments.board)
    failed = any(arguments.strict or not each.warning for each in problems)
    if arguments.json:
        print(json.dumps({"good": not failed, "problems": as_json(problems)}, indent=2))
        return EXIT_MISTAKES if failed else 0
    for each in problems:
        print(each, file=sys.stderr)
    if failed:
        return EXIT_MISTAKES
    print(summary(load(arguments.config)))
    return 0


def summary(config: AgentFile) -> str:
    """What a good configuration is about, in a line."""
    osdp = sum(len(line.readers) for line in config.reader_lines)
    kinds = {
        f"OSDP readers on {len(config.reader_lines)} lines": osdp,
        "Wiegand readers": len(config.wiegand_readers),
        "serial readers": len(config.serial_readers),
    }
    readers = ", ".join(f"{count} {kind}" for kind, count in kinds.items() if count) or "no readers"
    broker = config.broker
    return (
        f"agent {config.site}/{config.agent}: {len(config.doors)} doors, {readers}, "
        f"broker {broker.host}:{broker.port}{' over TLS' if broker.ca_file else ''}: good"
    )
