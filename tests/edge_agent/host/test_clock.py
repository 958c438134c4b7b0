import asyncio
import contextlib
from pathlib import Path
from typing import Any

import pytest
import yaml

from edge_agent.agent import Agent
from edge_agent.host import clock as clock_module
from edge_agent.host.clock import ASK_BATTERY_EVERY_MS, ASK_EVERY_MS, HOLD_OVER_MS, SET_BY_MS, PiClock
from edge_agent.host.clock_memory import FILE, KEEP_EVERY_MS
from tests.support.agents import Pi, TestDistrict
from tests.support.waiting import until

HOUR_MS = 3_600_000


class HeldClock(PiClock):
    """The machine's clock with its hands held."""

    def __init__(self, boot: str = "boot-1", **options: Any) -> None:
        super().__init__(**options)
        self.boot = boot
        self.now_ms, self.offset_ms = 1_000_000, 1_790_000_000_000

    def mono_ms(self) -> int:
        return self.now_ms

    def utc_ns(self) -> int:
        return (self.now_ms + self.offset_ms) * 1_000_000


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> dict[str, bool]:
    says = {"synchronised": False}
    monkeypatch.setattr(clock_module, "kernel_synchronised", lambda: says["synchronised"])
    return says


def later(clock: HeldClock, ms: int) -> bool:
    clock.now_ms += max(ms, ASK_EVERY_MS)
    return clock.trusted()


def test_a_clock_that_was_never_synchronised_is_not_trusted(kernel: dict[str, bool]) -> None:
    assert not HeldClock().trusted()


def test_a_school_without_time_servers_keeps_its_clock_for_a_week_and_no_longer(kernel: dict[str, bool]) -> None:
    clock = HeldClock()
    kernel["synchronised"] = True
    assert clock.trusted()
    kernel["synchronised"] = False
    assert later(clock, 12 * 3_600_000)
    assert later(clock, HOLD_OVER_MS - 13 * 3_600_000)
    assert not later(clock, 2 * 3_600_000)
    kernel["synchronised"] = True
    assert later(clock, 0)


@pytest.mark.parametrize("by_ms", [SET_BY_MS + 1, -SET_BY_MS - 1])
def test_a_clock_that_somebody_set_meanwhile_is_not_trusted(kernel: dict[str, bool], by_ms: int) -> None:
    clock = HeldClock()
    kernel["synchronised"] = True
    assert clock.trusted()
    kernel["synchronised"] = False
    clock.offset_ms += by_ms
    assert not later(clock, 0)


class Machine:
    """A Pi whose agent is started again and again, in one boot or another."""

    def __init__(self, folder: Path) -> None:
        self.data = folder / "data"
        self.data.mkdir()
        self.rtcs = folder / "rtc"

    def battery_says(self, utc_ms: int | None) -> None:
        """What the kernel shows of the battery clock; None: it refuses, as after its cell ran out."""
        place = self.rtcs / "rtc0"
        place.mkdir(parents=True, exist_ok=True)
        (place / "since_epoch").write_text("" if utc_ms is None else f"{utc_ms // 1_000}\n")

    def start(self, after_ms: int, *, boot: str = "boot-1", stale_by_ms: int = 0, rtc: bool = False) -> HeldClock:
        """The agent's clock so long after `synchronised`; another boot has a monotonic clock of its own."""
        clock = HeldClock(boot, kept_in=self.data, rtc=rtc, rtcs=self.rtcs)
        clock.offset_ms -= stale_by_ms
        clock.now_ms += after_ms
        if boot != "boot-1":
            clock.offset_ms, clock.now_ms = clock.offset_ms + clock.now_ms - 9_000, 9_000
        return clock

    async def synchronised(self, kernel: dict[str, bool]) -> HeldClock:
        """A clock that a time server held, and holds no more."""
        clock = self.start(0)
        kernel["synchronised"] = True
        assert clock.trusted()
        kernel["synchronised"] = False
        await until((self.data / FILE).exists, "what is kept")
        return clock


def utc_ms(clock: HeldClock) -> int:
    return clock.utc_ns() // 1_000_000


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


async def test_an_agent_restarted_while_the_wan_is_down_keeps_its_clock(
    kernel: dict[str, bool], machine: Machine
) -> None:
    await machine.synchronised(kernel)
    assert (machine.data / FILE).stat().st_mode & 0o777 == 0o600
    assert machine.start(10 * HOUR_MS).trusted()
    assert machine.start(HOLD_OVER_MS).trusted()
    assert not machine.start(HOLD_OVER_MS + 1).trusted()


async def test_a_restart_does_not_hide_that_somebody_set_the_clock(kernel: dict[str, bool], machine: Machine) -> None:
    await machine.synchronised(kernel)
    assert not machine.start(10 * HOUR_MS, stale_by_ms=SET_BY_MS + 1).trusted()


async def test_a_pi_without_a_battery_clock_is_not_believed_after_a_power_cut(
    kernel: dict[str, bool], machine: Machine
) -> None:
    await machine.synchronised(kernel)
    stale = machine.start(10 * HOUR_MS, boot="boot-2", stale_by_ms=9 * HOUR_MS)
    assert not stale.trusted()  # what fake-hwclock saved last: later than what was kept, and within the week
    machine.battery_says(utc_ms(stale))
    assert not machine.start(10 * HOUR_MS, boot="boot-2", stale_by_ms=9 * HOUR_MS).trusted()  # none is configured


