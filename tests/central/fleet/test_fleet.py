"""What a door may be shown as: secure only on a live, fresh proof (invariant 2)."""

from collections import Counter

import msgspec
import pytest

from central.fleet.state import Changes
from protocol.messages import Evidence, OutboxState, StateSnapshot
from protocol.words import Bolt, Condition, Contact, DoorMode
from tests.central.fleets import OPEN, SECURE, UTC_MS, District, Speaker, door_state


@pytest.fixture
def district() -> District:
    return District()


def test_before_anyone_spoke_every_door_is_unknown(district: District) -> None:
    assert {door.condition for door in district.fleet.doors.values()} == {Condition.UNKNOWN}
    assert district.fleet.totals.conditions[Condition.UNKNOWN] == 3


def test_a_live_fresh_snapshot_shows_a_door_secure(district: District) -> None:
    changes = district.east.say()
    assert district.shown() is Condition.SECURE
    assert [door.door for door in changes.doors] == ["front", "gym"]
    assert changes.presence == [district.fleet.agents["lincoln", "east"]]
    assert district.door().since_ms == UTC_MS + district.clock.ms
    assert district.door().proof_ms == district.clock.ms - 100


def test_a_retained_snapshot_is_remembered_and_never_shown_secure(district: District) -> None:
    district.east.deliver(district.east.snapshot(), retained=True)
    assert district.shown() is Condition.UNKNOWN
    assert district.door().mode is DoorMode.CONTROLLED
    assert not district.door().agent.alive
    district.east.say()
    assert district.shown() is Condition.SECURE


def test_a_retained_snapshot_changes_nothing_of_a_living_agent(district: District) -> None:
    old = district.east.snapshot(door_state(condition=Condition.OPEN, evidence=OPEN))
    district.east.say()
    assert not district.east.deliver(old, retained=True)
    assert district.shown() is Condition.SECURE


def test_an_agent_that_freezes_is_unknown_after_twelve_seconds_with_all_its_doors(district: District) -> None:
    district.east.say()
    district.west.say()
    district.wait(11_800)
    assert district.shown() is Condition.SECURE
    district.west.say()
    changes = district.wait(201)
    assert district.shown() is Condition.UNKNOWN
    assert district.shown("gym") is Condition.UNKNOWN
    assert district.shown("back") is Condition.SECURE
    assert [agent.agent for agent in changes.presence] == ["east"]
    assert district.door().mode is DoorMode.CONTROLLED  # the last that was told


def test_evidence_grows_old_before_its_agent_is_silent(district: District) -> None:
    district.east.say(door_state(evidence=msgspec.structs.replace(SECURE, age_ms=3_000)), door_state("gym"))
    district.wait(9_001)
    assert district.shown() is Condition.UNKNOWN
    assert district.shown("gym") is Condition.SECURE


def test_a_dead_agents_doors_are_unknown_at_once(district: District) -> None:
    district.east.say()
    district.east.status(online=False, reason="lost")
    assert district.shown() is Condition.UNKNOWN
    assert not district.door().agent.alive


def test_a_death_of_an_older_session_is_ignored(district: District) -> None:
    district.east.say()
    district.east.session, district.east.seq = "s2", 0
    district.east.status(online=True)
    district.east.say()
    assert not district.east.status(online=False, session="s1", reason="lost")
    assert district.shown() is Condition.SECURE


def test_a_snapshot_made_before_the_death_does_not_wake_the_dead(district: District) -> None:
    district.east.say()
    district.wait(5_000)
    district.east.say()
    late = district.east.snapshot()
    district.wait(300)
    district.east.status(online=False, reason="lost")
    district.wait(300)
    district.east.deliver(late)
    assert district.shown() is Condition.UNKNOWN
    district.wait(300)
    district.east.say()  # it has come back, and says so before its status does
    assert district.shown() is Condition.SECURE


