"""What makes sense in an agent's configuration beside each field's own range. Says everything to the report.

Pins are checked in `edge_agent.config.pins`; here is all the rest that needs no file and no board.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from drivers.gpio import FailMode, LockKind
from edge_agent.config import forms
from edge_agent.config.report import Report

OSDP_RATES = (9600, 19200, 38400, 57600, 115200, 230400)


def check(form: forms.AgentForm, report: Report) -> None:
    """Everything but pins, cards, lines and keys."""
    _doors(form, report)
    _readers(form, report)
    _inputs(form, report)
    _broker(form.broker, report)
    unique(report, [(f"trust[{n}].kid", key.kid) for n, key in enumerate(form.trust)], "trusted keys are called")
    if not form.trust:
        report.error("trust", "is empty", "paste the district's public key, from 'doorward central keygen'")


def unique(report: Report, named: Iterable[tuple[str, str]], what: str) -> None:
    """Of (field, value) pairs, no value twice."""
    first: dict[str, str] = {}
    for field, value in named:
        if report.broken(field):
            continue
        if value in first:
            where = f"line {report.line(first[value])}"
            report.error(
                field, f"two {what} {value!r}", f"the other is {first[value]} on {where}; change one of them"
            )
        first.setdefault(value, field)


def inputs(form: forms.AgentForm) -> Iterator[tuple[str, forms.InputForm, str]]:
    """Every input: its field, its form, and what it is to a person."""
    for n, door in enumerate(form.doors):
        for name in ("contact", "bolt", "rex", "tamper"):
            each: forms.InputForm | None = getattr(door, name)
            if each is not None:
                yield f"doors[{n}].{name}", each, f"{name} of {door.door}"
    if form.power is not None:
        for name in ("mains", "battery"):
            each = getattr(form.power, name)
            if each is not None:
                yield f"power.{name}", each, name
    for name in ("fire", "panic"):
        each = getattr(form, name)
        if each is not None:
            yield name, each, name


def readers(form: forms.AgentForm) -> Iterator[tuple[str, str, str]]:
    """Every reader: its entry's field, its name, its door."""
    for n, line in enumerate(form.reader_lines):
        for m, reader in enumerate(line.readers):
            yield f"reader_lines[{n}].readers[{m}]", reader.reader, reader.door
    for n, wiegand in enumerate(form.wiegand_readers):
        yield f"wiegand_readers[{n}]", wiegand.reader, wiegand.door
    for n, serial in enumerate(form.serial_readers):
        yield f"serial_readers[{n}]", serial.reader, serial.door


def _doors(form: forms.AgentForm, report: Report) -> None:
    if not 1 <= len(form.doors) <= forms.MOST_DOORS:
        report.error(
            "doors",
            f"expected 1 to {forms.MOST_DOORS} doors, found {len(form.doors)}",
            "put the rest on another agent",
        )
    unique(report, [(f"doors[{n}].door", door.door) for n, door in enumerate(form.doors)], "doors are called")
    for n, door in enumerate(form.doors):
        lock = f"doors[{n}].lock"
        if door.lock.kind is LockKind.MAGLOCK and door.lock.fail_mode is FailMode.FAIL_SECURE:
            report.error(
                f"{lock}.fail_mode", "a maglock holds only while energised", "write fail_safe", of=[f"{lock}.kind"]
            )


def _readers(form: forms.AgentForm, report: Report) -> None:
    unique(report, [(f"{at}.reader", name) for at, name, _ in readers(form)], "readers are called")
    doors = [door.door for door in form.doors]
    for at, _, door in readers(form):
        if door not in doors:
            report.error(
                f"{at}.door",
                f"{door!r} is not among the doors of this file: {', '.join(sorted(doors))}",
                "write one of them, or add the door",
                of=["doors"],
            )
    devices = [(f"reader_lines[{n}].device", line.device) for n, line in enumerate(form.reader_lines)]
    devices += [(f"serial_readers[{n}].device", each.device) for n, each in enumerate(form.serial_readers)]
    unique(report, devices, "uses have the serial device")
    for n, line in enumerate(form.reader_lines):
        at = f"reader_lines[{n}]"
        if not line.readers:
            report.error(
                f"{at}.readers", "a line without readers", "add '- {reader: …}' for each, or remove the line"
            )
        addresses = [(f"{at}.readers[{m}].address", str(each.address)) for m, each in enumerate(line.readers)]
        unique(report, addresses, "readers of this line have the address")
        if line.baud not in OSDP_RATES:
            rates = ", ".join(map(str, OSDP_RATES))
            report.error(f"{at}.baud", f"{line.baud} is no rate of OSDP", f"write the rate its readers use: {rates}")


def _inputs(form: forms.AgentForm, report: Report) -> None:
    unique(report, [(f"adcs[{n}].adc", adc.adc) for n, adc in enumerate(form.adcs)], "converters are called")
    known = {adc.adc for adc in form.adcs}
    channels: list[tuple[str, str]] = []
    for at, each, what in inputs(form):
        if report.broken(at):
            continue
        if each.pin is not None:
            if each.adc is not None or each.channel is not None or each.end_of_line is not None:
                report.error(at, f"the {what} is on a pin and on a converter", "keep 'pin', or 'adc' and 'channel'")
        elif each.adc is None or each.channel is None:
            report.error(at, f"nothing says where the {what} is", "give it 'pin: …', or 'adc: …' and 'channel: …'")
        else:
            if each.adc not in known:
                names = ", ".join(sorted(known)) or "none"
                cure = f"add it to 'adcs' (there: {names}), or correct the name"
                report.error(f"{at}.adc", f"there is no converter {each.adc!r}", cure, of=["adcs"])
            channels.append((f"{at}.channel", f"{each.adc} {each.channel}"))
    unique(report, channels, "inputs are on the channel")


def _broker(form: forms.BrokerForm, report: Report) -> None:
    if form.cert_file is not None and form.ca_file is None:
        report.error("broker.ca_file", "is missing: a client certificate is of use over TLS only", "add 'ca_file: …'")
