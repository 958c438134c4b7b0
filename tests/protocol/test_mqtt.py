import asyncio
import contextlib
import itertools
import random
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import aiomqtt
import psutil
import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.reasoncodes import ReasonCode

from protocol.mqtt import (
    FIRST_RETRY_S,
    LONGEST_RETRY_S,
    BrokerAddress,
    Incoming,
    MqttLink,
    NotConnected,
    Subscription,
    Will,
    retry_delay,
)
from tests.support.brokers import RunningBroker, embedded, mosquitto
from tests.support.cancelling import CancelledAt, Moment, cancelled_at_every_wait
from tests.support.waiting import until

DEADLINE_S = 30


@pytest.fixture(params=[mosquitto, embedded], ids=["mosquitto", "embedded"])
def broker(request: pytest.FixtureRequest) -> Iterator[RunningBroker]:
    with request.param() as running:
        yield running


class Peer:
    """A link with all it heard, and a way to wait for it."""

    def __init__(self, broker: RunningBroker, name: str, *topics: str, will: Will | None = None) -> None:
        self.heard: list[Incoming] = []
        self.greetings = 0
        self.changed = asyncio.Event()
        self.link = MqttLink(
            BrokerAddress(broker.host, broker.port),
            name,
            subscriptions=lambda: [Subscription(topic) for topic in topics],
            on_message=self._on_message,
            on_connected=self._on_connected,
            will=will,
            rng=random.Random(1),
        )

    def _on_message(self, message: Incoming) -> None:
        self.heard.append(message)
        self.changed.set()
        if message.payload == b"poison":
            raise RuntimeError("a handler at fault")

    async def _on_connected(self) -> None:
        self.greetings += 1
        self.changed.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(DEADLINE_S):
            while not condition():
                self.changed.clear()
                await self.changed.wait()

    def payloads(self) -> list[bytes]:
        return [message.payload for message in self.heard]


@contextlib.asynccontextmanager
async def running(*peers: Peer) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(peer.link.run()) for peer in peers]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_message_arrives_and_what_the_broker_remembered_is_marked(broker: RunningBroker) -> None:
    sender, early = Peer(broker, "sender"), Peer(broker, "early", "t/#")
    async with running(sender, early):
        await sender.until(lambda: sender.greetings == 1)
        await early.until(lambda: early.greetings == 1)
        await sender.link.publish("t/x", b"kept", retain=True)
        await early.until(lambda: early.payloads() == [b"kept"])
        assert not early.heard[0].retained
        late = Peer(broker, "late", "t/#")
        async with running(late):
            await late.until(lambda: late.payloads() == [b"kept"])
            assert late.heard[0].retained


async def test_a_link_comes_back_after_the_broker_was_killed_and_subscribes_again(broker: RunningBroker) -> None:
    sender, receiver = Peer(broker, "sender"), Peer(broker, "receiver", "t/#")
    async with running(sender, receiver):
        await sender.until(lambda: sender.greetings == 1)
        await receiver.until(lambda: receiver.greetings == 1)
        broker.kill()
        broker.start()
        await sender.until(lambda: sender.greetings == 2)
        await receiver.until(lambda: receiver.greetings == 2)
        await sender.link.publish("t/x", b"after")
        await receiver.until(lambda: receiver.payloads() == [b"after"])


async def test_publishing_without_a_broker_is_refused_and_nothing_is_sent_later(broker: RunningBroker) -> None:
    sender, receiver = Peer(broker, "sender"), Peer(broker, "receiver", "t/#")
    with pytest.raises(NotConnected):
        await sender.link.publish("t/x", b"never")
    async with running(sender, receiver):
        await sender.until(lambda: sender.greetings == 1)
        await receiver.until(lambda: receiver.greetings == 1)
        await sender.link.publish("t/x", b"first")
        await receiver.until(lambda: bool(receiver.heard))
        assert receiver.payloads() == [b"first"]


async def test_a_publish_under_way_when_the_broker_freezes_is_reported(broker: RunningBroker) -> None:
    sender = Peer(broker, "sender")
    async with running(sender):
        await sender.until(lambda: sender.greetings == 1)
        broker.freeze()
        with pytest.raises(NotConnected):
            await sender.link.publish("t/x", b"lost")
        broker.thaw()


async def test_the_will_is_published_when_a_client_is_cut_off(broker: RunningBroker) -> None:
    watcher = Peer(broker, "watcher", "t/will")
    mortal = Peer(broker, "mortal", will=Will("t/will", b"gone"))
    async with running(watcher):
        await watcher.until(lambda: watcher.greetings == 1)
        async with running(mortal):
            await mortal.until(lambda: mortal.greetings == 1)
            client = mortal.link._client
            assert client is not None
            client._client.socket().shutdown(2)
            await watcher.until(lambda: b"gone" in watcher.payloads())


async def test_a_handler_at_fault_does_not_take_the_link_down(
    broker: RunningBroker, caplog: pytest.LogCaptureFixture
) -> None:
    sender, receiver = Peer(broker, "sender"), Peer(broker, "receiver", "t/#")
    async with running(sender, receiver):
        await sender.until(lambda: sender.greetings == 1)
        await receiver.until(lambda: receiver.greetings == 1)
        await sender.link.publish("t/x", b"poison")
        await sender.link.publish("t/x", b"next")
        await receiver.until(lambda: receiver.payloads() == [b"poison", b"next"])
        assert receiver.greetings == 1
    assert "t/x" in caplog.text


async def test_a_name_that_is_no_host_is_tried_again_and_ends_nothing() -> None:
    async def never() -> None: ...

    link = MqttLink(
        BrokerAddress("broker..lan", 1), "x", subscriptions=tuple, on_message=lambda _: None, on_connected=never
    )
    task = asyncio.create_task(link.run())
    done, _ = await asyncio.wait([task], timeout=1)
    assert not done
    task.cancel()
    await asyncio.wait([task])


