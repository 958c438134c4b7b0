"""What an agent may not neglect while its doors are being tested: what is declared, and its panic button.

The agent's own parts read the same files, so that what they promise is kept: a panic button pressed during a walk
test is declared on the disk at once, and carried out and published when the agent is started again.
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
from protocol.messages import AgentConfig, DoorSettings
from protocol.signing import Keyring
from protocol.topics import TopicKind
from protocol.words import DoorMode, EventKind, KeyRole


class Duties:
    """The agent's files. Make it on the running loop; raises OSError or DatabaseTooNew: the agent makes do with a
    disk that refuses, but what this program does not put on the disk, the agent never hears of.

    It takes no configuration up: a start counts against one on trial, and this is not the agent's.
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
        bundles = self._bundles(config)
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
        """What central has said of a door last; what holds by default before it has."""
        known = (settings[door] for settings in self._settings if door in settings)
        return next(known, DoorSettings(door=door, name=door, perimeter=True))

    def secured_by(self, door: str) -> tuple[str, ...]:
        """The ids of the declarations that secure a door: it may not be unlocked, not even to test it. Where a
        configuration is on trial, those that do so by either."""
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

    def _bundles(self, config: AgentFile) -> list[AgentConfig]:
        """The bundles that bear on what the agent will do at its next start, the newest first."""
        topic = topics.of_agent(TopicKind.CONFIG, config.site, config.agent)
        return opened(self._store, Keyring(config.trust), topic)

    def panic(self) -> None:
        self._declarations.declare_panic()

    def note(self, kind: EventKind, data: Mapping[str, Any]) -> None:
        """Write an event of the agent's own; the district reads it once the agent is started again."""
        self._journal.add(kind, data)

    async def close(self) -> None:
        """Have everything on the disk, and let go of the files."""
        await self._journal.close()
        self._store.close()
