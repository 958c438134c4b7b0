"""Whatever happens to an agent, in any order: it uses a whole bundle, and one no looser than the newest it has had.

The machine is walked with a disk that may refuse, bundles that may not work, pages that get lost, crashes and power
cuts between any two effects.
"""

from collections.abc import Callable
from dataclasses import replace

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from edge_agent.bundle import trial
from edge_agent.bundle.candidate import Candidate, FromDisk
from edge_agent.bundle.trial import Effect, Input, State, step
from edge_agent.policy.rules import Rules
from protocol.messages import AgentConfig, DoorSettings
from protocol.refusal import Refused

DOOR = "door-0"
CRASHES = st.sampled_from([None, None, None, None, 0, 1, 2, 3])
"""After how many effects of a step the power goes; None: it does not."""

SELDOM = st.sampled_from([False, False, False, True])


def bundle(version: int) -> Candidate:
    """Every other one asks for two people at the door."""
    door = DoorSettings(door=DOOR, name=DOOR, two_person=version % 2 == 0)
    config = AgentConfig(audience="doorward/v1/school/agent/config", version=version, timezone="UTC", doors=(door,))
    return Candidate(config, str(version).encode(), Rules(version=version, doors={DOOR: door}))


class Disk:
    """What ``state.db`` has of bundles. While it refuses, the last write waits."""

    def __init__(self) -> None:
        self.good = self.on_trial = self.rolled_back = 0
        self.unclean_ends = 0
        self.ran_in: str | None = None
        self.refusing = False
        self.waiting: Callable[[], None] | None = None

    def keep(self, write: Callable[[], None]) -> None:
        self.waiting = write if self.refusing else None
        if not self.refusing:
            write()

    def newest(self) -> int:
        return max(self.good, self.on_trial, self.rolled_back)

    def perform(self, effect: Effect, boot: str) -> None:
        match effect:
            case trial.KeepTrial(new):
                self.keep(lambda: self._trial(new.version, 0, boot))
            case trial.KeepRun(ends):
                self.keep(lambda: self._trial(self.on_trial, ends, boot))
            case trial.KeepEndedWell():
                self.keep(lambda: self._trial(self.on_trial, self.unclean_ends, None))
            case trial.KeepConfirmed(good):
                self.keep(lambda: self._end(good=good.version, rolled_back=0))
            case trial.KeepRolledBack(version):
                self.keep(lambda: self._end(good=self.good, rolled_back=version))

    def _trial(self, version: int, unclean_ends: int, ran_in: str | None) -> None:
        self.on_trial, self.unclean_ends, self.ran_in = version, unclean_ends, ran_in

    def _end(self, *, good: int, rolled_back: int) -> None:
        self.on_trial, self.good, self.rolled_back = 0, good, rolled_back


