"""Checks pins: none used twice, none that the board lacks or reserves, none that opens a door at boot."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from drivers.adc import BOARD_PINS
from drivers.gpio import FailMode
from edge_agent.agent_yaml import checks, forms
from edge_agent.agent_yaml.boards import Level, Stack
from ground.problems import Report


@dataclass(frozen=True, slots=True)
class PinUse:
    """One use of one pin."""

    field: str
    pin: int
    use: str
    """In a person's words: 'contact of gym'."""
    shared: str = ""
    """Uses with the same word here may share the pin: the clock of two converters."""
    common: bool = False
    """A wire of a bus, which a HAT may use as well."""
    lock: forms.LockForm | None = None


@dataclass(frozen=True, slots=True)
class _Claim:
    """A pin that belongs to the board or a HAT."""

    why: str
    cure: str


def uses(form: forms.AgentForm) -> Iterator[PinUse]:
    """Every pin in use. Fixed uses come first, so that the report asks to move the other one."""
    for n, adc in enumerate(form.adcs):
        yield from _adc_uses(adc, f"adcs[{n}]")
    for n, door in enumerate(form.doors):
        yield PinUse(f"doors[{n}].lock.pin", door.lock.pin, f"lock of {door.door}", lock=door.lock)
    for at, each, what in checks.inputs(form):
        if each.pin is not None:
            yield PinUse(f"{at}.pin", each.pin, what)
    for n, reader in enumerate(form.wiegand_readers):
        for name in ("data0", "data1", "led", "buzzer"):
            pin = getattr(reader, name)
            if pin is not None:
                yield PinUse(f"wiegand_readers[{n}].{name}", pin, f"{name} of {reader.reader}")


def _adc_uses(adc: forms.AdcForm, at: str) -> Iterator[PinUse]:
    if adc.pins is None:
        clock, mosi, miso, _ = BOARD_PINS[0]
        for pin in (clock, mosi, miso, *(select for *_, select in BOARD_PINS)):
            common = pin != BOARD_PINS[adc.device or 0][-1]
            yield PinUse(f"{at}.device", pin, f"SPI bus of {adc.adc}", shared="the SPI bus", common=common)
        return
    for name in ("clock", "mosi", "miso"):
        yield PinUse(f"{at}.pins.{name}", getattr(adc.pins, name), f"{name} of {adc.adc}", shared=name)
    yield PinUse(f"{at}.pins.select", adc.pins.select, f"select of {adc.adc}")


def check(form: forms.AgentForm, report: Report, stack: Stack | None) -> None:
    """Report pins used twice; with a board, also missing and reserved pins, and doors released while the Pi boots."""
    used = [use for use in uses(form) if not report.broken(use.field)]
    _twice(used, report)
    if stack is None:
        return
    claims = _claims(form, stack)
    for use in used:
        if not stack.board.has(use.pin):
            low, high = stack.board.pins
            report.error(
                use.field,
                f"a {stack.board.title} has no pin {use.pin}",
                f"wire the {use.use} to one of {low} to {high}",
            )
        elif use.pin in claims and not use.common:
            claim = claims[use.pin]
            report.error(use.field, f"pin {use.pin} is reserved: {claim.why}", claim.cure)
        if use.lock is not None:
            _lock_at_boot(use, use.lock, report, stack)
        _on_relay(use, report, stack)


def _twice(used: list[PinUse], report: Report) -> None:
    first: dict[int, PinUse] = {}
    for use in used:
        other = first.setdefault(use.pin, use)
        if other is use or (use.shared and use.shared == other.shared):
            continue
        report.error(
            use.field,
            f"pin {use.pin} is used twice: it is the {other.use} already (line {report.line(other.field)})",
            f"wire the {use.use} to a free pin",
        )


def _claims(form: forms.AgentForm, stack: Stack) -> dict[int, _Claim]:
    """Pins that the board, its HATs and the UARTs in use take."""
    claims = {
        pin: _Claim(f"it belongs to {each.use}", "wire it to a free pin")
        for each in stack.board.reserved
        for pin in each.pins
    }
    for hat in stack.hats:
        for each in hat.uses:
            cure = f"wire it to a free pin, or take the {hat.hat} off 'hats'"
            claims |= {pin: _Claim(f"the {hat.title} has it for {each.use}", cure) for pin in each.pins}
    for _, device in checks.serial_devices(form):
        serial = stack.board.serial_of(device)
        if serial is not None:
            why = f"it is the serial port {device}"
            cure = "wire it to a free pin, or move those readers to a USB adapter"
            claims |= {pin: _Claim(why, cure) for pin in serial.pins if pin not in claims}
    return claims


def _lock_at_boot(use: PinUse, lock: forms.LockForm, report: Report, stack: Stack) -> None:
    pull = stack.board.pull(use.pin)
    if lock.fail_mode is FailMode.FAIL_SECURE and pull is (Level.UP if lock.active_high else Level.DOWN):
        level = "dh" if pull is Level.DOWN else "dl"
        report.warn(
            use.field,
            f"pin {use.pin} is pulled {pull} while the Pi boots, which energises this relay and releases the door",
            f"use a pin pulled the other way, or write 'gpio={use.pin}=op,{level}' into config.txt",
            of=[use.field.replace(".pin", ".active_high"), use.field.replace(".pin", ".fail_mode")],
        )


def _on_relay(use: PinUse, report: Report, stack: Stack) -> None:
    """Report what is no lock on the pin of a relay, which it would move, and a lock of the other polarity."""
    for hat in stack.hats:
        if hat.relays is None or use.pin not in hat.relays.pins:
            continue
        if use.lock is None:
            report.error(
                use.field,
                f"pin {use.pin} is reserved: it moves a relay of the {hat.title}",
                f"wire the {use.use} to a free pin",
            )
        elif use.lock.active_high != hat.relays.active_high:
            level = "high" if hat.relays.active_high else "low"
            report.error(
                use.field.replace(".pin", ".active_high"),
                f"the {hat.title} pulls in on a {level} level",
                f"write 'active_high: {str(hat.relays.active_high).lower()}'",
            )
