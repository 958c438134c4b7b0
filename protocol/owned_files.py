"""Gives a secret that root writes to the owner of its folder, who will read it.

People make keys by hand, often under sudo, for a service that runs as a user of its own.
"""

import os
from pathlib import Path


def give_to_owner_of(folder: Path, descriptor: int) -> None:
    """As root, give an open file to its folder's owner; as another user, do nothing. Raises OSError."""
    if os.geteuid() == 0:
        there = folder.stat()
        os.fchown(descriptor, there.st_uid, there.st_gid)
