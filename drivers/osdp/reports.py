"""Turns what libosdp reports of a reader into events. Pure; the bus decides which reports count."""

from __future__ import annotations

import logging
from typing import Any

import osdp_sys

from drivers.osdp import events
from drivers.osdp.events import OsdpEvent
from drivers.osdp.reader import PolledReader
from drivers.readers import CardRead, KeyPress

_log = logging.getLogger(__name__)

_LSTAT_BYTES = 2  # tamper, power (IEC 60839-11-5, LSTATR)
_KNOWN_KEYS = "0123456789*#"
_KEYS = str.maketrans({"\x7f": "*", "\r": "#"})


def is_read(fields: dict[str, Any]) -> bool:
    """Whether it is a card or keys."""
    return fields.get("event") in (osdp_sys.EVENT_CARDREAD, osdp_sys.EVENT_KEYPRESS)


def is_status(fields: dict[str, Any]) -> bool:
    """Whether it is a report of the reader's tamper switch and power."""
    return (fields.get("event"), fields.get("type")) == (osdp_sys.EVENT_STATUS, osdp_sys.STATUS_REPORT_LOCAL)


def read(name: str, fields: dict[str, Any], now: float) -> OsdpEvent | None:
    """The card or keys; None, and logged, if they make no sense. Keys that no keypad of ours has are left out."""
    try:
        data = bytes(fields["data"])
        if fields["event"] == osdp_sys.EVENT_CARDREAD:
            return CardRead(name, int(fields["length"]), data, now)
        keys = data.decode("latin-1").translate(_KEYS)
        return KeyPress(name, "".join(key for key in keys if key in _KNOWN_KEYS), now)
    except (KeyError, TypeError, ValueError) as error:
        _log.warning("reader %s sent a malformed read: %s", name, error)
        return None


def status(reader: PolledReader, fields: dict[str, Any], now: float) -> list[OsdpEvent]:
    """What of tamper and power changed, which `reader` then remembers."""
    report = fields.get("report")
    if not isinstance(report, bytes) or len(report) != _LSTAT_BYTES:
        return []
    tampered, failed = bool(report[0]), bool(report[1])
    changed: list[OsdpEvent] = []
    if tampered != bool(reader.tampered):
        changed.append(events.Tamper(reader.config.name, tampered, now))
    if failed != bool(reader.power_failed):
        changed.append(events.PowerFault(reader.config.name, failed, now))
    reader.tampered, reader.power_failed = tampered, failed
    return changed
