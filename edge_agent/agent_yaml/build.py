"""Makes an agent's wiring from the filled-in form, and reads its keys. Checks nothing but the keys."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from msgspec.structs import asdict

from drivers.osdp.config import check_key
from edge_agent.agent_yaml import boards, forms, wiring
from edge_agent.agent_yaml.agent_file import AgentFile
from edge_agent.agent_yaml.keys import read_secret, read_signing_key, readable_file
from ground.problems import Report
from protocol.credentials import KEY_BYTES
from protocol.messages import TrustedKey
from protocol.mqtt import BrokerAddress
from protocol.signing import SigningKey
from protocol.words import KeyRole

V = TypeVar("V")

READER_KEY_BYTES = 16

SECRETS = ("password_file", "key_file")


def build(form: forms.AgentForm, at: Path, report: Report) -> AgentFile:
    """The agent of a form whose files are named relative to ``at``. Reports key files that cannot be used.

    Of use only if the report has no errors: something else stands in for what is broken.
    """
    lines = tuple(_line(line, f"reader_lines[{n}]", at, report) for n, line in enumerate(form.reader_lines))
    _keys_differ(lines, report)
    signing_key = _attempt(
        lambda: read_signing_key(at / form.key_file), "key_file", report, lambda: SigningKey.generate("none")
    )
    _own_key_is_not_trusted(form, signing_key, report)
    return AgentFile(
        site=form.site,
        agent=form.agent,
        data=at / form.data,
        signing_key=signing_key,
        credential_key=_secret(at / form.credential_key_file, KEY_BYTES, "credential_key_file", report),
        broker=_broker(form.broker, at, report),
        trust=tuple(TrustedKey(kid=key.kid, x=key.x, role=KeyRole.DISTRICT) for key in form.trust),
        doors=tuple(_door(door) for door in form.doors),
        reader_lines=lines,
        wiegand_readers=tuple(wiring.WiegandWiring(**asdict(reader)) for reader in form.wiegand_readers),
        wiegand_formats=tuple(format_wiring(each) for each in form.wiegand_formats),
        serial_readers=tuple(wiring.SerialReaderWiring(**asdict(reader)) for reader in form.serial_readers),
        adcs=tuple(_adc(adc) for adc in form.adcs),
        power=None
        if form.power is None
        else wiring.PowerWiring(_optional(form.power.mains), _optional(form.power.battery)),
        fire=_optional(form.fire),
        panic=_optional(form.panic),
        require_sync=form.clock is None or form.clock.require_sync,
        rtc=_rtc(form),
    )


def _rtc(form: forms.AgentForm) -> bool:
    if form.clock is not None and form.clock.rtc is not None:
        return form.clock.rtc
    return any(boards.hat(name).rtc for name in form.hats if name in boards.hat_names())


def format_wiring(form: forms.WiegandFormatForm) -> wiring.WiegandFormatWiring:
    """A card format with every bit that a parity bit covers by its number."""

    def parities(entries: tuple[forms.ParityForm, ...]) -> tuple[tuple[int, tuple[int, ...]], ...]:
        return tuple((entry.bit, _covered(entry)) for entry in entries)

    return wiring.WiegandFormatWiring(
        form.name, form.bits, form.facility, form.card, parities(form.even_parity), parities(form.odd_parity)
    )


def _covered(parity: forms.ParityForm) -> tuple[int, ...]:
    if parity.covers is not None:
        return tuple(range(parity.covers[0], parity.covers[1] + 1))
    return parity.bits or ()


def _door(form: forms.DoorForm) -> wiring.DoorWiring:
    return wiring.DoorWiring(
        door=form.door,
        lock=wiring.LockWiring(**asdict(form.lock)),
        contact=_input(form.contact),
        bolt=_optional(form.bolt),
        rex=_optional(form.rex),
        tamper=_optional(form.tamper),
    )


def _input(form: forms.InputForm) -> wiring.InputWiring:
    if form.pin is not None:
        return wiring.SwitchWiring(form.pin, form.normally_closed)
    line = form.end_of_line or forms.EndOfLineForm()
    return wiring.SupervisedWiring(
        form.adc or "", form.channel or 0, form.normally_closed, wiring.EndOfLine(**asdict(line))
    )


def _optional(form: forms.InputForm | None) -> wiring.InputWiring | None:
    return None if form is None else _input(form)


def _line(form: forms.ReaderLineForm, path: str, at: Path, report: Report) -> wiring.ReaderLine:
    readers = tuple(
        _reader(reader, f"{path}.readers[{place}]", at, report) for place, reader in enumerate(form.readers)
    )
    return wiring.ReaderLine(form.device, form.baud, readers)


def _reader(form: forms.ReaderForm, path: str, at: Path, report: Report) -> wiring.ReaderWiring:
    field = f"{path}.key_file"
    if not report.broken(field) and _missing(at / form.key_file):
        cure = f"give the reader its key: doorward agent provision-reader {report.file} {form.reader}"
        report.error(field, f"there is no file {at / form.key_file}", cure)
    key = _secret(at / form.key_file, READER_KEY_BYTES, field, report)
    try:
        check_key(form.reader, key)
    except ValueError as error:
        report.error(field, str(error), f"make another: openssl rand -hex {READER_KEY_BYTES}")
    return wiring.ReaderWiring(form.reader, form.address, form.door, key, form.passage)


def _missing(path: Path) -> bool:
    try:
        return not path.exists()
    except OSError:
        return False  # its folder cannot be read, which the reading reports


def _keys_differ(lines: tuple[wiring.ReaderLine, ...], report: Report) -> None:
    """Each reader has a key of its own."""
    first: dict[bytes, wiring.ReaderWiring] = {}
    for n, line in enumerate(lines):
        for m, reader in enumerate(line.readers):
            field = f"reader_lines[{n}].readers[{m}].key_file"
            if report.broken(field):
                continue
            other = first.setdefault(reader.key, reader)
            if other is not reader:
                both = f"{other.reader} and {reader.reader}"
                report.error(
                    field,
                    f"readers {both} share a key: one opened reader opens both",
                    f"name another file here, then: doorward agent provision-reader {report.file} {reader.reader}",
                )


def _own_key_is_not_trusted(form: forms.AgentForm, own: SigningKey, report: Report) -> None:
    """If it were, a thief of the Pi's key could sign for the district."""
    x = own.trusted(KeyRole.AGENT).x
    for n, key in enumerate(form.trust):
        if key.x == x:
            cure = "paste the line of 'doorward central keygen'; this one belongs in central's district.yaml"
            report.error(f"trust[{n}].x", "this agent's own key, not the district's", cure, of=["key_file"])


