"""The least MQTT 5 that moves bytes, to measure floors. Not a client for anything else.

It connects, subscribes, publishes prepared bytes, and hands over each received PUBLISH undecoded.
"""

import asyncio
from collections.abc import Callable

CONNACK, PUBLISH, PUBACK, SUBACK = 2, 3, 4, 9
KEEPALIVE_S = 600  # longer than any bench; 0 makes rumqttd close at once


def _length(number: int) -> bytes:
    """A variable byte integer (MQTT 5, 1.5.5)."""
    digits = bytearray()
    while True:
        number, digit = divmod(number, 128)
        digits.append(digit | (128 if number else 0))
        if not number:
            return bytes(digits)


def _text(text: str) -> bytes:
    raw = text.encode()
    return len(raw).to_bytes(2, "big") + raw


def packet(kind_and_flags: int, body: bytes) -> bytes:
    """A control packet from its first byte and the rest."""
    return bytes([kind_and_flags]) + _length(len(body)) + body


def connect_packet(client_id: str) -> bytes:
    """CONNECT, MQTT 5, clean start."""
    return packet(0x10, _text("MQTT") + b"\x05\x02" + KEEPALIVE_S.to_bytes(2, "big") + b"\x00" + _text(client_id))


def subscribe_packet(topic_filter: str, qos: int) -> bytes:
    """SUBSCRIBE with packet number 1."""
    return packet(0x82, b"\x00\x01\x00" + _text(topic_filter) + bytes([qos]))


def publish_packet(topic: str, payload: bytes, *, qos: int = 0, retain: bool = False, number: int = 1) -> bytes:
    """PUBLISH, with its packet number if the quality of service needs one."""
    head = _text(topic) + (number.to_bytes(2, "big") if qos else b"") + b"\x00"
    return packet(0x30 | qos << 1 | int(retain), head + payload)


def topic_and_payload(flags: int, body: bytes) -> tuple[bytes, bytes]:
    """A received PUBLISH taken apart, its properties skipped (they are shorter than 128 bytes here)."""
    end = 2 + int.from_bytes(body[:2], "big")
    start = end + (2 if flags & 0x06 else 0)
    return body[2:end], body[start + 1 + body[start] :]


class RawClient(asyncio.Protocol):
    """One connection. ``on_publish(client, flags, body)`` gets each PUBLISH as bytes; QoS 1 is acknowledged here."""

    def __init__(
        self,
        client_id: str,
        topic_filters: list[tuple[str, int]],
        on_publish: Callable[["RawClient", int, bytes], None],
    ) -> None:
        self.client_id = client_id
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.acknowledged = 0
        self._filters = list(topic_filters)
        self._on_publish = on_publish
        self._buffer = bytearray()
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.write(connect_packet(self.client_id))

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.ready.done():
            self.ready.set_exception(exc or ConnectionError("the broker closed the connection"))

    def send(self, data: bytes) -> None:
        """Write a prepared packet to the socket."""
        assert self.transport is not None
        self.transport.write(data)

    def data_received(self, data: bytes) -> None:
        buffer = self._buffer
        buffer += data
        at = 0
        while (frame := _frame(buffer, at)) is not None:
            start, end = frame
            self._handle(buffer[at], bytes(buffer[start:end]))
            at = end
        del buffer[:at]

    def _handle(self, first: int, body: bytes) -> None:
        kind = first >> 4
        if kind == PUBLISH:
            if first & 0x06:
                end = 2 + int.from_bytes(body[:2], "big")
                self.send(packet(0x40, body[end : end + 2]))
            self._on_publish(self, first, body)
        elif kind == PUBACK:
            self.acknowledged += 1
        elif kind in (CONNACK, SUBACK):
            if self._filters:
                self.send(subscribe_packet(*self._filters.pop(0)))
            elif not self.ready.done():
                self.ready.set_result(None)


def _frame(buffer: bytearray, at: int) -> tuple[int, int] | None:
    """Begin and end of the body of the packet at ``at``, or None while it is incomplete."""
    length = shift = 0
    for position in range(at + 1, min(at + 5, len(buffer))):
        digit = buffer[position]
        length |= (digit & 127) << shift
        shift += 7
        if digit < 128:
            end = position + 1 + length
            return (position + 1, end) if end <= len(buffer) else None
    return None


async def connect(port: int, client: RawClient) -> RawClient:
    """Connect and subscribe; return once the broker has confirmed both."""
    loop = asyncio.get_running_loop()
    await loop.create_connection(lambda: client, "127.0.0.1", port)
    async with asyncio.timeout(30):
        await client.ready
    return client
