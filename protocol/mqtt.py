"""The one thin interface over the MQTT client: connect, subscribe, publish, reconnect after every drop.

It does not interpret messages. It keeps no queue: while the link is down, publishing raises :class:`NotConnected`, so
that events and declarations stay where they are safe (the outbox, the records) and a snapshot never goes out late.
"""

import asyncio
import contextlib
import logging
import random
import socket
import ssl
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

import aiomqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

log = logging.getLogger(__name__)

T = TypeVar("T")

KEEPALIVE_S = 5
"""After one and a half of these without a packet, the broker publishes the client's last will."""

ANSWER_WITHIN_S = 5
"""How long the broker may take to answer, unless the caller allows more."""

FIRST_RETRY_S = 0.25
LONGEST_RETRY_S = 2.0
"""Waits double from one to the other, each drawn from its upper half, so that a district does not return at once."""


class NotConnected(Exception):  # noqa: N818 - a state, not a fault
    """There is no broker just now; the caller keeps the message."""


@dataclass(frozen=True, slots=True)
class BrokerAddress:
    """The broker's address and the client's credentials. The password comes from a file, never an argument."""

    host: str = "127.0.0.1"
    port: int = 1883
    username: str | None = None
    password_file: Path | None = None
    ca_file: Path | None = None  # given: TLS, with a broker certificate of this authority
    cert_file: Path | None = None
    key_file: Path | None = None

    def tls(self) -> ssl.SSLContext | None:
        """The TLS context, or None where none is configured."""
        if self.ca_file is None:
            return None
        context = ssl.create_default_context(cafile=str(self.ca_file))
        if self.cert_file is not None:
            context.load_cert_chain(self.cert_file, self.key_file)
        return context

    def password(self) -> str | None:
        """The password, read again at each connection so that it can be changed in place."""
        return self.password_file.read_text().strip() if self.password_file else None


@dataclass(frozen=True, slots=True)
class Incoming:
    """A message as it came. ``retained``: from the broker's memory, so of unknown age."""

    topic: str
    payload: bytes
    retained: bool


@dataclass(frozen=True, slots=True)
class Will:
    """The message that the broker publishes when the client falls silent. Retained, QoS 1."""

    topic: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class Subscription:
    """A topic filter and its quality of service."""

    topic: str
    qos: int = 1