def _adc(form: forms.AdcForm) -> wiring.AdcWiring:
    pins = form.pins
    return wiring.AdcWiring(
        form.adc, form.device or 0, None if pins is None else (pins.clock, pins.mosi, pins.miso, pins.select)
    )


def _broker(form: forms.BrokerForm, at: Path, report: Report) -> BrokerAddress:
    def file(name: str, text: str | None) -> Path | None:
        if text is None:
            return None
        return _attempt(
            lambda: readable_file(at / text, secret=name in SECRETS), f"broker.{name}", report, lambda: at / text
        )

    return BrokerAddress(
        host=form.host,
        port=form.port,
        username=form.username,
        password_file=file("password_file", form.password_file),
        ca_file=file("ca_file", form.ca_file),
        cert_file=file("cert_file", form.cert_file),
        key_file=file("key_file", form.key_file),
    )


def _secret(path: Path, length: int, field: str, report: Report) -> bytes:
    return _attempt(lambda: read_secret(path, length), field, report, lambda: bytes(length))


def _attempt(read: Callable[[], V], field: str, report: Report, stand_in: Callable[[], V]) -> V:
    """What a file holds; if it cannot be used, the report says why and something stands in."""
    if report.broken(field):
        return stand_in()
    try:
        return read()
    except ValueError as error:
        problem, _, cure = str(error).partition("; ")
        report.error(field, problem, cure)
        return stand_in()
