"""Alarms that repeat: what is told at once, what is counted, what is never hidden, and that no count is lost."""

from dataclasses import dataclass, field
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.alarms.groups import (
    FLAPPING,
    LASTING_MS,
    QUIET_MS,
    WINDOW_MS,
    Group,
    Step,
    Tell,
    TellFlapping,
    Weight,
    cleared,
    flush,
    over,
    raised,
    tick,
)

MINUTE = 60_000


@dataclass
class Watched:
    """One alarm with its group, ticked twice a second as the agent does, and all that was told of it."""

    weight: Weight = Weight.COUNTED
    now: int = 10_000_000
    group: Group = field(default_factory=Group)
    told: list[tuple[int, Tell]] = field(default_factory=list)
    flapping: list[tuple[int, bool]] = field(default_factory=list)
    times: list[int] = field(default_factory=list)

    def wait(self, ms: int) -> None:
        end = self.now + ms
        while self.now < end:
            self.now = min(end, self.now + 500)
            self._took(tick(self.group, self.now))

    def flap(self, on_ms: int = 500) -> None:
        """The alarm comes, and goes after a moment."""
        self.on()
        self.wait(on_ms)
        self.off()

    def on(self) -> None:
        self.times.append(self.now)
        self._took(raised(self.group, self.weight, self.now))

    def off(self) -> None:
        self._took(cleared(self.group, self.now))

    def _took(self, step: Step) -> None:
        self.group, effects = step
        for effect in effects:
            if isinstance(effect, TellFlapping):
                self.flapping.append((self.now, effect.on))
            else:
                self.told.append((self.now, effect))

    @property
    def raises(self) -> list[dict[str, Any]]:
        return [dict(tell.data) for _, tell in self.told if tell.on]

    @property
    def loud(self) -> list[tuple[int, dict[str, Any]]]:
        return [(at, dict(tell.data)) for at, tell in self.told if tell.on and "grouped" not in tell.data]

    @property
    def counted(self) -> int:
        left = [effect for effect in flush(self.group, self.now) if isinstance(effect, Tell) and effect.on]
        return sum(data.get("count", 1) for data in (*self.raises, *(effect.data for effect in left)))


def test_the_first_time_is_told_at_once_and_plainly_and_so_is_its_end() -> None:
    alarm = Watched()
    alarm.flap()
    assert [(tell.on, dict(tell.data)) for _, tell in alarm.told] == [(True, {}), (False, {})]


def test_thirty_repeats_are_one_event_with_their_count_and_one_fault_of_the_hardware() -> None:
    alarm = Watched()
    first = alarm.now
    for _ in range(31):
        alarm.flap()
        alarm.wait(5_000)
    alarm.wait(WINDOW_MS)
    assert alarm.raises == [{}, {"repeat": 31, "first_ms": first, "count": 30, "grouped": True}]
    assert alarm.flapping == [(first + 4 * 5_500, True)]


def test_after_five_quiet_minutes_it_is_news_again_though_the_hardware_is_known_to_be_faulty() -> None:
    alarm = Watched()
    for _ in range(FLAPPING):
        alarm.flap()
    alarm.wait(WINDOW_MS)
    before = len(alarm.loud)
    alarm.flap()
    assert len(alarm.loud) == before + 1
    assert alarm.group.flapping


def test_after_a_quiet_hour_the_fault_is_over_and_forgotten() -> None:
    alarm = Watched()
    for _ in range(FLAPPING):
        alarm.flap()
    alarm.wait(QUIET_MS - MINUTE)
    assert [on for _, on in alarm.flapping] == [True]
    alarm.wait(2 * MINUTE)
    assert [on for _, on in alarm.flapping] == [True, False]
    assert over(alarm.group)


def test_an_alarm_that_comes_again_and_stays_is_told_aloud_though_it_flapped_before() -> None:
    alarm = Watched()
    alarm.flap()
    alarm.on()
    alarm.wait(LASTING_MS)
    assert [data.get("lasting") for _, data in alarm.loud] == [None, True]
    assert alarm.counted == 2
    alarm.off()
    assert alarm.told[-1][1] == Tell(on=False, data={}), "the end of what was told aloud is told, too"


def test_one_that_lasts_twice_in_a_window_is_told_again_at_the_windows_end_if_it_is_still_on() -> None:
    alarm = Watched()
    alarm.flap()
    alarm.flap(LASTING_MS)
    alarm.on()
    alarm.wait(WINDOW_MS - 2 * LASTING_MS)
    assert len(alarm.loud) == 2
    alarm.wait(2 * LASTING_MS)
    assert len(alarm.loud) == 3
    assert alarm.counted == len(alarm.times)


def test_a_forced_door_is_written_every_time_and_marked_while_it_is_grouped() -> None:
    alarm = Watched(Weight.WRITTEN)
    for _ in range(3):
        alarm.flap()
    assert [data.get("grouped") for data in alarm.raises] == [None, True, True]
    assert [data.get("repeat", 1) for data in alarm.raises] == [1, 2, 3]


