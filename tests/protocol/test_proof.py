import msgspec
import pytest

from protocol.messages import Evidence
from protocol.proof import FRESH_MS, proves_secure
from protocol.words import Bolt, Contact

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
