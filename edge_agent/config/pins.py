"""Who uses which pin: every use of the file, and no pin for two."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from edge_agent.config import checks, forms
from edge_agent.config.report import Report


@dataclass(frozen=True, slots=True)
class PinUse:
    """One use of one pin."""

    field: str
    pin: int
    use: str
    """In a person's words: 'contact of gym'."""
    output: bool = False


def uses(form: forms.AgentForm) -> Iterator[PinUse]:
    """Every pin the file names, in its order."""
    for n, door in enumerate(form.doors):
        yield PinUse(f"doors[{n}].lock.pin", door.lock.pin, f"lock of {door.door}", output=True)
    for at, each, what in checks.inputs(form):
        if each.pin is not None:
            yield PinUse(f"{at}.pin", each.pin, what)
    for n, adc in enumerate(form.adcs):
        if adc.pins is not None:
            for name in ("clock", "mosi", "miso", "select"):
                at = f"adcs[{n}].pins.{name}"
                yield PinUse(at, getattr(adc.pins, name), f"{name} of {adc.adc}", output=name != "miso")
    for n, reader in enumerate(form.wiegand_readers):
        for name in ("data0", "data1", "led", "buzzer"):
            pin = getattr(reader, name)
            if pin is not None:
                at = f"wiegand_readers[{n}].{name}"
                yield PinUse(at, pin, f"{name} of {reader.reader}", output=name in {"led", "buzzer"})


def check(form: forms.AgentForm, report: Report) -> None:
    """No pin is used twice."""
    first: dict[int, PinUse] = {}
    for use in uses(form):
        if report.broken(use.field):
            continue
        if use.pin in first:
            other = first[use.pin]
            report.error(
                use.field,
                f"pin {use.pin} is used twice: it is the {other.use} already (line {report.line(other.field)})",
                f"wire the {use.use} to a free pin",
            )
        first.setdefault(use.pin, use)
