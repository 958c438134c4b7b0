"""The strictest wins: over all scopes, all sets, and all orders of beginning and ending."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.policy.effective_mode import effective_mode, unknown_actions
from protocol import topics
from protocol.messages import Declaration, DeclarationSet, DoorSettings, Scope
from protocol.topics import TopicKind
from protocol.words import DoorMode, ScopeKind, SrpAction, strictest

SITE = "lincoln-high"
DISTRICT_TOPIC = topics.district_declarations()
SITE_TOPIC = topics.site_declarations(SITE)
EAST_TOPIC = topics.of_agent(TopicKind.DECLARATIONS, SITE, "east")

DISTRICT = Scope(kind=ScopeKind.DISTRICT)
WHOLE_SITE = Scope(kind=ScopeKind.SITE, site=SITE)
FRONT = Scope(kind=ScopeKind.ZONE, site=SITE, zone="front")
MAIN = Scope(kind=ScopeKind.DOOR, site=SITE, door="main-entrance")

OUTSIDE_DOOR = DoorSettings(door="main-entrance", name="Main entrance", zones=("front", "ground"), perimeter=True)
INSIDE_DOOR = DoorSettings(door="room-12", name="Room 12", zones=("back",))


def declaration(id_: str, scope: Scope, action: str = SrpAction.LOCKDOWN) -> Declaration:
    return Declaration(id=id_, action=action, scope=scope, by="console", at_ms=0)


def a_set(topic: str, *declarations: Declaration, ended: tuple[str, ...] = ()) -> DeclarationSet:
    return DeclarationSet(audience=topic, revision=1, declarations=declarations, ended=ended)


def mode_of(settings: DoorSettings, *sets: DeclarationSet, scheduled: DoorMode = DoorMode.UNLOCKED) -> DoorMode:
    return effective_mode(settings, SITE, sets, scheduled)[0]


@pytest.mark.parametrize("scheduled", list(DoorMode))
def test_without_declarations_the_schedule_decides(scheduled: DoorMode) -> None:
    assert effective_mode(OUTSIDE_DOOR, SITE, (), scheduled) == (scheduled, ())


@pytest.mark.parametrize(
    ("scope", "outside", "inside"),
    [
        (DISTRICT, True, True),
        (WHOLE_SITE, True, True),
        (FRONT, True, False),
        (MAIN, True, False),
        (Scope(kind=ScopeKind.SITE, site="roosevelt"), False, False),
        (Scope(kind=ScopeKind.ZONE, site="roosevelt", zone="front"), False, False),
        (Scope(kind=ScopeKind.DOOR, site="roosevelt", door="main-entrance"), False, False),
    ],
)
def test_a_lockdown_secures_the_doors_its_scope_covers(scope: Scope, outside: bool, inside: bool) -> None:
    held = a_set(DISTRICT_TOPIC, declaration("d1", scope))
    for settings, covered in ((OUTSIDE_DOOR, outside), (INSIDE_DOOR, inside)):
        expected = (DoorMode.SECURED, ("d1",)) if covered else (DoorMode.UNLOCKED, ())
        assert effective_mode(settings, SITE, [held], DoorMode.UNLOCKED) == expected


@pytest.mark.parametrize(
    ("action", "outside", "inside"),
    [
        (SrpAction.LOCKDOWN, DoorMode.SECURED, DoorMode.SECURED),
        (SrpAction.SECURE, DoorMode.SECURED, DoorMode.UNLOCKED),
        (SrpAction.HOLD, DoorMode.UNLOCKED, DoorMode.UNLOCKED),
        (SrpAction.EVACUATE, DoorMode.UNLOCKED, DoorMode.UNLOCKED),
        (SrpAction.SHELTER, DoorMode.UNLOCKED, DoorMode.UNLOCKED),
        ("an-action-of-tomorrow", DoorMode.UNLOCKED, DoorMode.UNLOCKED),
    ],
)
def test_every_action_asks_what_it_asks(action: str, outside: DoorMode, inside: DoorMode) -> None:
    held = a_set(SITE_TOPIC, declaration("d1", WHOLE_SITE, action))
    assert mode_of(OUTSIDE_DOOR, held) is outside
    assert mode_of(INSIDE_DOOR, held) is inside


def test_an_evacuation_does_not_loosen_a_lockdown() -> None:
    held = a_set(SITE_TOPIC, declaration("d1", WHOLE_SITE), declaration("d2", WHOLE_SITE, SrpAction.EVACUATE))
    assert effective_mode(OUTSIDE_DOOR, SITE, [held], DoorMode.UNLOCKED) == (DoorMode.SECURED, ("d1",))


def test_an_unknown_action_is_reported() -> None:
    strange = declaration("d1", WHOLE_SITE, "an-action-of-tomorrow")
    assert unknown_actions(SITE, [a_set(SITE_TOPIC, strange, declaration("d2", DISTRICT))]) == (strange,)


def test_what_central_ended_of_an_agents_own_no_longer_holds() -> None:
    own = a_set(EAST_TOPIC, declaration("panic-1", WHOLE_SITE), declaration("panic-2", WHOLE_SITE))
    central = a_set(SITE_TOPIC, ended=("panic-1",))
    assert effective_mode(OUTSIDE_DOOR, SITE, [own, central], DoorMode.UNLOCKED) == (DoorMode.SECURED, ("panic-2",))
    assert mode_of(OUTSIDE_DOOR, own, a_set(DISTRICT_TOPIC, ended=("panic-1", "panic-2"))) is DoorMode.UNLOCKED


def test_ended_does_not_touch_what_central_itself_declares() -> None:
    central = a_set(SITE_TOPIC, declaration("d1", WHOLE_SITE), ended=("d1",))
    assert mode_of(OUTSIDE_DOOR, central) is DoorMode.SECURED


@pytest.mark.parametrize("topic", [EAST_TOPIC, topics.site_declarations("roosevelt")])
def test_nobody_but_the_district_and_the_doors_own_site_ends_anything(topic: str) -> None:
    own = a_set(EAST_TOPIC, declaration("panic-1", WHOLE_SITE))
    assert mode_of(OUTSIDE_DOOR, own, a_set(topic, ended=("panic-1",))) is DoorMode.SECURED


declarations = st.builds(
    declaration,
    st.uuids().map(str),
    st.sampled_from([DISTRICT, WHOLE_SITE, FRONT, MAIN, Scope(kind=ScopeKind.SITE, site="roosevelt")]),
    st.sampled_from([*SrpAction, "an-action-of-tomorrow"]),
)


@given(
    st.lists(st.tuples(st.sampled_from([DISTRICT_TOPIC, SITE_TOPIC, EAST_TOPIC]), declarations), max_size=8),
    st.sampled_from([OUTSIDE_DOOR, INSIDE_DOOR]),
    st.data(),
)
def test_ending_one_never_loosens_what_another_holds(
    active: list[tuple[str, Declaration]], settings: DoorSettings, data: st.DataObject
) -> None:
    """Each alone and all together: a door is as strict as the strictest, in every order of ending."""

    def together(remaining: list[tuple[str, Declaration]], scheduled: DoorMode) -> DoorMode:
        by_topic = [
            a_set(topic, *(each for of, each in remaining if of == topic))
            for topic in (DISTRICT_TOPIC, SITE_TOPIC, EAST_TOPIC)
        ]
        return mode_of(settings, *by_topic, scheduled=scheduled)

    remaining = data.draw(st.permutations(active))
    while True:
        scheduled = data.draw(st.sampled_from(list(DoorMode)))
        alone = [together([each], scheduled) for each in remaining]
        assert together(remaining, scheduled) is strictest(scheduled, *alone)
        if not remaining:
            break
        remaining.pop()


def test_a_zones_lockdown_holds_a_door_whose_zones_nobody_has_told() -> None:
    held = a_set(SITE_TOPIC, declaration("d1", FRONT))
    nowhere = DoorSettings(door="room-12", name="room-12")
    assert effective_mode(nowhere, SITE, [held], DoorMode.CONTROLLED)[0] is DoorMode.CONTROLLED
    unknown = effective_mode(nowhere, SITE, [held], DoorMode.CONTROLLED, zones_known=False)
    assert unknown == (DoorMode.SECURED, ("d1",))
    elsewhere = a_set(SITE_TOPIC, declaration("d2", Scope(kind=ScopeKind.ZONE, site="roosevelt", zone="front")))
    assert effective_mode(nowhere, SITE, [elsewhere], DoorMode.CONTROLLED, zones_known=False)[1] == ()
