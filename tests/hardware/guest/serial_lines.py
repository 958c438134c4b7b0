"""In the guest: readers on kernel serial lines face the agent. One speaks OSDP, one is an ASCII module.

The OSDP reader is libosdp's own peripheral side, in a process of the host's, on the first serial port. Its hands are
on the second: what is written there as a JSON line is done to it, what it shows comes back
(`simulators.hardware.reader_process`). The third and the fourth port are joined to each other: the agent has a
125 kHz module on one, the test plays it on the other.
"""

import functools
import itertools
import json
import operator
import os
import select
import time
import tty
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from protocol import credentials
from protocol.messages import Credential
from tests.hardware.guest import school
from tests.hardware.guest.lines import HeaderLines
from tests.hardware.guest.pi import Pi, until
from tests.hardware.guest.school import ENTRANCE, GYM

LINE, HANDS = "/dev/ttyS0", Path("/dev/ttyS1")
MODULE, MODULES_END = "/dev/ttyS2", Path("/dev/ttyS3")
ABOUT = Path("/run/out/line.json")
BITS = 26
STAFF, STRANGER = bytes.fromhex("12345640"), bytes.fromhex("ababab80")
TAG, TAG_BITS = bytes.fromhex("4F00BADBAD"), 40


class Reader:
    """The reader outside: works it, and sees what it shows."""

    def __init__(self) -> None:
        about = json.loads(ABOUT.read_text())
        (reader,) = about["readers"]
        self.name, self.address, self.key, self.baud = reader["name"], reader["address"], reader["key"], about["baud"]
        self._hands = os.open(HANDS, os.O_RDWR | os.O_NOCTTY)
        tty.setraw(self._hands)
        self._held = b""

    def swipe(self, card: bytes) -> None:
        """Present a card."""
        self._do("swipe", {"reader": self.name, "bits": BITS, "data": card.hex()})

    def tamper(self, on: bool) -> None:
        """Take its cover off, or put it back."""
        self._do("tamper", {"reader": self.name, "on": on})

    def unplug(self) -> None:
        """Pull the data pair."""
        self._do("unplug", self.name)

    def plug(self) -> None:
        """Put the data pair back."""
        self._do("plug", self.name)

    def wait_for(self, within: float = 10, **shown: Any) -> None:
        """Read what the outside says until it shows this."""
        seen = []
        for said in self._said(within):
            seen.append(said)
            if all(said.get(name) == value for name, value in shown.items()):
                return
        raise AssertionError(f"the reader never showed {shown} within {within} s; it said {seen}")

    def _do(self, verb: str, what: object) -> None:
        os.write(self._hands, json.dumps({verb: what}).encode() + b"\n")
        self.wait_for(done=verb)

    def _said(self, within: float) -> Iterator[dict[str, Any]]:
        end = time.monotonic() + within
        for _ in itertools.takewhile(lambda left: left > 0, (end - time.monotonic() for _ in itertools.count())):
            while b"\n" in self._held:
                line, self._held = self._held.split(b"\n", 1)
                yield json.loads(line)
            if select.select([self._hands], [], [], max(0, end - time.monotonic()))[0]:
                self._held += os.read(self._hands, 4096)


@pytest.fixture(scope="module")
def reader() -> Reader:
    """The one reader there is."""
    return Reader()


@pytest.fixture(scope="module")
def module() -> Iterator[int]:
    """The ASCII module's end of its line."""
    descriptor = os.open(MODULES_END, os.O_RDWR | os.O_NOCTTY)
    tty.setraw(descriptor)
    yield descriptor
    os.close(descriptor)


