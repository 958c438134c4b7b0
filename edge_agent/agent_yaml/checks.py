"""Checks of an agent's configuration that go beyond each field's own range. Reports all of it.

`edge_agent.agent_yaml.pins` checks pins, `cards` card formats, `machine` the machine; this module checks everything
else that needs neither a file nor a board.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec.structs import asdict

from drivers.gpio import FailMode, LockKind
from drivers.supervised_line import EndOfLine, bands
from edge_agent.agent_yaml import forms
from ground.problems import Report

THIS_MACHINE = ("localhost", "127.0.0.1", "::1")

RESTS_CLOSED = ("contact", "bolt", "tamper", "mains", "battery")
"""Inputs whose cut wire is noticed only if the switch is closed at rest."""


def check(form: forms.AgentForm, report: Report) -> None:
    """Check everything but pins, cards, lines and keys."""
    _doors(form, report)
    _readers(form, report)
    _inputs(form, report)
    _broker(form.broker, report)
    unique(report, [(f"trust[{n}].kid", key.kid) for n, key in enumerate(form.trust)], "trusted keys are called")
    if not form.trust:
        report.error("trust", "is empty", "paste the district's public key, from 'doorward central keygen'")


def unique(report: Report, named: Iterable[tuple[str, str]], what: str) -> None:
    """Report every value that two (field, value) pairs share."""
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


def inputs(form: forms.AgentForm) -> list[tuple[str, forms.InputForm, str]]:
    """Every input: its field, its form, and what it is to a person."""
    found: list[tuple[str, forms.InputForm | None, str]] = [
        (f"doors[{n}].{name}", getattr(door, name), f"{name} of {door.door}")
        for n, door in enumerate(form.doors)
        for name in ("contact", "bolt", "rex", "tamper")
    ]
    if form.power is not None:
        found += [("power.mains", form.power.mains, "mains"), ("power.battery", form.power.battery, "battery")]
    found += [("fire", form.fire, "fire"), ("panic", form.panic, "panic")]
    return [(field, each, what) for field, each, what in found if each is not None]


def readers(form: forms.AgentForm) -> Iterator[tuple[str, str, str]]:
    """Every reader: its entry's field, its name, its door."""
    for n, line in enumerate(form.reader_lines):
        for m, reader in enumerate(line.readers):
            yield f"reader_lines[{n}].readers[{m}]", reader.reader, reader.door
    for n, wiegand in enumerate(form.wiegand_readers):
        yield f"wiegand_readers[{n}]", wiegand.reader, wiegand.door
    for n, serial in enumerate(form.serial_readers):
        yield f"serial_readers[{n}]", serial.reader, serial.door


def serial_devices(form: forms.AgentForm) -> list[tuple[str, str]]:
    """Every serial device: its field, its name."""
    lines = [(f"reader_lines[{n}].device", line.device) for n, line in enumerate(form.reader_lines)]
    return lines + [(f"serial_readers[{n}].device", one.device) for n, one in enumerate(form.serial_readers)]


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
        _egress(door, f"doors[{n}]", report)
        if door.perimeter:
            _perimeter(door, f"doors[{n}]", report)
    served = {name for _, _, name in readers(form)}
    for n, door in enumerate(form.doors):
        if door.door not in served:
            report.warn(f"doors[{n}].door", f"no reader opens {door.door}", "add one, if a badge is to open it")


def _egress(door: forms.DoorForm, at: str, report: Report) -> None:
    if door.lock.kind is LockKind.MAGLOCK and door.rex is None:
        report.error(
            f"{at}.rex",
            "is missing: nobody inside could open this maglock",
            "wire a request to exit and add 'rex: {pin: …}'",
            of=[f"{at}.lock.kind"],
        )


