"""The virtual reader from outside: its wire, its process, and what it remembers."""

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from drivers.osdp import OsdpBus, OsdpEvent, OsdpReaderConfig, open_serial
from drivers.readers import CardRead, Show
from simulators.hardware.line import VirtualLine
from simulators.hardware.osdp_reader import VirtualOsdpReader
from tests.conftest import Until

ROOT = Path(__file__).parents[3]
KEY = bytes.fromhex("8f1c0a5be2774d9630c4a8f35d1e62b9")
CARD = bytes.fromhex("12345640")


def listen(line: VirtualLine, events: list[OsdpEvent], address: int = 1) -> OsdpBus:
    return OsdpBus(
        "line-1", lambda: open_serial(line.path), [OsdpReaderConfig("r", address, KEY)], on_event=events.append
    )


async def test_a_slow_wire_takes_ten_bits_a_byte(until: Until) -> None:
    with VirtualLine(baud=1200) as line:
        VirtualOsdpReader(line, address=1, key=KEY)
        commands: list[tuple[float, int]] = []
        replies: list[float] = []
        line._on_panel_bytes = lambda data: commands.append((time.monotonic(), len(data)))
        line._on_reader_bytes = lambda _data: replies.append(time.monotonic())
        bus = listen(line, [])
        bus.start()
        await until(lambda: replies)
        bus.stop()
        sent_at, size = commands[0]
        # the command's bytes, then at least the nineteen of an identification
        assert replies[0] - sent_at >= (size - 1 + 19) * 10 / 1200


async def test_two_readers_cannot_share_an_address() -> None:
    with VirtualLine() as line:
        VirtualOsdpReader(line, address=1, key=KEY)
        with pytest.raises(ValueError, match="taken"):
            VirtualOsdpReader(line, address=1, key=KEY)


async def test_a_restarted_reader_has_forgotten_its_session_and_its_cards(until: Until) -> None:
    with VirtualLine() as line:
        reader = VirtualOsdpReader(line, address=1, key=KEY)
        events: list[OsdpEvent] = []
        bus = listen(line, events)
        bus.start()
        await until(lambda: bus.online("r"))
        reader.freeze()
        reader.swipe(26, CARD)
        reader.restart()
        assert not reader.secure
        reader.thaw()
        await until(lambda: not bus.online("r"))
        await until(lambda: bus.online("r"))
        assert reader.secure
        assert bus.stale_reads == 0
        assert not [event for event in events if isinstance(event, CardRead)]
        bus.stop()


async def test_it_remembers_that_it_showed_a_grant(until: Until) -> None:
    with VirtualLine() as line:
        shown: list[Any] = []
        reader = VirtualOsdpReader(line, address=1, key=KEY, on_shown=shown.append)
        bus = listen(line, [])
        bus.start()
        await until(lambda: bus.online("r"))
        assert "green" not in reader.leds
        bus.show("r", Show.GRANTED)
        await until(lambda: "green" in reader.leds)
        await until(lambda: len(shown) == 2)
        assert shown == reader.shown
        bus.stop()


def test_a_card_needs_as_many_bytes_as_its_bits_fill() -> None:
    with VirtualLine() as line:
        reader = VirtualOsdpReader(line, address=1, key=KEY)
        with pytest.raises(ValueError, match="do not fit"):
            reader.swipe(26, b"\x00")


@pytest.mark.parametrize("baud", [0, -9600])
def test_a_line_has_a_speed(baud: int) -> None:
    with pytest.raises(ValueError, match="speed"):
        VirtualLine(baud=baud)


class Process:
    """`python -m simulators.hardware.osdp_reader`, spoken to in JSON lines."""

    def __init__(self, child: asyncio.subprocess.Process) -> None:
        self._child = child

    async def hear(self) -> dict[str, Any]:
        assert self._child.stdout is not None
        async with asyncio.timeout(30):
            message: dict[str, Any] = json.loads(await self._child.stdout.readline())
            return message

    async def tell(self, command: object) -> dict[str, Any]:
        assert self._child.stdin is not None
        self._child.stdin.write((command if isinstance(command, str) else json.dumps(command)).encode() + b"\n")
        while True:
            answer = await self.hear()
            if "done" in answer or "error" in answer:
                return answer

    async def end(self) -> int:
        assert self._child.stdin is not None
        self._child.stdin.close()
        async with asyncio.timeout(30):
            return await self._child.wait()


async def start(*arguments: str) -> Process:
    return Process(
        await asyncio.create_subprocess_exec(
            sys.executable, "-m", "simulators.hardware.reader_process", *arguments,
            cwd=ROOT, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        )
    )  # fmt: skip


async def test_in_a_process_of_its_own_it_takes_commands_and_tells_what_it_shows(until: Until) -> None:
    process = await start("--readers", "2", "--first-address", "5", "--key", KEY.hex())
    line = await process.hear()
    assert [reader["address"] for reader in line["readers"]] == [5, 6]
    assert line["readers"][0]["key"] == KEY.hex()
    configs = [
        OsdpReaderConfig(reader["name"], reader["address"], bytes.fromhex(reader["key"]))
        for reader in line["readers"]
    ]
    cards: list[CardRead] = []
    bus = OsdpBus(
        "line-1",
        lambda: open_serial(line["path"]),
        configs,
        on_event=lambda event: cards.append(event) if isinstance(event, CardRead) else None,
    )
    bus.start()
    await until(lambda: all(bus.online(config.name) for config in configs))
    done = await process.tell({"swipe": {"reader": "reader-6", "bits": 26, "data": CARD.hex()}})
    await until(lambda: cards)
    assert cards[0].reader == "reader-6"
    assert 0 < cards[0].at - done["at"] < 30  # of one clock, though two processes read it
    bus.show("reader-6", Show.GRANTED)
    shown = await process.hear()
    assert (shown["led"], shown["reader"]) == ("green", "reader-6")
    bus.stop()
    assert await process.end() == 0


@pytest.mark.parametrize(
    "nonsense",
    [
        "not json",
        "[]",
        "{}",
        {"swipe": {"reader": "nobody", "bits": 26, "data": "12345640"}},
        {"swipe": {"reader": "reader-1"}},
        {"swipe": {"reader": "reader-1", "bits": 26, "data": "12"}},
        {"dance": True},
        {"freeze": ["reader-1"]},
    ],
)
async def test_nonsense_is_answered_and_survived(nonsense: object) -> None:
    process = await start()
    await process.hear()
    assert "error" in await process.tell(nonsense)
    assert (await process.tell({"cut": True}))["done"] == "cut"
    assert await process.end() == 0
