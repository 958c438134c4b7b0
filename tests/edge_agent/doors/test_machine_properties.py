"""Random lives of a door, judged by a model of physical truth that shares no logic with the machine.

The model (`World`) owns what really is: the leaf, the bolt, the cover, which sensors are dead, what the lock's
output really does (its driver relocks by itself and never shortens a release), which samples were taken when,
and who had the right to pass when. The machine sees only samples, late and out of order, and inputs. After
every step the world says whether egress was blocked, or a door counted as secure that was not proven so.

One byte is one act, so that hypothesis makes sequences fast and shrinks them to the few bytes that matter.
"""

import math
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from edge_agent.doors.machine import REBOUND_MS, evidence, next_deadline_ms, step
from edge_agent.doors.state import (
    DoorProfile,
    DriveLock,
    FireChanged,
    Granted,
    Input,
    LockTested,
    ModeSet,
    ReleaseOver,
    RexPressed,
    Sensed,
    Tick,
    initial,
)
from protocol.proof import FRESH_MS, proves_secure
from protocol.words import Alarm, Bolt, Condition, Contact, DoorMode

WAITS_MS = (1, 7, 50, 250, 499, 500, 501, 999, 1000, 1500, 2000, 2999, 3000, 3001, 5000, 12_000)
MODES = (DoorMode.UNLOCKED, DoorMode.CONTROLLED, DoorMode.SECURED)  # by rising strictness


class Sample(NamedTuple):
    """What the sensors truly said at one moment. ``order`` counts acts, so that one millisecond has a before."""

    at: int
    order: int
    contact: Contact | None
    bolt: Bolt | None
    tampered: bool | None


@dataclass
class Right:
    """Somebody's right to pass, from ``start`` up to but not including ``end``."""

    why: str
    start: int
    end: float