def _perimeter(door: forms.DoorForm, at: str, report: Report) -> None:
    if door.bolt is None:
        report.error(
            f"{at}.bolt",
            "is missing: a door of the perimeter is secure only if its bolt is seen to be thrown",
            "wire a bolt monitor and add 'bolt: {pin: …}'",
        )
    if door.lock.kind is LockKind.STRIKE and door.lock.fail_mode is FailMode.FAIL_SAFE:
        report.warn(
            f"{at}.lock.fail_mode",
            "this door leads outside and opens to anybody when its power fails",
            "fit a fail_secure strike, unless the fire plan asks for this one",
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
                of=["doors", *(f"doors[{n}].door" for n in range(len(doors)))],
            )
    unique(report, serial_devices(form), "uses have the serial device")
    for n, line in enumerate(form.reader_lines):
        at = f"reader_lines[{n}]"
        if not line.readers:
            report.error(
                f"{at}.readers", "a line without readers", "add '- {reader: …}' for each, or remove the line"
            )
        addresses = [(f"{at}.readers[{m}].address", str(each.address)) for m, each in enumerate(line.readers)]
        unique(report, addresses, "readers of this line have the address")
        if line.baud not in forms.OSDP_RATES:
            rates = ", ".join(map(str, forms.OSDP_RATES))
            report.error(f"{at}.baud", f"{line.baud} is no rate of OSDP", f"write the rate its readers use: {rates}")
        if line.device.startswith("/dev/ttyUSB"):
            report.warn(
                f"{at}.device",
                f"{line.device} may be another adapter after a restart",
                "use its name in /dev/doorward/",
            )


def _inputs(form: forms.AgentForm, report: Report) -> None:
    known = {adc.adc for adc in form.adcs}
    unique(report, [(f"adcs[{n}].adc", adc.adc) for n, adc in enumerate(form.adcs)], "converters are called")
    channels: list[tuple[str, str]] = []
    for at, each, what in inputs(form):
        if report.broken(at):
            continue
        if each.pin is not None:
            if each.adc is not None or each.channel is not None or each.end_of_line is not None:
                report.error(at, f"the {what} is on a pin and on a converter", "keep 'pin', or 'adc' and 'channel'")
            _unsupervised(at, each, what, report)
        elif each.adc is None or each.channel is None:
            report.error(at, f"nothing says where the {what} is", "give it 'pin: …', or 'adc: …' and 'channel: …'")
        else:
            channels.append((f"{at}.channel", f"{each.adc} {each.channel}"))
            _supervised(at, each, known, report)
    unique(report, channels, "inputs are on the channel")
    _converters(form, report)


def _unsupervised(at: str, each: forms.InputForm, what: str, report: Report) -> None:
    name = at.rpartition(".")[2]
    if each.normally_closed is False and name in (*RESTS_CLOSED, "fire"):
        hidden = "the alarm could not come through" if name == "fire" else "reads as if all were well"
        report.warn(
            f"{at}.normally_closed",
            f"a cut wire of the {what} is not seen: {hidden}",
            "use a contact that is closed at rest, or a supervised line",
        )


def _supervised(at: str, each: forms.InputForm, known: set[str], report: Report) -> None:
    if each.adc not in known:
        names = ", ".join(sorted(known)) or "none"
        cure = f"add it to 'adcs' (there: {names}), or correct the name"
        report.error(f"{at}.adc", f"there is no converter {each.adc!r}", cure, of=["adcs"])
    line = each.end_of_line
    if line is not None:
        try:
            bands(EndOfLine(**asdict(line)))
        except ValueError as error:
            problem, _, cure = str(error).partition(": ")
            report.error(f"{at}.end_of_line", problem, cure)


def _converters(form: forms.AgentForm, report: Report) -> None:
    used = {each.adc for _, each, _ in inputs(form)}
    selects = []
    for n, adc in enumerate(form.adcs):
        if adc.pins is not None and adc.device is not None:
            report.error(f"adcs[{n}].device", "it is on the SPI bus and on pins of its own", "keep one of the two")
        if adc.pins is None:
            selects.append((f"adcs[{n}].device" if adc.device is not None else f"adcs[{n}]", str(adc.device or 0)))
        if adc.adc not in used:
            report.warn(f"adcs[{n}].adc", f"nothing is wired to {adc.adc}", "remove it, or wire a line to it")
    unique(report, selects, "converters have the chip select")


def _broker(form: forms.BrokerForm, report: Report) -> None:
    if form.ca_file is None:
        if form.cert_file is not None:
            report.error(
                "broker.ca_file", "is missing: a client certificate is of use over TLS only", "add 'ca_file: …'"
            )
        elif form.host not in THIS_MACHINE:
            report.warn(
                "broker.host",
                f"what goes to {form.host} can be read and changed on the way",
                "add 'ca_file: …' for TLS, and port 8883",
            )
    if form.key_file is not None and form.cert_file is None:
        report.error("broker.cert_file", "is missing beside its key_file", "add 'cert_file: …'")
    if form.password_file is not None and form.username is None:
        report.error("broker.username", "is missing beside the password_file", "add 'username: …'")
    if form.username is not None and form.password_file is None and form.cert_file is None:
        report.warn("broker.password_file", "is not given: the name alone proves nothing", "add 'password_file: …'")
