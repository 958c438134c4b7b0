"""Makes each agent's signed configuration, whose version rises only when its content changes."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

import msgspec
from sqlalchemy import Engine, select

from central.agents.credential_pages import EncodedPage, Share, Shares, TooMany
from central.district.inventory import Agent, Inventory
from central.people import audit
from central.records.engine import writing
from central.records.schema import config_bundles
from protocol import topics
from protocol.messages import AgentConfig, TrustedKey
from protocol.refusal import Refused
from protocol.signing import SigningKey
from protocol.topics import TopicKind
from protocol.words import KeyRole


class BundleError(ValueError):
    """A configuration cannot be made; the message says which and why."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """An agent's configuration, ready to publish. ``former_pages``: how many credential pages of former ones the
    broker may still hold.
    """

    site: str
    agent: str
    version: int
    jws: bytes
    pages: tuple[EncodedPage, ...] = ()
    former_pages: int = 0

    @property
    def topic(self) -> str:
        return topics.of_agent(TopicKind.CONFIG, self.site, self.agent)

    def documents(self) -> Iterator[tuple[str, bytes]]:
        """Topic and bytes of all that the broker must keep, in publishing order: pages before the configuration that
        names them. Empty bytes clear a page that is no longer used.
        """
        for page in self.pages:
            yield topics.credential_page(self.site, self.agent, page.number), page.payload
        for number in range(len(self.pages), self.former_pages):
            yield topics.credential_page(self.site, self.agent, number), b""
        yield self.topic, self.jws


def agent_config(
    inventory: Inventory, agent: Agent, district: TrustedKey, share: Share, version: int = 1
) -> AgentConfig:
    """The configuration of an agent: its doors, the rules of these doors, and its share of the credentials.

    The agent trusts the district's key and those of all agents of its site. Pure.
    """
    site = inventory.sites[agent.site]
    mine = {door.door for door in agent.doors}
    rules = tuple(
        msgspec.structs.replace(rule, doors=tuple(door for door in rule.doors if door in mine))
        for rule in site.rules
        if not mine.isdisjoint(rule.doors)
    )
    named = {door.settings.schedule for door in agent.doors} | {rule.schedule for rule in rules}
    named |= {door.settings.card_only_schedule for door in agent.doors}
    return AgentConfig(
        audience=topics.of_agent(TopicKind.CONFIG, agent.site, agent.agent),
        version=version,
        timezone=site.timezone,
        doors=tuple(door.settings for door in agent.doors),
        schedules={name: periods for name, periods in inventory.schedules.items() if name in named},
        holidays=site.holidays,
        pin_policy=inventory.pin_policy,
        rules=rules,
        credentials=share.inline,
        credential_pages=tuple(page.digest for page in share.pages),
        trusted_keys=(district, *(other.key for other in site.agents)),
    )


def bundles(engine: Engine, inventory: Inventory, key: SigningKey, now_ms: int) -> dict[tuple[str, str], Bundle]:
    """Make the configuration of every agent, by (site, agent); the records keep the versions.

    A new version is at least ``now_ms`` (UTC) in seconds: agents refuse an older one, and records may be lost.
    Raises :class:`BundleError` if any cannot be made, before it stores any.
    """
    district = key.trusted(KeyRole.DISTRICT)
    if any(agent.key.kid == key.kid for agent in inventory.agents.values()):
        raise BundleError(f"an agent's key has the district key's kid {key.kid!r}; give the agent's another name")
    made: dict[tuple[str, str], Bundle] = {}
    rows = []
    shares = Shares(inventory.credentials)
    with writing(engine) as connection:
        known = {(row.site, row.agent): row for row in connection.execute(select(config_bundles))}
        for name, agent in inventory.agents.items():
            try:
                share = shares.of(rule.group for rule in inventory.sites[agent.site].rules)
            except TooMany as error:
                raise BundleError(f"{name[0]}/{name[1]}: {error}") from None
            config = agent_config(inventory, agent, district, share)
            digest = hashlib.sha256(msgspec.json.encode(config)).hexdigest()
            before = known.get(name)
            former = 0 if before is None else before.pages
            if before is not None and before.digest == digest:
                made[name] = Bundle(*name, before.version, before.jws, share.pages, former)
                continue
            version = max(before.version + 1 if before is not None else 1, now_ms // 1000)
            bundle = Bundle(*name, version, _signed(key, config, version), share.pages, former)
            made[name] = bundle
            pages = max(former, len(share.pages))
            row = {"site": agent.site, "agent": agent.agent, "version": version, "digest": digest}
            rows.append({**row, "jws": bundle.jws, "pages": pages})
        for row in rows:
            mine = (config_bundles.c.site == row["site"]) & (config_bundles.c.agent == row["agent"])
            connection.execute(config_bundles.delete().where(mine))
        if rows:
            connection.execute(config_bundles.insert(), rows)
    return made


def publish_again(engine: Engine, now_ms: int, who: str, only: tuple[str, str] | None = None) -> int:
    """Have :func:`bundles` give every agent's configuration, or that of ``only`` (site, agent), a newer version at
    central's next start though its content is the same. Returns their number; the audit log keeps ``who`` asked.

    For agents that rolled a configuration back: they refuse that version and wait for a newer one.
    """
    asked = config_bundles.update().values(digest="")
    if only is not None:
        asked = asked.where((config_bundles.c.site == only[0]) & (config_bundles.c.agent == only[1]))
    with writing(engine) as connection:
        count = int(connection.execute(asked).rowcount)
        if count:
            subject = "all agents" if only is None else "/".join(only)
            audit.append(connection, now_ms, who, "configuration_published_again", subject)
    return count


def _signed(key: SigningKey, config: AgentConfig, version: int) -> bytes:
    try:
        return key.sign(msgspec.structs.replace(config, version=version))
    except ValueError as error:
        raise BundleError(f"{config.audience}: {error}; it has too many doors, rules or credentials") from None
    except Refused as refused:
        raise BundleError(
            f"{config.audience}: {refused.detail}; it has too many doors, rules or credentials"
        ) from None