class _Client(aiomqtt.Client):
    """aiomqtt's client, which can be cancelled at any of its waits.

    All of them pass through ``_wait_for``. aiomqtt waits there by :func:`asyncio.wait_for`, which in Python 3.11
    returns the answer and forgets the cancellation if both come in the same turn of the loop (cpython#86296).
    """

    async def _wait_for(self, fut: Awaitable[T], timeout: float | None) -> T:  # noqa: ASYNC109 - aiomqtt's signature
        try:
            async with asyncio.timeout(self.timeout if timeout is None else timeout):
                # aiomqtt reads its futures' results later, which would raise on a cancelled one.
                return await (asyncio.shield(fut) if asyncio.isfuture(fut) else fut)
        except TimeoutError:
            raise aiomqtt.MqttError("Operation timed out") from None

    _given_up = False

    async def __aenter__(self) -> Self:
        """Connect; if that fails or is cancelled, leave no connection that would come about later."""
        try:
            return await super().__aenter__()
        except BaseException:
            self._given_up = True
            self._client.disconnect()
            raise

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Disconnect; a broker that does not answer must not raise an error in place of a cancellation."""
        with contextlib.suppress(aiomqtt.MqttError):
            await super().__aexit__(kind, error, trace)

    def _client_connect(self) -> None:
        super()._client_connect()  # on a thread, which cannot be cancelled
        if self._given_up:
            self._loop.call_soon_threadsafe(self._client.disconnect)


class MqttLink:
    """A connection to a broker that reconnects whenever it drops.

    ``subscriptions`` is called at each connection, so it may change between two. ``on_message`` is called on the
    event loop, in order, and must not raise; ``on_connected`` runs once subscribed, while messages already come in,
    and is cancelled if the link drops.
    """

    def __init__(
        self,
        address: BrokerAddress,
        client_id: str,
        *,
        subscriptions: Callable[[], Sequence[Subscription]],
        on_message: Callable[[Incoming], None],
        on_connected: Callable[[], Awaitable[None]],
        on_dropped: Callable[[], None] = lambda: None,
        will: Will | None = None,
        rng: random.Random | None = None,
    ) -> None:
        self.address = address
        self.client_id = client_id
        self._subscriptions = subscriptions
        self._on_message = on_message
        self._on_connected = on_connected
        self._on_dropped = on_dropped
        self._will = will
        self._rng = rng or random.Random()  # noqa: S311 - jitter, not a secret
        self._client: aiomqtt.Client | None = None
        self._connected = asyncio.Event()

    @property
    def connected(self) -> bool:
        """Whether the link to a broker is up, as far as known."""
        return self._client is not None

    async def wait_connected(self) -> None:
        """Return once connected and subscribed."""
        await self._connected.wait()

    async def publish(
        self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False, within_s: float | None = None
    ) -> None:
        """Send a message to the broker; with QoS 1, return once the broker confirms it.

        Raises :class:`NotConnected` where it may not have arrived: there is no link, or no confirmation within
        ``within_s`` seconds (default: ANSWER_WITHIN_S). While :attr:`connected`, it may still arrive.
        """
        client = self._connected_client()
        try:
            await client.publish(topic, payload, qos=qos, retain=retain, timeout=within_s)
        except aiomqtt.MqttError as error:
            raise NotConnected(str(error)) from None

    async def subscribe(self, subscription: Subscription) -> bool:
        """Subscribe to another topic while this connection lasts, beginning with its retained messages. Unsubscribe
        first from a topic already subscribed: not every broker sends its retained messages again. False: the broker
        refuses. Raises :class:`NotConnected`.
        """
        try:
            codes = await self._connected_client().subscribe(subscription.topic, qos=subscription.qos)
        except aiomqtt.MqttError as error:
            raise NotConnected(str(error)) from None
        return not any(not isinstance(code, int) and code.is_failure for code in codes)

    async def unsubscribe(self, topic: str) -> None:
        """Unsubscribe from a topic. Raises :class:`NotConnected`."""
        try:
            await self._connected_client().unsubscribe(topic)
        except aiomqtt.MqttError as error:
            raise NotConnected(str(error)) from None

    def _connected_client(self) -> aiomqtt.Client:
        if self._client is None:
            raise NotConnected(f"no broker at {self.address.host}:{self.address.port}")
        return self._client

    async def run(self) -> None:
        """Stay connected until cancelled. Logs the first failure of an outage and the return, not each try."""
        failures = 0
        while True:
            try:
                async with self._make_client() as client:
                    await self._subscribe(client)
                    if failures:
                        log.info("broker back after %d failed tries", failures)
                    failures = 0
                    await self._serve(client)
            except (
                aiomqtt.MqttError,
                OSError,
                ValueError,
            ) as error:  # ValueError: a host or password that is not text
                failures += 1
                if failures == 1:
                    log.warning("no broker at %s:%d: %s", self.address.host, self.address.port, error)
            await asyncio.sleep(retry_delay(failures, self._rng))

    def _make_client(self) -> aiomqtt.Client:
        ours = self._will
        will = aiomqtt.Will(ours.topic, ours.payload, qos=1, retain=True) if ours else None
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.SessionExpiryInterval = 0  # the outbox survives a drop, so the broker need keep nothing
        take = self._take

        class Dispatch(asyncio.Queue[aiomqtt.Message]):
            """Hands each message over as it is read; aiomqtt's iterator would cost a task a message (40 µs)."""

            def put_nowait(self, item: aiomqtt.Message) -> None:
                take(item)

        return _Client(
            self.address.host,
            self.address.port,
            identifier=self.client_id,
            username=self.address.username,
            password=self.address.password(),
            tls_context=self.address.tls(),
            protocol=aiomqtt.ProtocolVersion.V5,
            will=will,
            keepalive=KEEPALIVE_S,
            clean_start=True,
            timeout=ANSWER_WITHIN_S,
            properties=properties,
            queue_type=Dispatch,
            # Nagle's algorithm would hold small messages back for up to 40 ms.
            socket_options=((socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),),
        )

    async def _subscribe(self, client: aiomqtt.Client) -> None:
        for subscription in self._subscriptions():
            for code in await client.subscribe(subscription.topic, qos=subscription.qos):
                if not isinstance(code, int) and code.is_failure:
                    # A missing topic is as bad as no connection, and must show: people write access lists by hand.
                    raise aiomqtt.MqttError(
                        f"the broker does not let {self.client_id} hear {subscription.topic}: {code}"
                    )

    async def _serve(self, client: aiomqtt.Client) -> None:
        self._client = client
        self._connected.set()
        welcome = asyncio.ensure_future(self._welcome())
        try:
            async for _ in client.messages:  # Dispatch queues none: the loop only ends when the link drops
                pass
        finally:
            self._client = None
            self._connected.clear()
            welcome.cancel()
            self._on_dropped()

    def _take(self, message: aiomqtt.Message) -> None:
        payload = message.payload
        incoming = Incoming(
            message.topic.value,
            payload if isinstance(payload, bytes) else str(payload).encode(),
            bool(message.retain),
        )
        try:
            self._on_message(incoming)
        except Exception:  # one message must never take the link down with it
            log.exception("a fault of ours while handling a message on %s", incoming.topic)

    async def _welcome(self) -> None:
        try:
            await self._on_connected()
        except NotConnected as error:
            log.info("link dropped while greeting the broker: %s", error)


def retry_delay(failures: int, rng: random.Random) -> float:
    """Seconds to wait after this many failures in a row: doubling, bounded, drawn from the upper half."""
    ceiling = min(LONGEST_RETRY_S, FIRST_RETRY_S * 2.0 ** min(failures, 10))
    return rng.uniform(ceiling / 2, ceiling)
