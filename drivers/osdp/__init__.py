"""OSDP readers on RS-485 (IEC 60839-11-5), the panel's side, secure channel only.

`OsdpBus` is one line with its readers. Provisioning a reader's key and rotating keys are not done here.
"""

from drivers.osdp.bus import OsdpBus
from drivers.osdp.config import OsdpReaderConfig, WeakKey
from drivers.osdp.events import (
    CardRead,
    KeyPress,
    LineRestored,
    LineSilent,
    OfflineReason,
    OsdpEvent,
    PortDown,
    PortUp,
    PowerFault,
    ReaderOffline,
    ReaderOnline,
    StaleReadDropped,
    Tamper,
)
from drivers.osdp.indication import Indication
from drivers.osdp.port import open_serial

__all__ = [
    "CardRead",
    "Indication",
    "KeyPress",
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
    "StaleReadDropped",
    "Tamper",
    "WeakKey",
    "open_serial",
]
