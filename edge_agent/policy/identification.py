"""What a person must show at a door (card, PIN, either, both), and whether they have. Pure."""

from enum import StrEnum

from protocol.messages import DoorSettings
from protocol.words import Denial, Identification


class Shown(StrEnum):
    """What was shown at the reader. The first three identify; the rest are ways in which they did not."""

    CARD = "card"
    PIN = "pin"  # of somebody without a card
    CARD_AND_PIN = "card_and_pin"
    CARD_AND_DURESS_PIN = "card_and_duress_pin"
    CARD_AND_WRONG_PIN = "card_and_wrong_pin"
    CARD_AND_NO_PIN = "card_and_no_pin"  # the time for it is over
    CARD_AT_REST = "card_at_rest"  # a PIN would be needed, and the reader compares none now
    PIN_AT_REST = "pin_at_rest"
    PIN_FIRST = "pin_first"  # where a card must come first


WITHOUT_CARD = {
    Shown.PIN: Denial.WRONG_PIN,
    Shown.PIN_AT_REST: Denial.READER_LOCKED_OUT,
    Shown.PIN_FIRST: Denial.CARD_MISSING,
}
"""Why no credential was found by what was shown. Everything else is an unknown credential."""

_INCOMPLETE = {
    Shown.CARD_AND_WRONG_PIN: Denial.WRONG_PIN,
    Shown.CARD_AND_NO_PIN: Denial.PIN_MISSING,
    Shown.CARD_AT_REST: Denial.READER_LOCKED_OUT,
}


def takes_keys(door: DoorSettings) -> bool:
    """Whether keys mean anything at this door."""
    return door.identification is not Identification.CARD


def takes_loose_pins(door: DoorSettings) -> bool:
    """Whether a PIN without a card may identify somebody at this door."""
    return door.identification in {Identification.PIN, Identification.CARD_OR_PIN}


def wants_pin(door: DoorSettings, *, card_suffices: bool) -> bool:
    """Whether a PIN must follow a card at this door. ``card_suffices``: its card_only_schedule holds."""
    return door.identification is Identification.CARD_AND_PIN and not card_suffices


def judge(door: DoorSettings, shown: Shown, *, card_suffices: bool) -> Denial | None:
    """What a known person has not shown yet; None: nothing is missing. A card whose PIN is awaited lacks it."""
    if card_suffices or door.identification is Identification.CARD:
        return None if shown is not Shown.PIN or takes_loose_pins(door) else Denial.CARD_MISSING
    if shown in _INCOMPLETE:
        return _INCOMPLETE[shown]
    if shown is Shown.CARD:
        return None if door.identification is Identification.CARD_OR_PIN else Denial.PIN_MISSING
    if shown is Shown.PIN and not takes_loose_pins(door):
        return Denial.CARD_MISSING
    return None
