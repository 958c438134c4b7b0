"""Wiegand readers on mock pins: cards, keys, every fault of a wire, and readers that speak at once."""

import asyncio
import random
import sys
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from gpiozero.pins.mock import MockFactory

from drivers.readers import CardRead, KeyPress, ReaderEvent, ReadRefused, RefusalReason
from drivers.wiegand import FORMATS, DataLine, KernelEdges, PinEdges, WiegandReader
from drivers.wiegand.formats import to_bytes
from drivers.wiegand.kernel_edges import Gaps, header_chip
from drivers.wiegand.reader import MAX_PENDING
from simulators.hardware.wiegand_reader import BitFault, VirtualWiegandReader
from tests.support.waiting import until

H10301 = FORMATS["h10301"]
MS = 1_000_000


class Rig:
    """A virtual reader's wires and the driver on them."""

    def __init__(
        self,
        factory: MockFactory,
        *,
        formats: tuple[str, ...] = ("h10301",),
        keypad_bits: int = 0,
        pins: tuple[int, int] = (14, 15),
        clock: Callable[[], int] | None = None,
    ) -> None:
        data0, data1 = pins
        options = {} if clock is None else {"clock": clock}
        self.outside = VirtualWiegandReader(factory, data0=data0, data1=data1, keypad_bits=keypad_bits, **options)
        self.events: list[ReaderEvent] = []
        self.reader = WiegandReader(
            "gym-in",
            data0=data0,
            data1=data1,
            formats=[FORMATS[name] for name in formats],
            edges=PinEdges(factory),
            on_event=self.events.append,
            keypad_bits=keypad_bits,
        )
        self.reader.start()

    @property
    def cards(self) -> list[bytes]:
        return [event.data for event in self.events if isinstance(event, CardRead)]

    @property
    def keys(self) -> str:
        return "".join(event.keys for event in self.events if isinstance(event, KeyPress))

    @property
    def refusals(self) -> list[RefusalReason]:
        return [event.reason for event in self.events if isinstance(event, ReadRefused)]

    async def told(self, count: int) -> None:
        await until(lambda: len(self.events) >= count, f"{count} events")


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    rig = Rig(MockFactory())
    yield rig
    rig.reader.stop()


@pytest.mark.parametrize("name", list(FORMATS))
async def test_a_card_of_every_format_arrives_with_all_its_bits(name: str) -> None:
    known = FORMATS[name]
    rig = Rig(MockFactory(), formats=(name,))
    frame = known.encode(1234, 7 if known.facility else 0)
    rig.outside.send(frame, known.bits)
    await rig.told(1)
    (card,) = rig.events
    assert isinstance(card, CardRead)
    assert (card.reader, card.bits, card.data) == ("gym-in", known.bits, to_bytes(frame, known.bits))
    assert (card.format, card.facility, card.number) == (name, 7 if known.facility else None, 1234)
    rig.reader.stop()


async def test_a_thousand_corrupted_frames_are_each_refused_and_counted_and_none_is_a_card(rig: Rig) -> None:
    dice = random.Random(26)
    for n in range(1, 1001):
        rig.outside.spoil_next(dice.choice(list(BitFault)))
        rig.outside.send(H10301.encode(dice.randrange(1 << 16), dice.randrange(1 << 8)), 26)
        if n % 125 == 0:
            await rig.told(n)
    assert not rig.cards
    assert rig.reader.refused.total() == len(rig.refusals) == 1000
    assert set(rig.refusals) == {RefusalReason.PARITY, RefusalReason.TOO_FEW_BITS, RefusalReason.TOO_MANY_BITS}
    rig.outside.send(H10301.encode(1, 1), 26)
    await until(lambda: len(rig.cards) == 1, "a good card after them all")


async def test_bursts_of_noise_are_refused_and_a_card_after_them_is_read(rig: Rig) -> None:
    for n in range(50):
        rig.outside.noise(n)
    rig.outside.send(H10301.encode(99, 9), 26)
    await until(lambda: bool(rig.cards), "the card")
    assert rig.cards == [to_bytes(H10301.encode(99, 9), 26)]
    assert len(rig.refusals) >= 50


