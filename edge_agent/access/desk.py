"""From what a reader read to what its door does: looks up, judges, opens, tells; the state of every attempt.

The judging is pure and elsewhere (edge_agent.policy.decision and the rules it names). It all runs on the loop and
waits for nothing. PINs and card numbers are never logged: events name cardholders.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from drivers.readers import Show
from edge_agent.access.areas import Areas
from edge_agent.access.movements import Movements
from edge_agent.access.noise import ReaderNoise
from edge_agent.access.pin_desk import Guessing, PinDesk
from edge_agent.agent_yaml.config_file import AgentFile
from edge_agent.agent_yaml.wiring import Passage, ReaderWiring, SerialReaderWiring, WiegandWiring
from edge_agent.doors.state import DoorState
from edge_agent.doors.state import Granted as Grant
from edge_agent.events.journal import Journal
from edge_agent.host.clock import Clock
from edge_agent.policy import first_person, identification, second_person
from edge_agent.policy.decision import MAX_READ_AGE_MS, Attempt, Denied, Granted, decide
from edge_agent.policy.identification import Shown
from edge_agent.policy.rules import Rules
from edge_agent.policy.second_person import Waiting
from edge_agent.storage.presence import Presence
from protocol import credentials
from protocol.messages import Credential
from protocol.words import Alarm, Denial, DoorMode, EventKind

log = logging.getLogger(__name__)


class Doors(Protocol):
    """What the badge path needs of the doors."""

    @property
    def rules(self) -> Rules:
        """The configuration in use."""

    @property
    def fire(self) -> bool:
        """Whether the fire alarm is on."""

    def door_state(self, door: str) -> DoorState:
        """What is known of a door."""

    def interlock_free(self, door: str) -> bool:
        """Whether the doors it is interlocked with are proven secure, on evidence of this moment."""

    def open_for(self, door: str, granted: Grant) -> None:
        """Somebody may pass."""

    def follow_schedules(self) -> None:
        """Bring every door to the mode it should have by now."""

    def set_reader_alarm(self, reader: str, door: str, alarm: Alarm, *, on: bool) -> None:
        """A reader of a door raises or clears an alarm."""


@dataclass(frozen=True, slots=True)
class ReaderPlace:
    """Where a reader is."""

    door: str
    passage: Passage


def reader_places(config: AgentFile) -> dict[str, ReaderPlace]:
    """Every reader of an agent, of whatever kind, by name."""
    readers: list[ReaderWiring | WiegandWiring | SerialReaderWiring] = [
        reader for line in config.reader_lines for reader in line.readers
    ]
    readers += [*config.wiegand_readers, *config.serial_readers]
    return {reader.reader: ReaderPlace(reader.door, reader.passage) for reader in readers}


class BadgePath:
    """The readers' side of an agent's doors. ``on_show(reader, what)`` tells a reader what to show."""

    def __init__(
        self,
        *,
        doors: Doors,
        key: bytes,
        places: Mapping[str, ReaderPlace],
        presence: Presence,
        clock: Clock,
        journal: Journal,
        on_show: Callable[[str, Show], None],
    ) -> None:
        self._doors = doors
        self._key = key
        self._places = dict(places)
        self._presence = presence
        self._clock = clock
        self._journal = journal
        self._on_show = on_show
        self._pins = PinDesk(key, self._guessing)
        self._movements = Movements(presence)
        self._areas = Areas(((place.door, place.passage) for place in self._places.values()), presence, journal)
        self._waiting: dict[tuple[str, Passage], Waiting] = {}  # the first of two, on one side of a door
        self.noise = ReaderNoise(clock, journal)

    def start(self, doors: Collection[str]) -> None:
        """Take up what was left at these doors: a duress that nobody has cleared is one still, though its reader may
        be gone. One at a door that is wired to this agent no longer is kept: its door may come back."""
        self._areas.follow(self._doors.rules)
        for door, reader in sorted(self._presence.duress()):
            if door in doors:
                self._doors.set_reader_alarm(reader, door, Alarm.DURESS, on=True)

    def readers_of(self, door: str) -> tuple[str, ...]:
        """The names of a door's readers."""
        return tuple(name for name, place in self._places.items() if place.door == door)

    # --- what readers say ---------------------------------------------------------------------------------------

    def card_read(self, reader: str, door: str, bits: int, data: bytes, read_ms: int) -> None:
        """A card at a reader (``bits`` left-aligned in ``data``), read at ``read_ms`` of the monotonic clock."""
        self.follow()
        token, awaited = credentials.token(self._key, bits, data), self._pins.drop(reader)
        if awaited != token:  # one that is held to the reader is read again and again
            self._pin_missing(reader, door, awaited)
        attempt = self._attempt(reader, door, self._doors.rules.credentials.find(token), Shown.CARD, read_ms)
        decision = decide(attempt)
        asked = isinstance(decision, Denied) and decision.reason is Denial.PIN_MISSING
        if asked and identification.wants_pin(attempt.door, card_suffices=attempt.card_suffices):
            now = self._clock.mono_ms()
            if not self._pins.resting(reader, token, now):
                self._pins.await_pin(reader, token, now)
                self._on_show(reader, Show.ENTER_PIN)
                return
            attempt = replace(attempt, shown=Shown.CARD_AT_REST)
            decision = decide(attempt)
        self._act(reader, attempt, decision)

    def keys_pressed(self, reader: str, door: str, keys: str, read_ms: int) -> None:
        """Keys at a reader: '0' to '9', '*' clears, '#' enters. Ignored at a door that asks for no PIN."""
        self.follow()
        now, rules = self._clock.mono_ms(), self._doors.rules
        settings = rules.settings(door)
        if now - read_ms > MAX_READ_AGE_MS:
            self._pin_missing(reader, door, self._pins.drop(reader))
            return
        if not identification.takes_keys(settings) and not self._pins.begun(reader):
            return
        for entered in self._pins.press(reader, keys, now):
            credential, shown = self._pins.judge(reader, entered, settings, rules, now)
            attempt = self._attempt(reader, door, credential, shown, read_ms)
            self._act(reader, attempt, decide(attempt))

    def read_refused(self, reader: str, door: str, reason: str) -> None:
        """A reader sent what is no card and no key. Counted, and told at most once a minute a reader."""
        self.noise.refused(reader, door, reason)

    # --- what else happens --------------------------------------------------------------------------------------

    def door_opened(self, door: str, closed_seen_ms: int) -> None:
        """A door's contact shows it open; it was last seen closed at ``closed_seen_ms``."""
        self._movements.opened(door, closed_seen_ms=closed_seen_ms, now_ms=self._clock.mono_ms())

    def forgive(self, cardholder: str | None, by: str) -> int:
        """Forget where a cardholder is, or everybody (None). How many were known."""
        known = self._presence.forgive(cardholder)
        self._journal.add(EventKind.PASSBACK_FORGIVEN, {"cardholder": cardholder, "known": known, "by": by})
        return known

    def rules_changed(self) -> None:
        """Another configuration. Whoever waits for a second person was judged by the former one: they ask again."""
        self._waiting.clear()
        self._areas.follow(self._doors.rules)

    def fire_started(self) -> None:
        """People leave by every door, and nobody shows a badge: where they are is known no longer, and not learned
        before it is over.
        """
        self._movements.forget()
        if self._presence.knows_positions:
            self.forgive(None, "the fire alarm")

    def clear_duress(self, door: str) -> bool:
        """Somebody has looked after a door's duress alarm; whether there was one."""
        readers = sorted(reader for at, reader in self._presence.duress() if at == door)
        for reader in readers:
            self._doors.set_reader_alarm(reader, door, Alarm.DURESS, on=False)
            self._presence.duress_cleared(door, reader)
        return bool(readers)

    def due_ms(self) -> int | None:
        """Until when (monotonic) nothing changes by time alone."""
        deadlines = [waiting.until_ms for waiting in self._waiting.values()]
        entry = self._pins.due_ms()
        return min(deadlines if entry is None else [*deadlines, entry], default=None)

    def follow(self) -> None:
        """Do what is due by now: PINs and second people that did not come, noise not yet told."""
        now = self._clock.mono_ms()
        for reader, card in self._pins.overdue(now):
            self._pin_missing(reader, self._places[reader].door, card)
        for (door, passage), waiting in list(self._waiting.items()):
            if now >= waiting.until_ms or self._doors.door_state(door).mode is DoorMode.SECURED:
                del self._waiting[door, passage]
                self._deny(waiting.reader, door, waiting.cardholder, Denial.SECOND_PERSON_MISSING)
        self._pins.forget(self._doors.rules.pin_policy, now)
        self._presence.follow(now)
        self.noise.follow()

    def _place(self, reader: str, door: str) -> ReaderPlace:
        return self._places.setdefault(reader, ReaderPlace(door, Passage.IN))

    # --- judging ------------------------------------------------------------------------------------------------

    def _attempt(self, reader: str, door: str, credential: Credential | None, shown: Shown, read_ms: int) -> Attempt:
        rules, now, utc_ns = self._doors.rules, self._clock.mono_ms(), self._clock.utc_ns()
        settings, trusted, newer = rules.settings(door), self._clock.trusted(), rules.no_looser_than
        came = trusted and first_person.came_today(self._presence.first_person(door), utc_ns, rules.timezone)
        passage = self._place(reader, door).passage
        waiting = self._waiting.get((door, passage))  # if a member, they come in with whoever is judged here
        return Attempt(
            credential=credential,
            door=self._areas.in_force(settings, passage),
            mode=self._doors.door_state(door).mode,
            calendar=rules.calendar(utc_ns, clock_trusted=trusted),
            rules=rules.access,
            shown=shown,
            passage=passage,
            read_age_ms=max(0, now - read_ms),
            now_ms=now,
            fire=self._doors.fire,
            position=None if credential is None else self._presence.position(credential.cardholder),
            first_person_came=came or (waiting is not None and waiting.member and now < waiting.until_ms),
            interlock_free=settings.interlock is None or self._doors.interlock_free(door),
            rolled_back=(newer.access, newer.calendar(utc_ns, clock_trusted=trusted))
            if newer and newer.version
            else None,
        )

    def _act(self, reader: str, attempt: Attempt, decision: Granted | Denied) -> None:
        door, credential = attempt.door.door, attempt.credential
        cardholder = None if credential is None else credential.cardholder
        opened = False
        if isinstance(decision, Denied):
            position = attempt.position if decision.reason is Denial.PASSBACK else None
            where = {} if position is None else {"known_in": position.area}
            self._deny(reader, door, cardholder, decision.reason, **where)
        elif attempt.door.two_person and not decision.override:
            opened = self._one_of_two(reader, attempt, decision)
        else:
            opened = self._open(reader, attempt, decision)
        if decision.duress:
            self._duress(reader, door, cardholder, opened=opened)

    def _one_of_two(self, reader: str, attempt: Attempt, decision: Granted) -> bool:
        """Open for the second of two people; have the first wait. Whether it opened."""
        door, now = attempt.door.door, self._clock.mono_ms()
        side = (door, attempt.passage)
        before = self._waiting.pop(side, None)
        member = attempt.credential is not None and first_person.is_one(attempt.door, attempt.credential)
        waiting, first = second_person.arrive(before, attempt.door, decision.cardholder, reader, now, member=member)
        if first is not None:
            return self._open(reader, attempt, decision, first)
        if waiting is not None:
            self._waiting[side] = waiting
        if before is None or before.cardholder != decision.cardholder:  # and not one held to the reader
            data = {"reader": reader, "cardholder": decision.cardholder}
            self._journal.add(EventKind.SECOND_PERSON_AWAITED, data, door=door)
        self._on_show(reader, Show.SECOND_PERSON)
        return False

    def _open(self, reader: str, attempt: Attempt, decision: Granted, first: Waiting | None = None) -> bool:
        """Open for one person, or for two of whom the first has waited. True."""
        door, now = attempt.door.door, self._clock.mono_ms()
        who = {"reader": reader, "cardholder": decision.cardholder}
        others = () if first is None else (first.cardholder,)
        together = {"with": list(others)} if others else {}
        by = {**who, "override": decision.override, **_shown(attempt.shown), **together}
        self._doors.open_for(door, Grant(by, override=decision.override))
        self._on_show(reader, Show.GRANTED)
        if decision.override:
            doubt = {} if attempt.calendar.clock_trusted else {"clock_trusted": False}  # nothing timed was checked
            self._journal.add(EventKind.OVERRIDE_USED, {**who, **doubt}, door=door)
        if decision.passback_noted:
            area = None if attempt.position is None else attempt.position.area
            self._journal.add(EventKind.PASSBACK_NOTED, {**who, "known_in": area}, door=door)
        if not attempt.fire:  # who is out by another door a minute later is known to be nowhere
            people = (decision.cardholder, *others)
            self._movements.granted(attempt.door, attempt.passage, people, self._doors.door_state(door), now)
        self._note_first_person(reader, attempt, first)
        return True

    def _note_first_person(self, reader: str, attempt: Attempt, first: Waiting | None) -> None:
        """Whether one who must come first was let in: of two people either may be it."""
        calendar, door, credential = attempt.calendar, attempt.door, attempt.credential
        if credential is None or not calendar.clock_trusted or attempt.passage is Passage.OUT:
            return
        data = {"reader": reader, "cardholder": credential.cardholder}
        if first is not None and first.member:
            data = {"reader": first.reader, "cardholder": first.cardholder}
        elif not first_person.is_one(door, credential):
            return
        before, periods = self._presence.first_person(door.door), calendar.schedules.get(door.schedule or "", ())
        if first_person.is_news(before, periods, calendar.utc_ns, calendar.timezone, calendar.holidays):
            self._presence.first_person_came(door.door, calendar.utc_ns)
            self._journal.add(EventKind.FIRST_PERSON_CAME, data, door=door.door)
            self._doors.follow_schedules()

    def _guessing(self, told: Guessing) -> None:
        """Somebody seems to try PINs out."""
        known = None if told.card is None else self._doors.rules.credentials.find(told.card)
        data = {
            "reader": told.reader,
            "cardholder": None if known is None else known.cardholder,
            "rests": told.rests,
            "rest_ms": told.rest_ms,
        }
        self._journal.add(EventKind.PIN_GUESSING, data, door=self._places[told.reader].door)

    def _duress(self, reader: str, door: str, cardholder: str | None, *, opened: bool) -> None:
        """Tell officers and nobody at the door. The alarm stays until one of them clears it."""
        self._journal.add(EventKind.DURESS, {"reader": reader, "cardholder": cardholder, "opened": opened}, door=door)
        self._presence.duress_began(door, reader)
        self._doors.set_reader_alarm(reader, door, Alarm.DURESS, on=True)

    def _pin_missing(self, reader: str, door: str, card: str | None) -> None:
        """The PIN of a card did not come. Digits without a card are forgotten in silence."""
        if card is None:
            return
        known = self._doors.rules.credentials.find(card)
        cardholder = None if known is None else known.cardholder
        if known is not None and known.duress:
            self._duress(reader, door, cardholder, opened=False)
        self._deny(reader, door, cardholder, Denial.PIN_MISSING)

    def _deny(self, reader: str, door: str, cardholder: str | None, reason: Denial, **more: str | None) -> None:
        data = {"reader": reader, "reason": reason, "cardholder": cardholder, **more}
        self._journal.add(EventKind.ACCESS_DENIED, data, door=door)
        self._on_show(reader, Show.DENIED)


def _shown(shown: Shown) -> dict[str, str]:
    """What a grant says of what was shown besides a card. A duress is told by its own event alone."""
    plain = Shown.CARD_AND_PIN if shown is Shown.CARD_AND_DURESS_PIN else shown
    return {} if plain is Shown.CARD else {"shown": plain}
