"""What a reader can be asked to show to whoever stands before it, whatever kind of reader it is."""

from enum import StrEnum
from typing import Protocol


class Show(StrEnum):
    """Idle and lockdown last; the others pass by themselves after some seconds."""

    IDLE = "idle"
    LOCKDOWN = "lockdown"
    GRANTED = "granted"  # the same for a duress PIN: whoever forced it must see no difference
    DENIED = "denied"
    ENTER_PIN = "enter_pin"
    SECOND_PERSON = "second_person"
    WARNING = "warning"  # the door has stood open for nearly too long


class ReaderDisplay(Protocol):
    """A family of readers."""

    def show(self, reader: str, what: Show) -> None:
        """Show this at a reader. One it does not have is ignored: it belongs to another family."""
