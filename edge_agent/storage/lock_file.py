"""Sees to it that only one program at a time holds an agent's doors: the agent itself, or its walk test.

A lock on a file in the data folder, which the kernel gives up when the process ends, however it ends.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path

FILE = "holder.lock"


class AlreadyHeld(OSError):  # noqa: N818 - says what it is
    """Another program holds these doors; the message says which."""


class Holding:
    """The right to hold the doors of one data folder, until :meth:`release`.

    ``what`` is written into it, for others to read who holds it. Raises :class:`AlreadyHeld`, or OSError if the
    folder cannot be written.
    """

    def __init__(self, folder: Path, what: str) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._descriptor: int | None = os.open(folder / FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(self._descriptor, 200, 0).decode(errors="replace").strip() or "another program"
            self.release()
            raise AlreadyHeld(f"{folder}: its doors are held by {holder}") from None
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, f"{what}, process {os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Let another program hold them. May be called twice."""
        if self._descriptor is not None:
            with contextlib.suppress(OSError):
                os.close(self._descriptor)
            self._descriptor = None
