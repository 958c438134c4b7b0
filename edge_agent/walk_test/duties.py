"""Follows the declarations and the panic button while the doors are tested, for the agent, which does not run.

It uses the agent's own parts and files: a panic button pressed during a walk test is declared on the disk at once,
and the agent carries it out and publishes it when it is started again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edge_agent.agent_yaml.config_file import AgentFile
from edge_agent.bundle.kept import opened
from edge_agent.declarations.held import Declarations, keyring
from edge_agent.events.journal import Journal
from edge_agent.events.outbox import Outbox
from edge_agent.events.refusals import Refusals
from edge_agent.host.clock import AgentClock
from edge_agent.policy.effective_mode import effective_mode
from edge_agent.storage.state_db import Store
from protocol import topics
from protocol.messages import DoorSettings
from protocol.signing import Keyring
from protocol.topics import TopicKind
from protocol.words import DoorMode, EventKind, KeyRole


class Duties:
    """The agent's files. Make it on the running loop. Raises OSError or DatabaseTooNew: unlike the agent it needs a
    disk that can be written, for the agent learns of this program's declarations from the disk alone.

    It does not use a configuration: each start would count against one on trial.
    """

    def __init__(self, config: AgentFile, clock: AgentClock) -> None:
        self._site = config.site
        self._store = Store(config.data / "state.db")
        outbox = Outbox(config.data / "outbox.db")
        if outbox.in_memory or not self._store.writable:
            self._store.close()
            outbox.close()
            raise OSError(
                f"{config.data} cannot be written: a panic button pressed meanwhile would be forgotten; see df"
            )
        self._journal = Journal(outbox, clock)
        # Those that the agent may use at its next start, the newest first.
        topic = topics.of_agent(TopicKind.CONFIG, config.site, config.agent)
        bundles = opened(self._store, Keyring(config.trust), topic)
        self._settings = [{one.door: one for one in bundle.doors} for bundle in bundles]
        self._declarations = Declarations(
            site=config.site,
            agent=config.agent,
            key=config.signing_key,
            store=self._store,
            clock=clock,
            journal=self._journal,
            refusals=Refusals(clock, self._journal),
        )
        own = config.signing_key.trusted(KeyRole.AGENT, site=config.site, agent=config.agent)
        trusted = [key for bundle in bundles for key in bundle.trusted_keys]
        self._declarations.load(keyring(config.trust, trusted, own))

    def settings(self, door: str) -> DoorSettings:
        """The latest settings of a door from central; the defaults before the first."""
        known = (settings[door] for settings in self._settings if door in settings)
        return next(known, DoorSettings(door=door, name=door, perimeter=True))

    def secured_by(self, door: str) -> tuple[str, ...]:
        """The ids of the declarations that secure a door, which must then stay locked. While a configuration is on
        trial, by either of the two."""
        found: set[str] = set()
        for settings in [known.get(door) for known in self._settings] or [None]:
            mode, declared = effective_mode(
                settings or self.settings(door),
                self._site,
                self._declarations.book,
                DoorMode.CONTROLLED,
                zones_known=settings is not None,
            )
            if mode is DoorMode.SECURED:
                found.update(declared)
        return tuple(sorted(found))

    def panic(self) -> None:
        self._declarations.declare_panic()

    def note(self, kind: EventKind, data: Mapping[str, Any]) -> None:
        """Write an event of the agent's own; the district reads it once the agent is started again."""
        self._journal.add(kind, data)

    async def close(self) -> None:
        """Write everything to the disk, and close the files."""
        await self._journal.close()
        self._store.close()
