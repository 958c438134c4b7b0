"""Reads agent.yaml: who this agent is, where its broker is, and how its doors are wired.

What a facilities person may change in central (names, schedules, credentials) is not here: it arrives signed,
as the configuration bundle. Keys are read here, once, so that a bad key file is found before a door is touched.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from drivers.gpio import FailMode, LockKind
from drivers.osdp.config import OsdpReaderConfig, check_bus
from edge_agent import yaml_fields
from edge_agent.wiring import (
    AdcWiring,
    DoorWiring,
    InputWiring,
    LockWiring,
    PowerWiring,
    ReaderLine,
    ReaderWiring,
    SerialReaderWiring,
    SwitchWiring,
    WiegandFormatWiring,
    WiegandWiring,
)
from edge_agent.yaml_fields import ConfigError, Fields
from protocol import topics
from protocol.credentials import KEY_BYTES
from protocol.messages import TrustedKey
from protocol.mqtt import BrokerAddress
from protocol.signing import SigningKey
from protocol.words import KeyRole

__all__ = [
    "AgentFile",
    "ConfigError",
    "load",
    "read_secret",
]

HIGHEST_PIN = 45
"""BCM numbers: a 40-pin header has 0 to 27, a Compute Module up to 45. The pin factory refuses the others."""

MOST_DOORS = 128


@dataclass(frozen=True, slots=True)
class AgentFile:
    """All of agent.yaml, checked."""

    site: str
    agent: str
    data: Path
    signing_key: SigningKey = field(repr=False)
    credential_key: bytes = field(repr=False)
    broker: BrokerAddress
    trust: tuple[TrustedKey, ...]
    doors: tuple[DoorWiring, ...]
    reader_lines: tuple[ReaderLine, ...] = ()
    wiegand_readers: tuple[WiegandWiring, ...] = ()
    wiegand_formats: tuple[WiegandFormatWiring, ...] = ()
    serial_readers: tuple[SerialReaderWiring, ...] = ()
    adcs: tuple[AdcWiring, ...] = ()
    power: PowerWiring | None = None
    fire: InputWiring | None = None
    panic: InputWiring | None = None
    require_sync: bool = True

    def with_devices(self, devices: Mapping[str, str]) -> AgentFile:
        """The same with other serial devices: {device of the file: device to open}. A simulator's pty, say."""
        lines = tuple(replace(line, device=devices.get(line.device, line.device)) for line in self.reader_lines)
        return replace(self, reader_lines=lines)

    def with_broker(self, host: str, port: int) -> AgentFile:
        """The same with its broker elsewhere."""
        return replace(self, broker=replace(self.broker, host=host, port=port))


def load(path: Path) -> AgentFile:
    """Read and check a configuration and the key files it names. Raises :class:`ConfigError`."""
    with yaml_fields.read(path) as fields:
        at = path.parent
        site, agent = fields.checked("site", topics.check_name), fields.checked("agent", topics.check_name)
        with _optional(fields, "clock") as clock:
            require_sync = True if clock is None else clock.boolean("require_sync", default=True)
        pins = _Pins()
        doors = _doors(fields, pins)
        known = {door.door for door in doors}
        return AgentFile(
            site=site,
            agent=agent,
            data=at / fields.text("data"),
            signing_key=_signing_key(fields, at),
            credential_key=_secret(fields, "credential_key_file", at, KEY_BYTES),
            broker=_broker(fields, at),
            trust=_trust(fields),
            doors=doors,
            reader_lines=_reader_lines(fields, at, known),
            fire=pins.switch(fields, "fire"),
            panic=pins.switch(fields, "panic"),
            require_sync=require_sync,
        )


class _Pins:
    """Hands out pins and refuses one that is used twice."""

    def __init__(self) -> None:
        self._used: dict[int, str] = {}

    def take(self, fields: Fields, use: str) -> int:
        pin = fields.integer("pin", 0, HIGHEST_PIN)
        if pin in self._used:
            raise fields.error("pin", f"pin {pin} is used twice: it is the {self._used[pin]} already")
        self._used[pin] = use
        return pin

    def switch(self, fields: Fields, name: str, door: str = "", *, loop: bool = True) -> SwitchWiring | None:
        if not fields.given(name):
            return None
        with fields.section(name) as switch:
            pin = self.take(switch, f"{name} of {door}" if door else name)
            if loop and switch.given("normally_closed"):
                return SwitchWiring(pin, switch.boolean("normally_closed", default=None))
            return SwitchWiring(pin)


class _optional:  # noqa: N801 - reads as a word in a with statement
    """A section, or None where it is not given."""

    def __init__(self, fields: Fields, name: str) -> None:
        self._section = fields.section(name) if fields.given(name) else None

    def __enter__(self) -> Fields | None:
        return self._section

    def __exit__(self, *exc: object) -> None:
        if self._section is not None:
            self._section.__exit__(*exc)