class Agents(RuleBasedStateMachine):
    """One agent, through many starts."""

    def __init__(self) -> None:
        super().__init__()
        self.state = State()
        self.disk = Disk()
        self.now_ms = 0
        self.boots = 0
        self.whole: set[int] = set()
        self.unusable: set[int] = set()
        self.failing: set[int] = set()  # applied, they raise
        self.newest = 0  # the newest word of central's that this run has used, or found on the disk
        self.durable = 0
        self.confirmed = 0
        self.alarm = False

    # --- what the agent does with the machine ------------------------------------------------------------------

    def _do(self, happened: Input, crash_after: int | None = None) -> bool:
        """Whether it was done without a crash."""
        before = self.state
        self.state, effects = step(before, happened, self.now_ms)
        self._check_order(effects)
        if self.state.used is not before.used and self.state.used is not None:
            self.newest = max(self.newest, self.state.used.version)
        for number, effect in enumerate(effects):
            if number == crash_after:
                self._start(cut=True)
                return False
            self.disk.perform(effect, str(self.boots))
            if isinstance(effect, trial.ReportWentBack):
                assert effect.raised is not self.alarm, "raised and cleared in turn"
                self.alarm = effect.raised
            if isinstance(effect, trial.Apply) and effect.new is not None and effect.new.version in self.failing:
                return self._do(trial.Failed("it cannot be applied"))
        return True

    def _check_order(self, effects: tuple[Effect, ...]) -> None:
        kept = [number for number, one in enumerate(effects) if type(one).__name__.startswith("Keep")]
        applied = [number for number, one in enumerate(effects) if isinstance(one, trial.Apply)]
        assert not kept or not applied or max(kept) < min(applied), "on the disk before the doors follow"

    def _from_disk(self, version: int) -> FromDisk | None:
        if not version:
            return None
        found = bundle(version)
        usable = version not in self.unusable
        whole = usable and version in self.whole
        return FromDisk(version, found.signed, found if usable else None, found.rules, whole)

    def _start(self, *, cut: bool) -> None:
        """The program starts again: in another boot of the machine (``cut``), or in the same."""
        disk = self.disk
        disk.waiting = None
        self.boots += cut
        self.newest, self.alarm, self.state = disk.newest(), False, State()
        ends = trial.unclean_ends(disk.unclean_ends, disk.ran_in, str(self.boots))
        found = [self._from_disk(one) for one in (disk.good, disk.on_trial, disk.rolled_back)]
        self._do(trial.Loaded(found[0], found[1], ends, found[2]))
        used = 0 if self.state.used is None else self.state.used.version
        tried = 0 if trial.failed(ends) or disk.on_trial in self.unusable else disk.on_trial
        whole = {one.version for one in found[:2] if one is not None and one.whole} & {disk.good, tried}
        assert not whole or used in whole, "a whole one is used if there is any"
        waiting = 0 if self.state.waiting is None else self.state.waiting.version
        assert tried in (0, used, waiting), "the newest is fetched, if it is not used"

    # --- what happens to it -------------------------------------------------------------------------------------

    @initialize(confirmed=st.booleans())
    def it_may_be_well_with_one_already(self, confirmed: bool) -> None:
        if confirmed:
            self.a_bundle_arrives(ahead=1, whole=True, failing=False, crash_after=None)
            self.the_agent_is_well(beats=70, crash_after=None)
            assert self.disk.good == 1

    @rule(
        ahead=st.integers(-2, 2),
        whole=st.booleans(),
        failing=SELDOM,
        crash_after=CRASHES,
    )
    def a_bundle_arrives(self, ahead: int, whole: bool, failing: bool, crash_after: int | None) -> None:
        state, version = self.state, max(1, self.newest + ahead)
        if version > self.newest:
            (self.failing.add if failing else self.failing.discard)(version)
        if whole:
            self.whole.add(version)
        try:
            trial.check(state, version)
        except Refused:
            return
        waiting = 0 if state.waiting is None else state.waiting.version
        assert version > max(state.rules.version, waiting), "never backwards"
        gone = max(state.rolled_back, self.disk.rolled_back)
        assert version > gone or (state.used is None and version == gone), "what was rolled back stays away"
        self._do(trial.Arrived(bundle(version), version in self.whole), crash_after)

    @precondition(lambda self: self.state.waiting is not None)
    @rule(crash_after=CRASHES)
    def the_pages_come(self, crash_after: int | None) -> None:
        assert self.state.waiting is not None
        self.whole.add(self.state.waiting.version)
        self._do(trial.PagesComplete(), crash_after)

    @rule(of_trial=st.booleans(), cut=st.booleans())
    def pages_are_lost_and_the_program_starts_again(self, of_trial: bool, cut: bool) -> None:
        self.whole.discard(self.disk.on_trial if of_trial else self.disk.good)
        self._start(cut=cut)

    @rule()
    def the_program_can_no_longer_use_what_is_on_trial(self) -> None:
        if self.disk.on_trial != self.disk.good:
            self.unusable.add(self.disk.on_trial)

    @rule(beats=st.sampled_from([1, 10, 70]), crash_after=st.sampled_from([None, None, 0]))
    def the_agent_is_well(self, beats: int, crash_after: int | None) -> None:
        for _ in range(beats):
            self.now_ms += 500
            if not self._do(trial.Beat(), crash_after):
                return

    @rule(looks=st.integers(1, 2 * trial.LOOKS), crash_after=CRASHES)
    def time_goes_by_without_a_beat(self, looks: int, crash_after: int | None) -> None:
        for _ in range(looks):
            self.now_ms += trial.CONFIRM_WITHIN_MS // trial.LOOKS
            if not self._do(trial.LookDue(), crash_after):
                return

    @rule(orderly=st.booleans(), cut=st.booleans())
    def the_program_ends(self, orderly: bool, cut: bool) -> None:
        if orderly:
            self._do(trial.StoppedWell())
        self._start(cut=cut)

    @rule(refusing=st.booleans())
    def the_disk_changes_its_mind(self, refusing: bool) -> None:
        self.disk.refusing = refusing
        if not refusing and self.disk.waiting is not None:
            self.disk.keep(self.disk.waiting)

    # --- what holds whatever happens ----------------------------------------------------------------------------

    @invariant()
    def no_door_is_looser_than_the_newest_bundle_asks(self) -> None:
        rules, newest = self.state.rules, self.newest
        floor = 0 if rules.no_looser_than is None else rules.no_looser_than.version
        assert max(rules.version, floor) >= newest
        if newest:
            assert rules.settings(DOOR).two_person >= bundle(newest).rules.settings(DOOR).two_person

    @invariant()
    def the_disk_forgets_no_newer_word(self) -> None:
        assert self.disk.newest() >= self.durable
        self.durable = self.disk.newest()

    @invariant()
    def what_was_confirmed_stays(self) -> None:
        assert self.disk.good >= self.confirmed
        self.confirmed = self.disk.good
        if self.confirmed and self.confirmed not in self.unusable:
            assert self.state.rules.version >= self.confirmed

    @invariant()
    def the_state_is_of_one_piece(self) -> None:
        state = self.state
        used = 0 if state.used is None else state.used.version
        assert state.rules.version == used
        assert state.trial is None or state.trial.version == used
        assert state.waiting is None or state.waiting.version > used
        assert self.alarm is state.went_back


Agents.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestAgents = Agents.TestCase


def test_two_deaths_in_one_boot_roll_back_and_a_thousand_power_cuts_do_not() -> None:
    ends = 0
    for boot in range(1_000):
        ends = trial.unclean_ends(ends, str(boot), str(boot + 1))
    assert not trial.failed(ends)
    found = FromDisk(2, b"2", bundle(2), bundle(2).rules, whole=True)
    good = replace(found, version=1, candidate=bundle(1), least=bundle(1).rules)
    state, _ = step(State(), trial.Loaded(good, found, trial.FAILED_STARTS - 1), 0)
    assert state.trial is not None
    state, effects = step(State(), trial.Loaded(good, found, trial.FAILED_STARTS), 0)
    assert (state.rules.version, state.rolled_back) == (1, 2)
    assert isinstance(effects[0], trial.KeepRolledBack)
