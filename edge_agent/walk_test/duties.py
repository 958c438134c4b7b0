"""What an agent may not neglect while its doors are being tested: what is declared, and its panic button.

The agent's own parts read the same files, so that what they promise is kept: a panic button pressed during a walk
test is declared on the disk at once, and carried out and published when the agent is started again.
"""

from __future__ import annotations

from edge_agent.clock import Clock
from edge_agent.config_file import AgentFile
from edge_agent.configuration import Configuration
from edge_agent.declarations import Declarations, keyring
from edge_agent.effective_mode import effective_mode
from edge_agent.journal import Journal
from edge_agent.outbox import Outbox
from edge_agent.refusals import Refusals
from edge_agent.store import Store
from protocol import topics
from protocol.messages import DoorSettings
from protocol.signing import Keyring
from protocol.topics import TopicKind
from protocol.words import DoorMode, KeyRole


class Duties:
    """The agent's files. Make it on the running loop; raises OSError, sqlite3.Error or DatabaseTooNew."""

    def __init__(self, config: AgentFile, clock: Clock) -> None:
        self._site = config.site
        self._store = Store(config.data / "state.db")
        self._journal = Journal(Outbox(config.data / "outbox.db"), clock, on_written=lambda: None)
        self._configuration = Configuration(
            topics.of_agent(TopicKind.CONFIG, config.site, config.agent),
            anchor=Keyring(config.trust),
            wired=frozenset(door.door for door in config.doors),
            store=self._store,
            journal=self._journal,
            on_change=lambda: None,
        )
        self._declarations = Declarations(
            site=config.site,
            agent=config.agent,
            key=config.signing_key,
            store=self._store,
            clock=clock,
            journal=self._journal,
            refusals=Refusals(clock, self._journal),
            on_change=lambda _sets: None,
            on_own_set=lambda: None,
        )
        own = config.signing_key.trusted(KeyRole.AGENT, site=config.site, agent=config.agent)
        self._configuration.load()
        self._declarations.load(keyring(config.trust, self._configuration.trusted_keys, own))

    def settings(self, door: str) -> DoorSettings:
        """What central has said of a door; what holds by default before it has."""
        return self._configuration.rules.settings(door)

    def secured_by(self, door: str) -> tuple[str, ...]:
        """The ids of the declarations that secure a door: it may not be unlocked, not even to test it."""
        rules = self._configuration.rules
        mode, declared = effective_mode(
            self.settings(door),
            self._site,
            self._declarations.book,
            DoorMode.CONTROLLED,
            zones_known=door in rules.doors,
        )
        return declared if mode is DoorMode.SECURED else ()

    def panic(self) -> None:
        """The panic button was pressed."""
        self._declarations.declare_panic()

    async def close(self) -> None:
        """Have everything on the disk, and let go of the files."""
        await self._journal.close()
        self._store.close()
