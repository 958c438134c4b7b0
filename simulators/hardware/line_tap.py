"""An attacker's tap on a virtual RS-485 line: it hears what readers say once spliced in, and can say it again."""

from __future__ import annotations

import threading

LONGEST_TAPE = 256 * 1024


class LineTap:
    """Hears nothing until spliced in. Methods may be called from any thread."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._tape = bytearray()
        self._spliced = False

    def splice_in(self) -> None:
        """From now on it hears; what it heard before is forgotten."""
        with self._guard:
            self._tape.clear()
            self._spliced = True

    def hear(self, data: bytes) -> None:
        """Bytes from a reader pass by. The first LONGEST_TAPE of them are kept."""
        with self._guard:
            if self._spliced and len(self._tape) + len(data) <= LONGEST_TAPE:
                self._tape += data

    @property
    def tape(self) -> bytes:
        """All bytes heard since it was spliced in."""
        with self._guard:
            return bytes(self._tape)
