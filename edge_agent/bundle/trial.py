"""Which configuration an agent uses, and whether a new one has proven itself: confirmed in the end, or rolled back.

Pure: (state, input, now) -> (state, effects). A configuration is confirmed once the agent has worked with it for half
a minute without a break. It is rolled back if it cannot be applied, if the program died twice during its trial while
the machine ran on, or if it was not confirmed in time and the agent is not well now. A power cut says nothing of a
configuration, however often the power goes. After a rollback doors and badges are held to what the newer one asked.

Effects are performed in their order: a configuration is on the disk before it is applied.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from edge_agent.bundle.candidate import Candidate, FromDisk
from edge_agent.policy.rules import Rules
from protocol.refusal import Reason, Refused

HEALTHY_AFTER_MS = 30_000
"""How long the agent must have worked without a break: doors held, the beat kept, a snapshot made with each."""

LONGEST_GAP_MS = 2_000
"""A beat is due every half second. After a longer gap the half minute begins again."""

CONFIRM_WITHIN_MS = 180_000
"""A configuration with which the agent runs and does not get there is rolled back after this, unless it is well at
that time: on a slow card or a busy machine half a minute without a break may take long."""

LOOKS = 18
"""How often within that time the agent checks whether it is over: a suspended machine misses one check at most."""

FAILED_STARTS = 2
"""The program may die once during a trial, for another reason. Twice is the configuration's doing."""


@dataclass(frozen=True, slots=True)
class Trial:
    """A trial under way; monotonic ms. ``last_ms`` None: no beat yet."""

    version: int
    healthy_since_ms: int = 0
    last_ms: int | None = None
    looks_left: int = LOOKS


@dataclass(frozen=True, slots=True)
class State:
    """What an agent uses and knows of configurations. Without arguments: nothing loaded yet."""

    rules: Rules = field(default_factory=Rules)
    """Those of the configuration in use, held to what was rolled back."""
    used: Candidate | None = None
    good: Candidate | None = None
    """The last one confirmed."""
    waiting: Candidate | None = None
    """For its pages of credentials; newer than the one in use."""
    trial: Trial | None = None
    """Of the one in use."""
    rolled_back: int = 0
    """This version and all before it are refused."""

    @property
    def went_back(self) -> bool:
        """Whether an older configuration is used than was rolled back."""
        return self.rolled_back > self.rules.version


# --- inputs --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Loaded:
    """The program has started, and this is on the disk. ``unclean_ends``: see :func:`unclean_ends`."""

    good: FromDisk | None = None
    trial: FromDisk | None = None
    unclean_ends: int = 0
    rolled_back: FromDisk | None = None


@dataclass(frozen=True, slots=True)
class Arrived:
    """One came from central. ``whole``: every page of credentials it names is held."""

    candidate: Candidate
    whole: bool


@dataclass(frozen=True, slots=True)
class PagesComplete:
    """Every page of the one that waits is held."""


@dataclass(frozen=True, slots=True)
class Beat:
    """The agent is well: its doors are held, its beat is kept, it can say what they are."""


@dataclass(frozen=True, slots=True)
class LookDue:
    """Another of :data:`LOOKS` checks within :data:`CONFIRM_WITHIN_MS` is due."""


@dataclass(frozen=True, slots=True)
class Failed:
    """The doors cannot be held by the one on trial."""

    why: str


@dataclass(frozen=True, slots=True)
class StoppedWell:
    """The program ends because somebody stopped it, not by the doing of a configuration."""


Input = Loaded | Arrived | PagesComplete | Beat | LookDue | Failed | StoppedWell

# --- effects -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class KeepTrial:
    """Write: this one is on trial, in place of any other."""

    candidate: Candidate


@dataclass(frozen=True, slots=True)
class KeepRun:
    """Write: the program runs with the one on trial once more."""

    unclean_ends: int


