"""Serial ASCII readers on real ptys: both families, bytes split anywhere, noise, and ports that vanish."""

import asyncio
import random
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.readers import CardRead, ReaderEvent, ReadRefused, RefusalReason
from drivers.serial.ascii_reader import FRAMINGS, FrameDecoder, SerialReader
from drivers.serial.port import open_serial
from drivers.serial.port_keeper import PortDown, PortUp
from simulators.hardware.serial_reader import VirtualSerialReader
from tests.support.waiting import until

CARD = bytes.fromhex("4F00A1B2C3")
KINDS = list(FRAMINGS)


class Rig:
    """A virtual module and the driver on its port."""

    def __init__(self, folder: Path, kind: str) -> None:
        self.outside = VirtualSerialReader(folder, kind=kind)
        self.events: list[ReaderEvent | PortDown | PortUp] = []
        self.now = 1000.0
        self.reader = SerialReader(
            "office-in",
            partial(open_serial, self.outside.path, 9600),
            FRAMINGS[kind],
            on_event=self.events.append,
            clock=lambda: self.now,
        )
        self.reader.start()

    @property
    def cards(self) -> list[bytes]:
        return [event.data for event in self.events if isinstance(event, CardRead)]

    @property
    def ports(self) -> list[type]:
        return [type(event) for event in self.events if isinstance(event, PortDown | PortUp)]

    async def settled(self) -> None:
        """Everything sent so far has been read: a last card says so."""
        self.now += 1
        mark = random.randbytes(5)
        self.outside.swipe(40, mark)
        await until(lambda: self.cards and self.cards[-1] == mark, "the last card")


@pytest.fixture(params=KINDS)
async def rig(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Rig]:
    rig = Rig(tmp_path, request.param)
    yield rig
    rig.reader.stop()
    rig.outside.unplug()


async def test_a_card_arrives_as_forty_bits(rig: Rig) -> None:
    rig.outside.swipe(40, CARD)
    await until(lambda: rig.cards, "the card")
    (card,) = (event for event in rig.events if isinstance(event, CardRead))
    assert (card.reader, card.bits, card.data, card.at) == ("office-in", 40, CARD, 1000.0)
    assert card.number == 0x4F00A1B2C3
    assert rig.ports == [PortUp]


async def test_a_card_with_one_digit_wrong_is_refused_and_counted_every_time(rig: Rig) -> None:
    for n in range(100):
        rig.outside.spoil(n.to_bytes(5, "big"))
    await rig.settled()
    assert len(rig.cards) == 1
    assert rig.reader.refused == {RefusalReason.CHECKSUM: 100}


async def test_noise_between_frames_costs_no_card_and_makes_none(rig: Rig) -> None:
    cards = [n.to_bytes(5, "big") for n in range(50)]
    for n, card in enumerate(cards):
        rig.outside.noise(n)
        rig.outside.swipe(40, card)
    await until(lambda: len(rig.cards) == len(cards), "the cards")
    assert rig.cards == cards
    assert set(rig.reader.refused) <= {RefusalReason.NOISE}
    assert rig.reader.refused[RefusalReason.NOISE] > 40


async def test_a_port_that_vanishes_is_told_once_and_reads_again_when_it_is_back(rig: Rig) -> None:
    rig.outside.swipe(40, CARD)
    await until(lambda: rig.cards, "the card")
    rig.outside.send(rig.outside.frame(CARD)[:6])
    rig.outside.unplug()
    await until(lambda: rig.ports == [PortUp, PortDown], "the loss")
    assert not rig.reader.listening
    rig.outside.plug()
    await until(lambda: rig.reader.listening, "the port again")
    rig.now += 1
    rig.outside.swipe(40, CARD)
    await until(lambda: len(rig.cards) == 2, "the card again")
    assert rig.ports == [PortUp, PortDown, PortUp]


async def test_a_port_that_is_not_there_is_told_and_waited_for(tmp_path: Path) -> None:
    outside = VirtualSerialReader(tmp_path)
    outside.unplug()
    events: list[ReaderEvent | PortDown | PortUp] = []
    reader = SerialReader(
        "office-in", partial(open_serial, outside.path, 9600), FRAMINGS["id-12"], on_event=events.append
    )
    reader.start()
    assert [type(event) for event in events] == [PortDown]
    outside.plug()
    await until(lambda: reader.listening, "the port")
    outside.swipe(40, CARD)
    await until(lambda: len(events) == 3, "the card")
    reader.stop()
    outside.swipe(40, CARD)
    await asyncio.sleep(0)
    assert len(events) == 3
    outside.unplug()


async def test_a_module_that_repeats_a_held_card_reads_once_until_it_is_taken_away(tmp_path: Path) -> None:
    rig = Rig(tmp_path, "rdm6300")
    rig.outside.hold(CARD, times=20)
    await rig.settled()
    assert rig.cards[:-1] == [CARD]
    rig.reader.stop()
    rig.outside.unplug()


