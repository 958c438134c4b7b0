"""What stands outside the guest: an OSDP reader on a pty, in a process of its own, that the guest can work.

The pty is the guest's first serial port; the process's commands and answers are the second. Knows nothing of tests.
"""

import contextlib
import json
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
    serial: tuple[str, str]
    """The guest's serial ports: the reader's line, and its hands."""
    fds: tuple[int, int]
    """The descriptors the second one needs."""


@contextlib.contextmanager
def reader_outside() -> Iterator[ReaderOutside]:
    """A reader until the block ends."""
    process = subprocess.Popen(
        [sys.executable, "-m", "simulators.virtual_reader_process", "--key", secrets.token_hex(16)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0, cwd=ROOT,
    )  # fmt: skip
    with process:
        try:
            assert process.stdin is not None
            assert process.stdout is not None
            about = process.stdout.readline().decode()
            fds = process.stdout.fileno(), process.stdin.fileno()
            yield ReaderOutside(about, (f"tty:{_path(about)}", f"fd:{fds[0]},fd:{fds[1]}"), fds)
        finally:
            process.terminate()


def _path(about: str) -> str:
    return str(json.loads(about)["path"])
