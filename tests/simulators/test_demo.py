"""The demonstration as anybody starts it: real processes, a real signed-in user, and nothing left behind."""

import asyncio
import contextlib
import os
import re
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from ground.free_port import free_port
from simulators.demo import HOST, console
from simulators.district.api import DistrictApi
from tests.support.demo_runs import of_folder, start
from tests.support.waiting import until

UP_WITHIN_S = 100

pytestmark = pytest.mark.timeout(300)


@contextlib.asynccontextmanager
async def live(folder: Path) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    """A running demo and what it said once it was up."""
    demo = await start("--data", str(folder), "--port", str(free_port()))
    try:
        assert demo.stdout is not None
        said = ""
        async with asyncio.timeout(UP_WITHIN_S):
            while "Ctrl-C" not in said:
                line = (await demo.stdout.readline()).decode()
                assert line, (await demo.stderr.read()).decode() if demo.stderr else ""
                said += line
        yield demo, said
    finally:
        if demo.returncode is None:
            demo.terminate()
        async with asyncio.timeout(30):
            await demo.communicate()
        await until(lambda: not of_folder(folder), "every process to end")


@pytest.mark.slow
async def test_the_live_demo_shows_48_doors_takes_its_accounts_and_ends_clean_on_a_signal(tmp_path: Path) -> None:
    async with live(tmp_path / "d") as (demo, said):
        address = re.search(r"http://\S+:\d+", said)
        account = re.search(r"officer\s+(\S+)", said)
        assert address is not None
        assert account is not None
        async with DistrictApi(address[0]) as officer:
            await officer.sign_in("officer", account[1])
            overview = await officer.overview()
        assert overview["totals"]["doors"] == 48
        assert overview["totals"]["agents_alive"] == 6
        assert overview["totals"]["conditions"].get("unknown", 0) == 0
        assert len(of_folder(tmp_path / "d")) >= 8
        demo.send_signal(signal.SIGINT)
        async with asyncio.timeout(30):
            await demo.wait()
        assert demo.returncode == 0
        assert not of_folder(tmp_path / "d")


@pytest.mark.slow
async def test_a_process_that_dies_is_named_with_its_last_words_and_ends_the_demo(tmp_path: Path) -> None:
    async with live(tmp_path / "d") as (demo, _):
        victim = next(pid for pid in of_folder(tmp_path / "d") if b"larkmere-middle-west" in _command(pid))
        os.kill(victim, signal.SIGKILL)
        assert demo.stderr is not None
        async with asyncio.timeout(20):
            log = (await demo.stderr.read()).decode()
        assert await demo.wait() == 1
        assert "agent-larkmere-middle-west was ended by SIGKILL" in log
        assert "doors held: 8" in log


def _command(pid: int) -> bytes:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""


@pytest.mark.slow
async def test_killed_outright_it_leaves_no_process_behind(tmp_path: Path) -> None:
    async with live(tmp_path / "d") as (demo, _):
        pids = [pid for pid in of_folder(tmp_path / "d") if pid != demo.pid]
        demo.kill()
        await until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids), "all to end", within=20)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("--scenario", "lockup"), "there is no scenario 'lockup'; there are: arrival-rush, drill, fire"),
        (("--json",), "--json needs --scenario"),
        (("--scenario", "/nowhere.yaml"), "cannot be read: No such file"),
    ],
)
async def test_wrong_usage_is_told_and_nothing_is_started(arguments: tuple[str, ...], expected: str) -> None:
    demo = await start(*arguments)
    _, log = await demo.communicate()
    assert demo.returncode == 2
    assert expected in log.decode()


async def test_a_folder_with_a_district_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "district.yaml").write_text("mine")
    demo = await start("--data", str(tmp_path))
    _, log = await demo.communicate()
    assert demo.returncode == 1
    assert "holds a district already" in log.decode()
    assert (tmp_path / "district.yaml").read_text() == "mine"


async def test_a_console_port_that_is_taken_is_told_only_if_it_was_asked_for() -> None:
    server = await asyncio.start_server(lambda _r, _w: None, HOST, 0)
    taken: Any = server.sockets[0].getsockname()[1]
    with pytest.raises(OSError, match=f"port {taken}.*choose another --port"):
        console(taken)
    assert console(None) > 0
    server.close()
    await server.wait_closed()
