"""The agent on the network: what it subscribes to, and when it publishes. No door ever waits for it.

It may be down for weeks: events wait in the outbox, and each snapshot is made just before it is published.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

from edge_agent.bundle.page_fetch import PageFetch
from edge_agent.declarations.held import Declarations, SetsHeld
from edge_agent.link.event_sender import EventSender
from edge_agent.link.inbox import Inbox
from edge_agent.link.snapshots import Snapshots
from protocol import codec, topics
from protocol.messages import AgentStatus
from protocol.mqtt import BrokerAddress, MqttLink, NotConnected, Subscription, Will
from protocol.proof import SNAPSHOT_EVERY_MS
from protocol.topics import TopicKind

log = logging.getLogger(__name__)

RETRY_S = 0.25
PAUSE_AFTER_FAULT_S = 1.0
GOODBYE_S = 2.0


class AgentLink:
    """Keeps an agent connected to its broker. ``pages`` are the pages of credentials to fetch."""

    def __init__(
        self,
        site: str,
        agent: str,
        broker: BrokerAddress,
        *,
        session: str,
        versions: dict[str, str],
        inbox: Inbox,
        sender: EventSender,
        snapshots: Snapshots,
        declarations: Declarations,
        pages: PageFetch,
        rng: random.Random,
    ) -> None:
        self._site = site
        self._agent = agent
        self._session = session
        self._versions = versions
        self._sender = sender
        self._snapshots = snapshots
        self._declarations = declarations
        self._pages = pages
        self._pages_wanted = asyncio.Event()
        self._changed = asyncio.Event()
        self._own_changed = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self.mqtt = MqttLink(
            broker,
            f"doorward-{site}-{agent}",
            subscriptions=self._subscriptions,
            on_message=inbox.receive,
            on_connected=self._connected,
            on_dropped=self._dropped,
            will=Will(self._topic(TopicKind.STATUS), self._status(online=False, reason="lost")),
            rng=rng,
        )

    async def run(self) -> None:
        """Stay connected until cancelled, then publish that the agent stops, if the broker still answers."""
        link = asyncio.create_task(self.mqtt.run())
        try:
            await asyncio.shield(link)
        finally:
            with contextlib.suppress(NotConnected, TimeoutError):
                goodbye = self._status(online=False, reason="stopped")
                async with asyncio.timeout(GOODBYE_S):
                    await self._publish(TopicKind.STATUS, goodbye, retain=True)
            await _end([link])
            await _end(self._tasks)

    def state_changed(self) -> None:
        """Publish a snapshot as soon as this turn of the loop is over: the doors have changed."""
        self._changed.set()

    def hear_declarations(self, held: SetsHeld) -> None:
        """Publish the agent's own declarations, if it has signed others."""
        if held.own:
            self._own_changed.set()

    def pages_wanted(self) -> None:
        """Subscribe to the pages of credentials that are wanted now."""
        self._pages_wanted.set()

    def _subscriptions(self) -> list[Subscription]:
        return [
            Subscription(topics.district_declarations()),
            Subscription(topics.site_declarations(self._site)),
            Subscription(topics.agents_of_site(TopicKind.DECLARATIONS, self._site)),
            *(
                Subscription(self._topic(kind))
                for kind in (TopicKind.CONFIG, TopicKind.COMMAND, TopicKind.EVENTS_ACK)
            ),
        ]

    async def _connected(self) -> None:
        """Publish that the agent is online, and start the tasks that last as long as the connection."""
        await _end(self._tasks)  # of the connection before
        await _until_published(lambda: self._publish(TopicKind.STATUS, self._status(online=True), retain=True))
        tasks = (self._keep_state_published, self._keep_own_sets_published, self._follow_pages, self._send_events)
        self._tasks = [asyncio.create_task(_forever(task)) for task in tasks]

    def _dropped(self) -> None:
        for task in self._tasks:
            task.cancel()

    async def _keep_state_published(self) -> None:
        while True:
            self._changed.clear()
            await _until_published(self._publish_state)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(SNAPSHOT_EVERY_MS / 1000):
                    await self._changed.wait()

    async def _keep_own_sets_published(self) -> None:
        while True:
            self._own_changed.clear()
            await _until_published(self._publish_own_set)
            await self._own_changed.wait()

    async def _follow_pages(self) -> None:
        """Stay subscribed to the pages of credentials that are wanted, and to no others."""
        heard: dict[str, str] = {}  # topic -> the digest it was subscribed for
        self._pages.wait_from_start()
        while True:
            self._pages_wanted.clear()
            found = self._pages.wanted().items()
            wanted = {topics.credential_page(self._site, self._agent, number): digest for number, digest in found}
            try:
                for topic in set(heard) - set(wanted):
                    del heard[topic]
                    await self.mqtt.unsubscribe(topic)
                for topic in [one for one in wanted if heard.get(one) != wanted[one]]:
                    if topic in heard:
                        await self.mqtt.unsubscribe(topic)
                    heard[topic] = wanted[topic]
                    if not await self.mqtt.subscribe(Subscription(topic)):
                        log.warning("the broker does not let this agent subscribe to %s; see its access list", topic)
            except NotConnected:
                heard.clear()
                await asyncio.sleep(RETRY_S)
                continue
            try:
                async with asyncio.timeout(self._pages.again_s if wanted else None):
                    await self._pages_wanted.wait()
            except TimeoutError:
                heard = dict.fromkeys(heard, "")  # to be subscribed again
                self._pages.ask_again()

    async def _publish_state(self) -> None:
        await self._publish(TopicKind.STATE, codec.encode(self._snapshots.make()), retain=True, qos=0)

    async def _publish_own_set(self) -> None:
        signed = self._declarations.own_signed
        if signed is not None:
            await self._publish(TopicKind.DECLARATIONS, signed, retain=True)

    async def _send_events(self) -> None:
        await self._sender.run(partial(self._publish, TopicKind.EVENTS))

    async def _publish(self, kind: TopicKind, payload: bytes, *, retain: bool = False, qos: int = 1) -> None:
        await self.mqtt.publish(self._topic(kind), payload, qos=qos, retain=retain)

    def _topic(self, kind: TopicKind) -> str:
        return topics.of_agent(kind, self._site, self._agent)

    def _status(self, *, online: bool, reason: str = "") -> bytes:
        return codec.encode(AgentStatus(online=online, session=self._session, versions=self._versions, reason=reason))


async def _end(tasks: Sequence[asyncio.Task[None]]) -> None:
    """Cancel until all have ended: Python 3.11's asyncio.wait_for (in aiomqtt) can swallow a cancellation."""
    while waiting := [task for task in tasks if not task.done()]:
        for task in waiting:
            task.cancel()
        await asyncio.wait(waiting, timeout=0.1)


async def _forever(task: Callable[[], Awaitable[None]]) -> None:
    """Run a task that never ends; if it fails, by a fault of ours or of the disk, log that and run it again."""
    while True:
        try:
            await task()
        except Exception:
            log.exception("a task of the link failed; it is started again")
        await asyncio.sleep(PAUSE_AFTER_FAULT_S)


async def _until_published(publish: Callable[[], Awaitable[None]]) -> None:
    """Publish until the broker has it. The link cancels this when the connection drops."""
    while True:
        try:
            await publish()
        except NotConnected:
            await asyncio.sleep(RETRY_S)
        else:
            return
