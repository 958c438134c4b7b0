"""Closure counts a door only on its proof under the declaration, and says of every other why not."""

import msgspec
import pytest

from central.declarations.closure import ClosureRow, ClosureSummary, ClosureTracker, DoorClosure
from protocol import topics
from protocol.messages import DoorState
from protocol.words import Bolt, Condition, Contact, DoorMode
from tests.central.fleets import OPEN, SECURE, UTC_MS, District, door_state

TOPIC = topics.site_declarations("lincoln")
APPLIED = {TOPIC: 7}


def held(door: str = "front", condition: Condition = Condition.SECURE, **fields: object) -> DoorState:
    """A door held by the declaration d1, as asked."""
    evidence = SECURE if condition is Condition.SECURE else OPEN
    state = door_state(door, condition, evidence, DoorMode.SECURED, ("d1",))
    return msgspec.structs.replace(state, **fields)


class Bench:
    """A district, and a declaration d1 of revision 7 over front and back."""

    def __init__(self) -> None:
        self.district = District()
        self.tracker = ClosureTracker(self.district.fleet)
        self.district.east.say()
        self.district.west.say()
        self.track()

    def track(self) -> None:
        doors = [("lincoln", "front"), ("lincoln", "back"), ("lincoln", "no-such-door")]
        now_ms = self.district.clock.ms
        self.tracker.track("d1", topic=TOPIC, revision=7, doors=doors, declared_ms=UTC_MS + now_ms, now_ms=now_ms)

    def wait(self, ms: int) -> None:
        self.district.wait(ms)
        self.tracker.sweep(self.district.clock.ms)

    def summary(self) -> ClosureSummary:
        return self.tracker.summary("d1")

    def row(self, door: str = "front") -> ClosureRow:
        rows = self.tracker.rows("d1", self.district.clock.ms)
        return next(row for row in rows if row.door.door == door)


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_secure_before_the_declaration_is_not_closed_under_it(bench: Bench) -> None:
    assert bench.summary() == ClosureSummary(doors=2, proven=0, pending=2, failed=0, slowest_ms=None)
    assert bench.row().why == "agent east has not taken up the declaration yet"


def test_doors_are_proven_one_by_one_and_the_slowest_is_known(bench: Bench) -> None:
    bench.wait(900)
    bench.district.east.say(held(), applied=APPLIED)
    assert bench.row().proven_ms == 900
    bench.wait(600)
    bench.district.west.say(held("back"), applied={TOPIC: 8})  # a later revision holds the earlier ones' too
    assert bench.summary() == ClosureSummary(doors=2, proven=2, pending=0, failed=0, slowest_ms=1_500)
    assert bench.row("back") == ClosureRow(bench.district.door("back"), DoorClosure.PROVEN, "", 1_500)


@pytest.mark.parametrize(
    ("state", "applied", "why"),
    [
        (held(), {TOPIC: 6}, "agent east has not taken up the declaration yet"),
        (held(), {}, "agent east has not taken up the declaration yet"),
        (held(mode=DoorMode.CONTROLLED), APPLIED, "agent east keeps it controlled"),
        (held(declarations=("d2",)), APPLIED, "agent east does not hold it under this declaration"),
        (held(condition=Condition.OPEN), APPLIED, "open"),
        (held(evidence=msgspec.structs.replace(SECURE, contact=None)), APPLIED, "its sensors do not answer"),
        (held(evidence=msgspec.structs.replace(SECURE, bolt=None)), APPLIED, "its sensors do not answer"),
        (held(evidence=msgspec.structs.replace(SECURE, age_ms=3_001)), APPLIED, "no fresh evidence from its sensors"),
        (held(condition=Condition.UNLATCHED, released=True), APPLIED, "closed, its lock is released"),
        (held(condition=Condition.UNLATCHED), APPLIED, "closed, bolt not thrown yet"),
    ],
)
def test_what_is_missing_keeps_a_door_pending_and_is_said(
    bench: Bench, state: DoorState, applied: dict[str, int], why: str
) -> None:
    bench.district.east.say(state, applied=applied)
    assert (bench.row().state, bench.row().why) == (DoorClosure.PENDING, why)
    bench.wait(9_000)
    bench.district.east.say(state, applied=applied)
    bench.wait(1_000)
    assert (bench.row().state, bench.row().why) == (DoorClosure.FAILED, why)


@pytest.mark.parametrize(
    ("condition", "why"),
    [
        (Condition.JAMMED, "bolt did not throw"),
        (Condition.FORCED, "forced open"),
        (Condition.HELD, "held open"),
        (Condition.TAMPERED, "tamper switch open: its sensors prove nothing"),
    ],
)
def test_some_conditions_have_failed_at_once(bench: Bench, condition: Condition, why: str) -> None:
    bench.district.east.say(held(condition=condition), applied=APPLIED)
    assert (bench.row().state, bench.row().why) == (DoorClosure.FAILED, why)
    bench.district.east.say(held(), applied=APPLIED)
    assert bench.row().state is DoorClosure.PROVEN


def test_a_silent_agent_is_named_with_how_long(bench: Bench) -> None:
    bench.wait(14_000)
    assert bench.row().why == "no answer from agent east for 14 s"
    assert bench.summary().failed == 2


