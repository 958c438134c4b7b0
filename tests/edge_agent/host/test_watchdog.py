"""What systemd hears of an agent, on a real datagram socket."""

import asyncio
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_agent.host.watchdog import Watchdog
from tests.support.agents import Pi, TestDistrict
from tests.support.waiting import until


class Manager:
    """systemd's end of the socket."""

    def __init__(self, address: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(f"\0{address[1:]}" if address.startswith("@") else address)
        self.socket.setblocking(False)
        self.heard: list[str] = []

    def hear(self) -> list[str]:
        try:
            while True:
                self.heard.append(self.socket.recv(4096).decode())
        except BlockingIOError:
            return self.heard


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    manager = Manager(str(tmp_path / "notify"))
    yield manager
    manager.socket.close()


@pytest.fixture
def watchdog(manager: Manager, tmp_path: Path) -> Iterator[Watchdog]:
    watchdog = Watchdog.of({"NOTIFY_SOCKET": str(tmp_path / "notify")})
    yield watchdog
    watchdog.close()


async def test_an_agent_is_ready_once_its_doors_are_held_and_then_beats(
    tmp_path: Path, manager: Manager, watchdog: Watchdog
) -> None:
    pi = Pi(tmp_path / "pi", TestDistrict())
    assert manager.hear() == []
    async with pi.running(watchdog=watchdog):
        assert manager.hear()[0] == "READY=1\nSTATUS=2 doors held"
        await until(lambda: manager.hear().count("WATCHDOG=1") >= 2, "two beats")


async def test_an_agent_that_cannot_say_what_its_doors_are_beats_no_more(
    tmp_path: Path, manager: Manager, watchdog: Watchdog, monkeypatch: pytest.MonkeyPatch
) -> None:
    pi = Pi(tmp_path / "pi", TestDistrict())
    async with pi.running(watchdog=watchdog) as agent:
        await until(lambda: "WATCHDOG=1" in manager.hear(), "the first beat")
        tried = []

        def broken() -> None:
            tried.append(manager.hear().count("WATCHDOG=1"))
            raise OSError("the pins are gone")

        asyncio.get_running_loop().set_exception_handler(lambda _loop, _context: None)  # pytest would fail for it
        monkeypatch.setattr(agent.doors, "sample_all", broken)
        await until(lambda: len(tried) >= 3, "three tries")
        assert tried[-1] == manager.hear().count("WATCHDOG=1") == tried[0]


def test_a_manager_on_an_abstract_socket_is_reached() -> None:
    manager = Manager("@doorward-test-notify")
    watchdog = Watchdog("@doorward-test-notify")
    watchdog.stopping()
    assert manager.hear() == ["STOPPING=1"]
    watchdog.close()
    manager.socket.close()


def test_a_manager_that_is_gone_or_does_not_listen_stops_nobody(tmp_path: Path) -> None:
    watchdog = Watchdog(str(tmp_path / "nobody"))
    watchdog.beat()
    watchdog.close()
    deaf = Manager(str(tmp_path / "deaf"))
    watchdog = Watchdog(str(tmp_path / "deaf"))
    for _ in range(10_000):  # far more than its buffer holds
        watchdog.beat()
    watchdog.close()
    deaf.socket.close()


def test_the_children_of_an_agent_do_not_speak_for_it(tmp_path: Path) -> None:
    environment = {"NOTIFY_SOCKET": str(tmp_path / "notify")}
    Watchdog.of(environment).close()
    assert environment == {}
    Watchdog.of(environment).ready("nobody started this")