def test_who_forces_an_inside_door_every_four_minutes_is_told_of_every_time_five_minutes_have_gone_by() -> None:
    alarm = Watched(Weight.WRITTEN)
    for _ in range(40):
        alarm.flap(9_000)
        alarm.wait(4 * MINUTE)
    calls = [at for at, _ in alarm.loud]
    assert alarm.flapping == []
    assert calls == alarm.times[::2], "one is quiet, four minutes after the last; the next is not"
    assert alarm.counted == len(alarm.times)


def test_a_repeat_that_stayed_has_called_people_too() -> None:
    alarm = Watched(Weight.WRITTEN)
    alarm.flap()
    alarm.wait(4 * MINUTE)
    alarm.flap(LASTING_MS)
    alarm.wait(4 * MINUTE)
    alarm.flap()
    assert [data.get("lasting", False) for _, data in alarm.loud] == [False, True]


def test_a_contact_known_to_be_faulty_does_not_call_people_every_five_minutes() -> None:
    alarm = Watched(Weight.WRITTEN)
    for _ in range(40):
        alarm.flap()
        alarm.wait(MINUTE)
    assert alarm.group.flapping
    assert len(alarm.loud) == 1


def test_under_a_lockdown_every_forced_door_is_told_aloud_however_often_it_was_before() -> None:
    alarm = Watched(Weight.WRITTEN)
    for _ in range(10):
        alarm.flap()
    alarm.weight = Weight.ALWAYS
    alarm.flap()
    assert "grouped" not in alarm.raises[-1]


def test_on_the_perimeter_a_forced_door_is_told_aloud_until_it_has_shown_to_flap() -> None:
    alarm = Watched(Weight.UNTIL_FLAPPING)
    for _ in range(FLAPPING + 2):
        alarm.flap()
    assert [data.get("grouped", False) for data in alarm.raises] == [False] * FLAPPING + [True, True]


LIVES = st.lists(
    st.tuples(
        st.sampled_from([500, 2_000, 9_000, 30_000, 4 * MINUTE]), st.sampled_from([500, 5_000, MINUTE, 7 * MINUTE])
    ),
    max_size=25,
)


@settings(max_examples=120, deadline=None)
@given(LIVES, st.sampled_from(Weight))
def test_no_time_is_lost_or_counted_twice(life: list[tuple[int, int]], weight: Weight) -> None:
    alarm = Watched(weight)
    for on_ms, off_ms in life:
        alarm.flap(on_ms)
        assert alarm.counted == len(alarm.times)
        alarm.wait(off_ms)
        assert alarm.counted == len(alarm.times)


@settings(max_examples=120, deadline=None)
@given(LIVES, st.sampled_from(Weight))
def test_a_first_alarm_is_never_delayed(life: list[tuple[int, int]], weight: Weight) -> None:
    alarm = Watched(weight)
    for on_ms, off_ms in life:
        alarm.flap(on_ms)
        alarm.wait(off_ms)
    loud = {at for at, _ in alarm.loud}
    for before, at in zip([None, *alarm.times], alarm.times, strict=False):
        if before is None or at - before >= WINDOW_MS:
            assert at in loud


@settings(max_examples=120, deadline=None)
@given(LIVES)
def test_no_forced_door_is_quiet_five_minutes_after_people_were_last_called(life: list[tuple[int, int]]) -> None:
    alarm = Watched(Weight.WRITTEN)
    faulty = []
    for on_ms, off_ms in life:
        faulty.append(alarm.group.flapping)
        alarm.flap(on_ms)
        alarm.wait(off_ms)
    calls = [at for at, _ in alarm.loud]
    for at, known in zip(alarm.times, faulty, strict=True):
        assert known or any(at - WINDOW_MS < call <= at for call in calls)


@settings(max_examples=120, deadline=None)
@given(LIVES, st.sampled_from([Weight.COUNTED, Weight.WRITTEN]))
def test_people_are_called_a_few_times_in_five_minutes_and_no_more(
    life: list[tuple[int, int]], weight: Weight
) -> None:
    alarm = Watched(weight)
    for on_ms, off_ms in life:
        alarm.flap(on_ms)
        alarm.wait(off_ms)
    calls = [at for at, _ in alarm.loud]
    for start in calls:
        assert sum(start <= at < start + WINDOW_MS for at in calls) <= 3
    assert sum(on for _, on in alarm.flapping) <= 1 + sum(not on for _, on in alarm.flapping)


@settings(max_examples=120, deadline=None)
@given(LIVES, st.sampled_from(Weight))
def test_what_stays_on_is_told_within_a_window_and_a_little(life: list[tuple[int, int]], weight: Weight) -> None:
    alarm = Watched(weight)
    for on_ms, off_ms in life:
        alarm.flap(on_ms)
        alarm.wait(off_ms)
    alarm.on()
    alarm.wait(WINDOW_MS + LASTING_MS + 1_000)
    assert alarm.group.loud
