"""Virtual readers in a process of their own, so that a measurement of the agent does not include them.

    python -m simulators.hardware.reader_process --readers 2 [--baud 115200] [--first-address 1] [--key HEX ...]

The first line on stdout describes the line:

    {"path": "/dev/pts/7", "baud": 115200, "readers": [{"name": "reader-1", "address": 1, "key": "<hex>"}, ...]}

Then each line on stdin is a command, and each is answered by one line, which carries the moment it was done
(`at`, CLOCK_MONOTONIC, the same clock in every process of the machine):

    {"swipe": {"reader": "reader-1", "bits": 26, "data": "12345640"}}
    {"press": {"reader": "reader-1", "keys": "1234#"}}
    {"tamper": {"reader": "reader-1", "on": true}}
    {"freeze": "reader-1"}  {"thaw": ...}  {"unplug": ...}  {"plug": ...}  {"restart": ...}
    {"cut": true}  {"mend": true}

What the panel makes a reader show comes unasked: {"led": "green", "reader": ..., "at": ...} and
{"buzzer": 1, ...}. A command that makes no sense is answered {"error": ...}. End of input ends the process.
"""

from __future__ import annotations

import argparse
import json
import secrets
import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, TextIO

from simulators.hardware.line import VirtualLine
from simulators.hardware.osdp_reader import Buzzer, Led, VirtualOsdpReader


class _Say:
    """Whole lines to a stream from several threads."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._guard = threading.Lock()

    def __call__(self, message: dict[str, Any]) -> None:
        with self._guard:
            self._out.write(json.dumps(message) + "\n")
            self._out.flush()

    def shown(self, reader: str) -> Callable[[Led | Buzzer], None]:
        def tell(shown: Led | Buzzer) -> None:
            what: dict[str, Any] = (
                {"led": shown.colour, "blinking": shown.blinking}
                if isinstance(shown, Led)
                else {"buzzer": shown.times}
            )
            self(what | {"reader": reader, "at": shown.at})

        return tell


def _obey(line: VirtualLine, readers: dict[str, VirtualOsdpReader], command: dict[str, Any]) -> None:
    """Carry out one command. Raises KeyError, TypeError or ValueError if it makes no sense."""
    ((verb, what),) = command.items()
    match verb:
        case "swipe":
            readers[what["reader"]].swipe(int(what["bits"]), bytes.fromhex(what["data"]))
        case "press":
            readers[what["reader"]].press(what["keys"])
        case "tamper":
            readers[what["reader"]].tamper(bool(what["on"]))
        case "freeze" | "thaw" | "unplug" | "plug" | "restart":
            getattr(readers[what], verb)()
        case "cut":
            line.cut()
        case "mend":
            line.mend()
        case _:
            raise ValueError(f"no such command: {verb}")


def serve(
    line: VirtualLine, readers: dict[str, VirtualOsdpReader], commands: TextIO, say: Callable[[dict[str, Any]], None]
) -> None:
    """Obey each line of `commands` and answer it, until they end."""
    for text in commands:
        try:
            command = json.loads(text)
            _obey(line, readers, command)
        except (AttributeError, KeyError, TypeError, ValueError, RuntimeError) as error:
            say({"error": f"{type(error).__name__}: {error}"})
        else:
            say({"done": next(iter(command)), "at": time.monotonic()})


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a line of virtual readers until standard input ends."""
    parser = argparse.ArgumentParser(
        prog="simulators.hardware.reader_process", description="Virtual OSDP readers on a pty."
    )
    parser.add_argument("--readers", type=int, default=1, help="how many, on one line")
    parser.add_argument("--baud", type=int, default=115200, help="speed of the simulated wire")
    parser.add_argument("--first-address", type=int, default=1, help="the others follow on")
    parser.add_argument("--key", action="append", default=[], metavar="HEX", help="one a reader; default: random")
    options = parser.parse_args(arguments)
    say = _Say(sys.stdout)
    with VirtualLine(baud=options.baud) as line:
        readers: dict[str, VirtualOsdpReader] = {}
        described = []
        for n in range(options.readers):
            address = options.first_address + n
            key = bytes.fromhex(options.key[n]) if n < len(options.key) else secrets.token_bytes(16)
            name = f"reader-{address}"
            readers[name] = VirtualOsdpReader(line, address=address, key=key, name=name, on_shown=say.shown(name))
            described.append({"name": name, "address": address, "key": key.hex()})
        say({"path": line.path, "baud": options.baud, "readers": described})
        serve(line, readers, sys.stdin, say)


if __name__ == "__main__":
    main()
