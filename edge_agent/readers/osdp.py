"""The OSDP readers: lines built from the wiring, what they read reported, what they show, their keys.

Cards and keys are not judged here.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from drivers.osdp import (
    CardRead,
    Indication,
    KeyKept,
    KeyPress,
    KeySet,
    LineRestored,
    LineSilent,
    OsdpBus,
    OsdpEvent,
    OsdpReaderConfig,
    PortDown,
    PortUp,
    PowerFault,
    ReaderOffline,
    ReaderOnline,
    ReplyRefused,
    StaleReadDropped,
    Tamper,
    open_serial,
)
from edge_agent.access.display import Show
from edge_agent.agent_yaml.wiring import ReaderLine, ReaderWiring, UnkeyedReader
from edge_agent.doors.doors import Doors
from edge_agent.events.journal import Journal
from edge_agent.readers.keys import ReaderKeys
from ground.reporter import Reporter
from protocol.words import Alarm, Denial, EventKind

log = logging.getLogger(__name__)

_INDICATIONS = {show: Indication(show.value) for show in Show}


class Readers(Reporter[CardRead | KeyPress | ReplyRefused]):
    """All OSDP lines of an agent. Make it and call it on the loop. Raises WeakKey for a key it will not use.

    ``unkeyed``: readers of no line, which are offline for want of a key.
    """

    def __init__(
        self,
        lines: tuple[ReaderLine, ...],
        *,
        doors: Doors,
        journal: Journal,
        keys: ReaderKeys,
        unkeyed: tuple[UnkeyedReader, ...] = (),
    ) -> None:
        super().__init__()
        self._unkeyed = unkeyed
        self._doors = doors
        self._journal = journal
        self._keys = keys
        self._wiring: dict[str, ReaderWiring] = {reader.reader: reader for line in lines for reader in line.readers}
        self._lines = {line.device: line for line in lines}
        self.buses: dict[str, OsdpBus] = {}
        """Reader name -> the bus it is on."""
        for line in lines:
            bus = OsdpBus(
                line.device,
                partial(open_serial, line.device, line.baud),
                [self._config(reader) for reader in line.readers],
                on_event=self._on_event,
            )
            self.buses.update({reader.reader: bus for reader in line.readers})

    def start(self) -> None:
        """Open the lines. One that fails is tried again by its driver."""
        for bus in set(self.buses.values()):
            bus.start()
        for each in self._unkeyed:
            log.error(
                "reader %s is offline until its key is mended and the agent restarted: %s", each.reader, each.problem
            )
            data = {"reader": each.reader, "reason": "key_file"}
            self._journal.add(EventKind.READER_OFFLINE, data, door=each.door)
            self._doors.set_alarm(each.door, Alarm.READER_OFFLINE, on=True, source={"reader": each.reader})

    def stop(self) -> None:
        """Close the lines."""
        for bus in set(self.buses.values()):
            bus.stop()

    def show(self, reader: str, what: Show) -> None:
        """Have a reader show it, if it is one of these; dropped while it is offline, but for what lasts."""
        bus = self.buses.get(reader)
        if bus is not None:
            bus.indicate(reader, _INDICATIONS[what])

    def rotate_key(self, reader: str, door: str) -> str | None:
        """Begin to give a reader of a door a new key; READER_KEY_SET or READER_KEY_KEPT tells how it ended.

        Returns why it cannot be begun, or None. The key is on the disk before the reader hears of it.
        """
        wiring = self._wiring.get(reader)
        if wiring is None or wiring.door != door:
            known = sorted(name for name, other in self._wiring.items() if other.door == door)
            return f"door {door} has no OSDP reader {reader!r}; it has: {', '.join(known) or 'none'}"
        bus = self.buses[reader]
        if not bus.may_set_key(reader):
            return f"reader {reader} is offline or is being given a key already; a key goes over its secure channel"
        try:
            key = self._keys.propose(reader)
        except OSError as error:
            return f"the new key cannot be kept ({error.strerror}), so the reader keeps its key"
        if bus.set_key(reader, key):
            return None
        self._keep(self._keys.drop, reader)
        return f"reader {reader} went offline; it keeps its key"

    def _config(self, wiring: ReaderWiring) -> OsdpReaderConfig:
        held = self._keys.load(wiring.reader, wiring.key)
        return OsdpReaderConfig(wiring.reader, wiring.address, held.key, held.candidate)

    # --- what the readers say ---------------------------------------------------------------------------------

    def _on_event(self, event: OsdpEvent) -> None:
        match event:
            case CardRead() | KeyPress() | ReplyRefused():
                self._report(event)
            case StaleReadDropped(reader):
                self._note(reader, EventKind.ACCESS_DENIED, {"reason": Denial.READ_TOO_OLD, "cardholder": None})
            case ReaderOnline() | ReaderOffline() | Tamper() | PowerFault():
                self._on_condition(event)
            case LineSilent(line) | LineRestored(line):
                for wiring in self._lines[line].readers:
                    self._alarm(wiring.reader, Alarm.LINE_SILENT, on=isinstance(event, LineSilent))
            case PortDown(line, error):
                log.error("%s: the serial port is down: %s", line, error)
            case PortUp(line):
                log.info("%s: the serial port is open", line)
            case KeySet() | KeyKept():
                self._on_key(event)

    def _on_condition(self, event: ReaderOnline | ReaderOffline | Tamper | PowerFault) -> None:
        match event:
            case ReaderOnline(reader):
                self._note(reader, EventKind.READER_ONLINE, {})
                self._alarm(reader, Alarm.READER_OFFLINE, on=False)
            case ReaderOffline(reader, reason):
                self._note(reader, EventKind.READER_OFFLINE, {"reason": reason})
                self._alarm(reader, Alarm.READER_OFFLINE, on=True)
            case Tamper(reader, tampered):
                self._alarm(reader, Alarm.TAMPER, on=tampered)
            case PowerFault(reader, failed):
                self._alarm(reader, Alarm.READER_POWER, on=failed)

    def _on_key(self, event: KeySet | KeyKept) -> None:
        match event:
            case KeySet(reader, key):
                self._keep(self._keys.confirm, reader, key)
                self._note(reader, EventKind.READER_KEY_SET, {})
            case KeyKept(reader):
                self._keep(self._keys.drop, reader)
                self._note(reader, EventKind.READER_KEY_KEPT, {})

    def _keep(self, change: Callable[..., None], *arguments: Any) -> None:
        try:
            change(*arguments)
        except OSError:
            # What is on the disk still names both keys, and the reader works with one of them.
            log.exception("the keys of a reader cannot be kept; both are tried at the next start")

    def _note(self, reader: str, kind: EventKind, data: Mapping[str, Any]) -> None:
        self._journal.add(kind, {"reader": reader, **data}, door=self._wiring[reader].door)

    def _alarm(self, reader: str, alarm: Alarm, *, on: bool) -> None:
        self._doors.set_alarm(self._wiring[reader].door, alarm, on=on, source={"reader": reader})