@pytest.fixture(scope="module")
def running_pi(tmp_path_factory: pytest.TempPathFactory, header: HeaderLines, reader: Reader) -> Iterator[Pi]:
    """The suite's agent: a reader at the entrance, a module at the gym, two members of staff."""
    school.at_rest(header)
    wired = {"reader": "entrance-in", "address": reader.address, "door": "entrance", "key_file": "reader.key"}
    lines = [{"device": LINE, "baud": reader.baud, "readers": [wired]}]
    module = {"reader": "gym-in", "door": "gym", "device": MODULE, "kind": "id-12"}
    wiring = school.wiring(reader_lines=lines, serial_readers=[module])
    pi = Pi(tmp_path_factory.mktemp("suite") / "pi", wiring, school.SETTINGS)
    pi.secret("reader.key", bytes.fromhex(reader.key))
    badge = credentials.token(pi.credential_key, BITS, STAFF)
    tag = credentials.token(pi.credential_key, TAG_BITS, TAG)
    pi.configure(
        Credential(token=badge, cardholder="ch-0001", groups=("staff",)),
        Credential(token=tag, cardholder="ch-0002", groups=("staff",)),
    )
    with pi.running():
        pi.wait_for("reader_online", "entrance", within=20)
        yield pi


def test_a_badge_outside_opens_the_strike_line_inside(agent: Pi, lines: HeaderLines, reader: Reader) -> None:
    reader.swipe(STAFF)
    until(lambda: lines.high(ENTRANCE.lock), "current on the strike")
    agent.wait_for("access_granted", "entrance", cardholder="ch-0001")
    reader.wait_for(led="green")
    until(lambda: not lines.high(ENTRANCE.lock), "the strike locked again")


def test_a_door_left_open_after_a_badge_is_held_and_not_forced(agent: Pi, lines: HeaderLines, reader: Reader) -> None:
    reader.swipe(STAFF)
    until(lambda: lines.high(ENTRANCE.lock), "current on the strike")
    lines.let_go(ENTRANCE.bolt, ENTRANCE.contact)
    agent.wait_for("alarm_raised", "entrance", alarm="held")
    assert not agent.events("alarm_raised", "entrance", alarm="forced")


def test_a_strangers_badge_opens_nothing(agent: Pi, lines: HeaderLines, reader: Reader) -> None:
    reader.swipe(STRANGER)
    agent.wait_for("access_denied", "entrance", reason="unknown_credential")
    reader.wait_for(led="red")
    assert not lines.high(ENTRANCE.lock)
    assert not agent.events("lock_commanded", "entrance", released=True)


def test_a_reader_pulled_off_the_line_is_told_and_its_return_too(agent: Pi, reader: Reader) -> None:
    reader.unplug()
    agent.wait_for("alarm_raised", "entrance", alarm="line_silent")
    reader.plug()
    agent.wait_for("alarm_cleared", "entrance", alarm="line_silent")
    agent.wait_for("reader_online", "entrance", within=20)


def test_a_cover_taken_off_the_reader_is_told(agent: Pi, reader: Reader) -> None:
    reader.tamper(on=True)
    agent.wait_for("alarm_raised", "entrance", alarm="tamper")
    reader.tamper(on=False)
    agent.wait_for("alarm_cleared", "entrance", alarm="tamper")


def test_a_tag_at_an_ascii_module_opens_the_maglock(agent: Pi, lines: HeaderLines, module: int) -> None:
    os.write(module, _frame(TAG))
    until(lambda: not lines.high(GYM.lock), "the maglock's release")
    agent.wait_for("access_granted", "gym", cardholder="ch-0002")
    until(lambda: lines.high(GYM.lock), "the maglock's hold after the passage")


def test_a_tag_with_a_wrong_digit_opens_nothing_and_the_next_one_is_read(agent: Pi, module: int) -> None:
    os.write(module, _frame(TAG).replace(b"BAD", b"BED", 1))
    os.write(module, _frame(TAG))
    agent.wait_for("access_granted", "gym", cardholder="ch-0002")
    assert len(agent.events("access_granted", "gym")) == 1
    assert not agent.events("access_denied", "gym"), "it was no card, not a stranger's"


def _frame(tag: bytes) -> bytes:
    """As an ID-12 sends it: STX, ten hex digits, their checksum in two, CR, LF, ETX."""
    return b"\x02" + (tag + bytes([functools.reduce(operator.xor, tag)])).hex().upper().encode() + b"\r\n\x03"