async def test_a_card_of_a_format_that_is_not_configured_is_refused_by_its_length() -> None:
    rig = Rig(MockFactory(), formats=("h10301", "h10302"))
    rig.outside.send(FORMATS["h10306"].encode(1, 1), 34)
    rig.outside.send(FORMATS["corporate-1000-48"].encode(1, 1), 48)
    await rig.told(2)
    assert rig.refusals == [RefusalReason.UNKNOWN_LENGTH, RefusalReason.TOO_MANY_BITS]
    rig.reader.stop()


async def test_a_frame_torn_by_a_long_gap_is_no_card(rig: Rig) -> None:
    frame, begin = H10301.encode(4567, 123), 1_000 * MS
    for cut in range(1, 26):
        begin += 1_000 * MS
        rig.outside.play(
            [(begin + n * 2 * MS + (26 * MS if n >= cut else 0), DataLine(frame >> (25 - n) & 1)) for n in range(26)]
        )
    await rig.told(50)
    assert set(rig.refusals) == {RefusalReason.TOO_FEW_BITS}
    assert len(rig.refusals) == 50


async def test_edges_told_out_of_order_are_put_in_the_order_of_their_times(rig: Rig) -> None:
    frame = H10301.encode(4567, 123)
    told = [(1_000 * MS + n * 2 * MS, DataLine(frame >> (25 - n) & 1)) for n in range(26)]
    random.Random(5).shuffle(told)
    rig.outside.play(told)
    await rig.told(1)
    assert rig.cards == [to_bytes(frame, 26)]


@pytest.mark.parametrize("bits", [4, 8])
async def test_a_pin_is_typed_beside_cards_on_the_same_wires(bits: int) -> None:
    rig = Rig(MockFactory(), keypad_bits=bits)
    rig.outside.press("12*")
    rig.outside.send(H10301.encode(5, 5), 26)
    rig.outside.press("3450987#")
    await rig.told(12)
    assert rig.keys == "12*3450987#"
    assert len(rig.cards) == 1
    assert not rig.refusals
    rig.reader.stop()


async def test_an_8_bit_key_that_lost_or_changed_a_bit_is_no_key() -> None:
    rig = Rig(MockFactory(), keypad_bits=8)
    for fault in list(BitFault) * 10:
        rig.outside.spoil_next(fault)
        rig.outside.press("7")
    await rig.told(30)
    assert not rig.keys
    assert set(rig.refusals) == {RefusalReason.PARITY, RefusalReason.TOO_FEW_BITS, RefusalReason.UNKNOWN_LENGTH}
    rig.reader.stop()