def _doors(fields: Fields, pins: _Pins) -> tuple[DoorWiring, ...]:
    doors: dict[str, DoorWiring] = {}
    for entry in fields.sections("doors"):
        with entry as door:
            name = door.checked("door", topics.check_name)
            if name in doors:
                raise door.error("door", f"two doors are called {name!r}; names are unique within an agent")
            contact = pins.switch(door, "contact", name, loop=False)
            if contact is None:
                raise door.error("contact", "is missing: without a door contact nothing proves the door shut")
            doors[name] = DoorWiring(
                door=name,
                lock=_lock(door, pins, name),
                contact=contact,
                bolt=pins.switch(door, "bolt", name, loop=False),
                rex=pins.switch(door, "rex", name),
                tamper=pins.switch(door, "tamper", name),
            )
    if not 1 <= len(doors) <= MOST_DOORS:
        raise fields.error("doors", f"expected 1 to {MOST_DOORS} doors, found {len(doors)}")
    return tuple(doors.values())


def _lock(door: Fields, pins: _Pins, name: str) -> LockWiring:
    with door.section("lock") as lock:
        wiring = LockWiring(
            pin=pins.take(lock, f"lock of {name}"),
            kind=lock.choice("kind", LockKind),
            fail_mode=lock.choice("fail_mode", FailMode),
            active_high=lock.boolean("active_high", default=True),
        )
        if wiring.kind is LockKind.MAGLOCK and wiring.fail_mode is FailMode.FAIL_SECURE:
            raise lock.error("fail_mode", "a maglock holds only while energised; write fail_safe")
        return wiring


def _reader_lines(fields: Fields, at: Path, doors: set[str]) -> tuple[ReaderLine, ...]:
    lines: list[ReaderLine] = []
    names: set[str] = set()
    for entry in fields.sections("reader_lines"):
        with entry as line:
            device = line.text("device")
            if any(device == other.device for other in lines):
                raise line.error("device", f"{device} is used by two lines")
            readers = tuple(_reader(reader, at, doors, names) for reader in line.sections("readers"))
            try:
                check_bus([OsdpReaderConfig(reader.reader, reader.address, reader.key) for reader in readers])
            except ValueError as error:
                raise line.error("readers", str(error)) from None
            lines.append(ReaderLine(device, line.integer("baud", 9600, 230400, default=9600), readers))
    return tuple(lines)


def _reader(entry: Fields, at: Path, doors: set[str], names: set[str]) -> ReaderWiring:
    with entry as reader:
        name = reader.checked("reader", topics.check_name)
        if name in names:
            raise reader.error("reader", f"two readers are called {name!r}; names are unique within an agent")
        names.add(name)
        door = reader.text("door")
        if door not in doors:
            raise reader.error("door", f"{door!r} is not among the doors of this file: {', '.join(sorted(doors))}")
        key = _secret(reader, "key_file", at, 16)
        return ReaderWiring(name, reader.integer("address", 0, 126), door, key)


def _broker(fields: Fields, at: Path) -> BrokerAddress:
    with fields.section("broker") as broker:

        def file(name: str) -> Path | None:
            text = broker.optional_text(name)
            if text is not None and not (at / text).is_file():
                raise broker.error(name, f"there is no file {at / text}")
            return None if text is None else at / text

        address = BrokerAddress(
            host=broker.text("host", "127.0.0.1"),
            port=broker.integer("port", 1, 65535, default=1883),
            username=broker.optional_text("username"),
            password_file=file("password_file"),
            ca_file=file("ca_file"),
            cert_file=file("cert_file"),
            key_file=file("key_file"),
        )
        if address.cert_file is not None and address.ca_file is None:
            raise broker.error("ca_file", "is missing: a client certificate is of use over TLS only")
        return address


def _trust(fields: Fields) -> tuple[TrustedKey, ...]:
    keys: dict[str, TrustedKey] = {}
    for entry in fields.sections("trust"):
        with entry as key:
            kid = key.text("kid")
            if kid in keys:
                raise key.error("kid", f"two trusted keys are called {kid!r}")
            keys[kid] = TrustedKey(kid=kid, x=key.checked("x", _public_key), role=KeyRole.DISTRICT)
    if not keys:
        raise fields.error("trust", "is missing: paste the district's public key, from 'doorward central keygen'")
    return tuple(keys.values())


def _public_key(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_-]{43}", text):
        raise ValueError("expected a public key of 43 base64url characters, from 'doorward central keygen'")
    return text


def _signing_key(fields: Fields, at: Path) -> SigningKey:
    def read(name: str) -> SigningKey:
        try:
            return SigningKey.load(at / name)
        except FileNotFoundError:
            raise ValueError(f"there is no file {at / name}; make one with 'doorward agent keygen {at}'") from None
        except OSError as error:
            raise ValueError(f"{at / name} cannot be read: {error.strerror}") from None

    return fields.checked("key_file", read)


def _secret(fields: Fields, name: str, at: Path, length: int) -> bytes:
    read: Callable[[str], bytes] = lambda text: read_secret(at / text, length)  # noqa: E731 - a name for the type
    return fields.checked(name, read)


def read_secret(path: Path, length: int) -> bytes:
    """The bytes of a key file, written as hex digits. ValueError says what is wrong, never what is in it."""
    try:
        mode = path.stat().st_mode & 0o777
        text = path.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        raise ValueError(f"there is no file {path}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} cannot be read as text: {type(error).__name__}") from None
    if mode & 0o077:
        raise ValueError(f"{path}: mode {mode:04o} lets others read a key; chmod 600 it")
    if not re.fullmatch(f"[0-9A-Fa-f]{{{2 * length}}}", text):
        raise ValueError(f"{path}: expected {length} bytes as {2 * length} hex digits, found {len(text)} characters")
    return bytes.fromhex(text)
