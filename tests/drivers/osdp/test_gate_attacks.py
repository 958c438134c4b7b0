"""Recorded sessions, weak nonces and weak keys: what an attacker may try who has only listened, or only guesses.

Forged and withheld replies are in `test_osdp_forgeries`.
"""

import ctypes
import secrets
import subprocess
import sys
from pathlib import Path

import pytest

from drivers.osdp import (
    LineSilent,
    OfflineReason,
    OsdpBus,
    OsdpEvent,
    OsdpReaderConfig,
    ReaderOffline,
    ReaderOnline,
    WeakKey,
    open_serial,
)
from drivers.osdp import panel as panel_module
from drivers.osdp.config import DEFAULT_KEY
from simulators.hardware.line import VirtualLine
from tests.conftest import Until
from tests.drivers.osdp.attacker import PlainReader
from tests.drivers.osdp.rig import CARD, Rig, hold, scripted_line

ROOT = Path(__file__).parents[3]
GOOD_KEY = bytes.fromhex("8f1c0a5be2774d9630c4a8f35d1e62b9")


LOOK_S = 0.5
"""How long a defence is watched once the attack has been played; a handshake takes a tenth of it."""


class Tape:
    """Records what the readers of a line say to each command, to play it back later."""

    def __init__(self) -> None:
        self.replies: list[bytes] = []

    def __call__(self, data: bytes) -> None:
        self.replies.append(data)


async def _record(until: Until, rig: Rig) -> list[bytes]:
    """A session up to a card, as replies in order."""
    tape = Tape()
    rig.line._on_reader_bytes = tape
    with rig:
        await until(rig.all_online)
        rig.readers[0].swipe(26, CARD)
        await until(lambda: rig.cards)
    return tape.replies


async def _replay(until: Until, rig: Rig, replies: list[bytes]) -> tuple[OsdpBus, list[OsdpEvent]]:
    """The same configuration, restarted, with the recording on the line instead of the reader."""
    tape = iter(replies)
    played: list[bytes] = []
    events = []

    def answer(_command: bytes) -> bytes:
        reply = next(tape, b"")
        played.append(reply)
        return reply

    with scripted_line(answer) as path:
        bus = OsdpBus("line-1", lambda: open_serial(path), rig.configs, on_event=events.append)
        bus.start()
        await until(lambda: len(played) >= 3)
        await hold(lambda: not bus.online("reader-10"), seconds=LOOK_S)
        bus.stop()
    return bus, events


async def test_a_recorded_session_replayed_to_a_restarted_panel_yields_no_card(until: Until) -> None:
    rig = Rig()
    replies = await _record(until, rig)
    bus, events = await _replay(until, rig, replies)
    assert not [event for event in events if isinstance(event, ReaderOnline)]
    assert bus.stale_reads == bus.insecure_reads == 0, "not even the secure channel came up"


