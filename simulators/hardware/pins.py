"""Mock pins with the outside world attached: a wire that holds a level, or a load that notices power.

gpiozero's own `MockPin` lets the pull resistor overrule what the world drives, and reports no change of an
output. A virtual door makes its pins with these classes before the drivers claim them, as the cable is there
before the program is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gpiozero.pins.mock import MockPin

from simulators.hardware.switch import WireFault


class WirePin(MockPin):  # type: ignore[misc]
    """An input with something on its wire. Disconnected, the pull resistor decides."""

    def __init__(self, factory: Any, info: Any) -> None:
        self._wire: bool | None = None
        self._broken = WireFault.NONE
        super().__init__(factory, info)

    def drive(self, level: bool | None) -> None:
        """Put a level on the wire: True high, False to ground, None an open circuit."""
        self._wire = level
        self._settle()

    def break_line(self, fault: WireFault) -> None:
        """CUT: the pin sees nothing. SHORT: it sees ground. NONE: mended."""
        self._broken = fault
        self._settle()

    def _set_pull(self, value: str) -> None:
        # The pull is weak: what is on the wire wins, unlike in MockPin.
        self._pull = value
        self._settle()

    def _settle(self) -> None:
        if self._function != "input":
            return
        wire = {WireFault.CUT: None, WireFault.SHORT: False}.get(self._broken, self._wire)
        level = wire if wire is not None else self._pull == "up"
        if level:
            self.drive_high()
        else:
            self.drive_low()


class LoadPin(MockPin):  # type: ignore[misc]
    """An output with a load on it, whose ``watcher`` is called whenever its level may have changed."""

    def __init__(self, factory: Any, info: Any) -> None:
        self.watcher: Callable[[], None] | None = None
        super().__init__(factory, info)

    @property
    def driven(self) -> bool | None:
        """The level that is driven; None while no program drives the pin."""
        return bool(self._state) if self._function == "output" else None

    def _set_function(self, value: str) -> None:
        super()._set_function(value)
        if value == "input":
            self._notify()

    def output_with_state(self, state: int) -> None:
        """Become an output with its level already on it, as lgpio does: one step and no glitch."""
        self._change_state(bool(state))
        super()._set_function("output")
        self._notify()

    def _change_state(self, value: bool) -> bool:
        changed = bool(super()._change_state(value))
        if changed and self._function == "output":
            self._notify()
        return changed

    def _notify(self) -> None:
        if self.watcher is not None:
            self.watcher()
