"""What an OSDP reader shows, as OSDP LED and buzzer commands (IEC 60839-11-5, LED and BUZ)."""

from __future__ import annotations

from typing import Any

import osdp_sys

from drivers.readers import Show


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
    # steady red
    Show.IDLE: (_permanent(_RED, _RED, 1, 0),),
    # fast red blink; comes back after a reader restarts
    Show.LOCKDOWN: (_permanent(_RED, _DARK, 2, 2),),
    # green for three seconds, one short beep
    Show.GRANTED: (_temporary(_GREEN, _GREEN, 1, 0, 30), _beep(2, 1, 1)),
    # red blink for two seconds, three beeps
    Show.DENIED: (_temporary(_RED, _DARK, 2, 2, 20), _beep(1, 1, 3)),
    # amber blink for ten seconds, no sound
    Show.ENTER_PIN: (_temporary(_AMBER, _DARK, 3, 3, 100),),
    # green and amber in turn for ten seconds, two short beeps
    Show.SECOND_PERSON: (_temporary(_GREEN, _AMBER, 3, 3, 100), _beep(1, 1, 2)),
    # red and amber in turn for five seconds, five long beeps
    Show.WARNING: (_temporary(_RED, _AMBER, 3, 3, 50), _beep(5, 5, 5)),
}


def commands(what: Show) -> list[dict[str, Any]]:
    """The commands that make a reader show `what`, in libosdp's form, in sending order."""
    return [dict(command) for command in _COMMANDS[what]]
