"""A bus of OSDP readers: real frames on a real pty, and everything that goes wrong on a cable."""

import asyncio
import time

import pytest

from drivers.osdp import (
    Forged,
    LineRestored,
    LineSilent,
    OfflineReason,
    OsdpBus,
    OsdpReaderConfig,
    PortDown,
    PortUp,
    PowerFault,
    ReaderOffline,
    ReaderOnline,
    ReplyRefused,
    StaleReadDropped,
    Tamper,
    open_serial,
)
from drivers.readers import CardRead, KeyPress, Show
from drivers.serial.port import Line
from simulators.hardware.osdp_reader import Buzzer, Led
from tests.conftest import Until
from tests.drivers.osdp.rig import CARD, Rig, hold
from tests.support.waiting import until_after

BAUDS = [9600, 115200]


@pytest.mark.parametrize("baud", BAUDS)
async def test_a_card_read_at_a_reader_arrives_with_its_bits_and_its_readers_name(until: Until, baud: int) -> None:
    with Rig(baud=baud) as rig:
        await until(rig.all_online)
        before = time.monotonic()
        rig.readers[0].swipe(26, CARD)
        await until(lambda: rig.cards)
        assert rig.cards == [CardRead("reader-10", 26, CARD, rig.cards[0].at)]
        assert before < rig.cards[0].at < time.monotonic()


async def test_two_readers_share_a_line_and_are_told_apart(until: Until) -> None:
    with Rig(readers=2) as rig:
        await until(rig.all_online)
        rig.readers[1].swipe(26, CARD)
        rig.readers[0].press("12*3#")
        await until(lambda: rig.cards and rig.of(KeyPress))
        assert [card.reader for card in rig.cards] == ["reader-11"]
        assert [(key.reader, key.keys) for key in rig.of(KeyPress)] == [("reader-10", "12*3#")]
        assert {event.reader for event in rig.of(ReaderOnline)} == {"reader-10", "reader-11"}


async def test_a_reader_shows_and_sounds_what_it_is_told(until: Until) -> None:
    with Rig(readers=2) as rig:
        await until(rig.all_online)
        assert rig.bus.show("reader-11", Show.GRANTED)
        await until(lambda: len(rig.readers[1].shown) == 2)
        led, buzzer = rig.readers[1].shown
        assert isinstance(led, Led)
        assert (led.colour, led.temporary) == ("green", True)
        assert isinstance(buzzer, Buzzer)
        assert rig.readers[0].shown == []


@pytest.mark.parametrize(
    ("indication", "colour", "blinking", "beeps"),
    [
        (Show.IDLE, "red", False, 0),
        (Show.LOCKDOWN, "red", True, 0),
        (Show.DENIED, "red", True, 3),
        (Show.ENTER_PIN, "amber", True, 0),
        (Show.SECOND_PERSON, "green", True, 2),
        (Show.WARNING, "red", True, 5),
    ],
)
async def test_each_indication_looks_different(
    until: Until, indication: Show, colour: str, blinking: bool, beeps: int
) -> None:
    with Rig() as rig:
        await until(rig.all_online)
        rig.bus.show("reader-10", indication)
        await until(lambda: len(rig.readers[0].shown) == (2 if beeps else 1))
        led = rig.readers[0].shown[0]
        assert isinstance(led, Led)
        assert (led.colour, led.blinking) == (colour, blinking)
        assert sum(shown.times for shown in rig.readers[0].shown if isinstance(shown, Buzzer)) == beeps


async def test_a_reader_that_restarts_is_back_within_two_seconds_and_shows_the_lockdown_again(until: Until) -> None:
    with Rig() as rig:
        await until(rig.all_online)
        rig.bus.show("reader-10", Show.LOCKDOWN)
        await until(lambda: rig.readers[0].leds == ["red"])
        rig.readers[0].restart()
        await until(lambda: rig.readers[0].leds == ["red", "red"], within=2.5)
        assert len(rig.of(ReaderOnline)) == 2


async def test_a_grant_is_not_shown_late(until: Until) -> None:
    with Rig() as rig:
        assert rig.bus.show("reader-10", Show.GRANTED) is False
        await until(rig.all_online)
        await hold(lambda: rig.readers[0].shown == [], seconds=0.3)


