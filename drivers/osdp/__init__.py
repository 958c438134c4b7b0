"""OSDP readers on RS-485 (IEC 60839-11-5), the panel's side, secure channel only.

`OsdpBus` is one line with its readers. Provisioning a reader's key and rotating keys are not done here.
"""

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

__all__ = [
    "CardRead",
    "Indication",
    "KeyPress",
    "LineRestored",
    "LineSilent",
    "OfflineReason",
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
]
