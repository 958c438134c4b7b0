"""The people of a virtual school: they do what the rhythm of the day says, and keep still in a lockdown.

They know what people know: the colour a reader shows, whether a door gives way, and what the loudspeakers say.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from functools import partial

from protocol.words import DoorMode
from simulators.school.cards import Card
from simulators.school.rhythm import ActKind, DayClock, DoorAct, Rhythm
from simulators.school.site import VirtualSite

log = logging.getLogger(__name__)

WALK_THROUGH_S = 1.2
REACH_S = 0.15
"""The request-to-exit sensor sees who comes this much before the leaf moves."""

WAIT_AT_READER_S = 3.0
SLEEP_S = 0.25


class People:
    """Everybody at one agent's doors. ``cards``: what they carry; override cards stay with the responders."""

    def __init__(self, site: VirtualSite, cards: Sequence[Card], *, seed: int | str = 0) -> None:
        self._site = site
        self._cards = tuple(card for card in cards if not card.override)
        self._rhythm = Rhythm(
            f"{seed}/{site.site}/{site.agent_name}", tuple(site.doors), tuple(site.reader_of), len(self._cards)
        )
        self._waiting: dict[str, tuple[float, str | None]] = {}  # door -> until when, and the PIN they know
        self._day: asyncio.Task[None] | None = None
        self.acts = 0
        """How many things they did."""
        site.on_green = self._green
        site.on_amber = self._amber

    def begin(self, clock: DayClock) -> None:
        """Live the day from now on, by this clock."""
        self.rest()
        self._day = asyncio.get_running_loop().create_task(self._live(clock))

    def rest(self) -> None:
        """Do nothing more of their own accord."""
        if self._day is not None:
            self._day.cancel()
            self._day = None

    def wait_for_green(self, door: str, pin: str | None = None) -> None:
        """Somebody has held up a card at a door. They type their PIN, if they know one, should the reader ask for it,
        and walk in if it shows green soon."""
        self._waiting[door] = asyncio.get_running_loop().time() + WAIT_AT_READER_S, pin

    def rush(self, door: str, people: int, every_s: float) -> None:
        """So many hold up a card each at a door, one after the other. ValueError for a door without a reader."""
        if door not in self._site.reader_of:
            raise ValueError(f"door {door!r} has no reader")
        if not self._cards:
            raise ValueError("nobody here has a card; give --cards")
        for place in range(people):
            card = self._cards[place % len(self._cards)]
            self._site.later(place * every_s, partial(self._hold_up, door, card))

    def _hold_up(self, door: str, card: Card) -> None:
        self.wait_for_green(door, card.pin)
        try:
            self._site.readers[self._site.reader_of[door]].swipe(card.bits, card.data)
        except RuntimeError as refused:  # a frozen reader remembers only so many
            log.debug("%s: %s", door, refused)

    async def _live(self, clock: DayClock) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        lived: int | None = None
        while True:
            minute = clock.minute(loop.time() - began)
            if int(minute) != lived:
                lived = int(minute)
                for act in self._rhythm.acts(lived):
                    loop.call_later(act.after_ms / 1000 / clock.speed, self._do, act)
            await asyncio.sleep(min(SLEEP_S, 60 / clock.speed))

    def _do(self, act: DoorAct) -> None:
        if self._day is None:
            return
        door = self._site.doors[act.door]
        if act.kind is ActKind.BADGE and act.card is not None:
            self._hold_up(act.door, self._cards[act.card])
        elif self._site.mode(act.door) is DoorMode.SECURED:
            return  # locks, lights, out of sight: people stay in their rooms
        elif act.kind is ActKind.LEAVE:
            door.press_rex()
            loop = asyncio.get_running_loop()
            loop.call_later(REACH_S, partial(door.person_opens, WALK_THROUGH_S, from_inside=True))
        else:
            door.person_opens(WALK_THROUGH_S)
        self.acts += 1

    def _green(self, door: str) -> None:
        until, _ = self._waiting.pop(door, (0.0, None))
        if asyncio.get_running_loop().time() <= until:
            self._site.doors[door].person_opens(WALK_THROUGH_S)

    def _amber(self, door: str) -> None:
        """The person who waits there types their PIN, and waits on."""
        until, pin = self._waiting.get(door, (0.0, None))
        if pin is None or asyncio.get_running_loop().time() > until:
            return
        self.wait_for_green(door)
        try:
            self._site.readers[self._site.reader_of[door]].press(f"{pin}#")
        except (ValueError, RuntimeError) as refused:
            log.debug("%s: %s", door, refused)