async def test_a_battery_clock_that_agrees_bears_the_clock_out_after_a_power_cut(
    kernel: dict[str, bool], machine: Machine
) -> None:
    await machine.synchronised(kernel)
    started = machine.start(48 * HOUR_MS, boot="boot-2", rtc=True)
    machine.battery_says(utc_ms(started))
    assert started.trusted()
    assert later(started, HOLD_OVER_MS - 49 * HOUR_MS)
    assert not later(started, 2 * HOUR_MS)
    again = machine.start(49 * HOUR_MS, boot="boot-2", rtc=True)
    machine.battery_says(utc_ms(again))
    assert again.trusted()
    again.offset_ms += SET_BY_MS + 1
    assert not later(again, 0)


@pytest.mark.parametrize(
    ("after_ms", "battery_ahead_ms"),
    [
        (48 * HOUR_MS, 48 * HOUR_MS),  # the clock was not set by it: its driver is not there yet, say
        (48 * HOUR_MS, None),  # its cell ran out, and it knows
        (-HOUR_MS, 0),  # its cell ran out, and it began anew
        (HOLD_OVER_MS + HOUR_MS, 0),  # nobody has checked it for too long
    ],
)
async def test_a_battery_clock_is_not_believed_blindly(
    kernel: dict[str, bool], machine: Machine, after_ms: int, battery_ahead_ms: int | None
) -> None:
    await machine.synchronised(kernel)
    started = machine.start(after_ms, boot="boot-2", rtc=True)
    for _ in range(3):
        machine.battery_says(None if battery_ahead_ms is None else utc_ms(started) + battery_ahead_ms)
        assert not started.trusted()
        started.now_ms += HOUR_MS


async def test_a_battery_clock_found_after_the_agent_has_started_counts(
    kernel: dict[str, bool], machine: Machine
) -> None:
    await machine.synchronised(kernel)
    started = machine.start(48 * HOUR_MS, boot="boot-2", stale_by_ms=47 * HOUR_MS, rtc=True)
    assert not started.trusted()
    started.offset_ms += 47 * HOUR_MS  # as the kernel does once the driver is there
    machine.battery_says(utc_ms(started) + ASK_BATTERY_EVERY_MS)
    assert later(started, ASK_BATTERY_EVERY_MS)


def test_a_battery_clock_alone_proves_nothing(kernel: dict[str, bool], machine: Machine) -> None:
    started = machine.start(0, rtc=True)
    machine.battery_says(utc_ms(started))
    assert not started.trusted()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"boot": "boot-1", "mono_ms": "x", "offset_ms": 1}'])
def test_a_damaged_memory_of_the_clock_is_none(kernel: dict[str, bool], machine: Machine, text: str) -> None:
    (machine.data / FILE).write_text(text)
    assert not machine.start(0).trusted()


async def test_the_memory_is_renewed_each_hour_and_when_a_time_server_sets_the_clock(
    kernel: dict[str, bool], machine: Machine
) -> None:
    clock = await machine.synchronised(kernel)
    path = machine.data / FILE
    kernel["synchronised"] = True
    first = path.read_bytes()
    assert later(clock, KEEP_EVERY_MS - 1)
    assert path.read_bytes() == first
    clock.offset_ms += 5_000
    assert later(clock, 0)
    await until(lambda: later(clock, 0) and path.read_bytes() != first, "what is kept of the step")
    second = path.read_bytes()
    assert later(clock, KEEP_EVERY_MS)
    await until(lambda: later(clock, 0) and path.read_bytes() != second, "what is kept an hour later")


async def test_a_disk_that_takes_nothing_is_told_and_keeps_no_clock_from_going(
    kernel: dict[str, bool], machine: Machine, caplog: pytest.LogCaptureFixture
) -> None:
    machine.data.rmdir()
    clock = machine.start(0)
    kernel["synchronised"] = True
    assert clock.trusted()
    await until(lambda: "cannot be written" in caplog.text, "the warning")
    assert later(clock, HOUR_MS)


async def test_the_agent_itself_keeps_its_clock_over_a_restart(kernel: dict[str, bool], tmp_path: Path) -> None:
    pi = Pi(tmp_path, TestDistrict())
    form = yaml.safe_load(pi.yaml_file.read_text())
    del form["clock"]
    pi.yaml_file.write_text(yaml.safe_dump(form))
    pi.build()

    async def trusted() -> bool:
        agent = Agent(pi.config, pin_factory=pi.factory)
        running = asyncio.create_task(agent.run())
        await until(agent.ready.is_set, "the agent")
        says = agent.snapshots.make().at.clock_trusted
        if kernel["synchronised"]:
            await until((tmp_path / "data" / FILE).exists, "what is kept")
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
        agent.close()
        return says

    assert not await trusted()
    kernel["synchronised"] = True
    assert await trusted()
    kernel["synchronised"] = False
    assert await trusted()


def test_a_kernel_that_will_not_say_is_told_of_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse() -> bool:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(clock_module, "kernel_synchronised", refuse)
    clock = HeldClock()
    assert not clock.trusted()
    assert not later(clock, 0)
    assert caplog.text.count("cannot be asked") == 1
