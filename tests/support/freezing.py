"""Freezes a process: SIGSTOP takes effect thread by thread, some time after it was sent."""

import os
import signal
import time
from pathlib import Path

WITHIN_S = 20


def freeze(pid: int) -> None:
    """Stop a process, and return once every thread of it stands still."""
    os.kill(pid, signal.SIGSTOP)
    end = time.monotonic() + WITHIN_S
    while not all(_stands(thread) for thread in Path(f"/proc/{pid}/task").iterdir()):
        assert time.monotonic() < end, f"process {pid} did not stop within {WITHIN_S} s"
        time.sleep(0.001)


def _stands(thread: Path) -> bool:
    try:
        return (thread / "stat").read_text().rpartition(") ")[2][0] in "TZX"
    except (FileNotFoundError, ProcessLookupError):  # it has ended meanwhile
        return True
