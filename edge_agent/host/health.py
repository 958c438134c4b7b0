"""Measures the memory and the processor use of this process."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

_STATM = Path("/proc/self/statm")


class Health:
    """Measures from one call to the next."""

    def __init__(self) -> None:
        self._wall = time.monotonic()
        self._cpu = time.process_time()

    def measure(self) -> dict[str, Any]:
        """Resident memory in MiB, and processor use since the last call in percent of one core."""
        wall, cpu = time.monotonic(), time.process_time()
        used = 100 * (cpu - self._cpu) / max(wall - self._wall, 0.001)
        self._wall, self._cpu = wall, cpu
        return {"rss_mib": round(resident_mib(), 1), "cpu_percent": round(used, 1)}


def resident_mib() -> float:
    """This process's resident memory in MiB; 0 where the kernel does not say."""
    try:
        pages = int(_STATM.read_text().split()[1])
    except (OSError, ValueError, IndexError):
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20
