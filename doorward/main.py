"""The one command, ``doorward``: a list of subcommands, each owned by a room and loaded only when asked for.

A Pi installs without central's libraries and a server without the Pi's, so nothing of a room is imported
until its subcommand is called.
"""

import argparse
import importlib
import sys
from collections.abc import Sequence
from typing import NamedTuple

from ground.version import VERSION


class Subcommand(NamedTuple):
    """A subcommand: where its ``add_arguments(parser)`` and ``run(arguments) -> int`` are, and one line of help."""

    module: str
    help: str
    extra: str


SUBCOMMANDS = {
    "demo": Subcommand("simulators.demo_cli", "three simulated schools with a live console", "demo"),
    "agent": Subcommand("edge_agent.cli", "run the agent of one Raspberry Pi", "edge"),
    "central": Subcommand("central.cli", "run the district's service and console", "central"),
    "simulate": Subcommand("simulators.cli", "run virtual doors and schools against the real agent", "simulators"),
    "bench": Subcommand("bench.cli", "measure the lockdown and badge paths against their floors", "demo"),
}

EXIT_USAGE = 2


def main(argv: Sequence[str] | None = None) -> int:
    """Run one subcommand; returns its exit code (0 done, 1 it failed, 2 wrong usage or configuration)."""
    argv = list(sys.argv[1:] if argv is None else argv)
    parser = argparse.ArgumentParser(
        prog="doorward",
        description="Watches and locks every door of a school district, and proves it door by door.",
        epilog="'doorward SUBCOMMAND --help' teaches each one. Start with 'doorward demo'.",
    )
    parser.add_argument("--version", action="version", version=f"doorward {VERSION}")
    subparsers = parser.add_subparsers(dest="subcommand", metavar="SUBCOMMAND", required=True)
    asked = next((word for word in argv if not word.startswith("-")), None)
    chosen = None
    for name, subcommand in SUBCOMMANDS.items():
        subparser = subparsers.add_parser(name, help=subcommand.help, description=subcommand.help)
        if name == asked:
            try:
                chosen = importlib.import_module(subcommand.module)
            except ModuleNotFoundError as error:
                print(
                    f"doorward {name}: the Python package '{error.name}' is missing. "
                    f"Install what this subcommand needs: pip install 'doorward[{subcommand.extra}]'",
                    file=sys.stderr,
                )
                return EXIT_USAGE
            chosen.add_arguments(subparser)
    arguments = parser.parse_args(argv)
    assert chosen is not None, "argparse let an unknown subcommand through"
    return int(chosen.run(arguments))


if __name__ == "__main__":
    sys.exit(main())
