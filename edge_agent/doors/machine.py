"""The door machine: what happens to a door, to what it must do and what may be said of it.

Pure: state and input in, state and effects out; no clock, no I/O. It holds two promises. Egress: nothing takes
back a release for a request to exit (``rex_releases`` doors) or for fire (fail-safe, ``fire_release`` doors)
before its time. Proof: a door is SECURE only while :func:`protocol.proof.proves_secure` accepts its evidence,
read after the last command to lock. Deciding who may pass is not its work (edge_agent.policy.decision), nor is which
mode a door is in (edge_agent.policy.effective_mode).
"""

from dataclasses import replace

from edge_agent.doors.state import (
    NEVER,
    DoorProfile,
    DoorState,
    DriveLock,
    Effect,
    Emit,
    FireChanged,
    Granted,
    Input,
    LockTested,
    ModeSet,
    ReleaseOver,
    RexPressed,
    Sensed,
    Tick,
)
from protocol.messages import Evidence
from protocol.proof import FRESH_MS, proves_secure
from protocol.words import Alarm, Bolt, Condition, Contact, Denial, DoorMode, EventKind, strictest

REBOUND_MS = 300
"""A leaf shut hard swings back for this long, unless the bolt has caught it: the same passage, and no force."""

REX_HELD_MS = 10 * 60_000
"""A request to exit that never ends for so long is a stuck sensor or a taped button. A school let out is shorter."""


def step(profile: DoorProfile, state: DoorState, given: Input, now_ms: int) -> tuple[DoorState, tuple[Effect, ...]]:
    """The state after an input at ``now_ms``, and what to do, in order: the lock first, then the events.

    After a DriveLock the sensors should be sampled at once: every sample before it has lost its force. A time
    before the last step's counts as the last step's.
    """
    now = max(now_ms, state.at_ms)
    after, events = _take(profile, state, given, now)
    after = _run_held_time(state, after, now)
    after, warning = _warn(profile, after, now)
    after, drive = _command_lock(profile, state, after, given, now)
    after, events = _judge(profile, after, now), (*events, *warning)
    if drive is None and not events and after.condition is state.condition and after.alarms == state.alarms:
        return after, ()
    effects: list[Effect] = [] if drive is None else [drive]
    if drive is not None and (
        drive.released is not state.released or not drive.released or isinstance(given, LockTested)
    ):
        effects.append(Emit(EventKind.LOCK_COMMANDED, _why(profile, after, drive, given)))
    return after, (*effects, *events, *_changes(state, after))


def evidence(profile: DoorProfile, state: DoorState, now_ms: int) -> Evidence:
    """What the last sample proves at ``now_ms``, with its age, as it goes on the wire."""
    known = state.contact is not None and state.sensed_at_ms is not None
    return Evidence(
        contact=state.contact,
        bolt=state.bolt,
        bolt_fitted=profile.bolt_fitted,
        age_ms=max(0, now_ms - state.sensed_at_ms) if known and state.sensed_at_ms is not None else None,
        locked_ms=None if state.released else max(0, now_ms - state.locked_at_ms),
    )


def fire_released(profile: DoorProfile, state: DoorState) -> bool:
    """Whether fire holds this door's lock released."""
    return state.fire and profile.fail_safe and profile.fire_release


def next_deadline_ms(profile: DoorProfile, state: DoorState) -> int | None:
    """When the next Tick is due: the door changes by time alone then. None: never by time alone."""
    unsensed_since = state.started_ms if state.sensed_at_ms is None else state.sensed_at_ms
    deadlines = [unsensed_since + FRESH_MS + 1]
    if state.release_until_ms is not None:
        deadlines.append(state.release_until_ms)
    if state.held_from_ms is not None:
        deadlines.extend((state.held_from_ms + profile.held_ms, _warning_due(profile, state.held_from_ms)))
    if state.rex_until_ms > state.at_ms:
        deadlines.append(state.rex_from_ms + REX_HELD_MS)
    if state.contact is Contact.CLOSED and state.bolt is Bolt.RETRACTED and not state.released:
        deadlines.append(state.bolt_due_ms + profile.bolt_ms)
    return min((deadline for deadline in deadlines if deadline > state.at_ms), default=None)


# --- what an input changes ----------------------------------------------------------------------------------