async def test_a_link_that_may_not_hear_a_topic_is_not_taken_for_connected(
    broker: RunningBroker, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The answer is made up: Mosquitto's access file grants every subscription and then delivers nothing.
    answered = asyncio.Event()

    async def refuse(*_args: object, **_options: object) -> list[ReasonCode]:
        answered.set()
        return [ReasonCode(PacketTypes.SUBACK, "Not authorized")]

    monkeypatch.setattr(aiomqtt.Client, "subscribe", refuse)
    deaf = Peer(broker, "deaf", "t/closed")
    async with running(deaf):
        async with asyncio.timeout(DEADLINE_S):
            await answered.wait()
            answered.clear()
            await answered.wait()  # it tries again
        assert deaf.greetings == 0
    assert "t/closed" in caplog.text


async def test_a_topic_may_be_heard_for_a_while_and_begins_with_what_the_broker_remembers(
    broker: RunningBroker,
) -> None:
    peer = Peer(broker, "peer", "t/always")
    with pytest.raises(NotConnected):
        await peer.link.subscribe(Subscription("t/now"))
    async with running(peer):
        await peer.until(lambda: peer.greetings == 1)
        await peer.link.publish("t/now", b"kept", retain=True)
        for times in (1, 2):
            assert await peer.link.subscribe(Subscription("t/now"))
            await peer.until(lambda times=times: peer.payloads() == [b"kept"] * times)
            await peer.link.unsubscribe("t/now")
        await peer.link.publish("t/now", b"not heard")
        await peer.link.publish("t/always", b"heard")
        await peer.until(lambda: len(peer.heard) > 2)
        assert peer.payloads() == [b"kept", b"kept", b"heard"]


@pytest.mark.parametrize("moment", Moment)
async def test_what_is_asked_of_the_broker_can_be_cancelled_at_every_wait(
    broker: RunningBroker, moment: Moment
) -> None:
    peer = Peer(broker, "peer")
    async with running(peer):
        await peer.until(lambda: peer.greetings == 1)
        for make in (
            lambda: peer.link.publish("t/x", b"x"),
            lambda: peer.link.subscribe(Subscription("t/#")),
            lambda: hear_for_a_moment(peer.link),
        ):
            assert await cancelled_at_every_wait(make, moment) >= 1
        assert peer.greetings == 1, "the connection was lost over it"


@pytest.mark.parametrize("moment", Moment)
async def test_a_link_can_be_cancelled_at_every_wait_and_leaves_no_connection(
    broker: RunningBroker, moment: Moment
) -> None:
    for at in itertools.count():
        peer = Peer(broker, f"peer-{at}", "t/#")
        cancelling = CancelledAt(peer.link.run(), at, moment)
        task = asyncio.create_task(cancelling.run())
        task.add_done_callback(lambda _, peer=peer: peer.changed.set())  # type: ignore[misc]
        await peer.until(lambda peer=peer, task=task: task.done() or peer.greetings > 0)  # type: ignore[misc]
        up = not cancelling.cancelled
        task.cancel()
        done, _ = await asyncio.wait({task}, timeout=DEADLINE_S)
        assert done, f"cancelled {moment} at wait {at}, the link went on"
        assert task.cancelled(), f"cancelled {moment} at wait {at}: {task!r}"
        if up:
            break
    assert at >= 2, "there was next to nothing to cancel"
    await until(lambda: not connections_to(broker.port), "the end of every connection", DEADLINE_S)


async def test_a_link_that_is_cancelled_ends_though_the_broker_does_not_take_its_goodbye(
    broker: RunningBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("protocol.mqtt.ANSWER_WITHIN_S", 1)  # sooner than the keepalive notices the silence
    peer = Peer(broker, "peer")
    task = asyncio.create_task(peer.link.run())
    await peer.until(lambda: peer.greetings == 1)
    broker.freeze()
    try:
        more_than_sockets_hold = bytes(2**24)
        publishing = asyncio.create_task(peer.link.publish("t/x", more_than_sockets_hold))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait({task}, timeout=DEADLINE_S)
        assert task.cancelled()
    finally:
        broker.thaw()
    await asyncio.gather(publishing, return_exceptions=True)


async def hear_for_a_moment(link: MqttLink) -> None:
    await link.subscribe(Subscription("t/#"))  # not every broker answers who leaves a topic twice
    await link.unsubscribe("t/#")


def connections_to(port: int) -> list[Any]:
    return [one for one in psutil.Process().net_connections("tcp") if one.raddr and one.raddr.port == port]


async def test_a_topic_that_the_broker_does_not_let_be_heard_later_is_told_and_drops_nothing(
    broker: RunningBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(*_args: object, **_options: object) -> list[ReasonCode]:
        return [ReasonCode(PacketTypes.SUBACK, "Not authorized")]

    peer = Peer(broker, "peer", "t/always")
    async with running(peer):
        await peer.until(lambda: peer.greetings == 1)
        monkeypatch.setattr(aiomqtt.Client, "subscribe", refuse)
        assert not await peer.link.subscribe(Subscription("t/closed"))
        assert peer.link.connected


def test_retries_back_off_within_bounds_and_are_never_in_step() -> None:
    waits = [[retry_delay(failures, random.Random(seed)) for failures in range(12)] for seed in range(50)]
    for wait in waits:
        assert all(FIRST_RETRY_S / 2 <= delay <= LONGEST_RETRY_S for delay in wait)
        assert wait[-1] >= LONGEST_RETRY_S / 2
    assert len({wait[-1] for wait in waits}) == 50