async def test_tamper_and_power_are_told_when_they_change(until: Until) -> None:
    with Rig() as rig:
        await until(rig.all_online)
        rig.readers[0].tamper(True)
        await until(lambda: rig.of(Tamper))
        rig.readers[0].power_fault(True)
        await until(lambda: rig.of(PowerFault))
        rig.readers[0].tamper(False)
        await until(lambda: len(rig.of(Tamper)) == 2)
        assert [event.tampered for event in rig.of(Tamper)] == [True, False]
        assert [event.failed for event in rig.of(PowerFault)] == [True]


async def test_a_frozen_reader_makes_the_line_silent_within_a_second_and_a_half(until: Until) -> None:
    with Rig() as rig:
        await until(rig.all_online)
        frozen = time.monotonic()
        rig.readers[0].freeze()
        await until(lambda: rig.of(LineSilent), within=1.5)
        assert rig.of(LineSilent)[0].at - frozen > 0.9
        assert rig.of(ReaderOffline)[0].reason is OfflineReason.SILENT
        assert not rig.bus.online("reader-10")
        rig.readers[0].thaw()
        await until(lambda: rig.of(LineRestored), within=2)
        await until(rig.all_online, within=2)


async def test_one_dead_reader_is_told_and_does_not_silence_the_other(until: Until) -> None:
    with Rig(readers=2) as rig:
        await until(rig.all_online)
        rig.readers[0].unplug()
        await until(lambda: rig.of(ReaderOffline), within=1.5)
        assert [event.reader for event in rig.of(ReaderOffline)] == ["reader-10"]
        assert rig.of(LineSilent) == []
        took: list[float] = []
        for n in range(1, 6):
            swiped = time.monotonic()
            await until_after(lambda: rig.readers[1].swipe(26, CARD), lambda n=n: len(rig.cards) >= n)
            took.append(rig.cards[-1].at - swiped)
        assert min(took) < 0.4, took  # of a line that is held up all the time, none is quick
        rig.readers[0].plug()
        await until(rig.all_online, within=2)


async def test_a_line_that_is_cut_is_not_called_restored_because_the_loop_was_blocked(until: Until) -> None:
    with Rig() as rig:
        await until(rig.all_online)
        rig.line.cut()
        await until(lambda: rig.of(LineSilent))
        time.sleep(0.6)  # noqa: ASYNC251 - the loop is blocked on purpose
        await hold(lambda: not rig.of(LineRestored) and len(rig.of(LineSilent)) == 1, seconds=1.5)
        rig.line.mend()
        await until(lambda: rig.of(LineRestored))


async def test_a_reader_with_the_right_key_whose_handshake_is_too_slow_is_not_said_to_refuse_it(until: Until) -> None:
    with Rig(baud=2400) as rig:  # a cryptogram takes longer than libosdp waits for a reply, shorter ones do not
        await until(lambda: rig.of(ReaderOffline))
        assert rig.of(ReaderOffline)[0].reason is OfflineReason.NO_SECURE_CHANNEL
        await hold(lambda: not rig.bus.refuses_key("reader-10"), seconds=3)


@pytest.mark.slow
async def test_a_cable_cut_for_twelve_seconds_heals_within_two(until: Until) -> None:
    with Rig(readers=2) as rig:
        await until(rig.all_online)
        rig.line.cut()
        await asyncio.sleep(12)
        assert len(rig.of(LineSilent)) == 1, "an alarm is told once"
        rig.line.mend()
        await until(rig.all_online, within=2)
        await until_after(lambda: rig.readers[0].swipe(26, CARD), lambda: rig.cards)


async def test_a_card_that_waited_at_a_reader_is_dropped_and_counted(until: Until) -> None:
    with Rig() as rig:
        await until(rig.all_online)
        rig.readers[0].unplug()
        for _ in range(3):
            rig.readers[0].swipe(26, CARD)
        await until(lambda: rig.of(ReaderOffline), within=1.5)
        rig.readers[0].plug()
        await until(rig.all_online, within=2)
        assert rig.cards == []
        assert rig.bus.stale_reads == len(rig.of(StaleReadDropped)) == 3
        await until_after(lambda: rig.readers[0].swipe(26, CARD), lambda: rig.cards)


