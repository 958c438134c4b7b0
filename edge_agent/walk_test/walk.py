"""One walk test from beginning to end: takes the agent's place, walks, and reports what it found.

Refuses to walk beside a running agent, and doors that a declaration secures, for a walk unlocks them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from drivers.timed_outputs import TimedOutputs, Timer
from drivers.wiegand import EdgeSource
from edge_agent.agent_yaml.config_file import AgentFile
from edge_agent.host.clock import AgentClock, PiClock
from edge_agent.storage.lock_file import Holding
from edge_agent.walk_test import progress as kept
from edge_agent.walk_test.duties import Duties
from edge_agent.walk_test.plan import door_readers, facts_of, plan
from edge_agent.walk_test.progress import Progress
from edge_agent.walk_test.prompts import Prompts
from edge_agent.walk_test.reader_watch import ReaderWatch
from edge_agent.walk_test.report import Report, fingerprint, make_report, sign
from edge_agent.walk_test.rig import Rig
from edge_agent.walk_test.runner import LETTING_OUT_MS, TICK_S, Ending, Runner
from edge_agent.walk_test.words import DoorFacts, NewsKind, Step, StepKind, StepResult
from ground.loop_poster import poster
from ground.version import VERSION
from protocol.words import EventKind

Plans = list[tuple[str, tuple[Step, ...]]]


class CannotWalk(Exception):  # noqa: N818 - says what it is
    """The walk test may not begin; the message says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a walk ended, and its report."""

    ending: Ending
    report: Report


class Walk:
    """One walk over some doors (none named: all) of one agent.

    ``timer``, ``pause`` and ``edges`` are a simulator's, whose time goes faster; left out, they are the machine's.
    Pins stay as they are after :meth:`run`, locked: on a Pi the process just ends, elsewhere call :meth:`close`.
    """

    def __init__(
        self,
        config: AgentFile,
        *,
        pin_factory: Any,
        prompts: Prompts,
        by: str,
        doors: tuple[str, ...] = (),
        resume: bool = False,
        clock: AgentClock | None = None,
        timer: Timer | None = None,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
        edges: EdgeSource | None = None,
    ) -> None:
        self._config = config
        self._pin_factory = pin_factory
        self._prompts = prompts
        self._by = by
        self._doors = doors
        self._resume = resume
        self._clock = clock or PiClock(require_sync=config.require_sync, kept_in=config.data, rtc=config.rtc)
        self._own_timer: TimedOutputs | None = None
        if timer is None:
            timer = self._own_timer = TimedOutputs()
        self._timer = timer
        self._pause = pause
        self._edges = edges
        self._rig: Rig | None = None

    async def run(self) -> Outcome:
        """Walk. Raises CannotWalk, AlreadyHeld, or what the files and the pins raise; the doors are locked then."""
        holding = Holding(self._config.data, "a walk test")
        duties: Duties | None = None
        try:
            duties = Duties(self._config, self._clock)
            progress = self._progress()
            walked = self._doors or tuple(progress.asked)
            self._check_declarations(duties, walked)
            duties.note(EventKind.WALK_TEST_BEGUN, {"by": self._by, "doors": walked})
            outcome = await self._walk(duties, progress, walked)
            duties.note(EventKind.WALK_TEST_ENDED, self._ended(outcome))
            return outcome
        finally:
            if duties is not None:
                await duties.close()
            holding.release()

    def close(self) -> None:
        """Give up the pins, after :meth:`run`. Fail-safe locks release then."""
        if self._rig is not None:
            self._rig.close()
            self._rig = None
        if self._own_timer is not None:
            self._own_timer.close()

    # --- before -------------------------------------------------------------------------------------------------

    def _progress(self) -> Progress:
        wired = [wiring.door for wiring in self._config.doors]
        unknown = [door for door in self._doors if door not in wired]
        if unknown:
            raise CannotWalk(f"no door {unknown[0]!r} in this agent's file; it has: {', '.join(wired)}")
        wiring = kept.wiring_digest(self._config)
        if not self._resume:
            began_ms = self._clock.utc_ms()
            return Progress(wiring=wiring, by=self._by, began_ms=began_ms, asked=list(self._doors) or wired)
        try:
            progress = kept.load(self._config.data)
        except ValueError as error:
            raise CannotWalk(str(error)) from None
        if progress is None:
            raise CannotWalk("there is no walk test to go on with; start one without --resume")
        if progress.wiring != wiring:
            raise CannotWalk("the wiring in agent.yaml has changed since; start again without --resume")
        progress.forget_unfinished()
        progress.asked += [door for door in self._doors if door not in progress.asked]
        if self._by not in progress.by.split(", "):
            progress.by = f"{progress.by}, {self._by}"
        return progress

    def _check_declarations(self, duties: Duties, doors: tuple[str, ...]) -> None:
        """Check the doors to be walked; the others only stay locked."""
        for door in doors:
            declared = duties.secured_by(door)
            if declared:
                raise CannotWalk(
                    f"door {door!r} is secured by declaration {declared[0]}, and a walk test would unlock it. "
                    "Start the agent again, and walk when that has ended; --door walks other doors"
                )

    # --- the walk -----------------------------------------------------------------------------------------------

    async def _walk(self, duties: Duties, progress: Progress, walked: tuple[str, ...]) -> Outcome:
        settings = {wiring.door: duties.settings(wiring.door) for wiring in self._config.doors}
        names = {door: one.name for door, one in settings.items()}
        facts = {one.door: facts_of(one, bolt_ms=settings[one.door].bolt_ms) for one in self._config.doors}
        readers = ReaderWatch(self._config, on_news=self._note_news, edges=self._edges)
        runner: Runner | None = None

        def panic() -> None:
            duties.panic()
            if runner is not None:
                runner.panic()

        def keep(step: Step, result: StepResult) -> None:
            progress.add(step, result)
            kept.save(self._config.data, progress)

        rig = self._rig = Rig(
            self._config,
            pin_factory=self._pin_factory,
            timer=self._timer,
            post=_at_once if self._own_timer is None else poster(asyncio.get_running_loop()),
            settings=settings.__getitem__,
            reader_states=readers.states,
            on_panic=panic,
        )
        runner = Runner(
            rig,
            self._prompts,
            facts=facts,
            names=names,
            pause=self._pause,
            utc_ms=self._clock.utc_ms,
            keep=keep,
            kept=progress.result,
        )
        try:
            readers.start()
            ending = await runner.run(self._plans(walked, facts))
        finally:
            readers.stop()
            await self._let_out(rig)
        report = make_report(
            self._config,
            progress,
            self._plans(tuple(progress.asked), facts),
            names=names,
            facts=facts,
            ended_ms=self._clock.utc_ms(),
            clock_trusted=self._clock.trusted(),
            software=f"doorward {VERSION}",
        )
        return Outcome(ending, report)

    def _ended(self, outcome: Outcome) -> dict[str, Any]:
        report = outcome.report
        return {
            "by": self._by,
            "ending": outcome.ending,
            "verdict": report.verdict,
            "doors": [door.door for door in report.doors if door.door],
            "found": [{"door": door.door, "kind": one.kind} for door in report.doors for one in door.findings],
            "report": fingerprint(sign(report, self._config.signing_key)),
        }

    def _plans(self, doors: tuple[str, ...], facts: Mapping[str, DoorFacts]) -> Plans:
        config = self._config
        readers = door_readers(config)
        wirings = {wiring.door: wiring for wiring in config.doors}
        plans: Plans = []
        if config.fire or config.panic or config.power:
            plans.append(("", (Step(StepKind.INPUTS, ""),)))
        return plans + [(door, plan(wirings[door], readers, facts[door])) for door in doors]

    def _note_news(self, reader: str, kind: NewsKind, detail: str) -> None:
        if self._rig is not None:
            self._rig.note_news(reader, kind, detail)

    async def _let_out(self, rig: Rig) -> None:
        """Let out people who have just asked to leave, then lock: a lock's own timer ends with the process."""
        until = rig.now_ms() + LETTING_OUT_MS
        while rig.letting_out and rig.now_ms() < until:
            await self._pause(TICK_S)
            rig.tick()
        rig.lock_all()


def _at_once(callback: Callable[..., object], *arguments: object) -> None:
    callback(*arguments)
