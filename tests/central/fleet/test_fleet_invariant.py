"""Whatever is sent, in whatever order, no door is shown secure without a live, fresh proof.

The model knows nothing of the fleet: it keeps every snapshot the agents ever made, with its true time, and asks
of a door shown secure whether one of them could be the proof.
"""

from dataclasses import dataclass

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from central.declarations.closure import ClosureTracker, DoorClosure
from protocol import topics
from protocol.messages import DoorState, Evidence, StateSnapshot
from protocol.words import Bolt, Condition, Contact, DoorMode
from tests.central.fleets import SECURE, District, Speaker, door_state

TOPIC = topics.district_declarations()
LIMIT_MS = 12_000
SLACK_MS = 100  # what 200 ppm and the rounding of a delay may hide over the time a sequence lasts

EVIDENCE = st.builds(
    Evidence,
    contact=st.sampled_from([Contact.CLOSED, Contact.CLOSED, Contact.OPEN, None]),
    bolt=st.sampled_from([Bolt.THROWN, Bolt.THROWN, Bolt.RETRACTED, None]),
    bolt_fitted=st.booleans(),
    age_ms=st.sampled_from([0, 100, 2_999, 3_001, None]),
    locked_ms=st.sampled_from([60_000, 60_000, 50, None]),
)
STATES = st.builds(
    door_state,
    door=st.sampled_from(["front", "gym", "front", "gym", "nowhere"]),
    condition=st.sampled_from([Condition.SECURE, Condition.SECURE, *Condition]),
    evidence=st.one_of(st.just(SECURE), EVIDENCE),
    mode=st.sampled_from([DoorMode.SECURED, DoorMode.SECURED, DoorMode.CONTROLLED]),
    declarations=st.sampled_from([("d1",), ("d1", "d2"), ()]),
)


@dataclass
class Made:
    """A snapshot and the truth about it."""

    snapshot: StateSnapshot
    made_ms: int
    session: int  # how many the agent has begun


class World:
    """An agent that restarts now and then, and a network that delays, repeats, reorders and remembers."""

    def __init__(self, *, clock_trusted: bool) -> None:
        self.district = District()
        self.tracker = ClosureTracker(self.district.fleet)
        self.clock_trusted = clock_trusted
        self.sessions = 0
        self.made: list[Made] = []
        self.delivered: list[tuple[Made, int]] = []  # live, and when
        self.told_dead_ms: dict[int, int] = {}  # when the death of a session reached central
        self.begin()
        for declaration_id, revision in (("d1", 5), ("d2", 9)):
            self.tracker.track(
                declaration_id,
                topic=TOPIC,
                revision=revision,
                doors=self.district.fleet.doors,
                declared_ms=self.district.clock.utc_ms(),
                now_ms=self.now_ms,
            )

    @property
    def now_ms(self) -> int:
        return self.district.clock.ms

    def begin(self) -> None:
        self.sessions += 1
        self.speaker = Speaker(self.district, "east", ("front", "gym"), session=f"s{self.sessions}")
        self.speaker.clock_trusted = self.clock_trusted
        self.speaker.clock_began_ms = 1_000 * self.sessions

    def make(self, states: tuple[DoorState, ...], revision: int) -> None:
        snapshot = self.speaker.snapshot(*states, applied={TOPIC: revision})
        self.made.append(Made(snapshot, self.now_ms, self.sessions))

    def deliver(self, made: Made, *, retained: bool) -> None:
        if not retained:
            self.delivered.append((made, self.now_ms))
        self.speaker.deliver(made.snapshot, retained=retained)

    def could_prove(self, door: str) -> list[DoorState]:
        """The states that may stand for a door now: told live, of the newest session heard, true and fresh.

        Where two sessions spoke at the same moment (which no restart is quick enough for) either may stand.
        """
        newest = max((made.session for made, _ in self.delivered), default=0)
        began_ms = min((made.made_ms for made, _ in self.delivered if made.session == newest), default=0)
        latest: dict[int, int] = {}
        for made, _ in self.delivered:
            if made.session == newest or made.made_ms >= began_ms - SLACK_MS:
                latest[made.session] = max(latest.get(made.session, 0), made.snapshot.seq)
        return [
            state
            for made, _ in self.delivered
            if made.snapshot.seq == latest.get(made.session)
            if made.made_ms > self.told_dead_ms.get(made.session, -1) - SLACK_MS
            for state in made.snapshot.doors
            if state.door == door and state.condition is Condition.SECURE
            if _closed_and_locked(state.evidence)
            if self.now_ms - made.made_ms + (state.evidence.age_ms or 0) <= LIMIT_MS + SLACK_MS
        ]

    def check(self) -> None:
        for name, door in self.district.fleet.doors.items():
            proofs = self.could_prove(name[1])
            assert door.condition is not Condition.SECURE or proofs, (name, door)
            for row in self.tracker.rows("d1", self.now_ms, [door]):
                if row.state is DoorClosure.PROVEN:
                    assert door.condition is Condition.SECURE
                    assert any(proof.mode is DoorMode.SECURED and "d1" in proof.declarations for proof in proofs)
                    assert door.agent.applied[TOPIC] >= 5
        for declaration_id in ("d1", "d2"):
            rows = self.tracker.rows(declaration_id, self.now_ms)
            summary = self.tracker.summary(declaration_id)
            found = [row.state for row in rows]
            assert (summary.proven, summary.pending, summary.failed) == tuple(
                found.count(state) for state in (DoorClosure.PROVEN, DoorClosure.PENDING, DoorClosure.FAILED)
            )
            assert summary.slowest_ms == max(
                (row.proven_ms for row in rows if row.proven_ms is not None), default=None
            )
            assert all(bool(row.why) == (row.state is not DoorClosure.PROVEN) for row in rows)


