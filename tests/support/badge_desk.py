"""The access desk at doors without hardware: real door machines, a real presence.db, a clock one steps."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from drivers.readers import CardRead, KeyPress, Show
from edge_agent.access.desk import AccessDesk, ReaderPlace
from edge_agent.agent_yaml.wiring import Passage
from edge_agent.doors import interlock
from edge_agent.doors.doors import Doors
from edge_agent.doors.happenings import DoorOpened, RulesChanged, SensorsRead
from edge_agent.doors.machine import step
from edge_agent.doors.state import DoorProfile, DriveLock, Granted, Input, ModeSet, Sensed, Tick, initial
from edge_agent.events.journal import Journal
from edge_agent.policy.credentials import MemoryCredentials
from edge_agent.policy.effective_mode import effective_mode
from edge_agent.policy.rules import Rules
from edge_agent.storage.presence import Presence
from protocol import credentials
from protocol.messages import AccessRule, Credential, DoorSettings
from protocol.words import Alarm, Bolt, Contact, DoorMode, EventKind
from tests.support.attempts import CHICAGO

KEY = bytes(32)
UNLOCK_MS = 5_000


def ns(text: str) -> int:
    """A moment by Chicago's clock, nanoseconds since 1970."""
    return int(datetime.fromisoformat(text).replace(tzinfo=CHICAGO).timestamp()) * 1_000_000_000


def card(number: int) -> bytes:
    return number.to_bytes(4, "big")


def person(number: int, *, pin: str | None = None, duress: str | None = None, **fields: Any) -> Credential:
    """Cardholder ch-<number>, with card <number>, who is of the staff."""
    token = credentials.token(KEY, 26, card(number))
    return Credential(
        token=token,
        pin=None if pin is None else credentials.pin_token(KEY, token, pin),
        duress_pin=None if duress is None else credentials.pin_token(KEY, token, duress),
        **{"cardholder": f"ch-{number}", "groups": ("staff",)} | fields,
    )


def pin_person(name: str, pin: str, **fields: Any) -> Credential:
    """Somebody without a card."""
    token = credentials.pin_only_token(KEY, pin)
    return Credential(token=token, cardholder=name, groups=("staff",), **fields)


