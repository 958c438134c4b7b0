"""What the bundles on the agent's disk say of keys, whether or not they can be used.

A bundle that was rolled back, or that a newer program can make no use of, is still central's signed word for which
agents there are. An agent's key can only lock: to go on trusting one loosens nothing, to forget one does.
"""

from __future__ import annotations

import logging
import sqlite3

from edge_agent.storage.state_db import Store
from protocol.messages import AgentConfig, TrustedKey
from protocol.refusal import Refused
from protocol.signing import Keyring
from protocol.words import KeyRole

log = logging.getLogger(__name__)


def opened(store: Store, anchor: Keyring, topic: str) -> list[AgentConfig]:
    """Every bundle in the store whose signature is good, the newest first. The others are left out."""
    try:
        kept = store.bundles()
    except sqlite3.Error as error:
        log.error("the kept configurations cannot be read: %s", error)  # noqa: TRY400
        return []
    configs = []
    for signed in kept:
        try:
            config = anchor.open(AgentConfig, topic, signed)
            Keyring(config.trusted_keys)  # ValueError: one of its keys is none
        except (Refused, ValueError) as error:
            log.error("a kept configuration cannot be opened: %s", error)  # noqa: TRY400
        else:
            configs.append(config)
    return sorted(configs, key=lambda config: config.version, reverse=True)


def agent_keys(config: AgentConfig) -> tuple[TrustedKey, ...]:
    """The keys of agents that a bundle names."""
    return tuple(key for key in config.trusted_keys if key.role is KeyRole.AGENT)