def test_an_agent_that_comes_back_with_the_same_session_lives(district: District) -> None:
    district.east.say()
    district.east.status(online=False, reason="lost")
    district.east.status(online=True)
    assert district.shown() is Condition.UNKNOWN  # a status proves no door
    district.east.say()
    assert district.shown() is Condition.SECURE


def test_a_new_session_voids_what_the_old_one_proved(district: District) -> None:
    district.east.say()
    district.east.status(online=True, session="s2")
    assert district.shown() is Condition.UNKNOWN


def test_a_word_of_an_old_session_that_was_under_way_is_ignored(district: District) -> None:
    late = district.east.snapshot()
    district.wait(3_000)
    new = Speaker(district, "east", ("front", "gym"), session="s2")
    new.say(door_state(condition=Condition.OPEN, evidence=OPEN))
    district.east.deliver(late)
    assert district.shown() is Condition.OPEN


def test_a_late_online_of_an_old_session_is_overtaken_by_the_one_that_lives(district: District) -> None:
    new = Speaker(district, "east", ("front", "gym"), session="s2")
    new.say()
    district.east.status(online=True, session="s1")
    assert district.shown() is Condition.UNKNOWN
    district.wait(4_000)
    new.say()
    assert district.shown() is Condition.SECURE


def test_reordered_and_repeated_snapshots_are_ignored(district: District) -> None:
    opened = district.east.snapshot(door_state(condition=Condition.OPEN, evidence=OPEN), door_state("gym"))
    closed = district.east.snapshot()
    district.east.deliver(closed)
    assert not district.east.deliver(opened)
    assert not district.east.deliver(closed)
    assert district.shown() is Condition.SECURE


def test_a_snapshot_that_lay_in_a_queue_proves_nothing(district: District) -> None:
    district.east.say()
    district.wait(4_000)
    queued = district.east.snapshot()
    district.wait(20_000)
    district.east.deliver(queued)
    assert district.shown() is Condition.UNKNOWN
    assert not district.door().agent.alive
    assert district.door().mode is DoorMode.CONTROLLED


def test_delay_counts_as_age_of_evidence_and_of_arrival(district: District) -> None:
    district.east.say()
    district.wait(4_000)
    queued = district.east.snapshot()
    district.wait(7_000)
    district.east.deliver(queued)
    assert district.shown() is Condition.SECURE
    district.wait(4_901)  # 7 s under way and 4.9 s since: the evidence was 0.1 s old at the start
    assert district.shown() is Condition.UNKNOWN


def test_evidence_that_grew_old_under_way_proves_nothing_when_it_comes(district: District) -> None:
    district.east.say()
    district.wait(4_000)
    queued = district.east.snapshot(
        door_state(evidence=msgspec.structs.replace(SECURE, age_ms=2_900)), door_state("gym")
    )
    district.wait(11_000)
    district.east.deliver(queued)
    assert district.shown() is Condition.UNKNOWN
    assert district.shown("gym") is Condition.SECURE


def test_the_first_snapshot_of_a_session_shows_its_delay_by_its_utc(district: District) -> None:
    queued = district.east.snapshot()  # a bridge's leftover looks live, and there is nothing to compare it with
    district.wait(20_000)
    district.east.deliver(queued)
    assert district.shown() is Condition.UNKNOWN


def test_a_steady_delay_of_a_trusted_clock_is_never_taken_for_none(district: District) -> None:
    for _ in range(6):
        queued = district.east.snapshot()
        district.wait(60_000)
        district.east.deliver(queued)
        assert district.shown() is Condition.UNKNOWN
    district.east.say()  # the queue is gone
    assert district.shown() is Condition.SECURE


def test_a_trusted_clock_that_is_ahead_hides_no_delay(district: District) -> None:
    for _ in range(4):
        queued = ahead(district.east.snapshot(), 30_000)
        district.wait(25_000)
        district.east.deliver(queued)
        assert district.shown() is Condition.UNKNOWN


