"""A disk that a test can fill up or make read-only, for real: a small tmpfs of its own.

Only root may mount, and not in every container: `small_disk` skips a test that asks for it elsewhere. Each promise
that is tested on it is also tested where nobody can mount.
"""

import contextlib
import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


class SmallDisk:
    """A mounted file system of a few MiB."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._filler = folder / "filler"

    def fill(self, *, leave_kib: int = 0) -> None:
        """Leave only so much room."""
        free = os.statvfs(self.folder)
        self._filler.write_bytes(b"\0" * (free.f_bavail * free.f_frsize - leave_kib * 1024))

    def make_room(self) -> None:
        """As before it was filled."""
        self._filler.unlink()

    def read_only(self, *, yes: bool) -> None:
        """Refuse every write, or no longer. Nothing may be open for writing."""
        subprocess.run(["mount", "-o", f"remount,{'ro' if yes else 'rw'}", str(self.folder)], check=True)


@contextlib.contextmanager
def small_disk(*, size_kib: int) -> Iterator[SmallDisk]:
    """Mounted until the block ends, at a folder that pytest does not clear away."""
    with tempfile.TemporaryDirectory(prefix="small-disk-") as name:
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={size_kib}k", "tmpfs", name], capture_output=True, check=False
        )
        if mounted.returncode:
            pytest.skip(f"no disk can be mounted here: {mounted.stderr.decode().strip()}")
        try:
            yield SmallDisk(Path(name))
        finally:
            subprocess.run(["umount", "--lazy", name], check=True)