def _take(profile: DoorProfile, state: DoorState, given: Input, now: int) -> tuple[DoorState, tuple[Emit, ...]]:
    state = replace(state, at_ms=now)
    match given:
        case Sensed():
            return _sense(profile, state, given, now), ()
        case ModeSet():
            return _set_mode(state, given, now)
        case Granted():
            return _grant(profile, state, given, now)
        case RexPressed():
            running = state.rex_until_ms > now
            until = max(state.rex_until_ms, now + profile.unlock_ms)
            state = replace(state, rex_until_ms=until, rex_from_ms=state.rex_from_ms if running else now)
            return state, () if running else (Emit(EventKind.REQUEST_TO_EXIT, {"releases": profile.rex_releases}),)
        case FireChanged(active):
            return replace(state, fire=active), ()
        case LockTested() | ReleaseOver() | Tick():
            return state, ()


def _set_mode(state: DoorState, given: ModeSet, now: int) -> tuple[DoorState, tuple[Emit, ...]]:
    if (given.mode, given.declarations) == (state.mode, state.declarations):
        return state, ()
    event = Emit(
        EventKind.MODE_CHANGED, {"from": state.mode, "to": given.mode, "declarations": list(given.declarations)}
    )
    if given.mode is DoorMode.SECURED and state.mode is not DoorMode.SECURED:
        # A grant is a privilege and ends here. A request to exit and fire are not, and go on.
        state = replace(state, grant_until_ms=min(state.grant_until_ms, now))
    return replace(state, mode=given.mode, declarations=given.declarations), (event,)


def _grant(profile: DoorProfile, state: DoorState, given: Granted, now: int) -> tuple[DoorState, tuple[Emit, ...]]:
    if state.mode is DoorMode.SECURED and not given.override:
        return state, (Emit(EventKind.ACCESS_DENIED, {**given.by, "reason": Denial.DOOR_SECURED}),)
    until = max(state.grant_until_ms, now + profile.unlock_ms)
    # Who comes through an open door with a badge of their own has their own time for it.
    held_from = None if state.held_from_ms is None else now
    state = replace(state, grant_until_ms=until, grant_used=False, held_from_ms=held_from, warned=False)
    return state, (Emit(EventKind.ACCESS_GRANTED, given.by),)


def _sense(profile: DoorProfile, state: DoorState, given: Sensed, now: int) -> DoorState:
    at = now if given.at_ms is None else min(given.at_ms, now)
    if state.sensed_at_ms is not None and at < state.sensed_at_ms:
        return state
    before, seen_at = state, at
    if given.at_ms is not None and at == state.locked_at_ms:
        at -= 1  # before or after the command in that millisecond, nobody can say: it must not prove
    state = replace(
        state,
        contact=given.contact,
        bolt=given.bolt if profile.bolt_fitted else None,
        tampered=_tampered(profile, state, given),
        sensed_at_ms=at,
    )
    if given.contact is Contact.OPEN:
        return state if before.leaf is Contact.OPEN else _opened(state, now)
    if given.contact is Contact.CLOSED:
        if before.leaf is not Contact.CLOSED:
            state = _closed(state, at, now)
        return _follow_bolt(replace(state, closed_seen_ms=seen_at), before, at)
    return state


def _tampered(profile: DoorProfile, state: DoorState, given: Sensed) -> bool | None:
    if not profile.tamper_fitted:
        return False
    # A switch that was seen open and has fallen silent is not thereby mended.
    return True if given.tampered is None and state.tampered else given.tampered


def _opened(state: DoorState, now: int) -> DoorState:
    # An agent that finds a door open at its start did not see it forced.
    rebound = now < state.rebound_until_ms and not state.bolt_arrived
    forced = state.leaf is Contact.CLOSED and not rebound and not _had_right(state)
    return replace(
        state,
        leaf=Contact.OPEN,
        forced=state.forced or forced,
        grant_used=state.grant_used or state.grant_until_ms > now,
        bolt_arrived=False,
        latch_fault=False,
        jammed=False,
    )


def _closed(state: DoorState, at: int, now: int) -> DoorState:
    used = state.grant_used and state.leaf is Contact.OPEN
    return replace(
        state,
        leaf=Contact.CLOSED,
        rebound_until_ms=now + REBOUND_MS if state.leaf is Contact.OPEN and not state.forced else NEVER,
        grant_until_ms=min(state.grant_until_ms, now) if used else state.grant_until_ms,
        bolt_due_ms=max(state.locked_at_ms, at),
        bolt_arrived=False,
    )


