"""What rules ask of the credentials of one configuration, and a few credentials held in memory."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from protocol.messages import Credential


class Credentials(Protocol):
    """The credentials of one configuration."""

    def find(self, token: str) -> Credential | None:
        """The credential with this token (64 hex digits), or None. Quick, and never raises."""

    def holds(self, token: str) -> bool:
        """Whether :meth:`find` would find it if it exists: False while its page is missing."""


class MemoryCredentials:
    """Credentials held in memory. Of two with one token, the last counts."""

    def __init__(self, credentials: Iterable[Credential] = ()) -> None:
        self._by_token = {credential.token: credential for credential in credentials}

    def find(self, token: str) -> Credential | None:
        return self._by_token.get(token)

    def holds(self, token: str) -> bool:
        """True: every credential there is, is in memory."""
        return True
