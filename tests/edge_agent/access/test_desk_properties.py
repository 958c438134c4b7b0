"""Whatever people do at two doors, in whatever order: some things never happen."""

import tempfile
from collections.abc import Callable
from pathlib import Path

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.messages import DoorSettings
from protocol.words import Contact, DoorMode, EventKind, Identification, Passback
from tests.support.badge_desk import Desk, person

Act = Callable[[Desk], object]

READERS = st.sampled_from(["front-in", "front-out", "back-in", "back-out"])
DOORS = st.sampled_from(["front", "back"])
TIMES = st.sampled_from([0, 1, 500, 4_999, 5_000, 9_999, 10_000, 60_000])


def swipe(number: int, reader: str) -> Act:
    return lambda desk: desk.swipe(number, reader)


def open_if_it_gives(door: str) -> Act:
    """People pull; a locked door does not give. Request to exit is not among these acts."""
    return lambda desk: desk.open(door) if desk.released(door) else None


ACTS = st.one_of(
    st.builds(swipe, st.integers(1, 3), READERS),
    st.builds(open_if_it_gives, DOORS),
    st.builds(lambda door: lambda desk: desk.close(door), DOORS),
    st.builds(lambda ms: lambda desk: desk.later(ms), TIMES),
    st.builds(lambda on: lambda desk: desk.secure(on=on), st.booleans()),
)


def desk_of(folder: str, *, both: dict[str, object]) -> Desk:
    people = [person(n, pin="4711", duress="4712") for n in (1, 2)]
    desk = Desk(Path(folder), *people, person(3, pin="4711", override=False))
    desk.change(doors={name: DoorSettings(door=name, name=name, **both) for name in desk.states})  # type: ignore[arg-type]
    return desk


@settings(max_examples=25, deadline=None)
@given(st.lists(ACTS, max_size=40))
def test_two_interlocked_doors_are_never_both_released_or_one_released_while_the_other_is_open(
    acts: list[Act],
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        desk = desk_of(folder, both={"interlock": "vestibule"})
        for act in acts:
            act(desk)
            opened = [name for name, state in desk.states.items() if state.contact is Contact.OPEN]
            released = [name for name in desk.states if desk.released(name)]
            assert len(set(opened) | set(released)) <= 1
        desk.presence.close()


@settings(max_examples=25, deadline=None)
@given(st.lists(ACTS, max_size=40))
def test_a_secured_door_without_responders_is_never_released(acts: list[Act]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        desk = desk_of(folder, both={"area_to": "gym", "passback": Passback.HARD, "two_person": True})
        for act in acts:
            act(desk)
            for name, state in desk.states.items():
                assert not (state.mode is DoorMode.SECURED and desk.released(name))
        for granted in desk.of(EventKind.ACCESS_GRANTED):
            assert granted["with"] not in ([], [granted["cardholder"]])
        desk.presence.close()


KEYS = st.one_of(
    st.tuples(st.just("card"), st.integers(1, 2), READERS),
    st.tuples(st.just("pin"), st.just(0), READERS),
    st.tuples(st.just("wrong"), st.just(0), READERS),
    st.tuples(st.just("later"), TIMES, st.just("")),
    st.tuples(st.just("walk"), st.just(0), READERS),
)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(KEYS, max_size=25),
    st.builds(
        dict,
        two_person=st.booleans(),
        area_to=st.sampled_from([None, "gym"]),
        passback=st.sampled_from(Passback),
        first_person_group=st.sampled_from([None, "staff"]),
    ),
)
def test_nobody_at_the_doors_can_tell_a_duress_pin_from_the_plain_one(
    script: list[tuple[str, int, str]], rules: dict[str, object]
) -> None:
    seen = []
    for right in ("4711#", "4712#"):
        with tempfile.TemporaryDirectory() as folder:
            desk = desk_of(folder, both=rules | {"identification": Identification.CARD_AND_PIN})
            for act, number, reader in script:
                if act == "card":
                    desk.swipe(number, reader)
                elif act in {"pin", "wrong"}:
                    desk.keys(right if act == "pin" else "0000#", reader)
                elif act == "later":
                    desk.later(number)
                else:
                    desk.walk_through(reader.split("-", maxsplit=1)[0])
            positions = [desk.presence.position(f"ch-{number}") for number in (1, 2, 3)]
            told = [event for event in desk.events if event[0] != EventKind.DURESS]
            seen.append((desk.shown, desk.states, positions, msgspec.json.encode(told)))
            desk.presence.close()
    assert seen[0] == seen[1]