def _had_right(state: DoorState) -> bool:
    """Whether somebody had the right to pass at some time since the door was last seen closed.

    Samples are half a second apart and edges can be lost, so "now" would call the end of a window forced.
    """
    if _free(state):
        return True
    return max(state.grant_until_ms, state.rex_until_ms, state.free_until_ms) > state.closed_seen_ms


def _free(state: DoorState) -> bool:
    """Whether anybody may pass, without an end. In a fire people leave by every door."""
    return state.mode is DoorMode.UNLOCKED or state.fire


def _follow_bolt(state: DoorState, before: DoorState, at: int) -> DoorState:
    """Note a bolt that arrived, or came back with no one telling it to. The door is closed."""
    if state.released or at < state.locked_at_ms:
        return state
    if state.bolt is Bolt.THROWN:
        return replace(state, bolt_arrived=True, latch_fault=False, jammed=False)
    if state.bolt is Bolt.RETRACTED and state.bolt_arrived:
        # Somebody leaving draws the bolt with the bar before the leaf moves: no fault, and no jam yet.
        due = max(at, state.rex_until_ms)
        return replace(state, bolt_arrived=False, bolt_due_ms=due, latch_fault=not _had_right(before))
    return state


def _run_held_time(before: DoorState, state: DoorState, now: int) -> DoorState:
    """The time to stand open runs only while it is not everybody's right to pass."""
    if _free(before) and not _free(state):
        state = replace(state, free_until_ms=now)
    if _free(state) or state.leaf is not Contact.OPEN:
        return state if state.held_from_ms is None else replace(state, held_from_ms=None, warned=False)
    return state if state.held_from_ms is not None else replace(state, held_from_ms=now)


