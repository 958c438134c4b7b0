"""Sends momentary acts on a door: open once, test the lock, and so on. Signed for one agent, short-lived, audited.

The agent answers: a ``command_done`` or ``message_refused`` event that carries the command's id.
"""

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from sqlalchemy import Engine

from central.district.inventory import Inventory
from central.people import audit
from central.records.engine import writing
from ground.clock import Clock
from protocol import topics
from protocol.messages import Command
from protocol.signing import SigningKey
from protocol.topics import TopicKind
from protocol.words import CommandKind

LIFE_MS = 10_000
"""How long a command is valid: longer than a network takes, shorter than a person waits."""


@dataclass(frozen=True, slots=True)
class SentCommand:
    """A command on its way. ``expires_ms`` is UTC."""

    id: str
    expires_ms: int


class CommandService:
    """``publish(site, agent, jws)`` raises NotConnected where there is no broker."""

    def __init__(
        self,
        engine: Engine,
        key: SigningKey,
        inventory: Inventory,
        *,
        clock: Clock,
        publish: Callable[[str, str, bytes], Awaitable[None]],
    ) -> None:
        self._engine = engine
        self._key = key
        self._inventory = inventory
        self._clock = clock
        self._publish = publish

    async def send(
        self, site: str, door: str, kind: CommandKind, by: str, data: Mapping[str, str] | None = None
    ) -> SentCommand:
        """Audit, sign and send a command with the ``data`` that its kind needs.

        KeyError if there is no such door, NotConnected if it may not have been sent.
        """
        agent = self._inventory.doors[site, door].agent
        now_ms = self._clock.utc_ms()
        command = Command(
            audience=topics.of_agent(TopicKind.COMMAND, site, agent),
            id=str(uuid.uuid4()),
            kind=kind.value,
            door=door,
            by=by,
            issued_ms=now_ms,
            expires_ms=now_ms + LIFE_MS,
            data=dict(data or {}),
        )

        def record() -> None:
            with writing(self._engine) as connection:
                detail = {"kind": kind.value, "id": command.id, **command.data}
                audit.append(connection, now_ms, by, "commanded", f"{site}/{door}", detail=detail)

        await asyncio.to_thread(record)
        await self._publish(site, agent, self._key.sign(command))
        return SentCommand(command.id, command.expires_ms)
