import msgspec
import pytest

from protocol.messages import DoorState, Evidence
from protocol.proof import FRESH_MS, proves_secure, shown_condition
from protocol.words import Bolt, Condition, Contact, DoorMode

PROVEN = Evidence(contact=Contact.CLOSED, bolt=Bolt.THROWN, bolt_fitted=True, age_ms=10, locked_ms=10)


@pytest.mark.parametrize(
    "change",
    [
        {"contact": None},
        {"contact": Contact.OPEN},
        {"bolt": None},
        {"bolt": Bolt.RETRACTED},
        {"age_ms": None},
        {"age_ms": FRESH_MS + 1, "locked_ms": 60_000},
        {"locked_ms": None},
        {"age_ms": 11},  # read before the lock was commanded
    ],
)
def test_each_missing_part_of_the_proof_breaks_it(change: dict[str, object]) -> None:
    assert proves_secure(PROVEN)
    assert not proves_secure(msgspec.structs.replace(PROVEN, **change))


def test_a_door_without_a_bolt_monitor_is_proven_by_its_contact() -> None:
    assert proves_secure(msgspec.structs.replace(PROVEN, bolt=None, bolt_fitted=False))


def test_an_agents_word_alone_never_shows_a_door_secure() -> None:
    stale = msgspec.structs.replace(PROVEN, age_ms=None)
    door = DoorState(door="d", mode=DoorMode.SECURED, condition=Condition.SECURE, released=False, evidence=stale)
    assert shown_condition(door) is Condition.UNKNOWN
    assert shown_condition(msgspec.structs.replace(door, evidence=PROVEN)) is Condition.SECURE
    assert shown_condition(msgspec.structs.replace(door, condition=Condition.JAMMED)) is Condition.JAMMED