def _warning_due(profile: DoorProfile, held_from_ms: int) -> int:
    """Never in the first half of the time: a door that is only just used is not to be beeped at."""
    return held_from_ms + profile.held_ms - min(profile.held_warning_ms, profile.held_ms // 2)


def _warn(profile: DoorProfile, state: DoorState, now: int) -> tuple[DoorState, tuple[Emit, ...]]:
    """Say, once, that the door's time to stand open is nearly over. Of a forced door it is no use."""
    if state.warned or state.held_from_ms is None or state.forced or profile.held_warning_ms == 0:
        return state, ()
    left = state.held_from_ms + profile.held_ms - now
    if now < _warning_due(profile, state.held_from_ms) or left <= 0:
        return state, ()
    return replace(state, warned=True), (Emit(EventKind.HELD_WARNING, {"in_ms": left}),)


# --- the lock -----------------------------------------------------------------------------------------------


def _wanted_release(profile: DoorProfile, state: DoorState, now: int) -> tuple[bool, int | None]:
    """Whether the lock is to be released now, and until when (None: without an end)."""
    if state.mode is DoorMode.UNLOCKED or fire_released(profile, state):
        return True, None
    until = max(state.grant_until_ms, state.rex_until_ms if profile.rex_releases else NEVER)
    return (True, until) if until > now else (False, None)


def _command_lock(
    profile: DoorProfile, before: DoorState, state: DoorState, given: Input, now: int
) -> tuple[DoorState, DriveLock | None]:
    released, until = _wanted_release(profile, state, now)
    tested = isinstance(given, LockTested)
    if released:
        # A driver that says it relocked while a release runs is commanded again: egress comes first.
        commanded = state.released and state.release_until_ms == until
        if commanded and not tested and not isinstance(given, ReleaseOver):
            return state, None
        state = replace(state, released=True, release_until_ms=until, latch_fault=False, jammed=False)
        return state, DriveLock(released=True, for_ms=None if until is None else until - now)
    tightened = state.mode is not before.mode and strictest(state.mode, before.mode) is state.mode
    if not (state.released or tightened or tested):
        return state, None
    # The command is performed after this step, so a sample of this very millisecond was before it.
    sensed_at = None if state.sensed_at_ms is None else min(state.sensed_at_ms, now - 1)
    state = replace(
        state,
        released=False,
        release_until_ms=None,
        locked_at_ms=now,
        sensed_at_ms=sensed_at,
        bolt_due_ms=now,
        bolt_arrived=False,
    )
    return state, DriveLock(released=False)


def _why(profile: DoorProfile, state: DoorState, drive: DriveLock, given: Input) -> dict[str, object]:
    if isinstance(given, LockTested):
        why = "test"
    elif not drive.released:
        why = "mode" if isinstance(given, ModeSet) else "fire_over" if isinstance(given, FireChanged) else "time"
    elif state.mode is DoorMode.UNLOCKED:
        why = "mode"
    elif fire_released(profile, state):
        why = "fire"
    else:
        why = "grant" if isinstance(given, Granted) else "request_to_exit"
    return {"released": drive.released, "why": why, "for_ms": drive.for_ms}


# --- what may be said of the door ---------------------------------------------------------------------------


def _judge(profile: DoorProfile, state: DoorState, now: int) -> DoorState:
    """Conditions and alarms, from the evidence as it is at this moment."""
    fresh = state.sensed_at_ms is not None and now - state.sensed_at_ms <= FRESH_MS
    proven = state.tampered is False and proves_secure(evidence(profile, state, now))
    overdue = (
        profile.bolt_fitted
        and fresh
        and not state.released
        and state.contact is Contact.CLOSED
        and state.bolt is Bolt.RETRACTED
        and now - state.bolt_due_ms >= profile.bolt_ms
    )
    forced = state.forced and not proven
    if overdue or forced is not state.forced:
        state = replace(
            state, forced=forced, jammed=state.jammed or overdue, latch_fault=state.latch_fault or overdue
        )
    held = state.held_from_ms is not None and not forced and now - state.held_from_ms >= profile.held_ms
    condition = _condition(state, fresh=fresh, proven=proven, held=held, overdue=overdue)
    alarms = _alarms(profile, state, fresh=fresh, held=held, now=now)
    if condition is state.condition and alarms == state.alarms:
        return state
    return replace(state, condition=condition, alarms=alarms)


def _condition(state: DoorState, *, fresh: bool, proven: bool, held: bool, overdue: bool) -> Condition:  # noqa: PLR0911 - a table
    if state.tampered:
        return Condition.TAMPERED
    if not fresh or state.contact is None:
        return Condition.UNKNOWN
    if state.forced:
        return Condition.FORCED
    if state.contact is Contact.OPEN:
        return Condition.HELD if held else Condition.OPEN
    if state.released:
        return Condition.UNLATCHED
    if proven:
        return Condition.SECURE
    if state.bolt is Bolt.RETRACTED:
        return Condition.JAMMED if overdue else Condition.UNLATCHED
    # Closed and perhaps well, but a sensor is silent or was read before the lock was commanded.
    return Condition.UNKNOWN


def _alarms(profile: DoorProfile, state: DoorState, *, fresh: bool, held: bool, now: int) -> frozenset[Alarm]:
    if state.sensed_at_ms is None:
        silent = now - state.started_ms > FRESH_MS
    else:
        answered = state.contact is not None and (state.bolt is not None or not profile.bolt_fitted)
        silent = not fresh or not answered or state.tampered is None
    present = {
        Alarm.FORCED: state.forced,
        Alarm.HELD: held,
        Alarm.LATCH_FAULT: state.latch_fault,
        Alarm.JAMMED: state.jammed,
        Alarm.TAMPER: bool(state.tampered),
        Alarm.NO_EVIDENCE: silent,
        Alarm.FIRE: fire_released(profile, state),
        Alarm.REX_HELD: state.rex_until_ms > now and now - state.rex_from_ms >= REX_HELD_MS,
    }
    return frozenset(alarm for alarm, on in present.items() if on)


def _changes(before: DoorState, after: DoorState) -> list[Emit]:
    changes = []
    if after.condition is not before.condition:
        changes.append(Emit(EventKind.CONDITION_CHANGED, {"from": before.condition, "to": after.condition}))
    changes.extend(Emit(EventKind.ALARM_RAISED, {"alarm": alarm}) for alarm in sorted(after.alarms - before.alarms))
    changes.extend(Emit(EventKind.ALARM_CLEARED, {"alarm": alarm}) for alarm in sorted(before.alarms - after.alarms))
    return changes