def test_a_pace_settled_without_a_trusted_clock_falls_with_a_trusted_one_that_contradicts_it(
    district: District,
) -> None:
    for trusted, shown in ((False, Condition.UNKNOWN), (False, Condition.SECURE), (True, Condition.UNKNOWN)):
        district.east.clock_trusted = trusted
        queued = district.east.snapshot()
        district.wait(60_000)
        district.east.deliver(queued)
        assert district.shown() is shown


def test_a_pace_confirmed_once_outlasts_a_step_of_the_clock(district: District) -> None:
    for _ in range(2):
        district.east.say()
        district.wait(4_000)
    district.east.deliver(ahead(district.east.snapshot(), 90_000))
    assert district.shown() is Condition.SECURE


def ahead(snapshot: StateSnapshot, ms: int) -> StateSnapshot:
    """The same, by a clock that is ahead."""
    at = msgspec.structs.replace(snapshot.at, utc_ns=snapshot.at.utc_ns + ms * 1_000_000)
    return msgspec.structs.replace(snapshot, at=at)


def test_without_a_trusted_clock_the_second_snapshot_is_the_first_that_proves(district: District) -> None:
    district.east.clock_trusted = False
    district.east.say()
    assert district.shown() is Condition.UNKNOWN
    assert district.door().mode is DoorMode.CONTROLLED
    district.wait(4_000)
    district.east.say()
    assert district.shown() is Condition.SECURE


def test_a_burst_out_of_a_queue_proves_nothing_without_a_trusted_clock(district: District) -> None:
    district.east.clock_trusted = False
    queued = []
    for _ in range(3):
        queued.append(district.east.snapshot())
        district.wait(4_000)
    district.wait(20_000)
    for snapshot in queued:
        district.east.deliver(snapshot)
        district.clock.ms += 2
    assert district.shown() is Condition.UNKNOWN


def test_a_clock_that_runs_off_slowly_is_not_taken_for_delay(district: District) -> None:
    for _ in range(2_000):
        district.wait(4_000)
        district.east.clock_began_ms = 900_000 + int((district.clock.ms - 1_000_000) * 150e-6)  # 150 ppm too slow
        district.east.say()
        assert district.shown() is Condition.SECURE
    assert district.door().proof_ms is not None
    assert district.clock.ms - district.door().proof_ms < 200


@pytest.mark.parametrize(
    "evidence",
    [
        msgspec.structs.replace(SECURE, contact=None),
        msgspec.structs.replace(SECURE, contact=Contact.OPEN),
        msgspec.structs.replace(SECURE, bolt=Bolt.RETRACTED),
        msgspec.structs.replace(SECURE, bolt=None),
        msgspec.structs.replace(SECURE, age_ms=None),
        msgspec.structs.replace(SECURE, age_ms=3_001),
        msgspec.structs.replace(SECURE, locked_ms=None),
        msgspec.structs.replace(SECURE, locked_ms=99),
    ],
)
def test_an_agents_word_without_the_evidence_is_not_enough(district: District, evidence: Evidence) -> None:
    district.east.say(door_state(evidence=evidence))
    assert district.shown() is Condition.UNKNOWN


def test_a_door_that_a_snapshot_leaves_out_is_unknown(district: District) -> None:
    district.east.say()
    changes = district.east.say(door_state("gym"))
    assert district.shown() is Condition.UNKNOWN
    assert [door.door for door in changes.doors] == ["front"]


def test_a_door_told_twice_in_one_snapshot_is_not_believed(district: District) -> None:
    district.east.say(door_state(), door_state(condition=Condition.OPEN, evidence=OPEN), door_state())
    assert district.shown() is Condition.UNKNOWN


def test_strangers_are_counted_and_never_shown(district: District) -> None:
    stranger = Speaker(district, "north", ("roof",))
    assert not stranger.say()
    assert not stranger.status(online=True)
    district.east.say(door_state(), door_state("gym"), door_state("roof"))
    assert district.fleet.strangers == Counter({"lincoln/north": 2, "lincoln/east/roof": 1})
    assert ("lincoln", "roof") not in district.fleet.doors
    assert district.fleet.totals.doors == 3


