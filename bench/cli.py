"""``doorward bench``: measures the paths that must be fast, each beside its floor, in one run on one machine."""

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple


class Bar(NamedTuple):
    """The limit that a figure must keep."""

    figure: str
    at_most: float | None = None
    at_least: float | None = None

    def met(self, value: float) -> bool:
        """Whether a measured value keeps the limit."""
        return (self.at_most is None or value <= self.at_most) and (self.at_least is None or value >= self.at_least)

    def __str__(self) -> str:
        return f"<= {self.at_most}" if self.at_most is not None else f">= {self.at_least}"


BARS = (
    Bar("closure_ratio", at_most=6),
    Bar("closure_us_per_door", at_most=12),
    Bar("edge_closure_ms_p99", at_most=25),
    Bar("badge_ms_p99", at_most=120),
    Bar("ingest_ratio", at_least=0.4),
    Bar("credential_p99_ms", at_most=5),
    Bar("agent_rss_mib_250k", at_most=60),
    Bar("agent_rss_mib", at_most=60),
    Bar("agent_idle_cpu_percent", at_most=3),
)

MEASUREMENTS = ("closure", "edge_closure", "badge", "ingest", "credentials", "idle_agent")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the subcommand's arguments."""
    parser.description = (
        "Measures the lockdown and badge paths end to end, ingest, and what an idle agent costs. Takes under five "
        "minutes; leave the machine alone meanwhile. Exits 0 when it measured, whether or not the bars are met."
    )
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="write one flat object of numbers there ('-': stdout)"
    )
    parser.add_argument("--only", action="append", choices=MEASUREMENTS, help="measure this alone; may be repeated")


def run(arguments: argparse.Namespace) -> int:
    """Measure, print a table on stderr, write the numbers."""
    figures: dict[str, float] = {}
    began = time.monotonic()
    for name in arguments.only or MEASUREMENTS:
        print(f"measuring {name} ...", file=sys.stderr, flush=True)
        figures.update(_measurement(name)())
    figures["bench_seconds"] = round(time.monotonic() - began, 1)
    print(table(figures), file=sys.stderr)
    numbers = json.dumps(figures, indent=2) + "\n"
    if arguments.json is not None and str(arguments.json) != "-":
        arguments.json.write_text(numbers)
    else:
        sys.stdout.write(numbers)
    return 0


def table(figures: dict[str, float]) -> str:
    """The figures as a table for people: each with its bar, if it has one, and whether it is met."""
    bars = {bar.figure: bar for bar in BARS}
    lines = []
    for name, value in figures.items():
        bar = bars.get(name)
        verdict = "" if bar is None else f"{bar!s:>10}  {'met' if bar.met(value) else 'NOT MET'}"
        lines.append(f"  {name:<28}{value:>12g}  {verdict}".rstrip())
    return "\n".join(lines)


def _measurement(name: str) -> Callable[[], dict[str, float]]:
    """The function of a measurement; its module is loaded only now, so that ``--help`` needs none of them."""
    import importlib  # noqa: PLC0415

    measure: Callable[[], dict[str, float]] = importlib.import_module(f"bench.{name}").measure
    return measure