def _closed_and_locked(evidence: Evidence) -> bool:
    return (
        evidence.contact is Contact.CLOSED
        and (evidence.bolt is Bolt.THROWN or not evidence.bolt_fitted)
        and evidence.age_ms is not None
        and evidence.age_ms <= 3_000
        and evidence.locked_ms is not None
        and evidence.locked_ms >= evidence.age_ms
    )


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_no_door_is_ever_shown_secure_without_a_live_fresh_proof(data: st.DataObject) -> None:
    world = World(clock_trusted=data.draw(st.booleans()))
    for _ in range(data.draw(st.integers(5, 40))):
        act = data.draw(
            st.sampled_from(["say", "say", "say", "make", "late", "retained", "restart", "status", "sweep", "sweep"])
        )
        if act in {"say", "make"}:
            states = tuple(data.draw(st.lists(STATES, min_size=1, max_size=3)))
            world.make(states, data.draw(st.sampled_from([5, 5, 4, 9])))
            if act == "say":
                world.deliver(world.made[-1], retained=False)
        elif act in {"late", "retained"} and world.made:
            world.deliver(data.draw(st.sampled_from(world.made[-6:])), retained=act == "retained")
        elif act == "restart":
            world.begin()
        elif act == "status":
            number = data.draw(st.integers(1, world.sessions))
            online = data.draw(st.booleans()) and number == world.sessions
            retained = data.draw(st.booleans())
            if not online:
                world.told_dead_ms.setdefault(number, world.now_ms)
            else:
                world.told_dead_ms.pop(number, None)
            world.speaker.status(online=online, session=f"s{number}", retained=retained)
        else:
            world.district.wait(data.draw(st.sampled_from([1, 500, 1_000, 4_000, 9_500, 13_000])))
            world.tracker.sweep(world.now_ms)
        world.check()


def test_the_model_itself_lets_a_proven_door_be_shown() -> None:
    world = World(clock_trusted=True)
    world.make((door_state(mode=DoorMode.SECURED, declarations=("d1",)),), 5)
    world.deliver(world.made[-1], retained=False)
    assert world.could_prove("front")
    assert world.tracker.summary("d1").proven == 1
    world.check()
    stale = msgspec.structs.replace(SECURE, age_ms=3_001)
    world.make((door_state(evidence=stale),), 5)
    world.deliver(world.made[-1], retained=False)
    assert not world.could_prove("front")
