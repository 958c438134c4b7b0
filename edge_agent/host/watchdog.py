"""Tells systemd how the agent is: ready once the doors are held, alive with every beat, stopping when it stops.

systemd restarts an agent that falls silent, and the board's hardware watchdog restarts a systemd that does. The
protocol (sd_notify) is a line of text in a datagram; nothing here waits, and a manager that does not listen is no
reason to stop holding doors.
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import MutableMapping

ADDRESS = "NOTIFY_SOCKET"


class Watchdog:
    """The service manager. ``address``: its socket's path, or '@…' for an abstract one; None: nobody listens."""

    def __init__(self, address: str | None) -> None:
        self._address = f"\0{address[1:]}" if address and address.startswith("@") else address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) if address else None
        if self._socket is not None:
            self._socket.setblocking(False)

    @classmethod
    def of(cls, environment: MutableMapping[str, str] = os.environ) -> Watchdog:
        """The manager that started this process, if one did. Its children are not to speak for it."""
        return cls(environment.pop(ADDRESS, None))

    def ready(self, status: str) -> None:
        """The doors are held. ``status`` is for people: ``systemctl status`` shows it."""
        self._notify(f"READY=1\nSTATUS={status}")

    def beat(self) -> None:
        """The loop turns, and every door could be reported."""
        self._notify("WATCHDOG=1")

    def stopping(self) -> None:
        """The agent stops; people on the way out are still let out."""
        self._notify("STOPPING=1")

    def close(self) -> None:
        """Say no more."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _notify(self, text: str) -> None:
        if self._socket is not None and self._address is not None:
            with contextlib.suppress(OSError):  # its buffer is full, or it is gone: the next beat says so
                self._socket.sendto(text.encode(), self._address)