async def test_a_card_that_may_have_waited_while_the_loop_was_held_off_is_as_old_as_it_can_be(rig: Rig) -> None:
    rig.outside.swipe(40, CARD)
    rig.now += 5  # without a turn of the loop
    await until(lambda: rig.cards, "the card")
    assert rig.events[-1].at == 1000.0


def test_a_held_card_counts_as_held_while_the_pauses_are_short_and_not_after() -> None:
    decoder = FrameDecoder(FRAMINGS["rdm6300"])
    frame = b"\x024F00A1B2C39F\x03"
    times = [0.0, 0.25, 0.5, 0.75, 1.1]
    assert [decoder.feed(frame, at) for at in times] == [[CARD], [], [], [], [CARD]]


def test_a_module_that_does_not_repeat_may_see_the_same_card_twice_at_once() -> None:
    frame = b"\x024F00A1B2C39F\r\n\x03"
    assert FrameDecoder(FRAMINGS["id-12"]).feed(frame * 2, 0.0) == [CARD, CARD]


def test_half_a_frame_and_what_comes_long_after_it_are_not_put_together() -> None:
    decoder = FrameDecoder(FRAMINGS["rdm6300"])
    assert decoder.feed(b"\x024F00A1", 0.0) == []
    assert decoder.feed(b"B2C39F\x03", 0.25) == [RefusalReason.FRAMING, RefusalReason.NOISE]
    assert decoder.feed(b"\x024F00A1", 1.0) == []
    assert decoder.feed(b"\x024F00A1B2C39F\x03", 1.01) == [RefusalReason.FRAMING, CARD]


@pytest.mark.parametrize(
    "broken",
    [
        b"\x024f00a1b2c39f\x03",  # no module sends small letters
        b"\x024F00A1B2C39F0\x03",
        b"\x024F00A1B2C39\x03",
        b"\x024F00A1B2C39F\r\n\x03",  # the other family's end
        b"\x02" + b"F" * 5000,
    ],
)
def test_what_is_not_the_familys_frame_is_refused_once(broken: bytes) -> None:
    decoder = FrameDecoder(FRAMINGS["rdm6300"])
    assert decoder.feed(broken, 0.0) == [RefusalReason.FRAMING]
    assert decoder.feed(b"\x024F00A1B2C39F\x03", 0.0) == [CARD]


@given(
    kind=st.sampled_from(KINDS),
    parts=st.lists(
        st.one_of(st.binary(min_size=5, max_size=5), st.binary(max_size=30).map(lambda noise: (noise,))), max_size=12
    ),
    cuts=st.lists(st.integers(1, 9), min_size=1, max_size=40),
)
@settings(max_examples=200, deadline=None)
def test_cards_arrive_whole_however_the_bytes_are_split_and_whatever_is_between(
    kind: str, parts: list[bytes | tuple[bytes]], cuts: list[int]
) -> None:
    framing = FRAMINGS[kind]
    stream, cards = bytearray(), []
    for number, part in enumerate(parts):
        if isinstance(part, tuple):
            stream += part[0].replace(b"\x02", b"")
            continue
        card = bytes([number]) + part[1:]  # no card twice in a row
        check = 0
        for byte in card:
            check ^= byte
        stream += b"\x02" + card.hex().upper().encode() + f"{check:02X}".encode() + framing.tail
        cards.append(card)
    decoder, found, at = FrameDecoder(framing), [], 0.0
    while stream:
        size = cuts[int(at * 1000) % len(cuts)]
        found += decoder.feed(bytes(stream[:size]), at)
        del stream[:size]
        at += 0.001
    assert [item for item in found if not isinstance(item, RefusalReason)] == cards


async def test_every_refusal_is_an_event_with_its_reason(tmp_path: Path) -> None:
    rig = Rig(tmp_path, "id-12")
    rig.outside.send(b"xx")
    rig.outside.spoil(CARD)
    rig.outside.send(b"\x02Q")
    await rig.settled()
    reasons = [event.reason for event in rig.events if isinstance(event, ReadRefused)]
    assert reasons == [RefusalReason.NOISE, RefusalReason.CHECKSUM, RefusalReason.FRAMING]
    rig.reader.stop()
    rig.outside.unplug()


async def test_what_a_module_said_while_nobody_listened_is_not_read_later(tmp_path: Path) -> None:
    outside = VirtualSerialReader(tmp_path, kind="id-12")
    for _ in range(1000):
        outside.swipe(40, CARD)
    cards: list[bytes] = []
    reader = SerialReader(
        "office-in",
        partial(open_serial, outside.path, 9600),
        FRAMINGS["id-12"],
        on_event=lambda event: cards.append(event.data) if isinstance(event, CardRead) else None,
    )
    reader.start()
    outside.swipe(40, bytes(5))
    await until(lambda: cards, "the card of somebody who is there")
    assert cards == [bytes(5)]
    reader.stop()
    outside.unplug()
