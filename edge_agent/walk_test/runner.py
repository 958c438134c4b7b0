"""Walks the doors: commands the locks, waits for the person, judges and keeps each step.

Whatever happens, the doors are locked at the end, and the rig serves exits and fire throughout.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import replace
from enum import StrEnum

from edge_agent.walk_test.findings import is_hint
from edge_agent.walk_test.judge import answers, comes_up, complete, interrupted, judge, moves_ms
from edge_agent.walk_test.prompts import (
    OPEN_FIRST,
    READER_AWAITED,
    READER_INTERRUPTED,
    SHUT_FIRST,
    Answer,
    Prompts,
    instruction,
)
from edge_agent.walk_test.rig import Rig
from edge_agent.walk_test.words import DoorFacts, Record, Sensor, Step, StepKind, StepResult, Verdict

TICK_S = 0.020
QUIET_MS = 500
"""How long to record after a step is done, to find inputs that move without cause."""

REST_MS = 2_000
READER_UP_MS = 4_000
"""A healthy reader's secure channel is up within about a second, also after a disturbance."""

READER_SLOW_MS = 8_000
"""So much longer for one that answers: after a handshake that failed (1.5 s) it rests 2.0 s before the next."""

BADGE_TRIES = 3
"""A badge is asked for so often if its reader's secure channel goes down each time."""

DECIDE_MS = 600_000
"""How long to wait for a decision after a failure: the person may fetch a tool. Then the walk ends, to be resumed."""

LETTING_OUT_MS = 61_000
"""The longest a configured release lasts, and a moment."""

_LEAVES_UNLOCKED = frozenset({StepKind.UNLOCK, StepKind.OPEN})
"""Steps after which the door stays unlocked: the next step watches it lock."""


class Ending(StrEnum):
    """Why a walk ended."""

    FINISHED = "finished"
    QUIT = "quit"
    PANIC = "panic"


class _Ended(Exception):  # noqa: N818 - not an error
    def __init__(self, why: Ending) -> None:
        self.why = why


class _Again(Exception):  # noqa: N818 - not an error
    """The step must be done again."""


class _Skipped(Exception):  # noqa: N818 - not an error
    def __init__(self, why: str) -> None:
        self.why = why


