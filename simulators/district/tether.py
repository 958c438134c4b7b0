"""Runs a program that ends when the one that started it does, however that one ends.

    python -m simulators.district.tether PARENT_PID PROGRAM ARGUMENT...

The kernel sends the program SIGTERM at the death of its parent (PR_SET_PDEATHSIG, Linux only); elsewhere the
program is merely started. It replaces this process, so that nothing stands between the two.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main(arguments: list[str]) -> None:
    """Become the program. Never returns, save by SystemExit if the parent is gone already."""
    parent, *command = arguments
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != int(parent):
        raise SystemExit("the parent is gone")  # it died before prctl asked for the signal
    os.execv(command[0], command)  # noqa: S606 - what to run is the parent's to say, and no shell is wanted


if __name__ == "__main__":
    main(sys.argv[1:])
