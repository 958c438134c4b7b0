"""What stands outside the guest: an OSDP reader on a pty, in a process of its own, that the guest can work.

The pty is the guest's first serial port; the process's commands and answers are the second; the third and the fourth
are joined to each other. Knows nothing of tests.
"""

import contextlib
import json
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class ReaderOutside:
    """A line with one reader."""

    about: str
    """What the process said of its line: JSON with the pty's path, the baud rate, the reader's address and key."""
    serial: tuple[str, ...]
    """The guest's serial ports: the reader's line, its hands, and two that are joined."""
    fds: tuple[int, ...]
    """The descriptors they need."""


@contextlib.contextmanager
def reader_outside() -> Iterator[ReaderOutside]:
    """A reader until the block ends."""
    process = subprocess.Popen(
        [sys.executable, "-m", "simulators.hardware.reader_process", "--key", secrets.token_hex(16)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0, cwd=ROOT,
    )  # fmt: skip
    with process:
        try:
            assert process.stdin is not None
            assert process.stdout is not None
            about = process.stdout.readline().decode()
            hands = process.stdout.fileno(), process.stdin.fileno()
            with _null_modem() as (one, other):
                serial = (f"tty:{_path(about)}", *(f"fd:{fds[0]},fd:{fds[1]}" for fds in (hands, one, other)))
                yield ReaderOutside(about, serial, (*hands, *one, *other))
        finally:
            process.terminate()


@contextlib.contextmanager
def _null_modem() -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
    """Two ports' descriptors (in, out), each one's out the other's in."""
    there, back = os.pipe(), os.pipe()
    try:
        yield (there[0], back[1]), (back[0], there[1])
    finally:
        for descriptor in (*there, *back):
            os.close(descriptor)


def _path(about: str) -> str:
    return str(json.loads(about)["path"])