@dataclass(frozen=True, slots=True)
class KeepEndedWell:
    """Write: this run with the one on trial has ended well."""


@dataclass(frozen=True, slots=True)
class KeepConfirmed:
    """Write and report: this one is the last good one, none is on trial, none was rolled back."""

    candidate: Candidate


@dataclass(frozen=True, slots=True)
class KeepRolledBack:
    """Write and report: this one is not to be used again, and none is on trial."""

    version: int
    signed: bytes
    to: int
    why: str


@dataclass(frozen=True, slots=True)
class ReportWentBack:
    """Raise or clear the alarm that an older one is used than was rolled back."""

    raised: bool


@dataclass(frozen=True, slots=True)
class FetchPages:
    """Fetch the pages that the one that waits lacks, or else the one in use."""


@dataclass(frozen=True, slots=True)
class Apply:
    """Doors and trusted keys follow :attr:`State.rules`. If that fails with one newly on trial (``new``), leave the
    effects after it and come back with :class:`Failed`; otherwise report that it is applied."""

    new: Candidate | None = None


@dataclass(frozen=True, slots=True)
class Note:
    """Log a sentence about what was decided."""

    text: str


Effect = (
    KeepTrial | KeepRun | KeepEndedWell | KeepConfirmed | KeepRolledBack | ReportWentBack | FetchPages | Apply | Note
)

Next = tuple[State, tuple[Effect, ...]]


def step(state: State, happened: Input, now_ms: int) -> Next:
    """What becomes of a state, and what is to be done in this order. ``now_ms`` is monotonic. :class:`Refused` for a
    configuration that must not be taken: the state stays."""
    match happened:
        case Loaded():
            return _load(happened)
        case Arrived(candidate, whole):
            check(state, candidate.version)
            if whole:
                return _take(state, candidate)
            return replace(state, waiting=candidate), (FetchPages(), Apply())
        case PagesComplete() if state.waiting is not None:
            return _take(state, state.waiting)
        case _ if state.trial is not None:
            return _on_trial(state, state.trial, happened, now_ms)
    return state, ()


def _on_trial(state: State, trial: Trial, happened: Input, now_ms: int) -> Next:
    match happened:
        case Failed(why):
            return _roll_back(state, why)
        case Beat():
            return _beat(state, beat(trial, now_ms))
        case LookDue():
            return _look(state, trial, now_ms)
        case StoppedWell():
            return state, (KeepEndedWell(),)
    return state, ()


def check(state: State, version: int) -> None:
    """:class:`Refused` (duplicate, older_revision, rolled_back) if this version must not be taken now."""
    used = state.rules.version
    waiting = 0 if state.waiting is None else state.waiting.version
    if version in (used, waiting):
        raise Refused(Reason.DUPLICATE, f"configuration {version} is in use already, or waits for its pages")
    if version < max(used, waiting):
        raise Refused(Reason.OLDER_REVISION, f"configuration {version}, in use is {used}")
    nothing_else = state.used is None and version == state.rolled_back  # than to try it once more
    if version <= state.rolled_back and not nothing_else:
        raise Refused(Reason.ROLLED_BACK, f"{state.rolled_back} was rolled back; a newer one is waited for")


def _load(disk: Loaded) -> Next:
    good = None if disk.good is None else disk.good.candidate
    trial, gone, effects = disk.trial, disk.rolled_back, list[Effect]()
    if trial is not None:
        gone = None  # the one on trial is newer
        unusable = "it cannot be used" if trial.candidate is None else ""
        if unusable or failed(disk.unclean_ends):
            why = unusable or f"the agent died with it {disk.unclean_ends} times"
            effects.append(KeepRolledBack(trial.version, trial.signed, 0 if good is None else good.version, why))
            trial, gone = None, trial
    tried = None if trial is None else trial.candidate
    if gone is None and trial is None and good is None:
        gone = disk.good  # a newer program cannot use it: nothing older takes its place
    newer = gone or trial
    rolled_back = 0 if gone is None else gone.version
    if tried is not None and trial is not None and (trial.whole or disk.good is None or not disk.good.whole):
        state = State(tried.rules, tried, good, trial=Trial(tried.version), rolled_back=rolled_back)
        effects.append(KeepRun(disk.unclean_ends))
    else:
        rules = (Rules() if good is None else good.rules).held_to(None if newer is None else newer.least)
        state = State(rules, good, good, waiting=tried, rolled_back=rolled_back)
    if state.waiting is not None:
        text = f"configuration {state.waiting.version} lacks pages of credentials; {state.rules.version} is used"
        effects.append(Note(text))
    return state, (*effects, *_alarm(State(), state), FetchPages())


