"""OSDP readers on RS-485 (IEC 60839-11-5), the panel's side, secure channel only.

`OsdpBus` is one line with its readers. A reader's first key is given in `drivers.osdp.provisioning`, which nothing
that runs in service imports.
"""

from drivers.osdp.bus import OsdpBus
from drivers.osdp.config import OsdpReaderConfig, WeakKey
from drivers.osdp.events import (
    KeyKept,
    KeySet,
    LineRestored,
    LineSilent,
    OfflineReason,
    OsdpEvent,
    PowerFault,
    ReaderOffline,
    ReaderOnline,
    ReplyRefused,
    StaleReadDropped,
    Tamper,
)
from drivers.osdp.gate import Forged
from drivers.serial.port import open_serial
from drivers.serial.port_keeper import PortDown, PortUp

__all__ = [
    "Forged",
    "KeyKept",
    "KeySet",
    "LineRestored",
    "LineSilent",
    "OfflineReason",
    "OsdpBus",
    "OsdpEvent",
    "OsdpReaderConfig",
    "PortDown",
    "PortUp",
    "PowerFault",
    "ReaderOffline",
    "ReaderOnline",
    "ReplyRefused",
    "StaleReadDropped",
    "Tamper",
    "WeakKey",
    "open_serial",
]
