"""Builds and parses every topic. Nothing else in Doorward knows a topic string."""

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from protocol.refusal import Reason, Refused

ROOT = "doorward/v1"
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,47}")
_PAGE = re.compile(r"0|[1-9][0-9]{0,2}")


class TopicKind(StrEnum):
    """The kind of a topic's messages; its value is the topic's last part."""

    STATUS = "status"
    STATE = "state"
    EVENTS = "events"
    EVENTS_ACK = "events/ack"
    DECLARATIONS = "declarations"
    CONFIG = "config"
    CREDENTIALS = "credentials"  # and the page's number after it
    COMMAND = "command"


@dataclass(frozen=True, slots=True)
class Topic:
    """A parsed topic. District declarations have neither site nor agent; a site's have no agent. ``page`` is the
    number of a page of credentials, for that kind only.
    """

    kind: TopicKind
    site: str | None = None
    agent: str | None = None
    page: int | None = None

    def __str__(self) -> str:
        page = None if self.page is None else str(self.page)
        return "/".join(part for part in (ROOT, self.site, self.agent, self.kind, page) if part)


def check_name(name: str) -> str:
    """A site's, agent's, zone's or door's name, if a topic may hold it; else ValueError with the reason."""
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} is not a name: expected 1 to 48 of a-z, 0-9 and '-', not beginning with '-'")
    return name


def of_agent(kind: TopicKind, site: str, agent: str) -> str:
    """The topic of one agent."""
    return f"{ROOT}/{site}/{agent}/{kind}"


def credential_page(site: str, agent: str, page: int) -> str:
    """Where central keeps a page of an agent's credentials, counted from 0."""
    return f"{of_agent(TopicKind.CREDENTIALS, site, agent)}/{page}"


def district_declarations() -> str:
    """Where central keeps the district's active declarations."""
    return f"{ROOT}/{TopicKind.DECLARATIONS}"


def site_declarations(site: str) -> str:
    """Where central keeps one site's active declarations."""
    return f"{ROOT}/{site}/{TopicKind.DECLARATIONS}"


def every_agent(kind: TopicKind) -> str:
    """The filter over all agents of all sites."""
    return f"{ROOT}/+/+/{kind}"


def agents_of_site(kind: TopicKind, site: str) -> str:
    """The filter over all agents of one site."""
    return f"{ROOT}/{site}/+/{kind}"


@lru_cache(maxsize=65536)
def parse(topic: str) -> Topic:
    """Parse a topic. Raises :class:`Refused` (unknown_topic) if it is not one of Doorward's."""
    parts = topic.split("/")
    if "/".join(parts[:2]) != ROOT or not 3 <= len(parts) <= 6:
        raise Refused(Reason.UNKNOWN_TOPIC, f"{topic!r} is not under {ROOT}")
    names, last = (parts[2:4], "/".join(parts[4:])) if len(parts) > 4 else (parts[2:-1], parts[-1])
    page = None
    if len(parts) == 6 and parts[4] == TopicKind.CREDENTIALS and _PAGE.fullmatch(parts[5]):
        last, page = parts[4], int(parts[5])
    try:
        kind = TopicKind(last)
    except ValueError:
        raise Refused(Reason.UNKNOWN_TOPIC, f"{topic!r} ends in {last!r}, which is no kind of ours") from None
    if len(names) < 2 and kind is not TopicKind.DECLARATIONS:
        raise Refused(Reason.UNKNOWN_TOPIC, f"{topic!r}: {kind} belongs to an agent, no agent is named")
    if kind is TopicKind.CREDENTIALS and page is None:
        raise Refused(Reason.UNKNOWN_TOPIC, f"{topic!r} does not say which page of credentials, 0 to 999")
    if not all(_NAME.fullmatch(name) for name in names):
        raise Refused(Reason.UNKNOWN_TOPIC, f"{topic!r} has a name with characters no name of ours has")
    site, agent = (*names, None, None)[:2]
    return Topic(kind, site, agent, page)
