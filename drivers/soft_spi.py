"""SPI moved bit by bit over GPIO pins (mode 0, most significant bit first), for pins without the kernel's SPI.

Why not gpiozero's own: its software bus takes the process's default pin factory instead of the one it is given, and
shares a bus by pin number across factories. This one belongs to the factory it was made with, and writes to the pins
below gpiozero's devices, which costs a fifth of the time.
"""

from __future__ import annotations

from typing import Any, Protocol

from gpiozero import InputDevice, OutputDevice


class SpiSlave(Protocol):
    """One chip on an SPI bus."""

    def transfer(self, data: list[int]) -> list[int]:
        """Send bytes; the bytes that came back meanwhile, as many."""

    def close(self) -> None:
        """Give up its pins."""


class _Wires:
    """Clock, MOSI and MISO, shared by the chips on them."""

    def __init__(self, clock: int, mosi: int, miso: int, pin_factory: Any) -> None:
        self.devices = (
            OutputDevice(clock, pin_factory=pin_factory),
            OutputDevice(mosi, pin_factory=pin_factory),
            # Pulled up: a bus without an answering chip reads as ones, and a chip's null bit as missing.
            InputDevice(miso, pull_up=True, pin_factory=pin_factory),
        )
        self.clock: Any
        self.mosi: Any
        self.miso: Any
        self.clock, self.mosi, self.miso = (device.pin for device in self.devices)
        self.users = 0


class SoftSpi:
    """The SPI buses of one pin factory. Every transfer must be on one and the same thread."""

    def __init__(self, pin_factory: Any) -> None:
        self._factory = pin_factory
        self._wires: dict[tuple[int, int, int], _Wires] = {}

    def slave(self, clock: int, mosi: int, miso: int, select: int) -> SpiSlave:
        """A chip on these pins; chips may share all but ``select``. Raises gpiozero's error for a pin in use."""
        key = (clock, mosi, miso)
        wires = self._wires.get(key) or _Wires(clock, mosi, miso, self._factory)
        self._wires[key] = wires
        wires.users += 1
        return _SoftSlave(
            wires, OutputDevice(select, active_high=False, pin_factory=self._factory), lambda: self._leave(key)
        )

    def _leave(self, key: tuple[int, int, int]) -> None:
        wires = self._wires[key]
        wires.users -= 1
        if wires.users == 0:
            del self._wires[key]
            for device in wires.devices:
                device.close()


class _SoftSlave:
    def __init__(self, wires: _Wires, select: Any, on_close: Any) -> None:
        self._wires = wires
        self._select = select
        self._on_close = on_close

    def transfer(self, data: list[int]) -> list[int]:
        clock, mosi, miso = self._wires.clock, self._wires.mosi, self._wires.miso
        answer = []
        self._select.on()
        try:
            for byte in data:
                got = 0
                for bit in (0x80, 0x40, 0x20, 0x10, 0x08, 0x04, 0x02, 0x01):
                    mosi.state = 1 if byte & bit else 0
                    clock.state = 1
                    if miso.state:
                        got |= bit
                    clock.state = 0
                answer.append(got)
        finally:
            self._select.off()
        return answer

    def close(self) -> None:
        self._select.close()
        self._on_close()
