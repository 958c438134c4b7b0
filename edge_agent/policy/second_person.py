"""The two-person rule: a door opens for two people who show their badges within seconds, never for one.

Pure. Both must have the right to pass. Two badges of one cardholder are one person.
"""

from dataclasses import dataclass

from protocol.messages import DoorSettings


@dataclass(frozen=True, slots=True)
class Waiting:
    """The first of two people, who waits for the second until ``until_ms`` (monotonic, exclusive)."""

    cardholder: str
    reader: str
    until_ms: int
    member: bool = False  # of the group that must come first at this door


def arrive(
    waiting: Waiting | None, door: DoorSettings, cardholder: str, reader: str, now_ms: int, *, member: bool = False
) -> tuple[Waiting | None, Waiting | None]:
    """Somebody with the right to pass arrives. Who waits now; and if the door may open, who has waited until now."""
    if waiting is not None and now_ms < waiting.until_ms and waiting.cardholder != cardholder:
        return None, waiting
    return Waiting(cardholder, reader, now_ms + door.two_person_ms, member), None
