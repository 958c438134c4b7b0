"""Gives a secret that root writes to the user who will read it: the owner of the folder it is put into.

Keys are made by hand, often under sudo, for a service that runs as a user of its own.
"""

import os
from pathlib import Path


def give_to_owner_of(folder: Path, descriptor: int) -> None:
    """Make an open file its folder's owner's. Nothing is done for whoever is not root. OSError if it cannot be."""
    if os.geteuid() == 0:
        there = folder.stat()
        os.fchown(descriptor, there.st_uid, there.st_gid)
