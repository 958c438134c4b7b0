"""PINs at the door: with a card and without, wrong ones, late ones, and the one that calls for help."""

from pathlib import Path

import pytest

from drivers.readers import Show
from edge_agent.access.pin_entry import after_card, press
from edge_agent.policy.credentials import MemoryCredentials
from protocol.messages import PinPolicy
from protocol.words import EventKind, Identification
from tests.support.attempts import but
from tests.support.badge_desk import Desk, person, pin_person

AND_PIN = Identification.CARD_AND_PIN


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """A door for card and PIN, and two people: 1 has PIN 4711 and duress PIN 4712, 2 has PIN 9000."""
    return Desk(tmp_path, person(1, pin="4711", duress="4712"), person(2, pin="9000"), identification=AND_PIN)


def test_a_card_and_then_its_pin_open_the_door(desk: Desk) -> None:
    assert desk.swipe(1) is Show.ENTER_PIN
    assert not desk.released()
    assert desk.keys("47") is Show.ENTER_PIN
    assert desk.keys("11#") is Show.GRANTED
    assert desk.released()
    assert desk.of(EventKind.ACCESS_GRANTED) == [
        {"reader": "front-in", "cardholder": "ch-1", "override": False, "shown": "card_and_pin"}
    ]


def test_a_card_that_would_be_denied_anyhow_is_denied_at_once(desk: Desk) -> None:
    assert desk.swipe(3) is Show.DENIED
    desk.secure()
    assert desk.swipe(1) is Show.DENIED
    assert desk.reasons() == ["unknown_credential", "door_secured"]


def test_a_pin_of_somebody_else_is_wrong(desk: Desk) -> None:
    desk.swipe(1)
    assert desk.keys("9000#") is Show.DENIED
    assert desk.reasons() == ["wrong_pin"]
    assert not desk.released()


@pytest.mark.parametrize("entered", ["471#", "471100000#", "4711" * 40 + "#", "47119#"])
def test_too_few_and_too_many_digits_are_a_wrong_pin(desk: Desk, entered: str) -> None:
    desk.swipe(1)
    assert desk.keys(entered) is Show.DENIED
    assert desk.reasons() == ["wrong_pin"]


def test_the_star_begins_again(desk: Desk) -> None:
    desk.swipe(1)
    assert desk.keys("99*4711#") is Show.GRANTED


def test_keys_that_no_keypad_has_are_ignored(desk: Desk) -> None:
    desk.swipe(1)
    assert desk.keys("A4\x7f7é11\r#") is Show.GRANTED


def test_a_pin_that_does_not_come_in_time_is_missing(desk: Desk) -> None:
    desk.swipe(1)
    assert desk.desk.due_ms() == desk.now + 10_000
    desk.later(9_999)
    assert desk.reasons() == []
    desk.later(1)
    assert desk.reasons() == ["pin_missing"]
    assert desk.shown[-1] == ("front-in", Show.DENIED)
    desk.keys("4711#")
    assert desk.reasons() == ["pin_missing", "card_missing"]
    assert not desk.released()


def test_pressing_keys_for_ever_does_not_keep_a_card_in_hand(desk: Desk) -> None:
    desk.swipe(1)
    for _ in range(8):
        desk.keys("*1")
        desk.later(5_000)
    assert desk.reasons() == ["pin_missing"]


def test_another_card_ends_the_wait_for_the_first_ones_pin(desk: Desk) -> None:
    desk.swipe(1)
    assert desk.swipe(2) is Show.ENTER_PIN
    assert desk.keys("9000#") is Show.GRANTED
    assert desk.reasons() == ["pin_missing"]
    assert desk.of(EventKind.ACCESS_GRANTED)[0]["cardholder"] == "ch-2"


def test_a_card_held_to_the_reader_is_still_one_card(desk: Desk) -> None:
    assert [desk.swipe(1) for _ in range(5)] == [Show.ENTER_PIN] * 5
    assert desk.reasons() == []
    assert desk.keys("4711#") is Show.GRANTED


def test_keys_that_waited_too_long_are_dropped_with_the_entry_they_belong_to(desk: Desk) -> None:
    desk.swipe(1)
    desk.keys("4711#", age_ms=2_001)
    assert not desk.released()
    assert desk.reasons() == ["pin_missing"]


def test_keys_at_one_reader_do_not_finish_an_entry_at_another(desk: Desk) -> None:
    desk.swipe(1)
    desk.keys("4711#", "front-out")
    assert not desk.released()


