"""Central's side of the wire: receives from every agent, passes each message to its part, and sends for central.

It owns the MQTT link and knows what kind of message a topic carries. The fleet, the ingest and the declarations
decide what the messages mean.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterable, Mapping

from central.events.ingest import Commit, Ingest
from central.events.refusal_log import RefusalLog
from central.fleet.fleet import Fleet
from ground.clock import Clock
from protocol import codec, topics
from protocol.messages import AgentStatus, EventAck, StateSnapshot
from protocol.mqtt import BrokerAddress, Incoming, MqttLink, NotConnected, Subscription
from protocol.refusal import Reason, Refused
from protocol.topics import TopicKind

log = logging.getLogger(__name__)

CLIENT_ID = "doorward-central"

ACKS_IN_FLIGHT = 8
"""Acknowledgements in flight at a time; a later one for the same stream replaces one that still waits. Well under
paho's limit of 20 messages in flight: a lockdown must not queue behind acknowledgements."""

DECLARED_WITHIN_S = 5.0
DOCUMENT_WITHIN_S = 30.0
"""How long a broker may take to confirm a set of declarations, and a page or configuration, before central sends it
again: a whole district's pages go at once through a broker that has just come back."""

AGAIN_AFTER_S = 0.5
"""The pause before a document that was late is sent again."""

SUBSCRIPTIONS = (
    Subscription(topics.every_agent(TopicKind.STATUS), 1),
    Subscription(topics.every_agent(TopicKind.DECLARATIONS), 1),
    Subscription(topics.every_agent(TopicKind.STATE), 0),  # a late snapshot is worthless
    Subscription(topics.every_agent(TopicKind.EVENTS), 1),
)


