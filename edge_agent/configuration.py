"""The configuration bundle: taken whole or not at all, kept on the disk, used again after a restart."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable

from edge_agent.journal import Journal
from edge_agent.rules import Rules, compile_rules
from edge_agent.store import Store
from protocol.messages import AgentConfig, TrustedKey
from protocol.refusal import Reason, Refused
from protocol.signing import Keyring
from protocol.words import EventKind

log = logging.getLogger(__name__)


class Configuration:
    """The bundle in use. ``anchor`` are the keys of the agent's own file: only they may sign a bundle, so that no
    bundle can hand the agent over to somebody else. ``on_change()`` is called once a new one is on the disk.
    """

    def __init__(
        self,
        topic: str,
        *,
        anchor: Keyring,
        wired: frozenset[str],
        store: Store,
        journal: Journal,
        on_change: Callable[[], None],
    ) -> None:
        self.rules = Rules()
        self.trusted_keys: tuple[TrustedKey, ...] = ()
        self._topic = topic
        self._anchor = anchor
        self._wired = wired
        self._store = store
        self._journal = journal
        self._on_change = on_change

    def load(self) -> None:
        """Take up the last good bundle; it is verified again. Without one, doors are controlled, no badge works."""
        try:
            signed = self._store.config()
            if signed is not None:
                config = self._anchor.open(AgentConfig, self._topic, signed)
                self._use(config, _checked(config))
        except Refused as refused:
            log.error("the kept configuration is not used: %s", refused)  # noqa: TRY400
        except Exception:  # the doors must be held, whatever the disk gives back
            log.exception("the kept configuration is not used")

    def receive(self, signed: bytes) -> None:
        """A bundle arrived. :class:`Refused` leaves the one in use as it is."""
        config = self._anchor.open(AgentConfig, self._topic, signed)
        if config.version == self.rules.version:
            raise Refused(Reason.DUPLICATE, f"configuration {config.version} is in use already")
        if config.version < self.rules.version:
            raise Refused(Reason.OLDER_REVISION, f"configuration {config.version}, in use is {self.rules.version}")
        rules = _checked(config)
        try:
            self._store.save_config(config.version, signed)
        except sqlite3.Error as error:
            log.error("the configuration cannot be kept (%s): used until the power goes", error)  # noqa: TRY400
        self._use(config, rules)
        self._on_change()
        configured = {settings.door for settings in config.doors}
        self._journal.add(
            EventKind.CONFIG_APPLIED,
            {
                "version": config.version,
                "doors": len(configured & self._wired),
                "credentials": len(config.credentials),
                "not_wired": sorted(configured - self._wired),
                "not_configured": sorted(self._wired - configured),
            },
        )

    def _use(self, config: AgentConfig, rules: Rules) -> None:
        self.rules = rules
        self.trusted_keys = config.trusted_keys


def _checked(config: AgentConfig) -> Rules:
    """The rules of a bundle that can be used whole; :class:`Refused` (malformed) before anything of it is kept."""
    try:
        Keyring(config.trusted_keys)
        return compile_rules(config)
    except Refused:
        raise
    except Exception as error:
        raise Refused(Reason.MALFORMED, f"configuration {config.version} cannot be used: {error!r}") from error