def test_a_badge_suspended_while_its_pin_is_entered_stays_out(desk: Desk) -> None:
    desk.swipe(1)
    desk.keys("471")
    desk.change(credentials=MemoryCredentials([person(1, pin="4711", suspended=True)]))
    assert desk.keys("1#") is Show.DENIED
    assert desk.reasons() == ["credential_suspended"]


def test_a_pin_alone_opens_where_that_is_enough_and_nowhere_else(tmp_path: Path) -> None:
    desk = Desk(tmp_path, pin_person("guest", "204060"), identification=Identification.CARD_OR_PIN)
    assert desk.keys("204060#") is Show.GRANTED
    assert desk.of(EventKind.ACCESS_GRANTED)[0]["shown"] == "pin"
    assert not desk.released("back")
    desk.keys("204060#", "back-in")
    assert not desk.released("back"), "a door that asks for a card does not listen to keys"
    assert desk.reasons() == []
    for wrong in ("204061#", "20#", "2040600000#"):
        desk.keys(wrong)
    assert desk.reasons() == ["wrong_pin"] * 3


def test_no_pin_is_ever_written_or_shown_in_a_trace(desk: Desk) -> None:
    for entered in ("4711#", "4712#", "9000#", "1234#"):
        desk.swipe(1)
        desk.keys(entered)
        assert entered[:-1] not in desk.everything()
    entry, _ = press(after_card("f" * 64, 0), "7", 1)
    for key in "31":
        entry, _ = press(entry, key, 1)
    _, entered_pin = press(entry, "#", 1)
    assert "731" not in repr(entry) + repr(entered_pin)
    assert "ffff" not in repr(entry)


# --- wrong PINs -----------------------------------------------------------------------------------------------


def test_after_too_many_wrong_pins_a_reader_rests_for_everybody_and_then_works_again(desk: Desk) -> None:
    for _ in range(5):
        desk.swipe(1)
        desk.keys("0000#")
    assert desk.swipe(2) is Show.DENIED, "another person's card at the same reader"
    assert desk.reasons() == ["wrong_pin"] * 5 + ["reader_locked_out"]
    desk.later(59_999)
    assert desk.swipe(2) is Show.DENIED
    desk.later(1)
    desk.swipe(2)
    assert desk.keys("9000#") is Show.GRANTED


def test_a_card_whose_pin_is_tried_from_reader_to_reader_rests_everywhere(desk: Desk) -> None:
    settings = desk.rules.settings("front")
    desk.change(doors={"front": settings, "back": type(settings)(door="back", name="Back", identification=AND_PIN)})
    for reader in ("front-in", "front-out", "back-in", "back-out", "front-in"):
        desk.swipe(1, reader)
        desk.keys("0000#", reader)
    assert desk.swipe(1, "back-in") is Show.DENIED
    assert desk.reasons()[-1] == "reader_locked_out"
    assert desk.swipe(2, "back-in") is Show.ENTER_PIN, "nobody else is concerned"


def test_a_pin_under_way_when_the_rest_begins_is_not_looked_at(desk: Desk) -> None:
    settings = desk.rules.settings("front")
    desk.change(doors={"front": settings, "back": type(settings)(door="back", name="Back", identification=AND_PIN)})
    desk.swipe(1)
    for _ in range(5):
        desk.swipe(1, "back-in")
        desk.keys("0000#", "back-in")
    assert desk.keys("4711#") is Show.DENIED
    assert desk.reasons()[-1] == "reader_locked_out"


def test_wrong_pins_long_ago_do_not_count(desk: Desk) -> None:
    for _ in range(9):
        desk.swipe(1)
        desk.keys("0000#")
        desk.later(80_000)  # never five within five minutes
    desk.swipe(1)
    assert desk.keys("4711#") is Show.GRANTED


def test_a_reader_at_rest_still_takes_cards_where_a_card_is_enough(tmp_path: Path) -> None:
    desk = Desk(tmp_path, person(1), identification=Identification.CARD_OR_PIN)
    desk.change(pin_policy=PinPolicy(attempts=2))
    for _ in range(3):
        desk.keys("0000#")
    assert desk.reasons() == ["wrong_pin", "wrong_pin", "reader_locked_out"]
    assert desk.swipe(1) is Show.GRANTED


def test_a_right_pin_is_not_looked_at_while_its_reader_rests(tmp_path: Path) -> None:
    desk = Desk(tmp_path, pin_person("guest", "2040"), identification=Identification.PIN)
    desk.change(pin_policy=PinPolicy(attempts=1))
    desk.keys("0000#")
    assert desk.keys("2040#") is Show.DENIED
    desk.later(60_000)
    assert desk.keys("2040#") is Show.GRANTED


