"""One RS-485 line with its OSDP readers, driven from the asyncio loop.

It keeps the secure channels up, passes on what readers report, shows what they should show, and gives a reader that
is online another key. It does not know cardholders or doors, and never speaks with a reader's default key.

Timing. libosdp polls each reader every 51 ms. Instead of ticking, the bus sleeps until a poll is due or a whole frame
has arrived, and then steps libosdp until it has nothing more to do. Card at the reader to `on_event`, p50/p99, and
the process's share of a core while idle, two readers on one line, pty at wire speed:

    115200 baud: this 30/69 ms, 0.8 %; fixed ticks of 5, 10, 15, 20 ms 35/66, 42/71, 51/90, 58/98 ms
                 at 1.6, 1.6, 1.2, 0.9 %
      9600 baud: this 76/120 ms, 0.6 % (the wire itself takes 60 ms of each round)
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from drivers.osdp import events, reports
from drivers.osdp.config import OsdpReaderConfig, WeakKey, check_bus, check_key
from drivers.osdp.events import OfflineReason, OsdpEvent
from drivers.osdp.frames import Frame
from drivers.osdp.gate import Forged, proves_presence, refuse
from drivers.osdp.indication import commands
from drivers.osdp.key_state import KeyState
from drivers.osdp.panel import Panel, PanelChannel, RawEvent
from drivers.osdp.reader import PolledReader
from drivers.readers import LASTING, Show
from drivers.serial.port import Line
from drivers.serial.port_keeper import PortKeeper

_log = logging.getLogger(__name__)

POLL_S = 0.0515
"""libosdp sends a poll once more than 50 whole milliseconds have passed since the last reply."""

COALESCE_S = 0.005
"""Polls due this close together share one wake-up."""

STEP_S = 0.050
"""libosdp is stepped at least this often whatever happens: its time-outs count in steps."""

WATCH_S = 0.25
"""How often the bus checks for silence and heals readers."""

MAX_READ_AGE_S = 1.0

REFUSED_REPORTED_S = 1.0
"""Refused replies of one reader are reported this often at most; all are counted."""


class OsdpBus:
    """One line and its readers. Raises WeakKey or ValueError.

    `open_line` opens the port (`lambda: open_serial("/dev/ttyAMA0", 9600)`), again after a failure. `on_event` is
    always called on the loop, never from within libosdp. `max_read_age_s`: a card or key that may have waited at
    the reader longer is dropped and counted.
    """

    def __init__(
        self,
        name: str,
        open_line: Callable[[], Line],
        readers: Sequence[OsdpReaderConfig],
        *,
        on_event: Callable[[OsdpEvent], None],
        max_read_age_s: float = MAX_READ_AGE_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        check_bus(readers)
        self.name = name
        self.stale_reads = 0
        """Cards and keys dropped because they may have waited too long."""
        self.insecure_reads = 0
        """Cards and keys dropped because no secure channel was active."""
        self._on_event = on_event
        self._max_read_age_s = max_read_age_s
        self._clock = clock
        self._readers = [
            PolledReader(config, n, 0.0, 0.0, 0.0, KeyState(config.key, config.candidate))
            for n, config in enumerate(readers)
        ]
        self._by_name = {reader.config.name: reader for reader in self._readers}
        self._by_address = {reader.config.address: reader for reader in self._readers}
        self._port = PortKeeper(
            name,
            open_line,
            on_open=self._opened,
            on_readable=self._readable,
            on_lost=self._lost,
            on_event=self._publish,
            clock=clock,
        )
        self._channel = PanelChannel()
        self._panel: Panel | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._wake: asyncio.TimerHandle | None = None
        self._watcher: asyncio.TimerHandle | None = None
        self._watch_due = 0.0
        self._silent_since: float | None = None  # when LineSilent was reported, until LineRestored is

    def start(self) -> None:
        """Open the port and begin. Call on the running loop. A port that fails is tried again, not raised."""
        if self._loop is not None:
            raise RuntimeError(f"bus {self.name} is already started")
        self._loop = asyncio.get_running_loop()
        self._port.start()
        self._watch_due = self._clock() + WATCH_S
        self._watcher = self._loop.call_later(WATCH_S, self._watch)

    def stop(self) -> None:
        """Close the port. No event comes after it. May be started again."""
        if self._watcher is not None:
            self._watcher.cancel()
        self._port.stop()
        self._close()
        self._loop = None
        self._silent_since = None
        for reader in self._readers:
            reader.forget()

    def online(self, reader: str) -> bool:
        """Whether the reader's secure channel is up and its reads are acted upon. KeyError if unknown."""
        return self._by_name[reader].online

    def show(self, reader: str, what: Show) -> bool:
        """Show `what`. KeyError if the reader is unknown.

        IDLE and LOCKDOWN are remembered and shown again whenever the reader comes online; the others are
        dropped (False) while it is offline: a grant shown late would be a lie.
        """
        state = self._by_name[reader]
        if what in LASTING:
            state.lasting = what
        if not state.online:
            return False
        state.queue.extend(commands(what))
        self._send(state)
        return True

    def refused(self, reader: str) -> int:
        """How many replies under the reader's address were refused. KeyError if unknown."""
        return self._by_name[reader].refused

    def refuses_key(self, reader: str) -> bool:
        """Whether the reader showed in a handshake that it holds another key, or none. KeyError if it is unknown.

        False for one whose handshake was late or disturbed: of its key, that shows nothing.
        """
        return self._by_name[reader].refuses_key

    def may_set_key(self, reader: str) -> bool:
        """Whether the reader is online and not being given a key already. KeyError if it is unknown."""
        state = self._by_name[reader]
        return state.online and not state.keys.pending

    def set_key(self, reader: str, key: bytes) -> bool:
        """Give the reader another key, over its secure channel. Answered by a `KeySet` or `KeyKept` event.

        False if the reader is not online, or is being given a key already. Keep `key` on the disk before calling:
        from now on the reader may hold it. KeyError if the reader is unknown, WeakKey if the key is no good.
        """
        state = self._by_name[reader]
        check_key(reader, key)
        if any(key == other.keys.in_use for other in self._readers):
            raise WeakKey(f"reader {reader}: this key is in use on the line already")
        panel = self._panel
        if panel is None or not self.may_set_key(reader) or not panel.set_key(state.offset, key):
            return False
        state.keys.begin(key)
        state.key_sent = True
        state.unanswered += 2 if self._channel.waiting else 1
        if not self._channel.waiting:
            self._wake_in(0)
        return True

    # --- the port ---

    def _opened(self, line: Line) -> None:
        self._channel = PanelChannel(line)
        now = self._clock()
        for reader in self._readers:
            reader.listened_from = now
        self._make_panel(now)
        self._wake_in(0)

    def _make_panel(self, now: float) -> None:
        """A new panel; every reader begins with a handshake."""
        if self._panel is not None:
            self._panel.close()
        for reader in self._readers:
            reader.rejoin(now)
        self._channel.flush()
        self._panel = Panel(
            [replace(reader.config, key=reader.keys.in_use) for reader in self._readers], self._channel
        )

    def _close(self) -> None:
        if self._wake is not None:
            self._wake.cancel()
            self._wake = None
        self._channel.line = None
        if self._panel is not None:
            self._panel.close()
            self._panel = None

    def _lost(self) -> None:
        self._close()
        now = self._clock()
        for reader in self._readers:
            reader.queue.clear()
            self._go_offline(reader, OfflineReason.PORT, now)

    # --- bytes and steps ---

    def _readable(self) -> None:
        for frame in self._channel.frames.feed(self._port.read()):
            self._hear(frame)

    def _hear(self, frame: Frame) -> None:
        """Pass on a reply that may be one. libosdp sees nothing else: no noise, no half frames, no forgeries."""
        panel, reader = self._panel, self._by_address.get(frame.address)
        if panel is None or reader is None:
            return
        now = self._clock()
        secure = bool(panel.secure() >> reader.offset & 1)
        reason = refuse(frame, asked=self._channel.asked, secure=secure, key_sent=reader.key_sent)
        if reason is not None:
            self._refuse(reader, reason, now)
            return
        if not secure:
            reader.answered(frame, self._channel.asked)
        spoke = 0
        if proves_presence(frame, secure=secure):
            reader.hear(now, self._max_read_age_s)
            spoke = 1 << reader.offset
        self._channel.received += frame.raw
        self._pump(spoke)

    def _refuse(self, reader: PolledReader, reason: Forged, now: float) -> None:
        reader.refused += 1
        if now - reader.refusal_reported_at >= REFUSED_REPORTED_S:
            reader.refusal_reported_at = now
            self._publish(events.ReplyRefused(reader.config.name, reason, now))

    def _pump(self, spoke: int = 0) -> None:
        """Step libosdp until it waits; `spoke` masks the readers whose replies just arrived."""
        panel, channel = self._panel, self._channel
        if panel is None:
            return
        secure_before = panel.secure()
        reported = panel.run(channel)
        if channel.error is not None:
            self._port.lost(str(channel.error))
            return
        now = self._clock()
        if channel.asked is not None and (asked := self._by_address.get(channel.asked.address)) is not None:
            asked.rejectable = False
        self._arm(now)
        for offset, took in panel.keys_set():
            if took:
                self._readers[offset].keys.acknowledged()
                self._readers[offset].rejoin(now)
        for report in reported:
            self._report(report, now)
            spoke &= ~(1 << report.offset)
        # A poll answered with nothing, over a channel that was up before: the reader's queue is empty.
        self._drained(spoke & secure_before & panel.secure(), now)

    def _arm(self, now: float) -> None:
        due = now + STEP_S
        if not self._channel.waiting:
            heard = [reader.heard_at for reader in self._readers if reader.online]
            if heard:
                due = max(min(max(heard), min(heard) + COALESCE_S) + POLL_S, now + 0.002)
        self._wake_in(due - now)

    def _send(self, reader: PolledReader) -> None:
        panel = self._panel
        if panel is None or reader.stale:
            return
        while reader.queue and panel.submit(reader.offset, reader.queue[0]):
            reader.queue.popleft()
            reader.unanswered += 2 if self._channel.waiting else 1  # a poll under way answers first
        if not self._channel.waiting:
            self._wake_in(0)

    def _wake_in(self, seconds: float) -> None:
        if self._wake is not None:
            self._wake.cancel()
        self._wake = self._loop.call_later(seconds, self._pump) if self._loop else None

    # --- what readers say ---

    def _report(self, report: RawEvent, now: float) -> None:
        reader = self._readers[report.offset]
        if reports.is_status(report.fields):
            for change in reports.status(reader, report.fields, now) if report.secure else ():
                self._publish(change)
        elif reports.is_read(report.fields):
            if not report.secure:
                self.insecure_reads += 1
            elif reader.stale:
                self.stale_reads += 1
                self._publish(events.StaleReadDropped(reader.config.name, now))
            elif (read := reports.read(reader.config.name, report.fields, now)) is None:
                self._refuse(reader, Forged.MALFORMED, now)
            else:
                self._publish(read)

    def _drained(self, mask: int, now: float) -> None:
        for reader in self._readers:
            if not (mask >> reader.offset & 1 and reader.nothing_to_say()):
                continue
            if not reader.online:
                self._came_online(reader, now)
            if reader.queue:
                self._send(reader)

    def _came_online(self, reader: PolledReader, now: float) -> None:
        reader.online, reader.refuses_key = True, False
        self._port.steady()
        took = reader.keys.settle()
        if took is not None:
            name = reader.config.name
            self._publish(events.KeySet(name, reader.keys.in_use, now) if took else events.KeyKept(name, now))
        if reader.reported_online is not True:
            reader.reported_online = True
            self._publish(events.ReaderOnline(reader.config.name, now))
        if reader.lasting is not None:
            reader.queue.extend(commands(reader.lasting))

    # --- silence and healing ---

    def _watch(self) -> None:
        if self._loop is None:
            return
        self._watcher = self._loop.call_later(WATCH_S, self._watch)
        now = self._clock()
        if now - self._watch_due > WATCH_S:
            # The loop was blocked and read nothing: that is no silence of the readers.
            for reader in self._readers:
                reader.listened_from = now
        self._watch_due = now + WATCH_S
        panel = self._panel
        if panel is not None:
            secure = panel.secure()
            for reader in self._readers:
                if self._panel is panel:  # else every reader has just begun a new handshake
                    self._heal(panel, reader, now, secure=bool(secure >> reader.offset & 1))
        self._watch_line(now)

    def _heal(self, panel: Panel, reader: PolledReader, now: float, *, secure: bool) -> None:
        silent = reader.silent(now)
        if reader.rejectable and panel.parked(reader.offset):
            reader.rejectable, reader.refuses_key = False, True  # libosdp gave it up for what it answered
        elif silent:
            reader.refuses_key = False
        lost = reader.online and not secure and not silent
        if silent:
            self._go_offline(reader, OfflineReason.SILENT, now)
        elif lost or (not secure and reader.away_too_long(now)):
            self._go_offline(reader, OfflineReason.NO_SECURE_CHANNEL, now)
        if reader.resting:
            if now >= reader.rest_until and not panel.enabled(reader.offset):
                if reader.answered_before and reader.keys.swap(now):
                    self._make_panel(now)
                else:
                    reader.tried(now)
                    panel.enable(reader.offset)
                self._pump()
            return
        if silent or lost or (not secure and (panel.parked(reader.offset) or reader.gives_up(now))):
            shared = any(other.online for other in self._readers)
            reader.rest(now, silent=silent, shared=shared, lost=lost)
            panel.disable(reader.offset)
            self._pump()

    def _go_offline(self, reader: PolledReader, reason: OfflineReason, now: float) -> None:
        reader.online, reader.stale = False, True
        if reader.reported_online is not False:
            reader.reported_online = False
            self._publish(events.ReaderOffline(reader.config.name, reason, now))

    def _watch_line(self, now: float) -> None:
        if self._silent_since is None:
            if all(reader.silent(now) for reader in self._readers):
                self._silent_since = now
                self._publish(events.LineSilent(self.name, now))
        elif any(reader.heard_at > self._silent_since for reader in self._readers):
            # Nothing less restores it: a loop that was blocked makes no silent reader speak.
            self._silent_since = None
            self._publish(events.LineRestored(self.name, now))

    def _publish(self, event: OsdpEvent) -> None:
        if self._loop is None:
            return  # the owner stopped the bus from within another event
        try:
            self._on_event(event)
        except Exception:  # noqa: BLE001 - the line must go on whatever the owner does with an event
            _log.error("bus %s: the owner failed on %r", self.name, event, exc_info=True)