async def test_cards_that_waited_before_the_first_contact_are_dropped(until: Until) -> None:
    rig = Rig()
    rig.readers[0].swipe(26, CARD)
    with rig:
        await until(rig.all_online)
        assert rig.bus.stale_reads == 1
        assert rig.cards == []


async def test_a_card_that_waited_while_the_loop_was_blocked_is_dropped_and_no_silence_is_claimed(
    until: Until,
) -> None:
    with Rig() as rig:
        await until(rig.all_online)
        rig.readers[0].swipe(26, CARD)
        time.sleep(1.6)  # noqa: ASYNC251 - the loop is blocked on purpose
        await until(lambda: rig.bus.stale_reads == 1)
        await hold(lambda: not rig.of(LineSilent) and not rig.of(ReaderOffline), seconds=0.4)
        assert rig.cards == []
        await until_after(lambda: rig.readers[0].swipe(26, CARD), lambda: rig.cards)


async def test_a_flood_of_noise_costs_nobody_his_card(until: Until) -> None:
    """Noise in every gap of the line, some of it looking like the beginning of a long reply."""
    noise = [b"\x00\xff\x53\x8a\x00\x53\x53\x01", b"\x53\x8a\x00\x05\x0e" * 20, b"\x53\x8b\xff\x04" * 100]
    with Rig(readers=2) as rig:
        await until(rig.all_online)
        for n in range(1, 11):
            rig.line.inject(noise[n % 3])
            rig.readers[n % 2].swipe(26, CARD)
            rig.line.inject(noise[(n + 1) % 3])
            await until(lambda n=n: len(rig.cards) == n)
        assert [type(event) for event in rig.events if isinstance(event, ReaderOffline | LineSilent)] == []


@pytest.mark.parametrize(("readers", "baud"), [(2, 9600), (4, 115200)])
async def test_every_reader_of_a_line_is_heard_at_its_speed(until: Until, readers: int, baud: int) -> None:
    with Rig(readers=readers, baud=baud) as rig:
        await until(rig.all_online)
        for reader in rig.readers:
            reader.swipe(26, CARD)
        await until(lambda: len(rig.cards) == readers)
        assert {card.reader for card in rig.cards} == {reader.name for reader in rig.readers}


async def test_a_read_that_makes_no_sense_is_refused_and_the_next_one_taken(until: Until) -> None:
    with Rig() as rig:
        await until(rig.all_online)
        rig.readers[0].press("AB")
        await until(lambda: rig.of(ReplyRefused))
        assert rig.of(ReplyRefused)[0].reason is Forged.MALFORMED
        rig.readers[0].press("A1\x00#")
        await until(lambda: rig.of(KeyPress))
        assert rig.of(KeyPress)[0].keys == "1#"


async def test_one_lost_reply_is_no_alarm(until: Until) -> None:
    with Rig() as rig:
        await until(rig.all_online)
        rig.readers[0].freeze()
        heard = rig.bus._readers[0].heard_at
        await until(lambda: rig.bus._clock() - heard > 0.3)  # libosdp has given the reply up, and asks again at 1.0 s
        rig.readers[0].thaw()
        await until(lambda: rig.bus._readers[0].heard_at > heard)
        assert rig.of(ReaderOffline) == rig.of(LineSilent) == []


async def test_a_port_that_hangs_up_is_told_and_reopened(until: Until) -> None:
    rigs = [Rig(), Rig()]
    rigs[1].readers[0]._key = rigs[0].keys[0]
    rigs[1].readers[0].restart()
    paths = [rigs[0].line.path]
    events = []
    bus = OsdpBus("usb", lambda: open_serial(paths[0]), rigs[0].configs, on_event=events.append)
    bus.start()
    await until(lambda: bus.online("reader-10"))
    paths[0] = rigs[1].line.path
    rigs[0].line.close()  # the adapter is pulled
    await until(lambda: any(isinstance(event, PortDown) for event in events))
    assert any(isinstance(event, ReaderOffline) and event.reason is OfflineReason.PORT for event in events)
    await until(lambda: bus.online("reader-10"), within=3)
    assert [type(event) for event in events if isinstance(event, PortUp | PortDown)] == [PortUp, PortDown, PortUp]
    bus.stop()
    rigs[1].line.close()


