"""The PINs under way at an agent's readers: entries that have begun, wrong ones counted, and what was entered judged.

It compares keyed hashes and says what was shown (edge_agent.policy.identification); whether that opens a door is not
its matter. In memory only.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterator
from dataclasses import dataclass, field

from edge_agent.access import keypad_rest, pin_entry
from edge_agent.access.keypad_rest import WrongPins
from edge_agent.access.pin_entry import Entered, Entry
from edge_agent.policy.identification import Shown, takes_loose_pins
from edge_agent.policy.rules import Rules
from protocol import credentials
from protocol.messages import Credential, DoorSettings, PinPolicy


@dataclass(frozen=True, slots=True)
class Guessing:
    """PINs are tried out at a reader; or, if a card is named (its token), those of this card, the last one there."""

    reader: str
    card: str | None = field(repr=False)
    rests: int  # within a day
    rest_ms: int  # how long the one lasts that begins now


@dataclass(frozen=True, slots=True)
class Judged:
    """The credential of a PIN (None: unknown), what was shown, and the readers and cards at which somebody seems to
    try PINs, by the number of rests within a day."""

    credential: Credential | None
    shown: Shown
    guessing: tuple[Guessing, ...] = ()


class PinDesk:
    """All readers' entries. ``key`` is the credential key; times are monotonic milliseconds."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._entries: dict[str, Entry] = {}
        self._wrong_pins: dict[tuple[str, str], WrongPins] = {}

    def begun(self, reader: str) -> bool:
        """Whether an entry is under way at a reader."""
        return reader in self._entries

    def await_pin(self, reader: str, card: str, now_ms: int) -> None:
        """A card (its token) was shown whose PIN must follow."""
        self._entries[reader] = pin_entry.after_card(card, now_ms)

    def drop(self, reader: str) -> str | None:
        """Forget a reader's entry. The card it was for, if any."""
        entry = self._entries.pop(reader, None)
        return None if entry is None else entry.card

    def press(self, reader: str, keys: str, now_ms: int) -> Iterator[Entered]:
        """Keys at a reader; every entry they finish. Use each before taking the next."""
        for key in keys:
            entry, entered = pin_entry.press(self._entries.pop(reader, None), key, now_ms)
            if entry is not None:
                self._entries[reader] = entry
            if entered is not None:
                yield entered

    def due_ms(self) -> int | None:
        return min((entry.until_ms for entry in self._entries.values()), default=None)

    def overdue(self, now_ms: int) -> list[tuple[str, str | None]]:
        """(reader, card) of entries that are over; they are forgotten."""
        over = [reader for reader, entry in self._entries.items() if now_ms >= entry.until_ms]
        return [(reader, self.drop(reader)) for reader in over]

    def resting(self, reader: str, card: str | None, now_ms: int) -> bool:
        """Whether no PIN is compared: at this reader, or of this card anywhere."""
        counts = self._wrong_pins.get(("reader", reader)), self._wrong_pins.get(("card", card or ""))
        return any(one is not None and one.resting(now_ms) for one in counts)

    def judge(self, reader: str, entered: Entered, door: DoorSettings, rules: Rules, now_ms: int) -> Judged:
        """Whose PIN was entered, and what of it is right. A wrong one is counted, a right one of a card forgives."""
        card, policy = entered.card, rules.pin_policy
        if card is None and not takes_loose_pins(door):
            return Judged(None, Shown.PIN_FIRST)
        resting = self.resting(reader, card, now_ms)
        if card is None:
            if resting:
                return Judged(None, Shown.PIN_AT_REST)
            token = _token(self._key, None, entered.digits)
            known = rules.credentials.find(token) if token else None
            guessing = () if known else self._count_wrong(reader, None, policy, now_ms)
            return Judged(known, Shown.PIN, guessing)
        credential = rules.credentials.find(card)
        if resting:
            return Judged(credential, Shown.CARD_AT_REST)
        shown = _compare(credential, _token(self._key, card, entered.digits))
        if shown is Shown.CARD_AND_WRONG_PIN:
            guessing = self._count_wrong(reader, None, policy, now_ms) + self._count_wrong(
                reader, card, policy, now_ms
            )
            return Judged(credential, shown, guessing)
        self._wrong_pins.pop(("card", card), None)
        return Judged(credential, shown)

    def forget(self, policy: PinPolicy, now_ms: int) -> None:
        """Drop counts that no longer matter."""
        for key in [key for key, pins in self._wrong_pins.items() if pins.forgotten(policy, now_ms)]:
            del self._wrong_pins[key]

    def _count_wrong(self, reader: str, card: str | None, policy: PinPolicy, now_ms: int) -> tuple[Guessing, ...]:
        key = ("reader", reader) if card is None else ("card", card)
        before = self._wrong_pins.get(key, WrongPins())
        after = self._wrong_pins[key] = keypad_rest.after_wrong_pin(before, policy, now_ms)
        rests = len(after.rests_ms)
        if after.resting_until_ms > before.resting_until_ms and rests >= keypad_rest.REPORTED_FROM:
            return (Guessing(reader, card, rests, after.resting_until_ms - now_ms),)
        return ()


def _compare(credential: Credential | None, token: str) -> Shown:
    """Both are always compared, so that the time it takes tells nothing."""
    right = hmac.compare_digest(token, (credential and credential.pin) or "-")
    duress = hmac.compare_digest(token, (credential and credential.duress_pin) or "-")
    return Shown.CARD_AND_DURESS_PIN if duress else Shown.CARD_AND_PIN if right else Shown.CARD_AND_WRONG_PIN


def _token(key: bytes, card: str | None, digits: str) -> str:
    """The token of some digits; empty if they are too few or too many for a PIN."""
    try:
        return credentials.pin_only_token(key, digits) if card is None else credentials.pin_token(key, card, digits)
    except ValueError:
        return ""
