"""From a read to an open door: finds the credential, judges, grants, shows; keeps the state of every attempt.

The judging is pure and elsewhere (edge_agent.policy.decision and the rules it names). It all runs on the loop and
waits for nothing. PINs and card numbers are never logged: events name cardholders.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

from drivers.osdp.events import ReplyRefused
from drivers.readers import CardRead, KeyPress, ReaderEvent, ReadRefused, Show
from edge_agent.access.areas import Areas
from edge_agent.access.attempts import Attempts
from edge_agent.access.duress import DuressAlarms
from edge_agent.access.movements import Movements
from edge_agent.access.noise import ReaderNoise
from edge_agent.access.pairs import Pairs
from edge_agent.access.pin_desk import Guessing, PinDesk
from edge_agent.agent_yaml.wiring import Passage
from edge_agent.doors.doors import Doors
from edge_agent.doors.happenings import DoorOpened, FireAlarm, Happening, HeldWarning, RulesChanged, SensorsRead
from edge_agent.events.journal import Journal
from edge_agent.host.clock import AgentClock
from edge_agent.policy import first_person, identification
from edge_agent.policy.decision import MAX_READ_AGE_MS, Attempt, Denied, Granted, decide
from edge_agent.policy.identification import Shown
from edge_agent.policy.second_person import Waiting
from edge_agent.storage.presence import Presence
from protocol import credentials
from protocol.words import Denial, DoorMode, EventKind


class Display(Protocol):
    """The readers of an agent, as far as they can show something."""

    def show(self, reader: str, what: Show) -> None:
        """Have a reader show it; at once, and without waiting for the reader. Ignored by one that cannot."""


@dataclass(frozen=True, slots=True)
class ReaderPlace:
    """Where a reader is."""

    door: str
    passage: Passage


class AccessDesk:
    """The desk of one agent: its readers report to :meth:`hear_reader`, its doors to :meth:`hear`.

    ``places`` says where each reader is, ``key`` is the credential key.
    """

    def __init__(
        self,
        *,
        doors: Doors,
        display: Display,
        places: dict[str, ReaderPlace],
        key: bytes,
        presence: Presence,
        clock: AgentClock,
        journal: Journal,
    ) -> None:
        self._doors = doors
        self._display = display
        self.places = places
        self._key = key
        self._presence = presence
        self._clock = clock
        self._journal = journal
        self._pins = PinDesk(key)
        self._pairs = Pairs()
        self._movements = Movements(presence)
        self._areas = Areas(((place.door, place.passage) for place in places.values()), presence, journal)
        self._attempts = Attempts(doors=doors, presence=presence, clock=clock, areas=self._areas, pairs=self._pairs)
        self._shown: dict[str, Show] = {}  # what lasts, by reader
        self.noise = ReaderNoise(clock, journal)
        self.duress = DuressAlarms(doors, presence, journal)

    def start(self) -> None:
        """Restore what was left at the doors, which have started."""
        self._areas.follow(self._doors.rules)
        self.duress.restore()

    # --- what readers report ------------------------------------------------------------------------------------

    def hear_reader(self, report: ReaderEvent | ReplyRefused) -> None:
        """Act on what a reader reports: judge a card or keys, count noise."""
        match report:
            case CardRead():
                self.read(report)
            case KeyPress():
                self.press(report)
            case ReadRefused(reader, reason) | ReplyRefused(reader, reason):
                self.noise.refused(reader, self.places[reader].door, reason)

    def read(self, card: CardRead) -> None:
        """Judge a card, and open its door or deny it."""
        self.follow()
        reader, read_ms = card.reader, int(card.at * 1000)
        place = self.places[reader]
        token, awaited = credentials.token(self._key, card.bits, card.data), self._pins.drop(reader)
        if awaited != token:  # one that is held to the reader is read again and again
            self._pin_missing(reader, awaited)
        known = self._doors.rules.credentials.find(token)
        attempt = self._attempts.at(place.door, place.passage, known, Shown.CARD, read_ms)
        decision = decide(attempt)
        asked = isinstance(decision, Denied) and decision.reason is Denial.PIN_MISSING
        if asked and identification.wants_pin(attempt.door, card_suffices=attempt.card_suffices):
            now = self._clock.mono_ms()
            if not self._pins.resting(reader, token, now):
                self._pins.await_pin(reader, token, now)
                self._display.show(reader, Show.ENTER_PIN)
                return
            attempt = replace(attempt, shown=Shown.CARD_AT_REST)
            decision = decide(attempt)
        self._act(reader, attempt, decision)

    def press(self, pressed: KeyPress) -> None:
        """Judge keys: '0' to '9', '*' clears, '#' enters. Ignored at a door that asks for no PIN."""
        self.follow()
        reader, read_ms = pressed.reader, int(pressed.at * 1000)
        place, now, rules = self.places[reader], self._clock.mono_ms(), self._doors.rules
        settings = rules.settings(place.door)
        if now - read_ms > MAX_READ_AGE_MS:
            self._pin_missing(reader, self._pins.drop(reader))
            return
        if not identification.takes_keys(settings) and not self._pins.begun(reader):
            return
        for entered in self._pins.press(reader, pressed.keys, now):
            judged = self._pins.judge(reader, entered, settings, rules, now)
            for guessing in judged.guessing:
                self._note_guessing(guessing)
            attempt = self._attempts.at(place.door, place.passage, judged.credential, judged.shown, read_ms)
            self._act(reader, attempt, decide(attempt))

    # --- what else happens --------------------------------------------------------------------------------------

    def hear(self, happening: Happening) -> None:
        """Follow what the doors report."""
        match happening:
            case SensorsRead():
                self.follow()
            case DoorOpened(door, closed_seen_ms):
                self._movements.opened(door, closed_seen_ms=closed_seen_ms, now_ms=self._clock.mono_ms())
            case HeldWarning(at):
                for reader in [name for name, place in self.places.items() if place.door == at]:
                    self._display.show(reader, Show.WARNING)
            case FireAlarm(active=True):  # people leave by every door, and nobody shows a badge
                self._movements.forget()
                if self._presence.knows_positions:
                    self.forgive(None, "the fire alarm")
            case RulesChanged():
                self._pairs.clear()
                self._areas.follow(self._doors.rules)

    def show_modes(self) -> None:
        """Have every reader show whether its door is secured, if it does not yet."""
        for reader, place in self.places.items():
            secured = self._doors.held[place.door].state.mode is DoorMode.SECURED
            wanted = Show.LOCKDOWN if secured else Show.IDLE
            if self._shown.get(reader) is not wanted:
                self._shown[reader] = wanted
                self._display.show(reader, wanted)

    def forgive(self, cardholder: str | None, by: str) -> int:
        """Forget where a cardholder is, or everybody (None). How many were known."""
        known = self._presence.forgive(cardholder)
        self._journal.add(EventKind.PASSBACK_FORGIVEN, {"cardholder": cardholder, "known": known, "by": by})
        return known

    def due_ms(self) -> int | None:
        """Until when (monotonic) nothing changes by time alone."""
        return min((at for at in (self._pairs.due_ms(), self._pins.due_ms()) if at is not None), default=None)

    def follow(self) -> None:
        """Do what is due by now: PINs and second people that did not come, noise not yet reported."""
        now, held = self._clock.mono_ms(), self._doors.held
        for reader, card in self._pins.overdue(now):
            self._pin_missing(reader, card)
        for door, waiting in self._pairs.overdue(lambda door: held[door].state.mode is DoorMode.SECURED, now):
            self._deny(waiting.reader, door, waiting.cardholder, Denial.SECOND_PERSON_MISSING)
        self._pins.forget(self._doors.rules.pin_policy, now)
        self._presence.follow(now)
        self.noise.follow()

    # --- acting -------------------------------------------------------------------------------------------------

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
            self.duress.begin(reader, door, cardholder, opened=opened)

    def _one_of_two(self, reader: str, attempt: Attempt, decision: Granted) -> bool:
        """Open for the second of two people; have the first wait. Whether it opened."""
        door, now = attempt.door.door, self._clock.mono_ms()
        before = self._pairs.waiting((door, attempt.passage))
        member = attempt.credential is not None and first_person.is_one(attempt.door, attempt.credential)
        first = self._pairs.arrive(attempt.door, attempt.passage, decision.cardholder, reader, now, member=member)
        if first is not None:
            return self._open(reader, attempt, decision, first)
        if before is None or before.cardholder != decision.cardholder:  # and not one held to the reader
            data = {"reader": reader, "cardholder": decision.cardholder}
            self._journal.add(EventKind.SECOND_PERSON_AWAITED, data, door=door)
        self._display.show(reader, Show.SECOND_PERSON)
        return False

    def _open(self, reader: str, attempt: Attempt, decision: Granted, first: Waiting | None = None) -> bool:
        """Open for one person, or for two of whom the first has waited. True."""
        door, now = attempt.door.door, self._clock.mono_ms()
        who = {"reader": reader, "cardholder": decision.cardholder}
        others = () if first is None else (first.cardholder,)
        together = {"with": list(others)} if others else {}
        by = {**who, "override": decision.override, **_shown(attempt.shown), **together}
        self._doors.grant(door, by, override=decision.override)
        self._display.show(reader, Show.GRANTED)
        if decision.override:
            doubt = {} if attempt.calendar.clock_trusted else {"clock_trusted": False}  # nothing timed was checked
            self._journal.add(EventKind.OVERRIDE_USED, {**who, **doubt}, door=door)
        if decision.passback_noted:
            area = None if attempt.position is None else attempt.position.area
            self._journal.add(EventKind.PASSBACK_NOTED, {**who, "known_in": area}, door=door)
        if not attempt.fire:  # who is out by another door a minute later is known to be nowhere
            people = (decision.cardholder, *others)
            self._movements.granted(attempt.door, attempt.passage, people, self._doors.held[door].state, now)
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

    def _note_guessing(self, guessing: Guessing) -> None:
        """Report that somebody seems to try PINs out."""
        known = None if guessing.card is None else self._doors.rules.credentials.find(guessing.card)
        who = {"reader": guessing.reader, "cardholder": None if known is None else known.cardholder}
        data = {**who, "rests": guessing.rests, "rest_ms": guessing.rest_ms}
        self._journal.add(EventKind.PIN_GUESSING, data, door=self.places[guessing.reader].door)

    def _pin_missing(self, reader: str, card: str | None) -> None:
        """The PIN of a card did not come. Digits without a card are forgotten in silence."""
        if card is None:
            return
        known, door = self._doors.rules.credentials.find(card), self.places[reader].door
        cardholder = None if known is None else known.cardholder
        if known is not None and known.duress:
            self.duress.begin(reader, door, cardholder, opened=False)
        self._deny(reader, door, cardholder, Denial.PIN_MISSING)

    def _deny(self, reader: str, door: str, cardholder: str | None, reason: Denial, **more: str | None) -> None:
        data = {"reader": reader, "reason": reason, "cardholder": cardholder, **more}
        self._journal.add(EventKind.ACCESS_DENIED, data, door=door)
        self._display.show(reader, Show.DENIED)


def _shown(shown: Shown) -> dict[str, str]:
    """What a grant says of what was shown besides a card. A duress is in its own event alone."""
    plain = Shown.CARD_AND_PIN if shown is Shown.CARD_AND_DURESS_PIN else shown
    return {} if plain is Shown.CARD else {"shown": plain}