def _take(state: State, candidate: Candidate) -> Next:
    """Whole and newer: it is used from now on, on trial."""
    after = replace(state, rules=candidate.rules, used=candidate, waiting=None, trial=Trial(candidate.version))
    return after, (KeepTrial(candidate), *_alarm(state, after), FetchPages(), Apply(new=candidate))


def _roll_back(state: State, why: str) -> Next:
    bad, good = state.used, state.good
    assert bad is not None, "a trial is that of the configuration in use"
    rules = (Rules() if good is None else good.rules).held_to(bad.rules)
    after = replace(state, rules=rules, used=good, trial=None, rolled_back=bad.version)
    keep = KeepRolledBack(bad.version, bad.signed, rules.version, why)
    return after, (keep, *_alarm(state, after), FetchPages(), Apply())


def _beat(state: State, trial: Trial) -> Next:
    if not proven(trial):
        return replace(state, trial=trial), ()
    assert state.used is not None, "a trial is that of the configuration in use"
    return replace(state, good=state.used, trial=None), (KeepConfirmed(state.used),)


def _look(state: State, trial: Trial, now_ms: int) -> Next:
    if trial.looks_left > 1:
        return replace(state, trial=replace(trial, looks_left=trial.looks_left - 1)), ()
    if beating(trial, now_ms):
        text = f"configuration {trial.version} is not proven yet, and the agent is well: it stays on trial"
        return replace(state, trial=replace(trial, looks_left=LOOKS)), (Note(text),)
    return _roll_back(state, f"not confirmed within {CONFIRM_WITHIN_MS // 1000} s")


def _alarm(before: State, after: State) -> tuple[Effect, ...]:
    return () if before.went_back is after.went_back else (ReportWentBack(after.went_back),)


# --- how long the agent has been well ------------------------------------------------------------------------------


def beat(trial: Trial, now_ms: int) -> Trial:
    """The trial after another beat of a healthy agent."""
    gap = trial.last_ms is None or now_ms - trial.last_ms > LONGEST_GAP_MS
    return replace(trial, healthy_since_ms=now_ms if gap else trial.healthy_since_ms, last_ms=now_ms)


def proven(trial: Trial) -> bool:
    return trial.last_ms is not None and trial.last_ms - trial.healthy_since_ms >= HEALTHY_AFTER_MS


def beating(trial: Trial, now_ms: int) -> bool:
    """Whether there were beats of late: the machine may have stood still just now, and the check come before the
    next beat."""
    return trial.last_ms is not None and now_ms - trial.last_ms <= 2 * CONFIRM_WITHIN_MS // LOOKS


def unclean_ends(before: int, ran_in: str | None, boot: str) -> int:
    """How often the program has died during a trial, computed at its start; ``before``: as was known so far.

    ``ran_in`` is the boot in which it ran last and did not end well (None: it did), ``boot`` the present one. If they
    differ, the machine went down with it: by a power cut, and not by a crash or for want of a beat.
    """
    return before + (ran_in == boot)


def failed(unclean_ends: int) -> bool:
    """Whether, at a start, a trial has ended often enough by the program's death to be rolled back."""
    return unclean_ends >= FAILED_STARTS
