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


class Display(Protocol):
    """The readers of an agent, as far as they can show something."""

    def show(self, reader: str, what: Show) -> None:
        """Have a reader show it; at once, and without waiting for the reader. Ignored by one that cannot."""
