"""The keys that the agent gave to readers in service, and those it is giving now. On the disk before on the wire.

The key file of agent.yaml holds a reader's first key. A later key is kept here, in the agent's data folder, with the
digest of the first: if the key file is replaced (the reader was provisioned again), the file counts. A candidate is
kept until the reader's secure channel comes up, with it or without it.
"""

from __future__ import annotations

import hashlib
import json
import logging
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from drivers.osdp.config import KEY_BYTES, check_key
from edge_agent.storage.key_files import sync_folder, write_whole

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Held:
    """What a reader may hold: `key`, or `candidate` if there is one."""

    key: bytes = field(repr=False)
    candidate: bytes | None = field(default=None, repr=False)


class ReaderKeys:
    """The rotated keys of one agent, a file a reader in `folder`, which is made when it is first needed."""

    def __init__(self, folder: Path, *, make_key: Callable[[int], bytes] = secrets.token_bytes) -> None:
        self._folder = folder
        self._make_key = make_key
        self._first: dict[str, bytes] = {}
        self._held: dict[str, Held] = {}

    def load(self, reader: str, first: bytes) -> Held:
        """What `reader` may hold, given the key of its key file. A file that cannot be used is logged and ignored."""
        self._first[reader] = first
        held = self._read(reader, first)
        self._held[reader] = held
        return held

    def propose(self, reader: str) -> bytes:
        """A new key for the reader, kept as its candidate. OSError if it cannot be kept: then it must not be used."""
        key = self._make_key(KEY_BYTES)
        held = Held(self._held[reader].key, key)
        self._write(reader, held)
        self._held[reader] = held
        return key

    def confirm(self, reader: str, key: bytes) -> None:
        """The reader's secure channel is up with `key`; the former one is forgotten. OSError if it cannot be kept:
        the candidate still is, and is tried first at the next start."""
        # The reader holds it though the disk refuses: the next rotation starts from it.
        self._held[reader] = Held(key)
        self._write(reader, self._held[reader])

    def drop(self, reader: str) -> None:
        """The reader kept its former key; the candidate is forgotten. OSError if the disk refuses."""
        self._held[reader] = Held(self._held[reader].key)
        self._write(reader, self._held[reader])

    def _path(self, reader: str) -> Path:
        return self._folder / f"{reader}.json"

    def _read(self, reader: str, first: bytes) -> Held:
        path = self._path(reader)
        try:
            kept = json.loads(path.read_text(encoding="ascii"))
            if kept["first"] != _digest(first):
                log.warning("reader %s: its key file is newer than the key in %s, which is not used", reader, path)
                return Held(first)
            candidate = kept["candidate"]
            held = Held(bytes.fromhex(kept["key"]), None if candidate is None else bytes.fromhex(candidate))
            for key in (held.key, held.candidate):
                if key is not None:
                    check_key(reader, key)
        except FileNotFoundError:
            return Held(first)
        except (OSError, ValueError, KeyError, TypeError) as error:
            # the error's text might show what was read
            log.error("%s cannot be read (%s): reader %s gets its first key", path, type(error).__name__, reader)  # noqa: TRY400
            return Held(first)
        return held

    def _write(self, reader: str, held: Held) -> None:
        if not self._folder.is_dir():
            self._folder.mkdir(mode=0o700)
            sync_folder(self._folder.parent)
        document = {
            "first": _digest(self._first[reader]),
            "key": held.key.hex(),
            "candidate": None if held.candidate is None else held.candidate.hex(),
        }
        write_whole(self._path(reader), json.dumps(document).encode())


def _digest(key: bytes) -> str:
    """Differs for each key and does not reveal it: 16 random bytes cannot be guessed from it."""
    return hashlib.sha256(b"doorward reader key" + key).hexdigest()
