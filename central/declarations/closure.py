"""Closure: the doors under a declaration that are proven closed, and why the others are not.

It follows the fleet's changes, so only changes cost time. It declares nothing and judges no door's condition: see
central.fleet.fleet.
"""

import asyncio
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from central.declarations.closure_reason import FAILED_CONDITIONS, why_not_proven
from central.fleet.fleet import Fleet
from central.fleet.state import Changes, LiveAgent, LiveDoor
from ground.clock import Clock
from protocol.words import Condition, DoorMode

SWEEP_S = 1.0

FAILED_AFTER_MS = 10_000
"""A door not proven within this time of the declaration needs a person."""


class DoorClosure(StrEnum):
    """How far one door has got."""

    PROVEN = "proven"
    PENDING = "pending"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class ClosureSummary:
    """The sums of one declaration. ``slowest_ms``: the longest time of a door now proven; None: none is."""

    doors: int
    proven: int
    pending: int
    failed: int
    slowest_ms: int | None


@dataclass(frozen=True, slots=True)
class ClosureRow:
    """One door under a declaration. ``proven_ms``: from the declaration to its first proof; None while not proven.

    ``why`` is a sentence for people, empty for a proven door.
    """

    door: LiveDoor
    state: DoorClosure
    why: str
    proven_ms: int | None


class _Tracked:
    """One declaration under way."""

    __slots__ = (
        "changed", "counts", "declaration_id", "declared_ms", "due", "first_proof_ms", "revision", "slowest_ms",
        "states", "topic",
    )  # fmt: skip

    def __init__(self, declaration_id: str, topic: str, revision: int, declared_ms: int) -> None:
        self.declaration_id = declaration_id
        self.topic = topic
        self.revision = revision
        self.declared_ms = declared_ms  # on the monotonic clock
        self.due = False  # FAILED_AFTER_MS have passed
        self.states: dict[LiveDoor, DoorClosure] = {}
        self.first_proof_ms: dict[LiveDoor, int] = {}
        self.counts: Counter[DoorClosure] = Counter()
        self.slowest_ms: int | None = None  # None: compute it again
        self.changed: set[LiveDoor] = set()


