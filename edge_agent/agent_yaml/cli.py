"""``doorward agent check`` and ``setup-files``: lists the mistakes of a configuration, writes the files of its Pi."""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path

from edge_agent.agent_yaml import boards, forms, machine
from edge_agent.agent_yaml.agent_file import AgentFile
from edge_agent.agent_yaml.config_file import examine, load
from edge_agent.agent_yaml.setup_files import setup_files
from ground import yaml_forms
from ground.problems import Report, as_json

EXIT_MISTAKES = 2

ON_THE_PARTITION = ("user-data", "meta-data", "network-config")
"""cloud-init looks for these on the boot partition itself."""


def add_check(parser: argparse.ArgumentParser) -> None:
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


def add_setup_files(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("config", type=Path, help="agent.yaml; its key files need not be there yet")
    parser.add_argument("folder", type=Path, help="where to write them: the card's boot partition, or a new folder")
    parser.add_argument(
        "--usb",
        action="append",
        default=[],
        type=_named,
        metavar="NAME=ADAPTER",
        help="call a USB adapter /dev/doorward/NAME; ADAPTER is its serial number, or its socket's ID_PATH_TAG",
    )


def write_setup_files(arguments: argparse.Namespace) -> int:
    """Write the files of one Pi; 0 done, 2 the configuration is wrong. Raises ConfigError."""
    report = Report(arguments.config)
    form = yaml_forms.read(arguments.config, forms.AgentForm, report)
    stack = machine.stack_of(form, report)
    report.refuse_errors()
    if stack is None:
        print(f"{arguments.config}: board: needed to know the pins and overlays; add 'board: pi-4'", file=sys.stderr)
        return EXIT_MISTAKES
    for path, text in setup_files(form, stack, dict(arguments.usb)).items():
        to = arguments.folder / (path if path.name in ON_THE_PARTITION else Path("doorward") / path)
        to.parent.mkdir(parents=True, exist_ok=True)
        to.write_text(text, encoding="utf-8")
        print(to)
    return 0


def _named(text: str) -> tuple[str, str]:
    """Parse NAME=ADAPTER, both of characters that have no meaning in a udev rule."""
    found = re.fullmatch(r"([a-z0-9-]+)=([A-Za-z0-9_.:-]+)", text)
    if found is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=ADAPTER, as in rs485-0=A50285BI")
    return found[1], found[2]


def summary(config: AgentFile) -> str:
    """A good configuration in one line: its doors, readers and broker."""
    lines = _count(len(config.reader_lines), "line")
    osdp = sum(len(line.readers) for line in config.reader_lines)
    kinds = [
        f"{_count(osdp, 'OSDP reader')} on {lines}" if osdp else "",
        _count(len(config.wiegand_readers), "Wiegand reader"),
        _count(len(config.serial_readers), "serial reader"),
    ]
    readers = ", ".join(filter(None, kinds)) or "no readers"
    broker = config.broker
    return (
        f"agent {config.site}/{config.agent}: {_count(len(config.doors), 'door')}, {readers}, "
        f"broker {broker.host}:{broker.port}{' over TLS' if broker.ca_file else ''}: good"
    )


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}" if number else ""