def test_only_what_an_operator_sees_is_a_change(district: District) -> None:
    district.east.say()
    district.wait(4_000)
    assert not district.east.say(
        door_state(evidence=msgspec.structs.replace(SECURE, age_ms=7, locked_ms=64_000)), door_state("gym")
    )
    changes = district.east.say(door_state(mode=DoorMode.SECURED), door_state("gym"))
    assert [door.door for door in changes.doors] == ["front"]


def test_listeners_hear_every_change_in_order(district: District) -> None:
    heard: list[tuple[str, Changes]] = []
    district.fleet.listen(lambda changes: heard.append(("a", changes)))
    district.fleet.listen(lambda changes: heard.append(("b", changes)))
    changes = district.east.say()
    district.east.say()
    assert heard == [("a", changes), ("b", changes)]


def test_an_agents_own_state_is_kept(district: District) -> None:
    outbox = OutboxState(depth=3, capacity=10, last_seq=7)
    district.east.deliver(district.east.snapshot(config_version=4, fire=True, outbox=outbox))
    live = district.fleet.agents["lincoln", "east"]
    assert (live.config_version, live.fire, live.outbox) == (4, True, outbox)
    assert district.fleet.sites["lincoln"].fires == 1
    district.east.say()
    assert district.fleet.sites["lincoln"].fires == 0


def test_the_sums_are_what_counting_would_find(district: District) -> None:
    steps = [
        district.east.say,
        lambda: district.west.say(door_state("back", Condition.OPEN, OPEN)),
        lambda: district.east.deliver(
            district.east.snapshot(
                msgspec.structs.replace(door_state(mode=DoorMode.SECURED), alarms=("forced", "held")),
                door_state("gym"),
            )
        ),
        lambda: district.wait(9_000),
        district.east.say,
        lambda: district.wait(6_000),
        lambda: district.east.status(online=False),
        district.west.say,
    ]
    for step in steps:
        step()
        doors = list(district.fleet.doors.values())
        for totals in (district.fleet.totals, district.fleet.sites["lincoln"]):
            assert +totals.conditions == Counter(door.condition for door in doors)
            assert +totals.modes == Counter(door.mode for door in doors if door.mode is not None)
            assert totals.alarms == sum(len(door.state.alarms) for door in doors if door.state is not None)
            assert totals.agents_alive == sum(agent.alive for agent in district.fleet.agents.values())


def test_a_duress_counts_at_its_school_though_other_alarms_come_and_go(district: District) -> None:
    site = district.fleet.sites["lincoln"]
    district.east.say(door_state(alarms=("held",)))
    assert (site.duress, site.alarms) == (0, 1)
    district.east.say(door_state(alarms=("duress",)))
    assert (site.duress, site.alarms) == (1, 1), "as many alarms as before, but not the same"
    district.east.say(door_state(alarms=("duress", "held")))
    district.wait(60_000)
    assert (site.duress, district.fleet.totals.duress) == (1, 1), "a silent agent's duress is not over"
    district.east.say(door_state())
    assert (site.duress, district.fleet.totals.duress) == (0, 0)


def test_an_agents_own_alarms_count_at_its_school_and_end(district: District) -> None:
    district.east.deliver(district.east.snapshot(alarms=("mains_failed", "line_cut")))
    live = district.fleet.agents["lincoln", "east"]
    assert live.alarms == ("mains_failed", "line_cut")
    assert district.fleet.sites["lincoln"].alarms == district.fleet.totals.alarms == 2
    district.east.deliver(district.east.snapshot(alarms=("mains_failed",)))
    assert district.fleet.sites["lincoln"].alarms == 1
    district.east.deliver(district.east.snapshot())
    assert district.fleet.sites["lincoln"].alarms == district.fleet.totals.alarms == 0