class ClosureTracker:
    """Follows a fleet. Not safe for several threads: call it on the event loop."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._tracked: dict[str, _Tracked] = {}
        self._covering: dict[LiveDoor, tuple[_Tracked, ...]] = {}
        self._touched: set[str] = set()
        fleet.listen(self._follow)

    def track(
        self,
        declaration_id: str,
        *,
        topic: str,
        revision: int,
        doors: Iterable[tuple[str, str]],
        declared_ms: int,
        now_ms: int,
    ) -> None:
        """Follow a declaration over the (site, door) it secures, from ``declared_ms`` (UTC) on.

        ``topic`` and ``revision``: of the set that first carried it. A door can be proven only once its agent holds
        that revision or a later one. Doors missing from the fleet are left out. Tracked again, it starts over.
        """
        self.untrack(declaration_id)
        since_ms = declared_ms - self._fleet.utc_at(now_ms) + now_ms
        tracked = self._tracked[declaration_id] = _Tracked(declaration_id, topic, revision, since_ms)
        tracked.due = now_ms - since_ms >= FAILED_AFTER_MS
        for key in doors:
            door = self._fleet.doors.get(key)
            if door is None or door in tracked.states:
                continue
            tracked.states[door] = DoorClosure.PENDING
            others = self._covering.get(door)
            self._covering[door] = (tracked,) if others is None else (*others, tracked)
        tracked.counts[DoorClosure.PENDING] = len(tracked.states)
        for live in {door.agent for door in tracked.states}:
            self._appraise(tracked, live, [door for door in live.doors.values() if door in tracked.states], now_ms)
        tracked.changed.update(tracked.states)
        self._touched.add(declaration_id)

    def untrack(self, declaration_id: str) -> None:
        """Stop following a declaration, if it was tracked."""
        tracked = self._tracked.pop(declaration_id, None)
        self._touched.discard(declaration_id)
        if tracked is None:
            return
        for door in tracked.states:
            rest = tuple(other for other in self._covering[door] if other is not tracked)
            if rest:
                self._covering[door] = rest
            else:
                del self._covering[door]

    def sweep(self, now_ms: int) -> None:
        """Fail the doors that are not proven in time. Call it after the fleet's own sweep."""
        for tracked in self._tracked.values():
            if tracked.due or now_ms - tracked.declared_ms < FAILED_AFTER_MS:
                continue
            tracked.due = True
            for door, state in list(tracked.states.items()):
                if state is DoorClosure.PENDING:
                    self._appraise(tracked, door.agent, (door,), now_ms)

    # --- reading ---------------------------------------------------------------------------------------------

    def __contains__(self, declaration_id: object) -> bool:
        return declaration_id in self._tracked

    def summary(self, declaration_id: str) -> ClosureSummary:
        """The sums of a declaration; KeyError if it is not tracked."""
        tracked = self._tracked[declaration_id]
        counts = tracked.counts
        if tracked.slowest_ms is None and counts[DoorClosure.PROVEN]:
            tracked.slowest_ms = max(
                tracked.first_proof_ms[door] for door, state in tracked.states.items() if state is DoorClosure.PROVEN
            )
        return ClosureSummary(
            doors=len(tracked.states),
            proven=counts[DoorClosure.PROVEN],
            pending=counts[DoorClosure.PENDING],
            failed=counts[DoorClosure.FAILED],
            slowest_ms=tracked.slowest_ms if counts[DoorClosure.PROVEN] else None,
        )

    def rows(self, declaration_id: str, now_ms: int, doors: Iterable[LiveDoor] | None = None) -> list[ClosureRow]:
        """The doors of a declaration, or only ``doors``, in order; KeyError if it is not tracked."""
        tracked = self._tracked[declaration_id]
        return [
            self._row(tracked, door, now_ms)
            for door in (tracked.states if doors is None else doors)
            if door in tracked.states
        ]

    def take_changes(self) -> dict[str, set[LiveDoor]]:
        """Declarations whose closure changed since the last call, each with its changed doors."""
        taken = {}
        for declaration_id in self._touched:
            tracked = self._tracked[declaration_id]
            taken[declaration_id], tracked.changed = tracked.changed, set()
        self._touched.clear()
        return taken

    # --- following -------------------------------------------------------------------------------------------

    def _follow(self, changes: Changes) -> None:
        covering = self._covering
        if not covering:
            return
        now_ms = changes.now_ms
        whole = {*changes.applied, *changes.presence}  # agents of which every door is checked again
        for live in whole:
            doors = live.doors.values()
            for tracked in {tracked for door in doors for tracked in covering.get(door, ())}:
                self._appraise(tracked, live, [door for door in doors if door in tracked.states], now_ms)
        for door in changes.doors:
            if door.agent in whole:
                continue
            for tracked in covering.get(door, ()):
                self._appraise(tracked, door.agent, (door,), now_ms)

    def _appraise(self, tracked: _Tracked, live: LiveAgent, doors: Sequence[LiveDoor], now_ms: int) -> None:
        """Judge some doors of one agent again; the conditions they share are checked once."""
        holds = live.alive and live.applied.get(tracked.topic, 0) >= tracked.revision
        declaration_id, states, due = tracked.declaration_id, tracked.states, tracked.due
        for door in doors:
            state = door.state
            if (
                holds
                and door.condition is Condition.SECURE
                and state is not None
                and state.mode is DoorMode.SECURED
                and declaration_id in state.declarations
            ):
                now = DoorClosure.PROVEN
            elif due or door.condition in FAILED_CONDITIONS:
                now = DoorClosure.FAILED
            else:
                now = DoorClosure.PENDING
            before = states[door]
            if now is not before:
                self._move(tracked, door, before, now, now_ms)
            if now is not before or now is not DoorClosure.PROVEN:  # also: its reason may have changed
                tracked.changed.add(door)
                self._touched.add(declaration_id)

    def _move(self, tracked: _Tracked, door: LiveDoor, before: DoorClosure, now: DoorClosure, now_ms: int) -> None:
        tracked.states[door] = now
        tracked.counts[before] -= 1
        tracked.counts[now] += 1
        if now is DoorClosure.PROVEN:
            took_ms = tracked.first_proof_ms.setdefault(door, max(0, now_ms - tracked.declared_ms))
            if tracked.slowest_ms is not None and took_ms > tracked.slowest_ms:
                tracked.slowest_ms = took_ms
        elif before is DoorClosure.PROVEN and tracked.first_proof_ms[door] == tracked.slowest_ms:
            tracked.slowest_ms = None

    def _row(self, tracked: _Tracked, door: LiveDoor, now_ms: int) -> ClosureRow:
        state = tracked.states[door]
        if state is DoorClosure.PROVEN:
            return ClosureRow(door, state, "", tracked.first_proof_ms[door])
        why = why_not_proven(door, tracked.declaration_id, tracked.topic, tracked.revision, now_ms)
        return ClosureRow(door, state, why, None)


async def sweep(fleet: Fleet, closure: ClosureTracker, clock: Clock) -> None:
    """Let time pass for both, once a second, until cancelled."""
    while True:
        now_ms = clock.mono_ms()
        fleet.sweep(now_ms)
        closure.sweep(now_ms)
        await asyncio.sleep(SWEEP_S)