class Wire:
    """Call everything but :meth:`acknowledge` on the event loop that runs :meth:`run`."""

    def __init__(
        self,
        address: BrokerAddress,
        fleet: Fleet,
        ingest: Ingest,
        clock: Clock,
        *,
        refusals: RefusalLog | None = None,
        client_id: str = CLIENT_ID,
    ) -> None:
        self.refusals = refusals or RefusalLog()
        self._fleet = fleet
        self._ingest = ingest
        self._clock = clock
        self._listeners: list[Callable[[str, str, str, bytes], None]] = []
        self._remembered: list[Callable[[], Iterable[tuple[str, bytes]]]] = []
        self._link = MqttLink(
            address,
            client_id,
            subscriptions=lambda: SUBSCRIPTIONS,
            on_message=self._dispatch,
            on_connected=self._greet,
        )
        self._published_since_greeting: set[str] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._acks: dict[tuple[str, str, str], int] = {}  # not yet sent: the newest seq of each (site, agent, stream)
        self._acks_under_way: set[asyncio.Task[None]] = set()

    def listen(self, listener: Callable[[str, str, str, bytes], None]) -> None:
        """Call a function with every set that an agent declared by itself: site, agent, topic, JWS. It may raise
        Refused.
        """
        self._listeners.append(listener)

    def remember(self, documents: Callable[[], Iterable[tuple[str, bytes]]]) -> None:
        """Publish these (topic, JWS) retained at every connection, since a broker may forget."""
        self._remembered.append(documents)

    @property
    def connected(self) -> bool:
        """Whether the link to a broker is up, as far as known."""
        return self._link.connected

    async def wait_connected(self) -> None:
        """Return once connected and subscribed."""
        await self._link.wait_connected()

    async def run(self) -> None:
        """Stay on the wire until cancelled."""
        self._loop = asyncio.get_running_loop()
        try:
            await self._link.run()
        finally:
            self._loop = None
            for task in self._acks_under_way:
                task.cancel()

    # --- sending ---------------------------------------------------------------------------------------------

    async def publish_document(self, topic: str, jws: bytes) -> bool:
        """Publish a declaration set or a configuration, retained; it is on the socket before this first waits.

        Returns once the broker confirms it. False: it may not have arrived. The next connection then publishes it
        with every other retained document.
        """
        self._published_since_greeting.add(topic)
        try:
            await self._link.publish(topic, jws, qos=1, retain=True)
        except NotConnected as error:
            log.warning("%s goes out with the next connection: %s", topic, error)
            return False
        return True

    async def publish_command(self, site: str, agent: str, jws: bytes) -> None:
        """Publish a momentary act, never retained. Raises NotConnected if it may not have been sent."""
        await self._link.publish(topics.of_agent(TopicKind.COMMAND, site, agent), jws, qos=1, retain=False)

    def acknowledge(self, commit: Commit) -> None:
        """Send each agent the seq up to which its stream is committed. From any thread. Lost while the link is down:
        the agent then sends its events again, and gets another answer.
        """
        loop = self._loop
        if loop is None:
            return
        try:
            loop.call_soon_threadsafe(self._queue_acks, commit.cursors)
        except RuntimeError:  # the loop has just ended, and central with it
            log.debug("no loop to acknowledge on")

    def _queue_acks(self, cursors: Mapping[tuple[str, str, str], int]) -> None:
        self._acks.update(cursors)
        for _ in range(min(len(cursors), ACKS_IN_FLIGHT - len(self._acks_under_way))):
            task = asyncio.ensure_future(self._send_acks())
            self._acks_under_way.add(task)
            task.add_done_callback(self._acks_under_way.discard)

    async def _send_acks(self) -> None:
        while self._acks:
            (site, agent, stream), committed = self._acks.popitem()
            payload = codec.encode(EventAck(stream=stream, committed=committed))
            try:
                await self._link.publish(topics.of_agent(TopicKind.EVENTS_ACK, site, agent), payload, qos=1)
            except NotConnected:
                self._acks.clear()  # every agent will send again, and get an answer then

    async def _greet(self) -> None:
        """Publish every retained document, declarations first, except those published since this connection began.

        A document that the broker does not confirm in time goes out again while the link is up: otherwise it would
        be missing until the next connection, which may be weeks away.
        """
        published: set[str] = set()
        self._published_since_greeting = published
        documents = [document for documents in self._remembered for document in documents()]
        left = (
            deque(document for document in documents if _is_declared(document[0])),
            deque(document for document in documents if not _is_declared(document[0])),
        )
        while kind := left[0] or left[1]:
            topic, jws = kind.popleft()
            if published is not self._published_since_greeting:
                return  # a newer connection has its own greeting
            if topic not in published and not await self._give(topic, jws):
                kind.append((topic, jws))
        log.info("on the wire; %d documents published", len(documents))

    async def _give(self, topic: str, jws: bytes) -> bool:
        """Publish; False if the broker is late to confirm. Raises NotConnected once the link is down."""
        within_s = DECLARED_WITHIN_S if _is_declared(topic) else DOCUMENT_WITHIN_S
        try:
            await self._link.publish(topic, jws, qos=1, retain=True, within_s=within_s)
        except NotConnected:
            if not self._link.connected:
                raise
            log.warning("the broker has not taken %s within %g s; it is sent again", topic, within_s)
            await asyncio.sleep(AGAIN_AFTER_S)
            return False
        return True

    # --- receiving -------------------------------------------------------------------------------------------

    def _dispatch(self, incoming: Incoming) -> None:
        try:
            self._hand_on(incoming)
        except Refused as refused:
            self.refusals.note(incoming.topic, refused)

    def _hand_on(self, incoming: Incoming) -> None:
        topic = topics.parse(incoming.topic)
        site, agent = topic.site, topic.agent
        if site is None or agent is None:
            raise Refused(Reason.UNKNOWN_TOPIC, "no agent speaks here")
        match topic.kind:
            case TopicKind.STATE:
                snapshot = codec.decode(StateSnapshot, incoming.payload)
                self._fleet.apply_snapshot(
                    site, agent, snapshot, retained=incoming.retained, now_ms=self._clock.mono_ms()
                )
            case TopicKind.EVENTS:
                self._ingest.offer(site, agent, incoming.payload)
            case TopicKind.STATUS:
                status = codec.decode(AgentStatus, incoming.payload)
                self._fleet.apply_status(
                    site, agent, status, retained=incoming.retained, now_ms=self._clock.mono_ms()
                )
            case TopicKind.DECLARATIONS:
                for listener in self._listeners:
                    listener(site, agent, incoming.topic, incoming.payload)
            case _:
                raise Refused(Reason.UNKNOWN_TOPIC, "central speaks here, agents do not")


def _is_declared(topic: str) -> bool:
    return topics.parse(topic).kind is TopicKind.DECLARATIONS