def test_an_agent_that_was_stopped_or_never_heard_is_said_to_be(bench: Bench) -> None:
    bench.district.east.status(online=False, reason="stopped")
    assert bench.row().why == "agent east was stopped"
    fresh = District()
    tracker = ClosureTracker(fresh.fleet)
    tracker.track(
        "d1", topic=TOPIC, revision=1, doors=[("lincoln", "front")], declared_ms=UTC_MS, now_ms=fresh.clock.ms
    )
    assert tracker.rows("d1", fresh.clock.ms)[0].why == "agent east has not been heard"


def test_closure_goes_back_when_a_door_opens_and_forward_when_it_closes(bench: Bench) -> None:
    bench.wait(500)
    bench.district.east.say(held(), applied=APPLIED)
    bench.district.west.say(held("back"), applied=APPLIED)
    assert bench.summary().proven == 2
    bench.wait(3_000)
    bench.district.east.say(held(condition=Condition.OPEN), applied=APPLIED)
    assert bench.summary() == ClosureSummary(doors=2, proven=1, pending=1, failed=0, slowest_ms=500)
    assert (bench.row().state, bench.row().why, bench.row().proven_ms) == (DoorClosure.PENDING, "open", None)
    bench.wait(1_000)
    bench.district.east.say(held(), applied=APPLIED)
    assert bench.summary().proven == 2
    assert bench.row().proven_ms == 500  # how long it took to close, not when someone last walked through


def test_closure_goes_back_when_the_agent_dies_or_the_proof_grows_old(bench: Bench) -> None:
    bench.district.east.say(held(), applied=APPLIED)
    bench.district.west.say(held("back"), applied=APPLIED)
    bench.district.east.status(online=False, reason="lost")
    assert bench.summary().proven == 1
    bench.wait(12_001)
    assert bench.summary() == ClosureSummary(doors=2, proven=0, pending=0, failed=2, slowest_ms=None)


def test_an_agent_that_takes_up_the_declaration_late_is_looked_at_again(bench: Bench) -> None:
    bench.district.east.say(held(), applied={})
    assert bench.row().state is DoorClosure.PENDING
    bench.district.east.say(held(), applied=APPLIED)  # nothing of the door changed
    assert bench.row().state is DoorClosure.PROVEN
    bench.district.east.say(held(), applied={})
    assert bench.row().state is DoorClosure.PENDING


def test_a_retained_leftover_closes_nothing(bench: Bench) -> None:
    bench.district.east.status(online=False)
    bench.district.east.deliver(bench.district.east.snapshot(held(), applied=APPLIED), retained=True)
    assert bench.summary().proven == 0


def test_after_a_restart_of_central_time_counts_from_the_declaration(bench: Bench) -> None:
    bench.wait(3_000)
    bench.district.east.say(held(), applied=APPLIED)
    now_ms = bench.district.clock.ms
    bench.tracker.track(
        "d1",
        topic=TOPIC,
        revision=7,
        doors=[("lincoln", "front")],
        declared_ms=UTC_MS + now_ms - 60_000,
        now_ms=now_ms,
    )
    assert bench.row().proven_ms == 60_000
    bench.tracker.track(
        "d2",
        topic=TOPIC,
        revision=7,
        doors=[("lincoln", "front")],
        declared_ms=UTC_MS + now_ms - 60_000,
        now_ms=now_ms,
    )
    assert bench.tracker.summary("d2").failed == 1


def test_changes_are_told_once_and_only_of_what_changed(bench: Bench) -> None:
    assert {door.door for door in bench.tracker.take_changes()["d1"]} == {"front", "back"}
    assert bench.tracker.take_changes() == {}
    bench.district.east.say(held(), applied=APPLIED)
    assert bench.tracker.take_changes() == {"d1": {bench.district.door()}}
    bench.wait(1_000)
    bench.district.east.say(held(), applied=APPLIED)
    assert bench.tracker.take_changes() == {}


def test_a_door_can_be_followed_under_several_declarations(bench: Bench) -> None:
    now_ms = bench.district.clock.ms
    bench.tracker.track(
        "d2", topic=TOPIC, revision=9, doors=[("lincoln", "front")], declared_ms=UTC_MS + now_ms, now_ms=now_ms
    )
    state = held(declarations=("d1", "d2"))
    bench.district.east.say(state, applied=APPLIED)
    assert (bench.summary().proven, bench.tracker.summary("d2").proven) == (1, 0)
    bench.district.east.say(state, applied={TOPIC: 9})
    assert (bench.summary().proven, bench.tracker.summary("d2").proven) == (1, 1)
    bench.tracker.untrack("d1")
    assert "d1" not in bench.tracker
    with pytest.raises(KeyError):
        bench.tracker.summary("d1")
    bench.district.east.say(door_state(condition=Condition.OPEN, evidence=OPEN), applied={TOPIC: 9})
    assert bench.tracker.summary("d2").proven == 0


def test_evidence_words_used_here_are_what_they_seem() -> None:
    assert (OPEN.contact, OPEN.bolt) == (Contact.OPEN, Bolt.RETRACTED)