class Desk:
    """Doors "front" and "back", each with a reader "...-in" and "...-out". It is the desk's clock, journal, display
    and doors at once; ``events`` and ``shown`` are what happened, ``alarms`` what is on.
    """

    boot = "boot"
    passages: tuple[Passage, ...] = tuple(Passage)

    def __init__(self, folder: Path, *people: Credential, **front: Any) -> None:
        self.now, self.utc, self.trust, self.fire = 1_000_000, ns("2026-11-24T12:00:00"), True, False
        self.events: list[tuple[str, dict[str, Any]]] = []
        self.shown: list[tuple[str, Show]] = []
        self.alarms: set[tuple[str, str, Alarm]] = set()
        self.mode = DoorMode.CONTROLLED
        doors = (DoorSettings(door="front", name="Front", **front), DoorSettings(door="back", name="Back"))
        self.rules = Rules(
            timezone=CHICAGO,
            doors={settings.door: settings for settings in doors},
            credentials=MemoryCredentials(people),
            access=(AccessRule(group="staff", doors=("front", "back")),),
        )
        self._folder = folder
        self.states = {settings.door: initial(_profile(settings.door), self.now) for settings in doors}
        self.restart()
        for door in self.states:
            self.close(door)

    def restart(self) -> None:
        """The program ends and starts again; the doors stay as they are."""
        if hasattr(self, "presence"):
            self.presence.close()
        self.alarms.clear()
        self.presence = Presence(self._folder / "presence.db")
        self.desk = AccessDesk(
            doors=cast("Doors", self),
            display=self,
            key=KEY,
            places={
                f"{door}-{side}": ReaderPlace(door, side) for door in ("front", "back") for side in self.passages
            },
            presence=self.presence,
            clock=self,
            journal=cast("Journal", self),
        )
        self.desk.start()

    def change(self, **rules: Any) -> None:
        """Another configuration: fields of Rules."""
        self.rules = replace(self.rules, **rules)
        self.desk.hear(RulesChanged())

    # --- what people do -----------------------------------------------------------------------------------------

    def swipe(self, number: int, reader: str = "front-in", age_ms: int = 0) -> Show:
        """Hold a card to a reader; what it shows then."""
        self.desk.read(CardRead(reader, 26, card(number), (self.now - age_ms + 0.5) / 1000))
        return self.shown[-1][1]

    def keys(self, keys: str, reader: str = "front-in", age_ms: int = 0) -> Show | None:
        """Press keys at a reader; what it shows last."""
        self.desk.press(KeyPress(reader, keys, (self.now - age_ms + 0.5) / 1000))
        return self.shown[-1][1] if self.shown else None

    def later(self, ms: int) -> None:
        """Time passes, and what is due by then is done."""
        self.now += ms
        self.utc += ms * 1_000_000
        self.desk.hear(SensorsRead())
        for door in self.states:
            self._step(door, Tick())
            self._sample(door)

    def open(self, door: str = "front") -> None:
        """The leaf opens."""
        before = self.states[door]
        self._step(door, Sensed(Contact.OPEN, Bolt.RETRACTED))
        if before.leaf is not Contact.OPEN:
            self.desk.hear(DoorOpened(door, before.closed_seen_ms))

    def close(self, door: str = "front", bolt: Bolt = Bolt.THROWN) -> None:
        """The leaf closes and the bolt throws, or sticks from now on."""
        self._step(door, Sensed(Contact.CLOSED, bolt))

    def _sample(self, door: str) -> None:
        """A door that stands still shows again what it showed."""
        if self.states[door].contact is Contact.CLOSED:
            self.close(door, self.states[door].bolt or Bolt.THROWN)

    def walk_through(self, door: str = "front") -> None:
        """Somebody goes through, and the door closes and locks behind them."""
        self.open(door)
        self.now += 1
        self.close(door)

    # --- what is seen -------------------------------------------------------------------------------------------

    def released(self, door: str = "front") -> bool:
        """Whether a lock is released."""
        return self.states[door].released

    def reasons(self) -> list[str]:
        """Of every denial so far."""
        return [data["reason"] for kind, data in self.events if kind == EventKind.ACCESS_DENIED]

    def of(self, *kinds: EventKind) -> list[dict[str, Any]]:
        """The data of every event of some kinds."""
        return [data for kind, data in self.events if kind in kinds]

    def everything(self) -> str:
        """All that was written, as one text."""
        return json.dumps(self.events)

    # --- Doors, Display, Clock and Journal --------------------------------------------------------------------

    @property
    def held(self) -> dict[str, Any]:
        return {door: SimpleNamespace(state=state) for door, state in self.states.items()}

    def show(self, reader: str, what: Show) -> None:
        self.shown.append((reader, what))

    def interlock_free(self, door: str) -> bool:
        for name in self.states:
            self._sample(name)  # as Doors takes one
        return interlock.free((state for name, state in self.states.items() if name != door), self.now)

    def grant(self, door: str, by: Mapping[str, Any], *, override: bool = False) -> None:
        self._step(door, Granted(by, override=override))

    def follow_schedules(self) -> None:
        for door in self.states:
            mode, ids = effective_mode(self.rules.settings(door), "site", (), self.mode, zones_known=True)
            self._step(door, ModeSet(mode, ids))

    def set_alarm(self, door: str, alarm: Alarm, *, on: bool, source: Mapping[str, str]) -> None:
        (self.alarms.add if on else self.alarms.discard)((source["reader"], door, alarm))

    def mono_ms(self) -> int:
        return self.now

    def utc_ns(self) -> int:
        return self.utc

    def trusted(self) -> bool:
        return self.trust

    def add(self, kind: EventKind, data: Mapping[str, Any] | None = None, *, door: str | None = None) -> None:
        self.events.append((str(kind), json.loads(json.dumps(data or {}))))

    def _step(self, door: str, given: Input) -> None:
        self.states[door], effects = step(_profile(door), self.states[door], given, self.now)
        for effect in effects:
            if not isinstance(effect, DriveLock):
                self.add(effect.kind, effect.data, door=door)

    def secure(self, *, on: bool = True) -> None:
        """A lockdown begins, or ends."""
        self.mode = DoorMode.SECURED if on else DoorMode.CONTROLLED
        self.follow_schedules()


def _profile(door: str) -> DoorProfile:
    return DoorProfile(
        door=door,
        bolt_fitted=True,
        tamper_fitted=False,
        bolt_ms=2_000,
        unlock_ms=UNLOCK_MS,
        held_ms=30_000,
        fail_safe=False,
        fire_release=False,
        rex_releases=False,
    )
