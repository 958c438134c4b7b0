"""Sends the outbox to central: one batch at a time, the next once central has committed the one before.

One in flight costs nothing while central answers within milliseconds, and leaves nothing to reorder. If no answer
comes in time, or central says that it has less, the sender goes back to the first event not acknowledged.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from edge_agent.events.journal import EventsWritten, Journal
from protocol import codec
from protocol.messages import EventAck
from protocol.mqtt import NotConnected

log = logging.getLogger(__name__)

ACK_TIMEOUT_S = 5.0
PAUSE_S = 0.5
"""Before sending a batch again that central did not commit."""


class EventSender:
    """Sends what the journal writes."""

    def __init__(self, journal: Journal, *, ack_timeout_s: float = ACK_TIMEOUT_S) -> None:
        self._journal = journal
        self._ack_timeout_s = ack_timeout_s
        self._written = asyncio.Event()
        self._answered = asyncio.Event()
        self._stream = ""  # of the batch under way
        self._committed = 0  # what the last acknowledgement of it said
        journal.when(EventsWritten, self._written.set)

    def acknowledged(self, ack: EventAck) -> None:
        """Note how far central has committed a stream. Ignored unless it is the stream of the batch under way."""
        if ack.stream != self._stream:
            log.debug("an acknowledgement for another stream: %s", ack.stream)
            return
        self._committed = ack.committed
        self._answered.set()

    async def run(self, publish: Callable[[bytes], Awaitable[None]]) -> None:
        """Send until cancelled. Call it again for every connection: it begins at what is not acknowledged.

        ``publish(payload)`` hands a batch to the broker and raises NotConnected where it may not have arrived.
        """
        while True:
            self._written.clear()
            batch = await self._journal.on_outbox(self._journal.outbox.next_batch, self._journal.outbox.acknowledged)
            if batch is None:
                await self._written.wait()
                continue
            self._answered.clear()
            self._stream = batch.stream
            try:
                await publish(codec.encode(batch))
                async with asyncio.timeout(self._ack_timeout_s):
                    await self._answered.wait()
            except (NotConnected, TimeoutError) as error:
                log.info("events up to %d not acknowledged yet (%r): again", batch.events[-1].seq, error)
                await asyncio.sleep(PAUSE_S)
                continue
            await self._journal.acknowledge(batch.stream, self._committed)
            if self._committed < batch.events[0].seq:
                await asyncio.sleep(PAUSE_S)  # central did not commit it; do not flood it
