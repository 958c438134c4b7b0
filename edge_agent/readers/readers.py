"""The readers of an agent as its doors know them, of all families: what they report, and what they show.

Cards and keys are not judged here.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from drivers.osdp import (
    KeyKept,
    KeySet,
    LineRestored,
    LineSilent,
    OsdpBus,
    OsdpEvent,
    PortDown,
    PortUp,
    PowerFault,
    ReaderOffline,
    ReaderOnline,
    ReplyRefused,
    StaleReadDropped,
    Tamper,
)
from drivers.readers import CardRead, KeyPress, ReaderEvent, ReadRefused, RefusalReason, Show
from drivers.timed_outputs import Timer
from drivers.wiegand import EdgeSource
from edge_agent.agent_yaml.agent_file import AgentFile
from edge_agent.doors.doors import Doors
from edge_agent.events.journal import Journal
from edge_agent.readers.drivers import ReaderDrivers
from ground.reporter import Reporter
from protocol.words import Alarm, Denial, EventKind

log = logging.getLogger(__name__)

_MOST_LOGGED = 100
"""Lines about refused reads in one run: noise has many lengths."""


class Readers(Reporter[ReaderEvent | ReplyRefused]):
    """All readers of an agent; reports what they read and refused. Make it and call it on the loop.
    Raises what `ReaderDrivers` raises."""

    def __init__(
        self,
        config: AgentFile,
        *,
        doors: Doors,
        journal: Journal,
        pin_factory: Any,
        edges: EdgeSource | None = None,
    ) -> None:
        super().__init__()
        self._unkeyed = config.unkeyed
        self._doors = doors
        self._journal = journal
        self._pin_factory = pin_factory
        self._on_line = {line.device: [one.reader for one in line.readers] for line in config.reader_lines}
        self._door_of = {one.reader: one.door for one in config.readers}
        self._logged: set[tuple[str, RefusalReason, int | None]] = set()
        self.drivers = ReaderDrivers(config, on_event=self._on_event, on_failed=self._failed, edges=edges)

    @property
    def buses(self) -> Mapping[str, OsdpBus]:
        """OSDP reader name -> the bus it is on."""
        return self.drivers.osdp.buses

    def start(self, timer: Timer) -> None:
        """Open lines, ports and pins. ``timer`` ends what lamps and buzzers show."""
        self.drivers.start()
        self.drivers.light(self._pin_factory, timer)
        for each in self._unkeyed:
            log.error(
                "reader %s is offline until its key is mended and the agent restarted: %s", each.reader, each.problem
            )
            data = {"reader": each.reader, "reason": "key_file"}
            self._journal.add(EventKind.READER_OFFLINE, data, door=each.door)
            self._doors.set_alarm(each.door, Alarm.READER_OFFLINE, on=True, source={"reader": each.reader})

    def stop(self) -> None:
        self.drivers.stop()

    def show(self, reader: str, what: Show) -> None:
        self.drivers.show(reader, what)

    def rotate_key(self, reader: str, door: str) -> str | None:
        """Begin to give an OSDP reader of a door a new key; READER_KEY_SET or READER_KEY_KEPT says how it ended.

        Returns why it cannot be begun, or None.
        """
        return self.drivers.osdp.rotate_key(reader, door)

    # --- what the readers report ---------------------------------------------------------------------------------

    def _on_event(self, event: OsdpEvent | ReaderEvent) -> None:
        match event:
            case CardRead() | KeyPress() | ReplyRefused():
                self._report(event)
            case ReadRefused(reader, reason, _, bits):
                self._log_refusal(reader, reason, bits)
                self._report(event)
            case StaleReadDropped(reader):
                self._note(reader, EventKind.ACCESS_DENIED, {"reason": Denial.READ_TOO_OLD, "cardholder": None})
            case KeySet(reader):
                self.drivers.osdp.keep_key(event)
                self._note(reader, EventKind.READER_KEY_SET, {})
            case KeyKept(reader):
                self.drivers.osdp.keep_key(event)
                self._note(reader, EventKind.READER_KEY_KEPT, {})
            case _:
                self._on_condition(event)

    def _on_condition(self, event: OsdpEvent | ReaderEvent) -> None:
        match event:
            case ReaderOnline(reader):
                self._online(reader)
            case ReaderOffline(reader, reason):
                self._offline(reader, reason)
            case Tamper(reader, tampered):
                self._alarm(reader, Alarm.TAMPER, on=tampered)
            case PowerFault(reader, failed):
                self._alarm(reader, Alarm.READER_POWER, on=failed)
            case LineSilent(line) | LineRestored(line):
                for reader in self._on_line[line]:
                    self._alarm(reader, Alarm.LINE_SILENT, on=isinstance(event, LineSilent))
            # A serial reader's line bears the reader's own name; an OSDP line's readers go offline each by itself.
            case PortDown(line, error):
                log.error("%s: the serial port is down: %s", line, error)
                if line in self._door_of:
                    self._offline(line, "port")
            case PortUp(line):
                log.info("%s: the serial port is open", line)
                if line in self._door_of:
                    self._online(line)

    def _failed(self, reader: str, error: str) -> None:
        log.error("reader %s cannot be used: %s", reader, error)
        self._offline(reader, error)

    def _online(self, reader: str) -> None:
        self._note(reader, EventKind.READER_ONLINE, {})
        self._alarm(reader, Alarm.READER_OFFLINE, on=False)

    def _offline(self, reader: str, reason: str) -> None:
        self._note(reader, EventKind.READER_OFFLINE, {"reason": reason})
        self._alarm(reader, Alarm.READER_OFFLINE, on=True)

    def _log_refusal(self, reader: str, reason: RefusalReason, bits: int | None) -> None:
        """Once for each kind: an installer finds the length of a school's cards here."""
        if len(self._logged) < _MOST_LOGGED and (reader, reason, bits) not in self._logged:
            self._logged.add((reader, reason, bits))
            what = "a read" if bits is None else f"a frame of {bits} bits"
            log.warning("reader %s: %s refused (%s); more of this kind are only counted", reader, what, reason)

    def _note(self, reader: str, kind: EventKind, data: Mapping[str, Any]) -> None:
        self._journal.add(kind, {"reader": reader, **data}, door=self._door_of[reader])

    def _alarm(self, reader: str, alarm: Alarm, *, on: bool) -> None:
        self._doors.set_alarm(self._door_of[reader], alarm, on=on, source={"reader": reader})
