"""The areas of one agent's doors under its configuration, and at which readers anti-passback can hold people to them.

A position means something only among the areas under which it was learned. And where no reader leads back, people
who passed once would be inside for ever.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

import msgspec

from edge_agent.agent_yaml.wiring import Passage
from edge_agent.events.journal import Journal
from edge_agent.policy import passback
from edge_agent.policy.rules import Rules
from edge_agent.storage.presence import Presence
from protocol.messages import DoorSettings
from protocol.words import EventKind, Passback

Side = tuple[str, Passage]


class Areas:
    """Of one agent, whose readers are at ``sides``. Reports doors at which anti-passback must count as off."""

    def __init__(self, sides: Iterable[Side], presence: Presence, journal: Journal) -> None:
        self._sides = frozenset(sides)
        self._presence = presence
        self._journal = journal
        self._one_way: frozenset[Side] = frozenset()
        self._reported: dict[str, Passback] = {}

    def follow(self, rules: Rules) -> None:
        """Follow another configuration. Forgets where people are if it has other areas or another anti-passback."""
        doors = {door: rules.settings(door) for door, _ in sorted(self._sides)}
        known = self._presence.set_areas(self._text(doors))
        if known:
            data = {"cardholder": None, "known": known, "by": "a change of areas"}
            self._journal.add(EventKind.PASSBACK_FORGIVEN, data)
        self._one_way = passback.one_way((doors[door], passage) for door, passage in self._sides)
        off = {door: doors[door].passback for door, _ in self._one_way}
        for door, wanted in sorted(off.items()):
            if self._reported.get(door) is not wanted:
                self._journal.add(EventKind.PASSBACK_UNGUARDED, {"passback": wanted}, door=door)
        self._reported = off

    def in_force(self, settings: DoorSettings, passage: Passage) -> DoorSettings:
        """A door's settings as they can be carried out at its readers of one side."""
        if (settings.door, passage) not in self._one_way:
            return settings
        return msgspec.structs.replace(settings, passback=Passback.OFF)

    def _text(self, doors: Mapping[str, DoorSettings]) -> str:
        return json.dumps(
            [
                (door, passage, doors[door].area_from, doors[door].area_to, doors[door].passback)
                for door, passage in sorted(self._sides)
                if passback.counts(doors[door])
            ]
        )
