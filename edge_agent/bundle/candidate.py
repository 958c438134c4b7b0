"""A configuration bundle made ready for use: opened with the keys that may sign one, and checked whole.

It decides nothing of which bundle is used: `edge_agent.bundle.bundle` does.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

from edge_agent.policy.rules import Rules, compile_rules, rules_as_far_as_they_go
from edge_agent.storage.credential_store import CredentialStore, PagedCredentials
from protocol.messages import AgentConfig
from protocol.refusal import Reason, Refused
from protocol.signing import Keyring

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A bundle that can be used: as it was signed, and made ready."""

    config: AgentConfig
    signed: bytes
    rules: Rules

    @property
    def pages(self) -> tuple[str, ...]:
        """The digests of its pages of credentials."""
        return self.config.credential_pages

    @property
    def version(self) -> int:
        """Rises with every bundle that central signs for this agent."""
        return self.config.version


@dataclass(frozen=True, slots=True)
class FromDisk:
    """A bundle as the disk has it. ``candidate`` None: it cannot be used. ``least``: what it asks, as far as that can
    be made out, whether or not it can be used. ``whole``: it can be used, and every page it names is held."""

    version: int
    signed: bytes
    candidate: Candidate | None
    least: Rules
    whole: bool


class Candidates:
    """Makes them. ``anchor``: the keys that may sign one; ``topic``: for whom it must be."""

    def __init__(self, anchor: Keyring, topic: str, credentials: CredentialStore) -> None:
        self._anchor = anchor
        self._topic = topic
        self._credentials = credentials

    def opened(self, signed: bytes) -> AgentConfig:
        """A bundle whose signature is good; :class:`Refused` if it is not."""
        return self._anchor.open(AgentConfig, self._topic, signed)

    def checked(self, config: AgentConfig, signed: bytes) -> Candidate:
        """A bundle that can be used whole; :class:`Refused` before anything of it is kept."""
        try:
            Keyring(config.trusted_keys)
            return Candidate(config, signed, compile_rules(config, self._paged(config)))
        except Refused:
            raise
        except Exception as error:
            raise Refused(Reason.MALFORMED, f"configuration {config.version} cannot be used: {error!r}") from error

    def from_disk(self, signed: bytes, version: int = 0) -> FromDisk:
        """A bundle that was kept, verified again. ``version``: what was kept beside it."""
        try:
            config = self.opened(signed)
        except Refused as refused:
            log.error("the kept configuration is not used: %s", refused)  # noqa: TRY400
            return FromDisk(version, signed, None, Rules(), whole=False)
        try:
            candidate = self.checked(config, signed)
        except Refused as refused:
            log.error("the kept configuration is not used: %s", refused)  # noqa: TRY400
            return FromDisk(version or config.version, signed, None, self._least(config), whole=False)
        return FromDisk(version or config.version, signed, candidate, candidate.rules, self.whole(candidate))

    def _least(self, config: AgentConfig) -> Rules:
        try:
            return rules_as_far_as_they_go(config, self._paged(config))
        except (Refused, ValueError):
            return Rules()

    def whole(self, candidate: Candidate) -> bool:
        """Whether every page it names is held."""
        return all(self._credentials.holds(digest) for digest in candidate.pages)

    def _paged(self, config: AgentConfig) -> PagedCredentials | None:
        if not config.credential_pages:
            return None
        return PagedCredentials(self._credentials, config.credential_pages, config.credentials)