@dataclass
class World:
    """A door as it is, and a machine that is told about it."""

    profile: DoorProfile
    now: int = 1_000
    order: int = 0
    closed: bool = True
    thrown: bool = True
    cover_off: bool = False
    dead: set[str] = field(default_factory=set)
    mode: DoorMode = DoorMode.CONTROLLED
    fire: bool = False
    output_until: float = 0.0  # the lock's output is released before this time
    locked_order: int = 0  # when, in acts, the output was last commanded to lock
    shut_at: int = -REBOUND_MS  # when it was last told to have been shut
    rights: list[Right] = field(default_factory=list)
    delivered: list[Sample] = field(default_factory=list)
    waiting: list[Sample] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.state = initial(self.profile, self.now)

    # --- what really happens ---

    def wait(self, ms: int) -> None:
        """Time passes; the lock's driver relocks on its own when its time is over."""
        until = self.now + ms
        if self.now < self.output_until <= until:
            self.now = int(self.output_until)
            self.order += 1
            self.check_egress("when the driver relocked by itself")
        self.now = until
        self.check_egress("while time passed")

    def sample(self) -> Sample:
        def reading(sensor: str, value: Any) -> Any:
            return None if sensor in self.dead else value

        return Sample(
            self.now,
            self.order,
            reading("contact", Contact.CLOSED if self.closed else Contact.OPEN),
            reading("bolt", Bolt.THROWN if self.thrown else Bolt.RETRACTED),
            reading("tamper", self.cover_off),
        )

    def deliver(self, sample: Sample, *, late: bool) -> None:
        newest = max((seen.order for seen in self.delivered), default=-1)
        if sample.order < newest and sample.at >= self.delivered[-1].at - 1:
            return  # within a millisecond the rim keeps the order; the machine could not
        known_leaf = [seen for seen in self.delivered if seen.contact is not None]
        if sample.order > newest:
            self.delivered.append(sample)
        opened = (
            sample.order > newest
            and sample.contact is Contact.OPEN
            and bool(known_leaf)
            and known_leaf[-1].contact is Contact.CLOSED
        )
        shut = sample.order > newest and sample.contact is Contact.CLOSED and bool(known_leaf)
        if shut and known_leaf[-1].contact is Contact.OPEN:
            self.shut_at = self.now
        forced_before = Alarm.FORCED in self.state.alarms
        self.give(Sensed(sample.contact, sample.bolt, sample.tampered, at_ms=sample.at if late else None))
        if opened and not forced_before:
            self.check_opening(known_leaf[-1], forced=Alarm.FORCED in self.state.alarms)

    def open_right(self, why: str, ms: float) -> None:
        self.rights.append(Right(why, self.now, self.now + ms))

    def end_rights(self, *whys: str) -> None:
        for right in self.rights:
            if right.why in whys:
                right.end = min(right.end, self.now)

    def set_mode(self, mode: DoorMode, declarations: tuple[str, ...]) -> None:
        if mode is DoorMode.SECURED and self.mode is not DoorMode.SECURED:
            self.end_rights("grant")
        if mode is not DoorMode.UNLOCKED:
            self.end_rights("unlocked")
        elif self.mode is not DoorMode.UNLOCKED:
            self.open_right("unlocked", math.inf)
        stricter = MODES.index(mode) > MODES.index(self.mode)
        self.mode = mode
        commanded = self.order
        self.give(ModeSet(mode, declarations))
        if stricter and not self.now < self.output_until:
            assert self.locked_order > commanded, "a stricter mode did not command the lock anew"

    def grant(self, *, override: bool) -> None:
        if self.mode is not DoorMode.SECURED or override:
            self.open_right("grant", self.profile.unlock_ms)
        self.give(Granted({"cardholder": "someone"}, override=override))

    def press_rex(self) -> None:
        self.open_right("rex", self.profile.unlock_ms)
        self.give(RexPressed())

    def relock_by_driver(self, *, really: bool) -> None:
        """The driver says it ended a timed release: late, for one before, or because it did so too early."""
        if really and self.output_until < math.inf:
            self.output_until = 0.0
            self.order += 1
        self.give(ReleaseOver())

    def set_fire(self, *, active: bool) -> None:
        if active and not self.fire:
            self.open_right("fire", math.inf)
        elif not active:
            self.end_rights("fire")
        self.fire = active
        self.give(FireChanged(active))

    # --- what the machine is told, and what the lock then does ---

    def give(self, given: Input) -> None:
        before = self.state
        self.order += 1
        self.state, effects = step(self.profile, before, given, self.now)
        drives = [effect for effect in effects if isinstance(effect, DriveLock)]
        assert len(drives) <= 1, "one command a step"
        if drives:
            assert effects[0] is drives[0], "the lock comes before the events"
            self.drive(drives[0])
        if isinstance(given, LockTested):
            assert drives, "a tested lock was not commanded"
        self.check_egress(f"after {given}")
        self.check_sensors_told()
        self.check_locked()
        self.check_secure()
        if Alarm.FORCED in before.alarms - self.state.alarms:
            assert self.state.condition is Condition.SECURE, "a forced door was forgiven without proof"

    def drive(self, drive: DriveLock) -> None:
        self.order += 1
        if not drive.released:
            self.output_until = 0.0
            self.locked_order = self.order
        else:
            assert drive.for_ms is None or drive.for_ms > 0
            asked = math.inf if drive.for_ms is None else self.now + drive.for_ms
            self.output_until = max(self.output_until, asked) if self.now < self.output_until else asked
        self.order += 1

    # --- the judge ---

    def right_now(self, *whys: str) -> bool:
        return any(right.why in whys and right.start <= self.now < right.end for right in self.rights)

    def check_egress(self, when: str) -> None:
        released = self.now < self.output_until
        if self.profile.rex_releases and self.right_now("rex"):
            assert released, f"egress blocked within the REX window {when}"
        if self.profile.fail_safe and self.profile.fire_release and self.fire:
            assert released, f"egress blocked during fire {when}"

    def check_locked(self) -> None:
        """Released only by somebody's right; and a door whose every right is over is locked."""
        whys = {"grant", "unlocked"}
        if self.profile.rex_releases:
            whys.add("rex")
        if self.profile.fail_safe and self.profile.fire_release:
            whys.add("fire")
        released = self.now < self.output_until
        assert not released or self.right_now(*whys), "released though nobody has the right"
        assert self.state.released is released, "the machine is wrong about its own lock"

    def proof_at(self, now: int) -> bool:
        """Whether what was really measured proves the door secure at a time."""
        if not self.delivered or now < self.output_until:
            return False
        seen = self.delivered[-1]
        return (
            seen.contact is Contact.CLOSED
            and (seen.bolt is Bolt.THROWN or not self.profile.bolt_fitted)
            and (seen.tampered is False or not self.profile.tamper_fitted)
            and seen.order >= self.locked_order
            and now - seen.at <= FRESH_MS
        )

    def check_sensors_told(self) -> None:
        """An open cover and an open leaf are never covered up."""
        covers = [seen.tampered for seen in self.delivered if seen.tampered is not None]
        if self.profile.tamper_fitted and covers and covers[-1]:
            assert self.state.condition is Condition.TAMPERED
        elif self.delivered and self.delivered[-1].contact is Contact.OPEN:
            assert self.state.condition in (Condition.OPEN, Condition.HELD, Condition.FORCED, Condition.UNKNOWN)

    def check_secure(self) -> None:
        if self.state.condition is not Condition.SECURE:
            return
        assert self.proof_at(self.now), "secure without proof"
        assert proves_secure(evidence(self.profile, self.state, self.now)), "secure, but its evidence does not say so"
        for later in (self.now + FRESH_MS - 1, self.now + FRESH_MS, self.now + FRESH_MS + 1):
            shown = proves_secure(evidence(self.profile, self.state, later))
            assert not shown or self.proof_at(later), "evidence stays green though no one looks any more"

    def check_opening(self, last_closed: Sample, *, forced: bool) -> None:
        """It was seen to open: forced exactly if nobody could have had the right since it was seen closed."""
        during = [right for right in self.rights if right.start <= self.now and right.end > last_closed.at]
        if not during and self.now >= self.shut_at + REBOUND_MS:
            assert forced, "opened with no right, and not called forced"
        if any(right.why != "grant" for right in during):
            assert not forced, f"called forced though {during}"

    def check_deadline(self) -> None:
        """Before its next deadline, time alone changes nothing that anybody sees."""
        deadline = next_deadline_ms(self.profile, self.state)
        just_before = self.now + 60_000 if deadline is None else deadline - 1
        _, effects = step(self.profile, self.state, Tick(), max(just_before, self.now))
        assert effects == (), f"{effects} before the deadline at {deadline}"


