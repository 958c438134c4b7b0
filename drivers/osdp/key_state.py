"""Which key the bus uses with a reader while it gives it a new one. Pure: no I/O, no clock of its own.

A reader holds one key at a time, but a power cut or a lost acknowledgement leaves open which. Until its secure
channel has come up once with one of the two, both are tried in turn; after that the other one is dropped.
"""

from __future__ import annotations

FIRST_SWAP_S = 2.0
LONGEST_SWAP_S = 60.0
"""Trying the other key restarts every secure channel of the line, so it is done ever more rarely."""


class KeyState:
    """One reader's key, and its candidate while there is one."""

    def __init__(self, key: bytes, candidate: bytes | None = None) -> None:
        self._key = key
        self._candidate = candidate
        self._on_candidate = candidate is not None
        self._swap_from = 0.0
        self._swap_s = FIRST_SWAP_S

    @property
    def in_use(self) -> bytes:
        """The key the next handshake is made with."""
        return self._candidate if self._on_candidate and self._candidate is not None else self._key

    @property
    def pending(self) -> bool:
        """Whether it is open which key the reader holds."""
        return self._candidate is not None

    def begin(self, candidate: bytes) -> None:
        """The reader is about to be given `candidate`."""
        self._candidate, self._on_candidate = candidate, False
        self._swap_from, self._swap_s = 0.0, FIRST_SWAP_S

    def acknowledged(self) -> None:
        """The reader says that it took the candidate, which its next handshake has to show."""
        self._on_candidate = self._candidate is not None

    def settle(self) -> bool | None:
        """The secure channel came up with the key in use: True, it is the candidate; False, it is the former key;
        None, there was no question."""
        if self._candidate is None:
            return None
        took = self._on_candidate
        self._key, self._candidate, self._on_candidate = self.in_use, None, False
        return took

    def swap(self, now: float) -> bool:
        """A handshake failed: whether the other key is to be tried now."""
        if self._candidate is None or now < self._swap_from:
            return False
        self._on_candidate = not self._on_candidate
        self._swap_from = now + self._swap_s
        self._swap_s = min(self._swap_s * 2, LONGEST_SWAP_S)
        return True