async def test_a_port_that_is_missing_is_tried_until_it_appears_and_does_not_spin(until: Until) -> None:
    rig = Rig()
    tries = []

    def open_line() -> Line:
        tries.append(time.monotonic())
        if len(tries) < 3:
            raise FileNotFoundError(2, "no such device")
        return open_serial(rig.line.path)

    bus = OsdpBus("usb", open_line, rig.configs, on_event=rig.events.append)
    bus.start()
    await until(lambda: bus.online("reader-10"))
    assert tries[1] - tries[0] > 0.2
    assert tries[2] - tries[1] > 0.4
    assert len(rig.of(PortDown)) == 1, "an alarm is told once"
    bus.stop()
    rig.line.close()


async def test_a_port_in_use_is_a_port_that_is_down(until: Until) -> None:
    with Rig() as rig:
        await until(rig.all_online)
        events = []
        other = OsdpBus("twin", lambda: open_serial(rig.line.path), rig.configs, on_event=events.append)
        other.start()
        await until(lambda: events)
        assert isinstance(events[0], PortDown)
        other.stop()


async def test_an_owner_that_fails_on_an_event_does_not_stop_the_line(
    until: Until, caplog: pytest.LogCaptureFixture
) -> None:
    rig = Rig()
    cards = []

    def on_event(event: object) -> None:
        if isinstance(event, CardRead):
            cards.append(event)
        raise RuntimeError("the owner is broken")

    bus = OsdpBus("line-1", lambda: open_serial(rig.line.path), rig.configs, on_event=on_event)
    bus.start()
    await until(lambda: bus.online("reader-10"))
    for n in (1, 2):
        rig.readers[0].swipe(26, CARD)
        await until(lambda n=n: len(cards) == n)
    bus.stop()
    rig.line.close()
    assert "the owner failed" in caplog.text


async def test_after_stop_nothing_is_told_and_it_can_start_again(until: Until) -> None:
    with Rig() as rig:
        await until(rig.all_online)
        rig.bus.stop()
        told = len(rig.events)
        rig.readers[0].swipe(26, CARD)
        await hold(lambda: len(rig.events) == told, seconds=0.3)
        rig.bus.start()
        await until(lambda: len(rig.of(ReaderOnline)) == 2)


async def test_a_bus_is_started_once(until: Until) -> None:
    with Rig() as rig, pytest.raises(RuntimeError, match="already started"):
        rig.bus.start()


async def test_a_readers_address_is_not_its_place_in_the_list(until: Until) -> None:
    rig = Rig(readers=2, first_address=0x7D)
    rig.bus = OsdpBus("line-1", lambda: open_serial(rig.line.path), rig.configs[::-1], on_event=rig.events.append)
    with rig:
        await until(rig.all_online)
        rig.readers[0].swipe(26, CARD)
        rig.bus.show("reader-126", Show.GRANTED)
        await until(lambda: rig.cards and "green" in rig.readers[1].leds)
        assert rig.cards[0].reader == "reader-125"
        assert "green" not in rig.readers[0].leds


@pytest.mark.parametrize(("bits", "data"), [(0, b""), (513, bytes(65)), (26, bytes(3)), (26, bytes(5))])
def test_a_card_read_with_impossible_bits_is_refused(bits: int, data: bytes) -> None:
    with pytest.raises(ValueError, match="bits"):
        CardRead("reader", bits, data, 0.0)


def test_a_key_press_without_keys_is_refused() -> None:
    with pytest.raises(ValueError, match="key"):
        KeyPress("reader", "", 0.0)


@pytest.mark.parametrize(("name", "address"), [("", 1), ("r", -1), ("r", 0x7F)])
def test_a_reader_needs_a_name_and_a_usable_address(name: str, address: int) -> None:
    with pytest.raises(ValueError, match=r"name|address"):
        OsdpReaderConfig(name, address, bytes.fromhex("8f1c0a5be2774d9630c4a8f35d1e62b9"))
