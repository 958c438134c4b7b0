"""Reports to systemd how the agent is: ready once it holds the doors, alive with every beat, stopping at the end.

systemd restarts an agent that falls silent, and the board's hardware watchdog reboots if systemd falls silent. The
protocol (sd_notify) is a line of text in a datagram. Nothing here waits or fails if systemd does not read it.
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import MutableMapping

ADDRESS = "NOTIFY_SOCKET"


class Watchdog:
    """The service manager. ``address``: its socket's path, or '@…' for an abstract one; None: there is none."""

    def __init__(self, address: str | None) -> None:
        self._address = f"\0{address[1:]}" if address and address.startswith("@") else address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) if address else None
        if self._socket is not None:
            self._socket.setblocking(False)

    @classmethod
    def of(cls, environment: MutableMapping[str, str] = os.environ) -> Watchdog:
        """The manager that started this process, if one did. Hides its address from child processes."""
        return cls(environment.pop(ADDRESS, None))

    def ready(self, status: str) -> None:
        """Report that the doors are held. ``systemctl status`` shows ``status``."""
        self._notify(f"READY=1\nSTATUS={status}")

    def beat(self) -> None:
        """Report that the loop runs and every door can be reported."""
        self._notify("WATCHDOG=1")

    def stopping(self) -> None:
        """Report that the agent stops; it still lets out people who have asked to leave."""
        self._notify("STOPPING=1")

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _notify(self, text: str) -> None:
        if self._socket is not None and self._address is not None:
            with contextlib.suppress(OSError):  # its buffer is full, or it is gone: the next beat says so
                self._socket.sendto(text.encode(), self._address)
