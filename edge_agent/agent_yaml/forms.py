"""The fields of agent.yaml: type, range and meaning of each. Decides nothing.

Nothing else knows the fields: the reader follows these forms, and the JSON Schema for editors
(`firmware_config/schemas/agent.schema.json`) is made from them.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated, Any

from msgspec import Meta, Struct

from drivers.gpio import FailMode, LockKind
from edge_agent.agent_yaml.wiring import KeypadKind, Passage, SerialReaderKind
from protocol import topics
from protocol.public_keys import check_public_key

HIGHEST_PIN = 45
"""BCM numbers: a 40-pin header has 0 to 27, a Compute Module up to 45. A board profile narrows it."""

MOST_DOORS = 128

LONGEST_NAME, LONGEST_PATH = 255, 1_024
"""Bytes. Linux takes 255 of a name; of a path it takes 4095, with the folder that this one is in."""

LONGEST_HOST = 253

OSDP_RATES = (9600, 19200, 38400, 57600, 115200, 230400)


class Form(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A mapping of the file."""


def _public_key(text: str) -> None:
    if text.startswith("REPLACE"):
        raise ValueError("a placeholder; paste the line of 'doorward central keygen'")
    if not re.fullmatch(r"[A-Za-z0-9_-]{43}", text):
        raise ValueError("expected a public key of 43 base64url characters; paste it from 'doorward central keygen'")
    try:
        check_public_key(text)
    except ValueError as error:
        raise ValueError(f"{error}; a placeholder or a slip: paste the line of 'doorward central keygen'") from None


def _name(text: str) -> None:
    try:
        topics.check_name(text)
    except ValueError as error:
        raise ValueError(f"{error}; write it like north-stairs-2") from None


def _file_name(text: str) -> None:
    encoded = text.encode("utf-8", "surrogatepass")
    longest = max(len(part) for part in encoded.split(b"/"))
    if not text.isprintable() or longest > LONGEST_NAME or len(encoded) > LONGEST_PATH:
        raise ValueError("no name that a file could have; write its path, beside this file or from /")


