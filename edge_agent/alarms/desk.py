"""The alarms of one agent: which are on, and what is written of them. Grouping is edge_agent.alarms.groups' decision.

Call it on the loop. An alarm of no door (power, the fire line) is the agent's own, with ``door`` None.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from edge_agent.alarms import groups
from edge_agent.alarms.groups import Effect, Group, Tell, Weight
from edge_agent.events.journal import Journal
from ground.reporter import Reporter
from protocol.words import Alarm, EventKind

NEVER_GROUPED = frozenset({Alarm.FIRE, Alarm.DURESS, Alarm.MAINTENANCE, Alarm.OUTBOX_FILLING})
"""Each time is reported, at once: a life may hang on it, or it is rare."""

Source = tuple[tuple[str, str], ...]
"""The part that raises an alarm: (("reader", name),), say. Empty: the door itself."""

Key = tuple[str | None, Alarm, Source]


@dataclass(frozen=True, slots=True)
class AlarmsChanged:
    """What is on at a door (None: at the agent) is different from before."""

    door: str | None


class AlarmDesk(Reporter[AlarmsChanged]):
    """Keeps what is on, writes what is to be reported. ``now_ms`` is monotonic."""

    def __init__(self, journal: Journal, *, now_ms: Callable[[], int]) -> None:
        super().__init__()
        self._journal = journal
        self._now_ms = now_ms
        self._on: defaultdict[str | None, set[Key]] = defaultdict(set)  # by door
        self._groups: defaultdict[str | None, dict[Key, Group]] = defaultdict(dict)

    def set(
        self,
        door: str | None,
        alarm: Alarm,
        *,
        on: bool,
        source: Mapping[str, str] | None = None,
        weight: Weight = Weight.COUNTED,
    ) -> None:
        """An alarm is on or off now; may be repeated. ``source`` is the part it is of: {"reader": name}, say."""
        key: Key = (door, alarm, tuple(sorted((source or {}).items())))
        present = self._on[door]
        if on is (key in present):
            return
        (present.add if on else present.discard)(key)
        if alarm in NEVER_GROUPED:
            self._write(key, Tell(on=on, data={}))
        else:
            group = self._groups[door].get(key, Group())
            now = self._now_ms()
            group, effects = groups.raised(group, weight, now) if on else groups.cleared(group, now)
            self._keep(key, group, effects)
        self._report(AlarmsChanged(door))

    def set_lines(self, door: str | None, faults: Mapping[str, Alarm]) -> None:
        """The faulty lines of a door (None: of the agent), as they are now: {input: alarm}."""
        wanted = {(door, alarm, (("input", name),)) for name, alarm in faults.items()}
        held = {key for key in self._on[door] if key[2][:1] and key[2][0][0] == "input"}
        for _, alarm, source in held - wanted:
            self.set(door, alarm, on=False, source=dict(source))
        for _, alarm, source in wanted - held:
            self.set(door, alarm, on=True, source=dict(source))

    def insist(self, door: str, *alarms: Alarm) -> None:
        """A declaration secures the door: what is on there of these is reported, however quiet it was until now."""
        now = self._now_ms()
        for key in tuple(self._on[door]):
            if key[1] in alarms and key in self._groups[door]:
                self._keep(key, *groups.insisted(self._groups[door][key], now))

    def alarms(self, door: str | None) -> frozenset[Alarm]:
        """What is on at a door, truthfully, grouped or not; and whether something of it only cries wolf."""
        present = {alarm for _, alarm, _ in self._on[door]}
        if any(group.flapping for group in self._groups[door].values()):
            present.add(Alarm.MAINTENANCE)
        return frozenset(present)

    def sources(self, door: str | None) -> frozenset[tuple[Alarm, Source]]:
        """Each alarm that is on at a door, with what raises it."""
        return frozenset((alarm, source) for _, alarm, source in self._on[door])

    def maintenance(self, door: str | None) -> frozenset[Alarm]:
        """Which alarms of a door come so often that the fault is the hardware's: what Alarm.MAINTENANCE is about."""
        return frozenset(key[1] for key, group in self._groups[door].items() if group.flapping)

    def tick(self) -> None:
        now = self._now_ms()
        for key, group in self._all():
            after, effects = groups.tick(group, now)
            if after is not group:
                self._keep(key, after, effects)
                if after.flapping is not group.flapping:
                    self._report(AlarmsChanged(key[0]))

    def close(self) -> None:
        """Write what was counted and not reported, before the end."""
        now = self._now_ms()
        for key, group in self._all():
            for effect in groups.flush(group, now):
                self._write(key, effect)
        self._groups.clear()

    def _all(self) -> list[tuple[Key, Group]]:
        return [one for groups in self._groups.values() for one in groups.items()]

    def _keep(self, key: Key, group: Group, effects: tuple[Effect, ...]) -> None:
        if groups.over(group):
            self._groups[key[0]].pop(key, None)
        else:
            self._groups[key[0]][key] = group
        for effect in effects:
            self._write(key, effect)

    def _write(self, key: Key, effect: Effect) -> None:
        door, alarm, source = key
        kind = EventKind.ALARM_RAISED if effect.on else EventKind.ALARM_CLEARED
        if isinstance(effect, Tell):
            data = {"alarm": alarm, **dict(source), **effect.data}
        else:
            data = {"alarm": Alarm.MAINTENANCE, "of": alarm, **dict(source)}
            if effect.on:
                data["count"] = effect.count
        self._journal.add(kind, data, door=door)
