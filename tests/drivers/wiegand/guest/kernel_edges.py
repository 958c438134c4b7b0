"""In the guest: a Wiegand reader's edges as the kernel keeps them while the program cannot look.

Run in the kernel's time-travel mode: waiting costs no time. See `tests.hardware.machine`.
"""

import asyncio
import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from drivers.readers import CardRead, ReaderEvent, ReadRefused, RefusalReason
from drivers.wiegand import FORMATS, KernelEdges, WiegandReader
from drivers.wiegand.kernel_edges import BUFFERED_EDGES, header_chip
from tests.hardware.guest.lines import HeaderLines
from tests.hardware.guest.wiegand_pulses import WiegandWires, h10301
from tests.support.waiting import until

DATA0, DATA1 = 20, 21
FACILITY = 115


@pytest.fixture(scope="session")
def wires() -> WiegandWires:
    header = HeaderLines()
    header.let_go(DATA0, DATA1)
    return WiegandWires(header, DATA0, DATA1, random.Random(26))


class Reading:
    """A reader on the lines, and what it told."""

    def __init__(self) -> None:
        self.events: list[ReaderEvent] = []
        self.reader = WiegandReader(
            "gym-in",
            data0=DATA0,
            data1=DATA1,
            formats=[FORMATS["h10301"]],
            edges=KernelEdges(),
            on_event=self.events.append,
        )

    @property
    def numbers(self) -> list[int | None]:
        return [event.number for event in self.events if isinstance(event, CardRead)]

    @property
    def refusals(self) -> list[RefusalReason]:
        return [event.reason for event in self.events if isinstance(event, ReadRefused)]


def read(meanwhile: Callable[[], None], enough: Callable[[Reading], bool]) -> Reading:
    """Read what goes on at the wires, in which time the program does nothing else, until there is enough."""

    async def reading() -> Reading:
        found = Reading()
        found.reader.start()
        meanwhile()
        await until(lambda: enough(found), "enough")
        found.reader.stop()
        return found

    return asyncio.run(reading())


def send(wires: WiegandWires, count: int) -> None:
    for number in range(count):
        wires.send(h10301(FACILITY, number))


def test_cards_shown_while_the_program_was_stopped_are_all_read_when_it_goes_on(wires: WiegandWires) -> None:
    def stopped() -> None:
        program = os.getpid()
        if os.fork() == 0:
            os.kill(program, signal.SIGSTOP)
            send(wires, 20)
            os.kill(program, signal.SIGCONT)
            os._exit(0)
        os.wait()

    found = read(stopped, lambda found: len(found.numbers) == 20)
    assert (found.numbers, found.refusals) == (list(range(20)), [])


def test_when_the_kernel_had_to_drop_edges_the_torn_frame_is_refused_and_the_rest_are_read(
    wires: WiegandWires, caplog: pytest.LogCaptureFixture
) -> None:
    frames = BUFFERED_EDGES // 26 + 5
    found = read(lambda: send(wires, frames), lambda found: frames - 1 in found.numbers)
    kept = BUFFERED_EDGES // 26
    assert found.numbers == list(range(frames - kept, frames))
    assert found.refusals == [RefusalReason.NOISE]
    assert "the kernel had to drop edges" in caplog.text


def test_an_edges_moment_is_the_programs_monotonic_time(wires: WiegandWires) -> None:
    before = time.monotonic()
    found = read(lambda: send(wires, 1), lambda found: bool(found.numbers))
    assert before < found.events[0].at < time.monotonic()


def test_the_headers_chip_is_found_and_a_pin_in_use_is_named() -> None:
    assert header_chip() == Path("/dev/gpiochip0")

    async def twice() -> None:
        watch = KernelEdges().watch(DATA0, DATA1, lambda _line, _at_ns: None)
        with pytest.raises(OSError, match=rf"pins {DATA1} and 22 of /dev/gpiochip0 cannot be had .* busy"):
            KernelEdges().watch(DATA1, 22, lambda _line, _at_ns: None)
        watch.close()
        KernelEdges().watch(DATA1, 22, lambda _line, _at_ns: None).close()

    asyncio.run(twice())


def test_a_pin_that_is_not_there_or_named_twice_is_refused(wires: WiegandWires) -> None:
    async def watch(pin: int) -> None:
        with pytest.raises(OSError, match=rf"pins {DATA0} and {pin} of /dev/gpiochip0 cannot be had"):
            KernelEdges().watch(DATA0, pin, lambda _line, _at_ns: None)

    for pin in (DATA0, 99, -1, 2**33):
        asyncio.run(watch(pin))