async def test_two_readers_that_speak_at_the_same_moment_do_not_mix() -> None:
    factory = MockFactory()
    one, other = Rig(factory), Rig(factory, pins=(23, 24))
    frames = [H10301.encode(n, 1) for n in range(40)]

    def swipe(rig: Rig, cards: list[int]) -> None:
        for card in cards:
            rig.outside.send(card, 26)

    threads = [
        threading.Thread(target=swipe, args=(one, frames[:20])),
        threading.Thread(target=swipe, args=(other, frames[20:])),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        await asyncio.to_thread(thread.join)
    await one.told(20)
    await other.told(20)
    assert one.cards == [to_bytes(frame, 26) for frame in frames[:20]]
    assert other.cards == [to_bytes(frame, 26) for frame in frames[20:]]
    one.reader.stop()
    other.reader.stop()


async def test_a_line_that_never_falls_silent_is_told_once_and_fills_no_memory(rig: Rig) -> None:
    rig.outside.play([(n * MS, DataLine.DATA0) for n in range(2 * MAX_PENDING)])
    assert len(rig.reader._pending) == MAX_PENDING
    await rig.told(1)
    assert rig.refusals == [RefusalReason.TOO_MANY_BITS]
    rig.outside.send(H10301.encode(1, 1), 26)
    await until(lambda: bool(rig.cards), "a card once it is quiet")
    assert rig.refusals == [RefusalReason.TOO_MANY_BITS]


async def test_a_read_carries_the_time_of_its_last_edge_not_of_its_handling(rig: Rig) -> None:
    told = [(1_000 * MS + n * 2 * MS, DataLine(H10301.encode(1, 1) >> (25 - n) & 1)) for n in range(26)]
    rig.outside.play(told)
    await rig.told(1)
    assert rig.events[0].at == pytest.approx(told[-1][0] / 1e9)


async def test_a_stopped_reader_gives_its_pins_back_and_may_be_started_again(rig: Rig) -> None:
    rig.outside.send(H10301.encode(1, 1), 26)
    rig.reader.stop()
    rig.outside.send(H10301.encode(2, 1), 26)
    rig.reader.start()
    rig.outside.send(H10301.encode(3, 1), 26)
    await rig.told(1)
    assert rig.cards == [to_bytes(H10301.encode(3, 1), 26)]


async def test_a_cut_cable_is_silence_and_a_mended_one_reads_again(rig: Rig) -> None:
    rig.outside.unplug()
    rig.outside.swipe(26, to_bytes(H10301.encode(1, 1), 26))
    rig.outside.plug()
    rig.outside.swipe(26, to_bytes(H10301.encode(2, 1), 26))
    await rig.told(1)
    assert rig.cards == [to_bytes(H10301.encode(2, 1), 26)]


def test_a_reader_that_could_accept_nothing_or_confuse_its_cards_cannot_be_made() -> None:
    def make(**fields: object) -> WiegandReader:
        whole: dict[str, object] = {"data0": 1, "data1": 2, "formats": [H10301], "on_event": lambda _event: None}
        return WiegandReader("gym-in", edges=PinEdges(MockFactory()), **(whole | fields))  # type: ignore[arg-type]

    with pytest.raises(ValueError, match="pin 2 cannot be both"):
        make(data0=2)
    with pytest.raises(ValueError, match="neither a card format nor a keypad"):
        make(formats=[])
    with pytest.raises(ValueError, match="not 6"):
        make(keypad_bits=6)
    with pytest.raises(ValueError, match="on one reader"):
        make(formats=[FORMATS["h10306"], FORMATS["corporate-1000-35"]])


def test_of_several_chips_that_are_no_pis_header_the_first_is_taken_and_none_is_said(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=f"Wiegand readers need a GPIO chip, and {tmp_path} has none"):
        KernelEdges(devices=tmp_path)
    for name in ("gpiochip10", "gpiochip4", "gpiomem"):
        (tmp_path / name).touch()
    assert header_chip(tmp_path) == tmp_path / "gpiochip4"
    with pytest.raises(OSError, match=r"there is no .*gpiochip7"):
        KernelEdges(7, devices=tmp_path)


async def test_a_pin_the_kernel_does_not_give_is_named(tmp_path: Path) -> None:
    (tmp_path / "gpiochip0").touch()
    with pytest.raises(OSError, match=r"pins 14 and 15 of .*gpiochip0 cannot be had for a Wiegand reader"):
        KernelEdges(devices=tmp_path).watch(14, 15, lambda _line, _at_ns: None)


async def test_without_the_kernels_binding_the_reader_is_refused_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "gpiod", None)
    (tmp_path / "gpiochip0").touch()
    with pytest.raises(OSError, match=r"pins 14 and 15 of .* cannot be had for a Wiegand reader: .*gpiod"):
        KernelEdges(devices=tmp_path).watch(14, 15, lambda _line, _at_ns: None)


@pytest.mark.parametrize(
    ("numbers", "losses"),
    [
        ([1, 2, 3, 4, 5, 6, 7], []),
        ([1, 3, 2, 4, 6, 5, 7, 8, 9, 10], []),  # overtaken, nothing lost
        ([1, 2, 3, 900, 901, 902, 903, 904], [903]),
        ([1, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13], [6, 12]),
        ([5, 6, 7, 8, 9], [8]),  # lost before the first
        ([2**32 - 1, 0, 1, 2, 3], []),  # the kernel counts on from nought
    ],
)
def test_events_the_kernel_dropped_are_missed_by_their_numbers(numbers: list[int], losses: list[int]) -> None:
    gaps = Gaps()
    if numbers[0] > 2**31:
        gaps._highest = numbers[0] - 1
    assert [number for number in numbers if gaps.lost(number)] == losses