def profile_of(flags: int, times: int) -> DoorProfile:
    return DoorProfile(
        door="test",
        bolt_fitted=bool(flags & 1),
        rex_releases=bool(flags & 2),
        fail_safe=bool(flags & 4),
        fire_release=bool(flags & 8),
        tamper_fitted=bool(flags & 16),
        bolt_ms=(100, 2_000, 2_000, 10_000)[times & 3],
        unlock_ms=(500, 1_000, 5_000, 60_000)[times >> 2 & 3],
        held_ms=(1_000, 3_000, 30_000, 3_600_000)[times >> 4 & 3],
        held_warning_ms=(0, 500, 10_000, 3_600_000)[times >> 6 & 3],
    )


def act(world: World, code: int, arg: int) -> None:  # noqa: C901, PLR0912 - a table of acts
    match code:
        case 0 | 1:
            world.wait(WAITS_MS[arg])
        case 2:
            world.give(Tick())
            world.check_deadline()
        case 3:
            deadline = next_deadline_ms(world.profile, world.state)
            if deadline is not None:
                world.wait(max(0, deadline - world.now) + (arg & 1))
                world.give(Tick())
        case 4 | 5:
            if arg & 1:
                world.closed, world.thrown = True, bool(arg & 2)
            world.deliver(world.sample(), late=False)
        case 6:
            world.waiting.append(world.sample())
        case 7:
            if world.waiting:
                which = arg % len(world.waiting)
                late = world.waiting[which] if arg & 8 else world.waiting.pop(which)
                world.deliver(late, late=True)
        case 8:
            world.closed = not arg & 1
            if arg & 2:
                world.deliver(world.sample(), late=False)
        case 9:
            world.thrown = not arg & 1
            if arg & 2:
                world.deliver(world.sample(), late=False)
        case 10:
            if arg & 1:
                world.cover_off = bool(arg & 2)
            else:
                world.dead ^= {("contact", "bolt", "tamper", "bolt")[arg >> 2 & 3]}
        case 11:
            world.set_mode(MODES[arg % 3], (f"d{arg >> 2}",) if arg & 4 else ())
        case 12:
            world.grant(override=bool(arg & 1))
        case 13:
            world.press_rex()
        case 14:
            world.set_fire(active=not arg & 1)
        case _:
            if arg & 1:
                world.give(LockTested())
            else:
                world.relock_by_driver(really=bool(arg & 2))


def live(acts: bytes) -> None:
    """Live through a sequence; an AssertionError says what no door may do."""
    world = World(profile_of(acts[0], acts[1]))
    for byte in acts[2:]:
        act(world, byte & 15, byte >> 4)
        world.order += 1


LIVES = st.binary(min_size=16, max_size=56)


@settings(max_examples=2_000, deadline=None)
@given(LIVES)
@example(bytes([0b00010, 0b1000, 0x0D, 0x2B, 0x1F, 0x0F, 0xF0, 0x02]))  # REX, then secured, tested, told it relocked
@example(bytes([0b01111, 0b1000, 0x2B, 0x0E, 0x1F, 0xF0, 0x0F, 0x2B]))  # secured, then fire
def test_no_sequence_blocks_egress_or_calls_a_door_secure_without_fresh_proof(acts: bytes) -> None:
    live(acts)


@pytest.mark.slow
@pytest.mark.timeout(900)
@settings(max_examples=100_000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(LIVES)
def test_no_sequence_of_100_000_blocks_egress_or_calls_a_door_secure_without_fresh_proof(acts: bytes) -> None:
    live(acts)
