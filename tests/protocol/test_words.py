import itertools

import pytest

from protocol.credentials import token
from protocol.words import DoorMode, SrpAction, door_mode_for, strictest


def test_secured_is_stricter_than_controlled_is_stricter_than_unlocked() -> None:
    for modes in itertools.permutations(DoorMode):
        assert strictest(*modes) is DoorMode.SECURED
    assert strictest(DoorMode.UNLOCKED, DoorMode.CONTROLLED) is DoorMode.CONTROLLED
    assert strictest(DoorMode.UNLOCKED) is DoorMode.UNLOCKED


def test_lockdown_secures_every_door_and_secure_the_perimeter() -> None:
    assert door_mode_for("lockdown", perimeter=False) is DoorMode.SECURED
    assert door_mode_for("secure", perimeter=True) is DoorMode.SECURED
    assert door_mode_for("secure", perimeter=False) is None


@pytest.mark.parametrize("action", [*SrpAction, "an-action-of-a-later-version"])
@pytest.mark.parametrize("perimeter", [True, False])
def test_no_action_ever_loosens_a_door(action: str, perimeter: bool) -> None:
    assert door_mode_for(action, perimeter=perimeter) in (None, DoorMode.SECURED)


def test_a_cards_token_depends_on_key_length_and_every_bit() -> None:
    key = bytes(range(32))
    tokens = {
        token(key, 26, b"\x01\x02\x03\x00"),
        token(key, 32, b"\x01\x02\x03\x00"),
        token(key, 26, b"\x01\x02\x03\x40"),
        token(key[::-1], 26, b"\x01\x02\x03\x00"),
    }
    assert len(tokens) == 4
    with pytest.raises(ValueError, match="32 bytes"):
        token(b"short", 26, b"")
