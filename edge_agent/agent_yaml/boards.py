"""The boards an agent may run on and the HATs on them, as `firmware_config/boards` and `firmware_config/hats` say.

Those are data files, read as such through importlib.resources: nothing of `firmware_config` is imported.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from importlib import resources
from typing import TypeVar

import msgspec

from ground import yaml_forms
from ground.problems import Report

F = TypeVar("F", bound=msgspec.Struct)

CUSTOM = "custom"
"""A board without a profile: its pins are not checked."""

DEVICES = "/dev/doorward/"
"""Where the udev rules put stable names of serial devices."""


class Level(StrEnum):
    """The level to which a pin is pulled."""

    UP = "up"
    DOWN = "down"


class Claim(msgspec.Struct, frozen=True):
    """Pins that are taken, and what uses them: 'its CAN controller on SPI'."""

    pins: tuple[int, ...]
    use: str


class Serial(msgspec.Struct, frozen=True):
    """A UART of the header."""

    name: str
    """Its stable name under /dev/doorward/."""
    pins: tuple[int, ...]
    parent: str
    """Its device in /sys, by which udev knows it."""
    also: tuple[str, ...]
    """Other names of the same device."""
    config: tuple[str, ...]

    @property
    def devices(self) -> tuple[str, ...]:
        return (DEVICES + self.name, *self.also)


class Spi(msgspec.Struct, frozen=True):
    """The SPI bus of the header."""

    pins: tuple[int, ...]
    config: tuple[str, ...]


class Rtc(msgspec.Struct, frozen=True):
    """A clock with a battery of its own, if the board has one."""

    fitted: bool
    config: tuple[str, ...] = ()


class Watchdog(msgspec.Struct, frozen=True):
    """The board's hardware watchdog."""

    device: str
    longest_s: int


class Board(msgspec.Struct, frozen=True):
    """One board profile. ``config``: lines of config.txt."""

    board: str
    title: str
    model: str
    sources: tuple[str, ...]
    pins: tuple[int, int]
    pulls: dict[Level, tuple[int, int]]
    reserved: tuple[Claim, ...]
    gpio_chip: str
    config: tuple[str, ...]
    spi: Spi
    serial: tuple[Serial, ...]
    rtc: Rtc
    watchdog: Watchdog

    def has(self, pin: int) -> bool:
        return self.pins[0] <= pin <= self.pins[1]

    def pull(self, pin: int) -> Level | None:
        """The level to which a pin is pulled from power-on until a program takes it."""
        return next((level for level, (low, high) in self.pulls.items() if low <= pin <= high), None)

    def serial_of(self, device: str) -> Serial | None:
        """The header's UART with this device name, or None: a USB adapter, say."""
        return next((each for each in self.serial if device in each.devices), None)


class Relays(msgspec.Struct, frozen=True):
    """The relays of a HAT, by channel."""

    pins: tuple[int, ...]
    active_high: bool


class Hat(msgspec.Struct, frozen=True):
    """One HAT's profile, as its file has it."""

    hat: str
    title: str
    sources: tuple[str, ...]
    uses: tuple[Claim, ...] = ()
    relays: Relays | None = None
    serial: tuple[str, ...] = ()
    rtc: bool = False
    """It has a clock with a battery."""
    config: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Stack:
    """A board and the HATs on it."""

    board: Board
    hats: tuple[Hat, ...] = ()


def board(name: str) -> Board:
    """A board profile. KeyError if there is none of this name."""
    return _profile("boards", name, Board)


def hat(name: str) -> Hat:
    """A HAT profile. KeyError if there is none of this name."""
    return _profile("hats", name, Hat)


def board_names() -> list[str]:
    return _names("boards")


def hat_names() -> list[str]:
    return _names("hats")


def _profile(folder: str, name: str, form: type[F]) -> F:
    if name not in _names(folder):
        raise KeyError(name)
    with resources.as_file(resources.files("firmware_config").joinpath(folder, f"{name}.yaml")) as path:
        report = Report(path)
        profile = yaml_forms.read(path, form, report)
    report.refuse_errors()
    return profile


def _names(folder: str) -> list[str]:
    entries = resources.files("firmware_config").joinpath(folder).iterdir()
    return sorted(entry.name.removesuffix(".yaml") for entry in entries if entry.name.endswith(".yaml"))
