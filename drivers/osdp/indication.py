"""What a person sees and hears at a reader, as OSDP LED and buzzer commands (IEC 60839-11-5, LED and BUZ)."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import osdp_sys


class Indication(StrEnum):
    """What a reader has to say."""

    IDLE = "idle"
    """Steady red: locked, present a card. Stays."""
    LOCKDOWN = "lockdown"
    """Fast red blink. Stays, and comes back after a reader restarts."""
    GRANTED = "granted"
    """Green for three seconds, one short beep."""
    DENIED = "denied"
    """Red blink for two seconds, three beeps."""
    ENTER_PIN = "enter_pin"
    """Amber blink for ten seconds, no sound."""
    SECOND_PERSON = "second_person"
    """Green and amber in turn for ten seconds, two short beeps: the next badge, please."""
    WARNING = "warning"
    """Red and amber in turn for five seconds, five long beeps: close the door."""


LASTING = frozenset({Indication.IDLE, Indication.LOCKDOWN})
"""Indications that stay until the other one; the rest lay themselves over it and expire."""


def _permanent(on: int, off: int, on_count: int, off_count: int) -> dict[str, Any]:
    return {
        "command": osdp_sys.CMD_LED,
        "reader": 0,
        "led_number": 0,
        "temporary": False,
        "control_code": 1,  # set the permanent state
        "on_color": on,
        "off_color": off,
        "on_count": on_count,  # counts are tenths of a second
        "off_count": off_count,
    }


def _temporary(on: int, off: int, on_count: int, off_count: int, tenths: int) -> dict[str, Any]:
    return _permanent(on, off, on_count, off_count) | {
        "temporary": True,
        "control_code": 2,  # set the temporary state and start its timer
        "timer_count": tenths,
    }


def _beep(on_count: int, off_count: int, times: int) -> dict[str, Any]:
    return {
        "command": osdp_sys.CMD_BUZZER,
        "reader": 0,
        "control_code": 2,  # the reader's default tone
        "on_count": on_count,
        "off_count": off_count,
        "rep_count": times,
    }


_RED = osdp_sys.LED_COLOR_RED
_GREEN = osdp_sys.LED_COLOR_GREEN
_AMBER = osdp_sys.LED_COLOR_AMBER
_DARK = osdp_sys.LED_COLOR_NONE


_COMMANDS = {
    Indication.IDLE: (_permanent(_RED, _RED, 1, 0),),
    Indication.LOCKDOWN: (_permanent(_RED, _DARK, 2, 2),),
    Indication.GRANTED: (_temporary(_GREEN, _GREEN, 1, 0, 30), _beep(2, 1, 1)),
    Indication.DENIED: (_temporary(_RED, _DARK, 2, 2, 20), _beep(1, 1, 3)),
    Indication.ENTER_PIN: (_temporary(_AMBER, _DARK, 3, 3, 100),),
    Indication.SECOND_PERSON: (_temporary(_GREEN, _AMBER, 3, 3, 100), _beep(1, 1, 2)),
    Indication.WARNING: (_temporary(_RED, _AMBER, 3, 3, 50), _beep(5, 5, 5)),
}


def commands(indication: Indication) -> list[dict[str, Any]]:
    """The commands that make a reader show `indication`, in libosdp's form, in sending order."""
    return [dict(command) for command in _COMMANDS[indication]]