async def test_without_seeding_the_same_replay_brings_the_secure_channel_up(
    until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The attack is real: with the nonce a fresh process would draw, the recording is believed."""
    libc = ctypes.CDLL(None)
    monkeypatch.setattr(panel_module, "seed_nonces", lambda: libc.srand(1))
    rig = Rig()
    replies = await _record(until, rig)
    with pytest.raises(AssertionError):
        await _replay(until, rig, replies)


async def test_every_handshake_has_a_nonce_of_its_own(until: Until) -> None:
    """RND.A, the eight bytes of the challenge, seen on the wire over several panels and one healing."""
    nonces: list[bytes] = []

    def watch(data: bytes) -> None:
        for command in data.split(b"\x53")[1:]:
            header = 7 if command[3:4] and command[3] & 0x08 else 4
            if command[header : header + 1] == b"\x76":  # CHLNG
                nonces.append(command[header + 1 : header + 9])

    for _ in range(2):
        rig = Rig()
        rig.line._on_panel_bytes = watch
        with rig:
            await until(rig.all_online)
            rig.readers[0].restart()
            await until(lambda rig=rig: len(rig.of(ReaderOnline)) == 2)
    assert len(nonces) >= 4
    assert len(set(nonces)) == len(nonces)


FIRST_NONCE = """
import sys
from drivers.osdp import OsdpReaderConfig
from drivers.osdp.panel import Panel, PanelChannel
from drivers.osdp.frames import CommandCode, Frame, FrameReader, ReplyCode, build

class Wire:
    def __init__(self): self.sent = b""
    def write(self, data): self.sent = data; return len(data)

wire = Wire()
channel = PanelChannel(wire)
panel = Panel([OsdpReaderConfig("r", 10, bytes.fromhex("8f1c0a5be2774d9630c4a8f35d1e62b9"))], channel)
while True:
    panel.run(channel)
    (command,) = FrameReader(replies=False).feed(wire.sent)
    if command.code == CommandCode.CHLNG:
        break
    answer = (ReplyCode.PDID, bytes(12)) if command.code == CommandCode.ID else (ReplyCode.PDCAP, bytes([9, 1, 1]))
    channel.received += build(10, *answer, sequence=command.sequence, reply=True)
print(command.data.hex())
"""


def test_two_fresh_programs_draw_different_nonces() -> None:
    """RND.A of the first handshake, where libosdp by itself sends the same one after every start."""
    said = [
        subprocess.run(
            [sys.executable, "-c", FIRST_NONCE], cwd=ROOT, capture_output=True, text=True, timeout=45, check=True
        )
        for _ in range(2)
    ]
    nonces = [program.stdout.strip().splitlines()[-1] for program in said]
    assert [len(nonce) for nonce in nonces] == [16, 16], said[0].stderr
    assert nonces[0] != nonces[1]


async def test_a_mismatched_key_never_brings_the_secure_channel_up(until: Until) -> None:
    rig = Rig()
    rig.readers[0]._key = secrets.token_bytes(16)
    rig.readers[0].restart()
    rig.readers[0].swipe(26, CARD)
    with rig:
        await until(lambda: rig.of(ReaderOffline), within=3)
        assert not rig.all_online()
        assert not rig.readers[0].secure
        assert rig.cards == []
        assert rig.of(ReaderOffline)[0].reason is OfflineReason.NO_SECURE_CHANNEL
        assert not rig.of(LineSilent), "it does answer"
        assert rig.bus.refuses_key("reader-10")


async def test_a_reader_without_a_secure_channel_refuses_its_key_from_the_first_handshake_on(until: Until) -> None:
    with VirtualLine() as line:
        PlainReader(line, 10)
        config = OsdpReaderConfig("front-door", 10, GOOD_KEY)
        bus = OsdpBus("line-1", lambda: open_serial(line.path), [config], on_event=lambda _event: None)
        bus.start()
        await until(lambda: bus.refuses_key("front-door"))
        bus.stop()


@pytest.mark.parametrize(
    ("key", "why"),
    [
        (DEFAULT_KEY, "SCBK-D"),
        (bytes(16), "one byte repeated"),
        (b"\xff" * 16, "one byte repeated"),
        (bytes(range(16)), "sequence"),
        (bytes(range(16, 0, -1)), "sequence"),
        (bytes(n * 17 % 256 for n in range(16)), "sequence"),
        (b"\x8f\x1c\x0a\x5b" * 4, "repeats itself"),
        (b"\x8f\x1c\x0a\x5b\xe2\x77\x4d\x96" * 2, "repeats itself"),
        (GOOD_KEY[:15], "16 bytes"),
        (GOOD_KEY + b"\x00", "16 bytes"),
    ],
)
def test_a_weak_key_is_refused_and_the_message_says_which_and_why(key: bytes, why: str) -> None:
    with pytest.raises(WeakKey, match=rf"front-door.*{why}"):
        OsdpReaderConfig("front-door", 1, key)


def test_one_key_for_two_readers_is_refused() -> None:
    readers = [OsdpReaderConfig("front", 1, GOOD_KEY), OsdpReaderConfig("back", 2, GOOD_KEY)]
    with pytest.raises(WeakKey, match="front and back share a key"):
        OsdpBus("line-1", lambda: open_serial("/dev/null"), readers, on_event=lambda _event: None)


@pytest.mark.parametrize(
    "readers",
    [
        [],
        [OsdpReaderConfig("a", 1, GOOD_KEY), OsdpReaderConfig("a", 2, GOOD_KEY[::-1])],
        [OsdpReaderConfig("a", 1, GOOD_KEY), OsdpReaderConfig("b", 1, GOOD_KEY[::-1])],
    ],
)
def test_names_and_addresses_are_unique_on_a_bus(readers: list[OsdpReaderConfig]) -> None:
    with pytest.raises(ValueError, match=r"without readers|called|address"):
        OsdpBus("line-1", lambda: open_serial("/dev/null"), readers, on_event=lambda _event: None)


def test_random_keys_are_not_refused() -> None:
    for n in range(2000):
        OsdpReaderConfig("r", n % 127, secrets.token_bytes(16))


def test_a_key_is_not_in_the_printed_configuration() -> None:
    assert "8f" not in repr(OsdpReaderConfig("r", 1, GOOD_KEY))
