"""Interlock: of the doors of a vestibule, a badge opens one only while all the others are closed and locked.

Pure. It bears on grants alone: a lock is never kept from locking, nor anybody from leaving.
"""

from collections.abc import Iterable

from edge_agent.doors.state import DoorState
from protocol.proof import FRESH_MS
from protocol.words import Condition, Contact


def free(others: Iterable[DoorState], now_ms: int) -> bool:
    """Whether fresh evidence proves every other door secure: closed, its bolt thrown where one is fitted. One that is
    shut upon its latch, or has not latched yet, opens at a push.
    """
    return all(
        not other.released
        and other.condition is Condition.SECURE
        and other.contact is Contact.CLOSED
        and other.tampered is False
        and other.sensed_at_ms is not None
        and now_ms - other.sensed_at_ms <= FRESH_MS
        for other in others
    )
