"""What an order happens in: a virtual site, its people and the cards they hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from simulators.school.cards import Card
from simulators.school.people import People
from simulators.school.site import VirtualSite


@dataclass(slots=True)
class World:
    """One virtual site and what belongs to it. ``faults``: door -> the fault that was made there by lot."""

    site: VirtualSite
    people: People
    cards: Mapping[str, Card]
    faults: dict[str, str] = field(default_factory=dict)