def wrong_until_it_rests(desk: Desk, reader: str = "front-in") -> None:
    for _ in range(5):
        desk.swipe(1, reader)
        desk.keys("0000#", reader)


def test_each_rest_within_a_day_is_twice_as_long_up_to_an_hour_and_from_the_third_on_it_is_told(desk: Desk) -> None:
    desk.change(credentials=MemoryCredentials([person(1, pin="4711"), person(2, pin="9000")]))
    for minutes in (1, 2, 4, 8, 16, 32, 60, 60):
        wrong_until_it_rests(desk)
        desk.later(minutes * 60_000 - 1)
        assert desk.swipe(2) is Show.DENIED
        desk.later(1)
        assert desk.swipe(2) is Show.ENTER_PIN
        desk.keys("9000#")
    told = desk.of(EventKind.PIN_GUESSING)
    assert [event["rests"] for event in told if event["cardholder"] is None] == [3, 4, 5, 6, 7, 8]
    assert told[:2] == [
        {"reader": "front-in", "cardholder": None, "rests": 3, "rest_ms": 240_000},
        {"reader": "front-in", "cardholder": "ch-1", "rests": 3, "rest_ms": 240_000},
    ]
    desk.later(24 * 3_600_000)
    wrong_until_it_rests(desk)
    desk.later(60_000)
    assert desk.swipe(2) is Show.ENTER_PIN, "another day"


def test_pins_of_one_card_tried_out_from_reader_to_reader_are_told_with_whose_it_is(desk: Desk) -> None:
    settings = desk.rules.settings("front")
    desk.change(doors={"front": settings, "back": type(settings)(door="back", name="Back", identification=AND_PIN)})
    for _ in range(3):
        for reader in ("front-in", "front-out", "back-in", "back-out", "front-in"):
            desk.swipe(1, reader)
            desk.keys("0000#", reader)
        desk.later(300_000)
    assert [event["cardholder"] for event in desk.of(EventKind.PIN_GUESSING)] == ["ch-1"]


# --- duress ---------------------------------------------------------------------------------------------------


def test_a_duress_pin_shows_and_does_at_the_door_exactly_what_the_plain_one_does(tmp_path: Path) -> None:
    seen = []
    for pin in ("4711", "4712"):
        folder = tmp_path / pin
        desk = Desk(folder, person(1, pin="4711", duress="4712"), identification=AND_PIN)
        desk.swipe(1)
        desk.keys(f"{pin}#")
        granted = desk.of(EventKind.ACCESS_GRANTED, EventKind.LOCK_COMMANDED)
        seen.append((desk.shown, desk.released(), desk.states["front"], granted))
        assert bool(desk.of(EventKind.DURESS)) is (pin == "4712")
    assert seen[0] == seen[1]


def test_a_duress_is_an_alarm_until_an_officer_clears_it_over_every_restart(desk: Desk) -> None:
    desk.swipe(1)
    desk.keys("4712#")
    assert desk.of(EventKind.DURESS) == [{"reader": "front-in", "cardholder": "ch-1", "opened": True}]
    duress = {("front-in", "front", "duress")}
    assert desk.alarms == duress
    desk.later(3_600_000)
    assert desk.alarms == duress
    desk.restart()
    assert desk.alarms == duress
    assert desk.desk.duress.clear("front")
    assert desk.alarms == set()
    desk.restart()
    assert desk.alarms == set()
    assert not desk.desk.duress.clear("front")


def test_a_duress_says_whether_the_door_opened(tmp_path: Path) -> None:
    people = [person(number, pin="4711", duress="4712") for number in (1, 2)]
    desk = Desk(tmp_path, *people, identification=AND_PIN, two_person=True)
    for number in (1, 2):
        desk.swipe(number)
        desk.keys("4712#")
    assert [event["opened"] for event in desk.of(EventKind.DURESS)] == [False, True]


def test_a_duress_card_calls_for_help_though_its_pin_does_not_come(tmp_path: Path) -> None:
    desk = Desk(tmp_path, but(person(1, pin="4711"), duress=True), identification=AND_PIN)
    desk.swipe(1)
    desk.later(10_000)
    assert [event["opened"] for event in desk.of(EventKind.DURESS)] == [False]


def test_somebody_without_a_card_has_a_duress_pin_of_their_own(tmp_path: Path) -> None:
    people = pin_person("guest", "2040"), pin_person("guest", "2041", duress=True)
    desk = Desk(tmp_path, *people, identification=Identification.PIN)
    assert desk.keys("2041#") is Show.GRANTED
    assert desk.of(EventKind.DURESS) == [{"reader": "front-in", "cardholder": "guest", "opened": True}]