def _host(text: str) -> None:
    """A name of RFC 1123, whose last label is no number, or an IP address."""
    labels = text.removesuffix(".").split(".")
    named = all(re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?", label) for label in labels)
    if named and len(text) <= LONGEST_HOST and not labels[-1].isdigit():
        return
    try:
        ipaddress.ip_address(text)
    except ValueError:
        raise ValueError(
            f"{text!r} is no host's name and no IP address; write the name alone, without mqtt:// and port"
        ) from None


def _doc(text: str, **extra: Any) -> Meta:
    """A field's description; ``missing`` and ``cure`` are for the error if it is not there."""
    return Meta(description=text, extra=extra or None)


Text = Annotated[str, Meta(min_length=1)]
Host = Annotated[str, Meta(min_length=1, extra={"check": _host})]
FileName = Annotated[str, Meta(min_length=1, extra={"check": _file_name})]
Name = Annotated[str, Meta(pattern="^[a-z0-9][a-z0-9-]{0,47}$", extra={"check": _name})]
Pin = Annotated[int, Meta(ge=0, le=HIGHEST_PIN)]
Bit = Annotated[int, Meta(ge=0, le=127)]
Chip = Annotated[int, Meta(ge=0, le=1)]
Channel = Annotated[int, Meta(ge=0, le=7)]
Ohms = Annotated[int, Meta(ge=10, le=1_000_000)]


class BrokerForm(Form, frozen=True, kw_only=True):
    """Where the school's broker is."""

    host: Annotated[Host, _doc("Name or address of the broker")] = "127.0.0.1"
    port: Annotated[int, Meta(ge=1, le=65535, description="8883 with TLS, 1883 without")] = 1883
    username: Annotated[Text | None, _doc("Name to sign in with")] = None
    password_file: Annotated[FileName | None, _doc("File with the password alone, mode 0600")] = None
    ca_file: Annotated[FileName | None, _doc("Certificate authority of the broker: turns TLS on")] = None
    cert_file: Annotated[FileName | None, _doc("This agent's own certificate")] = None
    key_file: Annotated[FileName | None, _doc("The certificate's private key, mode 0600")] = None


class TrustForm(Form, frozen=True, kw_only=True):
    """A key whose signed documents this agent obeys."""

    kid: Annotated[Text, _doc("The key's name")]
    x: Annotated[
        str,
        Meta(
            pattern="^[A-Za-z0-9_-]{43}$",
            description="The public key, as 'doorward central keygen' prints it",
            extra={"check": _public_key},
        ),
    ]


class ClockForm(Form, frozen=True, kw_only=True):
    """How far this machine's clock is believed."""

    require_sync: Annotated[bool, _doc("Believe it only once a time server has set it")] = True
    rtc: Annotated[
        bool | None, _doc("A clock with a battery in it is fitted; left out: whether one is among the hats")
    ] = None


class AdcPinsForm(Form, frozen=True, kw_only=True):
    """Pins of a converter that is read bit by bit, away from the SPI bus."""

    clock: Annotated[Pin, _doc("CLK")]
    mosi: Annotated[Pin, _doc("DIN of the converter")]
    miso: Annotated[Pin, _doc("DOUT of the converter")]
    select: Annotated[Pin, _doc("CS/SHDN")]


class AdcForm(Form, frozen=True, kw_only=True):
    """One MCP3008: eight supervised lines."""

    adc: Annotated[Name, _doc("Its name in this file")]
    device: Annotated[Chip | None, _doc("Chip select on SPI bus 0: 0 (CE0) or 1 (CE1)")] = None
    pins: Annotated[AdcPinsForm | None, _doc("Other pins, in place of the SPI bus")] = None


class EndOfLineForm(Form, frozen=True, kw_only=True):
    """The resistors of a supervised line, in ohms."""

    series: Annotated[Ohms, _doc("In the loop, before the switch")] = 1_000
    parallel: Annotated[Ohms, _doc("Across the switch")] = 1_000
    pull_up: Annotated[Ohms, _doc("From 3.3 V to the line, at the board")] = 2_200


class InputForm(Form, frozen=True, kw_only=True):
    """A switch: on a GPIO pin (``pin``), or supervised on a converter (``adc`` and ``channel``)."""

    pin: Annotated[Pin | None, _doc("GPIO pin (BCM number); the switch closes it to ground")] = None
    adc: Annotated[Name | None, _doc("The converter it is wired to")] = None
    channel: Annotated[Channel | None, _doc("The converter's channel")] = None
    end_of_line: Annotated[EndOfLineForm | None, _doc("Its resistors; default 1 k, 1 k and 2.2 k")] = None
    normally_closed: Annotated[bool | None, _doc("Whether the switch is closed at rest (a door: while shut)")] = None


class LockForm(Form, frozen=True, kw_only=True):
    """The lock of a door."""

    pin: Annotated[Pin, _doc("GPIO pin (BCM number) of its relay or driver")]
    kind: Annotated[LockKind, _doc("strike (a keeper moves) or maglock (a magnet holds)")]
    fail_mode: Annotated[FailMode, _doc("Without power: fail_secure stays locked outside, fail_safe releases")]
    active_high: Annotated[bool, _doc("false: the relay board pulls in on a low level")] = True


class DoorForm(Form, frozen=True, kw_only=True):
    """One door of this agent."""

    door: Annotated[Name, _doc("Its name, unique within the agent")]
    lock: LockForm
    contact: Annotated[
        InputForm,
        _doc(
            "Door position switch",
            missing="is missing: without a door contact nothing proves the door shut",
            cure="wire one and add 'contact: {pin: …}'",
        ),
    ]
    bolt: Annotated[InputForm | None, _doc("Latch-bolt monitor: closed while the bolt is thrown")] = None
    rex: Annotated[InputForm | None, _doc("Request to exit")] = None
    tamper: Annotated[InputForm | None, _doc("Tamper switch of the door's enclosure")] = None
    perimeter: Annotated[bool, _doc("Leads outside: it must prove its bolt, so it needs a bolt monitor")] = False


class ReaderForm(Form, frozen=True, kw_only=True):
    """One OSDP reader on a line."""

    reader: Annotated[Name, _doc("Its name, unique within the agent")]
    address: Annotated[int, Meta(ge=0, le=126, description="Its OSDP address")]
    door: Annotated[Name, _doc("The door it opens")]
    key_file: Annotated[FileName, _doc("File of its secure channel key: 32 hex digits, mode 0600")]
    passage: Annotated[Passage, _doc("Which way its badge leads")] = Passage.IN


class ReaderLineForm(Form, frozen=True, kw_only=True):
    """One RS-485 line and its readers."""

    device: Annotated[Text, _doc("Serial device, best one of /dev/doorward/")]
    baud: Annotated[int, Meta(description="Bits a second", extra_json_schema={"enum": list(OSDP_RATES)})] = 9600
    readers: Annotated[
        tuple[ReaderForm, ...],
        Meta(min_length=1),
        _doc("The readers on it", cure="add 'readers:' and one '- {reader: …}' each"),
    ]


class WiegandReaderForm(Form, frozen=True, kw_only=True):
    """One Wiegand reader or keypad."""

    reader: Annotated[Name, _doc("Its name, unique within the agent")]
    door: Annotated[Name, _doc("The door it opens")]
    data0: Annotated[Pin, _doc("GPIO pin of DATA0 (green)")]
    data1: Annotated[Pin, _doc("GPIO pin of DATA1 (white)")]
    formats: Annotated[tuple[Text, ...], _doc("Card formats it accepts")] = ("h10301",)
    keypad: Annotated[KeypadKind, _doc("How its keys are sent")] = KeypadKind.NONE
    led: Annotated[Pin | None, _doc("GPIO pin of its green LED")] = None
    buzzer: Annotated[Pin | None, _doc("GPIO pin of its buzzer")] = None
    led_active_high: Annotated[bool, _doc("true: LED and buzzer are on at a high level")] = False
    passage: Annotated[Passage, _doc("Which way its badge leads")] = Passage.IN


class ParityForm(Form, frozen=True, kw_only=True):
    """One parity bit; bits are counted from 0."""

    bit: Annotated[Bit, _doc("Where the parity bit is")]
    covers: Annotated[tuple[Bit, Bit] | None, _doc("First and last bit it is counted over")] = None
    bits: Annotated[tuple[Bit, ...] | None, _doc("Or those bits one by one")] = None


class WiegandFormatForm(Form, frozen=True, kw_only=True):
    """A card format of the site's own; bits are counted from 0."""

    name: Annotated[Name, _doc("Its name, for 'formats'")]
    bits: Annotated[int, Meta(ge=16, le=128, description="Bits of a frame, parity included")]
    card: Annotated[tuple[Bit, Bit], _doc("First and last bit of the card number")]
    facility: Annotated[tuple[Bit, Bit] | None, _doc("First and last bit of the facility code")] = None
    even_parity: Annotated[tuple[ParityForm, ...], _doc("Even parity bits")] = ()
    odd_parity: Annotated[tuple[ParityForm, ...], _doc("Odd parity bits")] = ()


class SerialReaderForm(Form, frozen=True, kw_only=True):
    """One 125 kHz module on a serial device of its own."""

    reader: Annotated[Name, _doc("Its name, unique within the agent")]
    door: Annotated[Name, _doc("The door it opens")]
    device: Annotated[Text, _doc("Serial device, best one of /dev/doorward/")]
    kind: Annotated[SerialReaderKind, _doc("Its family")]
    baud: Annotated[int, Meta(ge=1200, le=115200, description="Bits a second; the families use 9600")] = 9600
    passage: Annotated[Passage, _doc("Which way its badge leads")] = Passage.IN


class PowerForm(Form, frozen=True, kw_only=True):
    """Contacts of the power supply."""

    mains: Annotated[InputForm | None, _doc("Closed while mains is there")] = None
    battery: Annotated[InputForm | None, _doc("Closed while the battery is good")] = None


class AgentForm(Form, frozen=True, kw_only=True):
    """The whole of agent.yaml."""

    site: Annotated[Name, _doc("The school, as central calls it")]
    agent: Annotated[Name, _doc("This Pi, as central calls it")]
    board: Annotated[Name | None, _doc("The Pi it runs on; 'custom' to check no pins against a board")] = None
    hats: Annotated[tuple[Name, ...], _doc("Boards stacked on it, whose pins are then taken")] = ()
    data: Annotated[FileName, _doc("Folder of its state, on a disk that keeps it")]
    key_file: Annotated[FileName, _doc("Its signing key (agent.jwk), from 'doorward agent keygen'")]
    credential_key_file: Annotated[FileName, _doc("Key of the credentials' hashes: 64 hex digits, mode 0600")]
    broker: BrokerForm
    trust: Annotated[
        tuple[TrustForm, ...],
        Meta(min_length=1),
        _doc("Keys it obeys", cure="paste the district's public key, from 'doorward central keygen'"),
    ]
    clock: Annotated[ClockForm | None, _doc("How far its clock is believed")] = None
    adcs: Annotated[tuple[AdcForm, ...], _doc("Converters of supervised lines")] = ()
    doors: Annotated[tuple[DoorForm, ...], Meta(min_length=1, max_length=MOST_DOORS), _doc("Its doors")]
    reader_lines: Annotated[tuple[ReaderLineForm, ...], _doc("RS-485 lines of OSDP readers")] = ()
    wiegand_readers: Annotated[tuple[WiegandReaderForm, ...], _doc("Readers on two data pins")] = ()
    wiegand_formats: Annotated[tuple[WiegandFormatForm, ...], _doc("Card formats beside the usual ones")] = ()
    serial_readers: Annotated[tuple[SerialReaderForm, ...], _doc("ASCII readers, each on a serial device")] = ()
    power: Annotated[PowerForm | None, _doc("Contacts of the power supply")] = None
    fire: Annotated[InputForm | None, _doc("Fire alarm panel's relay; closed at rest unless said otherwise")] = None
    panic: Annotated[InputForm | None, _doc("Panic button; open at rest unless said otherwise")] = None