class Runner:
    """One walk over some doors.

    ``names`` are the doors' as on the wall. ``pause(seconds)`` lets time pass; ``keep(step, result)`` puts a result
    on the disk before the next step begins; ``kept(step)`` is the result in the earlier walk that this one resumes.
    ``utc_ms`` stamps the results.
    """

    def __init__(
        self,
        rig: Rig,
        prompts: Prompts,
        *,
        facts: Mapping[str, DoorFacts],
        names: Mapping[str, str],
        pause: Callable[[float], Awaitable[None]],
        utc_ms: Callable[[], int],
        keep: Callable[[Step, StepResult], None],
        kept: Callable[[Step], StepResult | None],
    ) -> None:
        self._rig = rig
        self._prompts = prompts
        self._facts = dict(facts)
        self._names = names
        self._pause = pause
        self._utc_ms = utc_ms
        self._keep = keep
        self._kept = kept
        self._dead_contacts: set[str] = set()  # doors whose contact does not follow the leaf
        self._interrupted: Counter[str] = Counter()  # times a step's reader was lost, by the step's key
        self._panicked = False

    def panic(self) -> None:
        """Lock every door and stop: the panic button was pressed."""
        self._panicked = True
        self._rig.lock_all()

    async def run(self, plans: Iterable[tuple[str, tuple[Step, ...]]]) -> Ending:
        """Walk the doors in order, each with its steps; door "" is the agent itself."""
        todo = list(plans)
        doors = [door for door, _ in todo if door]
        try:
            for door, steps in todo:
                if door:
                    self._prompts.door(self._name(door), doors.index(door) + 1, len(doors))
                for step in steps:
                    if self._kept(step) is None:
                        await self._until_settled(step)
                if door:
                    self._rig.lock(door)
        except _Ended as ended:
            return ended.why
        finally:
            self._rig.lock_all()
        return Ending.FINISHED

    def _name(self, door: str) -> str:
        """As on the wall, and as in agent.yaml."""
        name = self._names.get(door, door)
        return door if name == door else f"{name} ({door})"

    async def _until_settled(self, step: Step) -> None:
        """Do a step, again if the person wants, until it is passed, skipped or accepted as failed."""
        while True:
            try:
                result = await self._once(step)
            except _Again:
                continue
            except _Skipped as skipped:
                result = StepResult(step.key, Verdict.SKIPPED, why=skipped.why, at_ms=self._utc_ms())
            finally:
                if step.door and step.kind not in _LEAVES_UNLOCKED:
                    self._rig.lock(step.door)
            self._keep(step, result)
            self._prompts.result(step, result)
            if result.verdict is not Verdict.FAILED or await self._goes_on(step):
                return

    async def _once(self, step: Step) -> StepResult:
        await self._prepared(step)
        self._prompts.instruct(step, instruction(step))
        record = self._rig.begin()
        self._act(step)
        facts = self._facts.get(step.door, DoorFacts())
        await self._wait(step, step.limit_ms, lambda: complete(step, record, facts), record)
        quiet_ms = REST_MS if step.kind is StepKind.REST else QUIET_MS
        await self._wait(step, quiet_ms, lambda: False, record)
        if self._rig.released_by_fire(step.door):
            raise _Again
        if interrupted(step, record):
            self._interrupted[step.key] += 1
            if self._interrupted[step.key] % BADGE_TRIES:
                self._prompts.say(READER_INTERRUPTED)
                raise _Again
        if step.kind is StepKind.REST:
            shut, locked = (
                record.value((step.door, sensor)) is not False for sensor in (Sensor.CONTACT, Sensor.BOLT)
            )
            self._facts[step.door] = replace(facts, shut=shut, locked=locked)
        out = judge(step, record, facts)
        if step.kind is StepKind.OPEN and out.findings and not record.of((step.door, Sensor.CONTACT)):
            self._dead_contacts.add(step.door)
        if out.void:
            verdict = Verdict.SKIPPED
        else:
            verdict = Verdict.PASSED if all(is_hint(finding) for finding in out.findings) else Verdict.FAILED
        return StepResult(step.key, verdict, tuple(out.findings), out.measured, out.void, self._utc_ms())

    async def _prepared(self, step: Step) -> None:
        """Wait until a step can begin: fire over, people out, the door shut or open as it needs."""
        if self._rig.released_by_fire(step.door):
            self._prompts.say("FIRE ALARM: the doors flagged for it are released. The walk test waits for its end.")
            await self._wait(step, None, lambda: not self._rig.released_by_fire(step.door))
        facts = self._facts.get(step.door, DoorFacts())
        if self._rig.letting_out_by(step.door):
            await self._wait(step, LETTING_OUT_MS, lambda: not self._rig.released(step.door))
            bolt = (step.door, Sensor.BOLT)
            await self._wait(step, moves_ms(facts), lambda: self._rig.value(bolt) in {facts.locked, None})
        match step.kind:
            case StepKind.LOCK if self._rig.value((step.door, Sensor.BOLT)) is True:
                # Repeated or resumed: release the lock first, or there is nothing to watch.
                self._rig.release(step.door, step.limit_ms)
                await self._wait(step, step.limit_ms, lambda: not self._rig.value((step.door, Sensor.BOLT)))
            case StepKind.CLOSE if step.door not in self._dead_contacts and self._shut(step, facts):
                self._rig.release(step.door, step.limit_ms)
                await self._asked(step, OPEN_FIRST, lambda: not self._shut(step, facts))
            case StepKind.CLOSE | StepKind.INPUTS | StepKind.REST:
                pass
            case _ if not self._shut(step, facts):
                await self._asked(step, SHUT_FIRST, lambda: self._shut(step, facts))
            case _:
                pass
        if step.kind is StepKind.BADGE:
            await self._reader_up(step, step.reader or "")

    async def _reader_up(self, step: Step, reader: str) -> None:
        """Give a silent reader some time; if it never answers, do not ask the person for a badge."""
        record = self._rig.begin()
        if not answers(record, reader):
            self._prompts.say(READER_AWAITED)
            await self._wait(step, READER_UP_MS, lambda: answers(record, reader), record)
            await self._wait(step, READER_SLOW_MS, lambda: not comes_up(record, reader), record)

    def _shut(self, step: Step, facts: DoorFacts) -> bool:
        return self._rig.value((step.door, Sensor.CONTACT)) in {facts.shut, None}

    async def _asked(self, step: Step, text: str, done: Callable[[], bool]) -> None:
        """Ask the person for something that the step needs."""
        self._prompts.instruct(step, text)
        record = self._rig.begin()
        await self._wait(step, step.limit_ms, lambda: done() or record.said_done, record)

    def _act(self, step: Step) -> None:
        match step.kind:
            case StepKind.UNLOCK | StepKind.OPEN:
                self._rig.release(step.door, step.limit_ms + QUIET_MS)
            case StepKind.LOCK | StepKind.CLOSE | StepKind.END:
                self._rig.lock(step.door)
            case _:
                pass

    async def _wait(
        self, step: Step, limit_ms: int | None, done: Callable[[], bool], record: Record | None = None
    ) -> None:
        """Wait until something is done or the time is up, and act on the person's answers."""
        began = self._rig.now_ms()
        shown = -1
        while not done():
            left_ms = None if limit_ms is None else began + limit_ms - self._rig.now_ms()
            if left_ms is not None and left_ms <= 0:
                return
            if step.person and left_ms is not None and (seconds := -(-left_ms // 1000)) != shown:
                shown = seconds
                self._prompts.time_left(step, seconds)
            self._act_on(self._prompts.answer(), record)
            await self._pause(TICK_S)
            self._rig.tick()

    def _act_on(self, answer: Answer | None, record: Record | None) -> None:
        if self._panicked:
            raise _Ended(Ending.PANIC)
        match answer:
            case Answer.DONE if record is not None and record.done_ms is None:
                record.done_ms = self._rig.now_ms()
            case Answer.SKIP:
                raise _Skipped("skipped by the person")
            case Answer.REPEAT:
                raise _Again
            case Answer.QUIT:
                raise _Ended(Ending.QUIT)
            case _:
                pass

    async def _goes_on(self, step: Step) -> bool:
        """After a failure: True to leave it so, False to do the step again."""
        record = self._rig.begin()
        try:
            await self._wait(replace(step, person=False), DECIDE_MS, lambda: record.said_done, record)
        except _Skipped:
            return True
        except _Again:
            return False
        if not record.said_done:
            raise _Ended(Ending.QUIT)
        return True
