"""One RS-485 line with its OSDP readers, driven from the asyncio loop.

It keeps the secure channels up, passes on what readers report, and shows what they should show. It does not
know cardholders or doors, and does not provision keys.

Timing. libosdp polls each reader every 51 ms. Instead of ticking, the bus sleeps until a poll is due or a
whole frame has arrived, and then steps libosdp until it has nothing more to do. Card at the reader to
`on_event`, p50/p99, and the process's share of a core while idle, two readers on one line, pty at wire speed:

    115200 baud: this 30/69 ms, 0.8 %; fixed ticks of 5, 10, 15, 20 ms 35/66, 42/71, 51/90, 58/98 ms
                 at 1.6, 1.6, 1.2, 0.9 %
      9600 baud: this 76/120 ms, 0.6 % (the wire itself takes 60 ms of each round)
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence

import osdp_sys

from drivers.osdp import events
from drivers.osdp.config import OsdpReaderConfig, check_bus
from drivers.osdp.events import OfflineReason, OsdpEvent
from drivers.osdp.indication import LASTING, Indication, commands
from drivers.osdp.panel import Channel, Panel, RawEvent
from drivers.osdp.port import FrameScanner, Line
from drivers.osdp.reader import HANDSHAKE_S, ReaderState

_log = logging.getLogger(__name__)

POLL_S = 0.0515
"""libosdp sends a poll once more than 50 whole milliseconds have passed since the last reply."""

COALESCE_S = 0.005
"""Polls due this close together share one wake-up."""

STEP_S = 0.050
"""libosdp is stepped at least this often whatever happens: its time-outs count in steps."""

WATCH_S = 0.25
"""How often silence and healing are looked at."""

QUIET_STEPS = 2
"""libosdp spends up to two steps without a byte moving between a reply and the next command."""

MAX_STEPS = 32
"""Bound of one pump, many times what any exchange needs."""

MAX_READ_AGE_S = 1.0
REOPEN_MIN_S = 0.25
REOPEN_MAX_S = 5.0

_LSTAT_BYTES = 2  # tamper, power (IEC 60839-11-5, LSTATR)
_KEYS = str.maketrans({"\x7f": "*", "\r": "#"})


class OsdpBus:
    """One line and its readers.

    `open_line` opens the port (`lambda: open_serial("/dev/ttyAMA0", 9600)`) and is called again after a
    failure. `on_event` is always called on the loop, never from within libosdp. `max_read_age_s`: a card or
    key that may have waited at the reader longer is dropped and counted. Raises WeakKey or ValueError.
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
        self._open_line = open_line
        self._on_event = on_event
        self._max_read_age_s = max_read_age_s
        self._clock = clock
        self._readers = [ReaderState(config, n, 0.0, 0.0, 0.0) for n, config in enumerate(readers)]
        self._by_name = {reader.config.name: reader for reader in self._readers}
        self._by_address = {reader.config.address: reader for reader in self._readers}
        self._channel = Channel()
        self._scanner = FrameScanner()
        self._panel: Panel | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._wake: asyncio.TimerHandle | None = None
        self._watcher: asyncio.TimerHandle | None = None
        self._watch_due = 0.0
        self._reopen: asyncio.TimerHandle | None = None
        self._reopen_s = REOPEN_MIN_S
        self._port_told: bool | None = None
        self._silent_told = False

    def start(self) -> None:
        """Open the port and begin. Call on the running loop. A port that fails is tried again, not raised."""
        if self._loop is not None:
            raise RuntimeError(f"bus {self.name} is already started")
        self._loop = asyncio.get_running_loop()
        self._open()
        self._watch_due = self._clock() + WATCH_S
        self._watcher = self._loop.call_later(WATCH_S, self._watch)

    def stop(self) -> None:
        """Close the port. No event comes after it. May be started again."""
        for handle in (self._wake, self._watcher, self._reopen):
            if handle is not None:
                handle.cancel()
        self._wake = self._watcher = self._reopen = None
        self._close()
        self._loop = None
        self._port_told = None
        self._silent_told = False
        for reader in self._readers:
            reader.forget()

    def online(self, reader: str) -> bool:
        """Whether the reader's secure channel is up and its reads are acted upon. KeyError if unknown."""
        return self._by_name[reader].online

    def indicate(self, reader: str, indication: Indication) -> bool:
        """Show `indication`. KeyError if the reader is unknown.

        IDLE and LOCKDOWN are remembered and shown again whenever the reader comes online; the others are
        dropped (False) while it is offline: a grant shown late would be a lie.
        """
        state = self._by_name[reader]
        if indication in LASTING:
            state.lasting = indication
        if not state.online:
            return False
        state.queue.extend(commands(indication))
        self._send(state)
        return True

    # --- the port ---

    def _open(self) -> None:
        if self._loop is None:
            return
        now = self._clock()
        try:
            line = self._open_line()
        except Exception as error:  # noqa: BLE001 - a vanishing adapter raises termios.error, which is no OSError
            self._tell_port(up=False, error=str(error))
            self._reopen = self._loop.call_later(self._reopen_s, self._open)
            self._reopen_s = min(self._reopen_s * 2, REOPEN_MAX_S)
            return
        self._channel = Channel()
        self._channel.line = line
        self._scanner.clear()
        for reader in self._readers:
            reader.listened_from = now
            reader.stale = True
            reader.tried(now)
        self._panel = Panel([reader.config for reader in self._readers], self._channel)
        self._loop.add_reader(line.fileno(), self._readable)
        self._tell_port(up=True)
        self._pump()

    def _close(self) -> None:
        if self._wake is not None:
            self._wake.cancel()
            self._wake = None
        line, self._channel.line = self._channel.line, None
        if line is not None:
            # Before closing: a descriptor that hung up stays readable and would spin the loop.
            if self._loop is not None:
                self._loop.remove_reader(line.fileno())
            line.close()
        if self._panel is not None:
            self._panel.close()
            self._panel = None

    def _lost(self, error: str) -> None:
        self._close()
        now = self._clock()
        for reader in self._readers:
            reader.queue.clear()
            self._go_offline(reader, OfflineReason.PORT, now)
        self._tell_port(up=False, error=error)
        if self._loop is not None:
            self._reopen = self._loop.call_later(self._reopen_s, self._open)
            self._reopen_s = min(self._reopen_s * 2, REOPEN_MAX_S)

    def _tell_port(self, *, up: bool, error: str = "") -> None:
        if up == self._port_told:
            return
        self._port_told = up
        now = self._clock()
        self._tell(events.PortUp(self.name, now) if up else events.PortDown(self.name, error, now))

    # --- bytes and steps ---

    def _readable(self) -> None:
        line = self._channel.line
        if line is None:
            return
        try:
            data = line.read()
        except OSError as error:
            self._lost(str(error))
            return
        if not data:
            if line.hung_up():
                self._lost("the port hung up")
            return
        self._channel.received += data
        addresses = self._scanner.feed(data)
        now = self._clock()
        spoke = 0
        for address in addresses:
            reader = self._by_address.get(address)
            if reader is not None:
                reader.hear(now, self._max_read_age_s)
                spoke |= 1 << reader.offset
        # Half a frame would only cost a step; what never becomes a frame is stepped by the wake-up.
        if addresses or not self._scanner.partial:
            self._pump(spoke)

    def _pump(self, spoke: int = 0) -> None:
        """Step libosdp until it waits; `spoke` masks the readers whose replies just arrived."""
        panel, channel = self._panel, self._channel
        if panel is None:
            return
        secure_before = panel.secure()
        reports: list[RawEvent] = []
        quiet = 0
        for _ in range(MAX_STEPS):
            channel.moved = False
            reports += panel.refresh()
            quiet = 0 if channel.moved else quiet + 1
            if quiet >= QUIET_STEPS or (channel.waiting and not channel.received):
                break
        if channel.error is not None:
            self._lost(str(channel.error))
            return
        now = self._clock()
        self._arm(now)
        for report in reports:
            self._report(report, now)
            spoke &= ~(1 << report.offset)
        # A poll answered with nothing, over a channel that was up before: the reader's queue is empty.
        self._drained(spoke & secure_before & panel.secure(), now)

    def _arm(self, now: float) -> None:
        if self._loop is None:
            return
        due = now + STEP_S
        if not self._channel.waiting:
            heard = [reader.heard_at for reader in self._readers if reader.online]
            if heard:
                due = max(min(max(heard), min(heard) + COALESCE_S) + POLL_S, now + 0.002)
        if self._wake is not None:
            self._wake.cancel()
        self._wake = self._loop.call_later(due - now, self._pump)

    def _send(self, reader: ReaderState) -> None:
        panel = self._panel
        if panel is None or reader.stale:
            return
        while reader.queue and panel.submit(reader.offset, reader.queue[0]):
            reader.queue.popleft()
            reader.unanswered += 2 if self._channel.waiting else 1  # a poll under way answers first
        if self._loop is not None and not self._channel.waiting:
            if self._wake is not None:
                self._wake.cancel()
            self._wake = self._loop.call_later(0, self._pump)

    # --- what readers say ---

    def _report(self, report: RawEvent, now: float) -> None:
        reader = self._readers[report.offset]
        kind = report.fields.get("event")
        if kind == osdp_sys.EVENT_STATUS:
            if report.secure:
                self._status(reader, report.fields, now)
        elif kind in (osdp_sys.EVENT_CARDREAD, osdp_sys.EVENT_KEYPRESS):
            if not report.secure:
                self.insecure_reads += 1
            elif reader.stale:
                self.stale_reads += 1
                self._tell(events.StaleReadDropped(reader.config.name, now))
            else:
                self._tell_read(reader.config.name, report.fields, now)

    def _tell_read(self, name: str, fields: dict[str, object], now: float) -> None:
        data = bytes(fields["data"])  # type: ignore[call-overload]
        event: OsdpEvent
        try:
            if fields["event"] == osdp_sys.EVENT_CARDREAD:
                event = events.CardRead(name, int(fields["length"]), data, now)  # type: ignore[call-overload]
            else:
                event = events.KeyPress(name, data.decode("latin-1").translate(_KEYS), now)
        except (KeyError, ValueError) as error:
            _log.warning("reader %s sent a malformed read: %s", name, error)
            return
        self._tell(event)

    def _status(self, reader: ReaderState, fields: dict[str, object], now: float) -> None:
        report = fields.get("report")
        if fields.get("type") != osdp_sys.STATUS_REPORT_LOCAL or not isinstance(report, bytes):
            return
        if len(report) != _LSTAT_BYTES:
            return
        tampered, failed = bool(report[0]), bool(report[1])
        if tampered != bool(reader.tampered):
            self._tell(events.Tamper(reader.config.name, tampered, now))
        if failed != bool(reader.power_failed):
            self._tell(events.PowerFault(reader.config.name, failed, now))
        reader.tampered, reader.power_failed = tampered, failed

    def _drained(self, mask: int, now: float) -> None:
        if not mask:
            return
        for reader in self._readers:
            if not mask >> reader.offset & 1:
                continue
            if not reader.nothing_to_say():
                continue
            if not reader.online:
                reader.online = True
                reader.offline_told = False
                self._reopen_s = REOPEN_MIN_S
                self._tell(events.ReaderOnline(reader.config.name, now))
                if reader.lasting is not None:
                    reader.queue.extend(commands(reader.lasting))
            if reader.queue:
                self._send(reader)

    # --- silence and healing ---

    def _watch(self) -> None:
        if self._loop is None:
            return
        self._watcher = self._loop.call_later(WATCH_S, self._watch)
        now = self._clock()
        if now - self._watch_due > WATCH_S:
            # The loop was blocked: nobody listened, so nothing can be said about silence.
            for reader in self._readers:
                reader.listened_from = now
        self._watch_due = now + WATCH_S
        panel = self._panel
        if panel is not None:
            secure = panel.secure()
            for reader in self._readers:
                self._heal(panel, reader, now, secure=bool(secure >> reader.offset & 1))
        self._watch_line(now)

    def _heal(self, panel: Panel, reader: ReaderState, now: float, *, secure: bool) -> None:
        if reader.resting:
            if now >= reader.rest_until and not panel.enabled(reader.offset):
                reader.tried(now)
                panel.enable(reader.offset)
                self._pump()
            return
        silent = reader.silent(now)
        if silent:
            self._go_offline(reader, OfflineReason.SILENT, now)
        elif not secure and (reader.online or now - reader.tried_at > HANDSHAKE_S):
            self._go_offline(reader, OfflineReason.NO_SECURE_CHANNEL, now)
        if silent or (not secure and reader.gives_up(now)):
            reader.rest(now, silent=silent, shared=any(other.online for other in self._readers))
            panel.disable(reader.offset)
            self._pump()

    def _go_offline(self, reader: ReaderState, reason: OfflineReason, now: float) -> None:
        was_told, reader.offline_told = reader.offline_told, True
        if reader.online or not was_told:
            reader.online = False
            reader.stale = True
            self._tell(events.ReaderOffline(reader.config.name, reason, now))

    def _watch_line(self, now: float) -> None:
        silent = all(reader.silent(now) for reader in self._readers)
        if silent == self._silent_told:
            return
        self._silent_told = silent
        if silent:
            self._tell(events.LineSilent(self.name, now))
        else:
            self._tell(events.LineRestored(self.name, now))

    def _tell(self, event: OsdpEvent) -> None:
        if self._loop is None:
            return  # the owner stopped the bus while it was being told something else
        try:
            self._on_event(event)
        except Exception:  # noqa: BLE001 - the line must go on whatever the owner does with an event
            _log.error("bus %s: the owner failed on %r", self.name, event, exc_info=True)
